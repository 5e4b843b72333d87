"""Makes a Debian package of the bundle: ``make deb`` runs it after ``make bundle``.

python docs/make/deb.py [BUNDLE] [FOLDER]   (dist/lbbic, dist)

The bundle goes to /usr/lib/lbbic, its programs onto the path, and what desktops need, man pages,
completion and licences below /usr/share. There are no scripts: dpkg's triggers update the caches.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from manuals import write_manuals

from lbbic_gui.desktop.integration import linux_files, write_files

ROOT = Path(__file__).parents[2]
MAINTAINER = "LBBIC <lbbic@localhost>"
# What Qt and the bundle's libraries ask of the system; the rest is inside (docs/installing.md).
DEPENDS = "libc6 (>= {libc}), libegl1, libgl1, libfontconfig1"


def make_deb(bundle: Path, folder: Path) -> Path:
    """Return the package of a bundle, written to ``folder``."""
    about = metadata("lbbic")
    machine = _output("dpkg", "--print-architecture")
    package = folder / f"lbbic_{about['Version']}_{machine}.deb"
    with TemporaryDirectory(prefix="lbbic-deb-", dir=folder) as temporary:
        root = Path(temporary)
        root.chmod(0o755)
        _lay_out(bundle, root)
        files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
        control = {
            "Package": "lbbic",
            "Version": about["Version"],
            "Architecture": machine,
            "Maintainer": MAINTAINER,
            "Installed-Size": str(sum(path.stat().st_size for path in files) // 1024),
            "Depends": DEPENDS.format(libc=platform.libc_ver()[1]),
            "Section": "graphics",
            "Priority": "optional",
            "Description": about["Summary"],
        }
        text = "".join(f"{key}: {value}\n" for key, value in control.items())
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN" / "control").write_text(text, encoding="utf-8")
        _output("dpkg-deb", "--root-owner-group", "-Zxz", "-z2", "--build", str(root), str(package))
    return package


def _lay_out(bundle: Path, root: Path) -> None:
    """The installed files, by their paths below ``root``."""
    shutil.copytree(bundle, root / "usr" / "lib" / "lbbic", symlinks=True)
    programs, share = root / "usr" / "bin", root / "usr" / "share"
    programs.mkdir(parents=True)
    for name in ("lbbic", "lbbic-gui"):
        (programs / name).symlink_to(f"../lib/lbbic/{name}")
    installed = linux_files(Path("/usr/share"), Path("/usr/bin/lbbic-gui"))
    write_files({root / path.relative_to("/"): body for path, body in installed.items()})
    write_manuals(share)
    about = share / "doc" / "lbbic"
    about.mkdir(parents=True)
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    others = "\nThe licences of all parts are in /usr/lib/lbbic/_internal/licences.\n"
    (about / "copyright").write_text(licence + others, encoding="utf-8")


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return re.sub(r"\s+$", "", done.stdout)


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    bundle, folder = given if len(given) == 2 else (ROOT / "dist" / "lbbic", ROOT / "dist")
    print(make_deb(bundle, folder))
