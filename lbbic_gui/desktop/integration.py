"""Registers the app with the desktop for this user: menu entry, icon and file type ``.lbb``.

On Linux these are files under ``$XDG_DATA_HOME``, on Windows registry keys under
``HKEY_CURRENT_USER``; on macOS the bundle's Info.plist is enough. Nothing is written beside the
program, whose folder may be read-only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lbbic_engine import resources

MIME_TYPE = "image/x-lbb"
ICON_SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
_CLASSES = r"Software\Classes"


def install() -> int:
    """Write what the desktop needs; writing it again does no harm. Returns an exit code."""
    if sys.platform == "darwin":
        return _nothing_to_do()
    if sys.platform == "win32":
        _write_registry()
    else:
        for path, content in linux_files(data_home(), program()).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _update_caches(data_home())
    print(f"Installed for this user: menu entry, icon and .lbb files, opened by {program()}")
    return 0


def remove() -> int:
    """Undo ``install``; what is not there any more does no harm. Returns an exit code."""
    if sys.platform == "darwin":
        return _nothing_to_do()
    if sys.platform == "win32":
        _remove_registry()
    else:
        for path in linux_files(data_home(), program()):
            path.unlink(missing_ok=True)
        _update_caches(data_home())
    print("Removed for this user: menu entry, icon and the file type .lbb")
    return 0


def program() -> Path:
    """The app's executable: the bundle's, or the one beside this Python."""
    this = Path(sys.executable)
    return this if getattr(sys, "frozen", False) else this.with_name("lbbic-gui" + this.suffix)


def data_home() -> Path:
    """Where this user's desktop entries, icons and file types live."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def linux_files(home: Path, program: Path) -> dict[Path, bytes]:
    """Every file that is installed, by its path."""
    source, icons = resources.FOLDER / "desktop", resources.FOLDER / "icons"
    hicolor = home / "icons" / "hicolor"
    entry = (source / "lbbic.desktop").read_text(encoding="utf-8")
    contents = {
        home / "applications" / "lbbic.desktop": entry.replace(
            "Exec=lbbic-gui", f"Exec={_quoted(program)}"
        ).encode(),
        home / "mime" / "packages" / "lbbic.xml": (source / "lbbic.xml").read_bytes(),
        hicolor / "scalable" / "apps" / "lbbic.svg": (icons / "lbbic.svg").read_bytes(),
    }
    for size in ICON_SIZES:
        folder, picture = hicolor / f"{size}x{size}", (icons / f"lbbic-{size}.png").read_bytes()
        contents[folder / "apps" / "lbbic.png"] = picture
        contents[folder / "mimetypes" / "image-x-lbb.png"] = picture
    return contents


def registry_values(program: Path) -> dict[tuple[str, str], str]:
    """What is written below ``HKEY_CURRENT_USER``, by key and name of the value."""
    kind, extension = rf"{_CLASSES}\lbbic.picture", rf"{_CLASSES}\.lbb"
    return {
        (extension, ""): "lbbic.picture",
        (extension, "Content Type"): MIME_TYPE,
        (extension, "PerceivedType"): "image",
        (kind, ""): "LBBIC picture",
        (rf"{kind}\DefaultIcon", ""): f'"{program}",0',
        (rf"{kind}\shell\open\command", ""): f'"{program}" "%1"',
    }


def _quoted(program: Path) -> str:
    """A path as the Exec key wants it: in quotes, with what is special in them escaped twice."""
    text = str(program).replace("\\", "\\\\")
    for special in '"`$':
        text = text.replace(special, "\\" + special)
    return '"' + text.replace("\\", "\\\\").replace("%", "%%") + '"'


def _update_caches(home: Path) -> None:
    """Let the desktop notice; desktops without these tools look for themselves."""
    for command in (
        ("update-desktop-database", str(home / "applications")),
        ("update-mime-database", str(home / "mime")),
        ("gtk-update-icon-cache", "-qtf", str(home / "icons" / "hicolor")),
    ):
        if shutil.which(command[0]):
            subprocess.run(command, check=False, capture_output=True)


def _write_registry() -> None:
    import winreg

    for (key, name), value in registry_values(program()).items():
        with winreg.CreateKey(winreg.HKEY_CURRENT_USER, key) as opened:  # type: ignore[attr-defined]
            winreg.SetValueEx(opened, name, 0, winreg.REG_SZ, value)  # type: ignore[attr-defined]
    _tell_windows()


def _remove_registry() -> None:
    import winreg

    keys = {key for key, _ in registry_values(program())}
    parents = {key.rpartition("\\")[0] for key in keys} | {rf"{_CLASSES}\lbbic.picture\shell"}
    own = {key for key in keys | parents if "lbb" in key.removeprefix(_CLASSES)}
    for key in sorted(own, key=len, reverse=True):
        try:
            winreg.DeleteKey(winreg.HKEY_CURRENT_USER, key)  # type: ignore[attr-defined]
        except OSError:  # it is not there, or another program has put something below it
            continue
    _tell_windows()


def _tell_windows() -> None:
    import ctypes

    associations_changed = 0x08000000
    ctypes.windll.shell32.SHChangeNotify(associations_changed, 0, None, None)  # type: ignore[attr-defined]


def _nothing_to_do() -> int:
    print("On macOS, drag the app into the Applications folder; it then opens .lbb files.")
    return 0
