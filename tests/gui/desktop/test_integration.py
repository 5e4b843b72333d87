"""The app is added to the desktop and removed again; files passed by the system are opened."""

from __future__ import annotations

import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lbbic_engine.bitstream.container import SIGNATURE
from lbbic_gui import app
from lbbic_gui.desktop import integration

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files of Linux desktops")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "share 100 %"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder


def own_files(home: Path) -> set[Path]:
    return {path for path in home.rglob("*") if path.is_file() and "lbb" in path.name.lower()}


@linux
def test_removing_undoes_all_that_installing_adds(home: Path) -> None:
    assert app.main(["--install-desktop"]) == 0
    installed = own_files(home)
    assert home / "applications" / "lbbic.desktop" in installed
    with Image.open(home / "icons/hicolor/48x48/mimetypes/image-x-lbb.png") as icon:
        assert icon.size == (48, 48)
    assert app.main(["--install-desktop"]) == 0
    assert own_files(home) == installed
    assert app.main(["--remove-desktop"]) == 0
    assert not own_files(home)
    assert app.main(["--remove-desktop"]) == 0


@linux
def test_the_desktop_entry_starts_the_app(home: Path) -> None:
    app.main(["--install-desktop"])
    entry = ConfigParser(interpolation=None)
    entry.read(home / "applications" / "lbbic.desktop", encoding="utf-8")
    command = shlex.split(entry["Desktop Entry"]["Exec"])
    assert command[-1] == "%F"
    done = subprocess.run([command[0], "--help"], capture_output=True, text=True, check=True)
    assert "lbbic-gui" in done.stdout


@linux
def test_file_managers_make_thumbnails_and_compress(home: Path, draw: Any) -> None:
    app.main(["--install-desktop"])
    picture, small = draw("a b.png"), home.with_name("small.png")
    scripts = [home / "nautilus/scripts/Compress with LBBIC", home / "lbbic/lbbic-compress"]
    for script in scripts:
        done = subprocess.run([script, picture], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        file = picture.with_suffix(".lbb")
        assert file.is_file()
        done = subprocess.run([script, picture], check=False, capture_output=True, text=True)
        assert done.returncode == 1
        assert "exists" in done.stderr
        entry = ConfigParser(interpolation=None)
        entry.optionxform = str  # type: ignore[assignment,method-assign]
        entry.read(home / "thumbnailers" / "lbbic.thumbnailer", encoding="utf-8")
        values = {"%s": "16", "%i": str(file), "%o": str(small)}
        command = shlex.split(entry["Thumbnailer Entry"]["Exec"])
        assert Path(entry["Thumbnailer Entry"]["TryExec"]).is_file()
        subprocess.run([values.get(word, word) for word in command], check=True)
        with Image.open(small) as image:
            assert max(image.size) == 16
        file.unlink()
    menu = home / "kio" / "servicemenus" / "lbbic-servicemenu.desktop"
    assert menu.stat().st_mode & 0o100
    assert "/lbbic/lbbic-compress" in menu.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("/opt/My apps/lbbic-gui", '"/opt/My apps/lbbic-gui"'),
        ("/opt/100 %/lbbic-gui", '"/opt/100 %%/lbbic-gui"'),
        ('/opt/a"b$c`d/x', '"/opt/a\\\\"b\\\\$c\\\\`d/x"'),
    ],
)
def test_special_characters_in_the_programs_path_are_escaped(path: str, quoted: str) -> None:
    files = integration.linux_files(Path("/home"), Path(path))
    assert f"Exec={quoted} %F\n" in files[Path("/home/applications/lbbic.desktop")].decode()


def test_the_file_type_is_recognised_by_name_and_signature() -> None:
    text = integration.linux_files(Path("/home"), Path("/x"))[Path("/home/mime/packages/lbbic.xml")]
    (kind,) = ElementTree.fromstring(text)
    names = {"m": "http://www.freedesktop.org/standards/shared-mime-info"}
    assert kind.attrib["type"] == integration.MIME_TYPE
    match, glob = kind.find("m:magic/m:match", names), kind.find("m:glob", names)
    assert match is not None
    assert glob is not None
    assert match.attrib["value"].encode().decode("unicode_escape").encode("latin-1") == SIGNATURE
    assert glob.attrib["pattern"] == "*.lbb"


def test_windows_opens_lbb_files_with_the_program() -> None:
    program = Path("lbbic gui.exe")
    values = integration.registry_values(program)
    kind = values[r"Software\Classes\.lbb", ""]
    assert values[rf"Software\Classes\{kind}\shell\open\command", ""] == f'"{program}" "%1"'


def test_windows_verbs_for_pictures_use_the_users_own_keys() -> None:
    values = integration.registry_values(Path("lbbic-gui.exe"))
    verbs = r"Software\Classes\SystemFileAssociations\image\shell"
    assert values[rf"{verbs}\lbbic.open\command", ""] == '"lbbic-gui.exe" "%1"'
    assert values[rf"{verbs}\lbbic.compress\command", ""] == '"lbbic.exe" compress --preview "%1"'
    assert all(key.startswith("Software\\Classes\\") for key, _ in values)


def test_a_file_open_event_opens_the_file(user: Any, draw: Any) -> None:
    from PySide6.QtCore import QUrl
    from PySide6.QtGui import QFileOpenEvent
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance()
    assert application is not None
    events = app.hand_over_files(application, user.window)
    picture = draw("from the Finder.png")
    QApplication.sendEvent(application, QFileOpenEvent(QUrl.fromLocalFile(str(picture))))
    user.wait(lambda: [row.source.name for row in user.rows] == [picture.name])
    assert user.window.settings.recent() == [picture]
    application.removeEventFilter(events)
