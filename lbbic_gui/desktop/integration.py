"""Registers the app with the desktop for this user: menu entry, icon, file type, thumbnails, verbs.

On Linux these are files under ``$XDG_DATA_HOME``, on Windows registry keys under
``HKEY_CURRENT_USER``; on macOS the bundle's Info.plist is enough. Nothing is written beside the
program, whose folder may be read-only.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from lbbic_engine import resources

MIME_TYPE = "image/x-lbb"
ICON_SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
_CLASSES = r"Software\Classes"


def install() -> int:
    """Write the desktop's files, again if they are there. Return an exit code."""
    if sys.platform == "darwin":
        return _nothing_to_do()
    if sys.platform == "win32":
        _write_registry()
    else:
        write_files(_users_files())
        _update_caches(data_home())
    print(
        f"Installed for this user: menu entry, icon, .lbb files with thumbnails, and\n"
        f"Compress with LBBIC in file managers; opened by {program()}"
    )
    return 0


def remove() -> int:
    """Undo ``install``, as far as its files are still there. Return an exit code."""
    if sys.platform == "darwin":
        return _nothing_to_do()
    if sys.platform == "win32":
        _remove_registry()
    else:
        for path in _users_files():
            path.unlink(missing_ok=True)
        _update_caches(data_home())
    print("Removed for this user: menu entry, icon, file type .lbb, thumbnails and verbs")
    return 0


def _users_files() -> dict[Path, bytes]:
    """``linux_files`` and the script for Nautilus, which looks only in users' folders."""
    contents = linux_files(data_home(), program())
    script = contents[data_home() / "lbbic" / "lbbic-compress"]
    return {**contents, data_home() / "nautilus" / "scripts" / "Compress with LBBIC": script}


def write_files(contents: dict[Path, bytes]) -> None:
    """Write files; make those executable that a file manager starts."""
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        is_started = content.startswith(b"#!") or path.parent.name == "servicemenus"
        path.chmod(0o755 if is_started else 0o644)


def program() -> Path:
    """The app's executable: the bundle's, or the one next to this Python."""
    this = Path(sys.executable)
    return this if resources.is_bundled() else this.with_name("lbbic-gui" + this.suffix)


def data_home() -> Path:
    """The folder of this user's desktop entries, icons and file types."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def linux_files(home: Path, program: Path) -> dict[Path, bytes]:
    """Return the contents of every installed file: those of a data folder, such as /usr/share.

    ``program`` is the app; the command line is in the same folder.
    """
    source, icons = resources.FOLDER / "desktop", resources.FOLDER / "icons"
    hicolor, script = home / "icons" / "hicolor", home / "lbbic" / "lbbic-compress"
    lbbic = program.with_name("lbbic")
    places = {
        home / "applications" / "lbbic.desktop": ("Exec=lbbic-gui", f"Exec={_quoted(program)}"),
        home / "thumbnailers" / "lbbic.thumbnailer": ("Exec=lbbic ", f"Exec={_quoted(lbbic)} "),
        home / "kio" / "servicemenus" / "lbbic-servicemenu.desktop": (
            "Exec=lbbic-compress",
            f"Exec={_quoted(script)}",
        ),
        script: ("$(lbbic ", f"$({shlex.quote(str(lbbic))} "),
    }
    contents = {
        path: (source / path.name).read_text(encoding="utf-8").replace(*change).encode()
        for path, change in places.items()
    }
    thumbnailer = home / "thumbnailers" / "lbbic.thumbnailer"
    contents[thumbnailer] = contents[thumbnailer].replace(b"TryExec=lbbic\n", _try_exec(lbbic))
    contents[home / "mime" / "packages" / "lbbic.xml"] = (source / "lbbic.xml").read_bytes()
    contents[hicolor / "scalable" / "apps" / "lbbic.svg"] = (icons / "lbbic.svg").read_bytes()
    for size in ICON_SIZES:
        folder, picture = hicolor / f"{size}x{size}", (icons / f"lbbic-{size}.png").read_bytes()
        contents[folder / "apps" / "lbbic.png"] = picture
        contents[folder / "mimetypes" / "image-x-lbb.png"] = picture
    return contents


def _try_exec(program: Path) -> bytes:
    """The program whose presence a desktop checks, as a path without quotes."""
    return f"TryExec={program}\n".encode()


def registry_values(program: Path) -> dict[tuple[str, str], str]:
    """The values below ``HKEY_CURRENT_USER``, by key and name."""
    kind, extension = rf"{_CLASSES}\lbbic.picture", rf"{_CLASSES}\.lbb"
    verbs = rf"{_CLASSES}\SystemFileAssociations\image\shell"  # of all pictures
    lbbic = program.with_name("lbbic" + program.suffix)
    return {
        (extension, ""): "lbbic.picture",
        (extension, "Content Type"): MIME_TYPE,
        (extension, "PerceivedType"): "image",
        (kind, ""): "LBBIC picture",
        (rf"{kind}\DefaultIcon", ""): f'"{program}",0',
        (rf"{kind}\shell\open\command", ""): f'"{program}" "%1"',
        (rf"{verbs}\lbbic.open", ""): "Open with LBBIC",
        (rf"{verbs}\lbbic.open", "Icon"): f'"{program}",0',
        (rf"{verbs}\lbbic.open\command", ""): f'"{program}" "%1"',
        (rf"{verbs}\lbbic.compress", ""): "Compress with LBBIC",
        (rf"{verbs}\lbbic.compress", "Icon"): f'"{program}",0',
        (rf"{verbs}\lbbic.compress\command", ""): f'"{lbbic}" compress --preview "%1"',
    }


def _quoted(program: Path) -> str:
    """A path as the Exec key requires it: in quotes, with special characters escaped twice."""
    text = str(program).replace("\\", "\\\\")
    for special in '"`$':
        text = text.replace(special, "\\" + special)
    return '"' + text.replace("\\", "\\\\").replace("%", "%%") + '"'


def _update_caches(home: Path) -> None:
    """Notify the desktop; desktops without these tools notice by themselves."""
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
