"""The Debian package of a stub bundle; ``tests/frozen`` tests a real bundle."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKE = ROOT / "docs" / "make"
needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="Debian's packages need dpkg")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of a bundle whose programs print their own path, unpacked as dpkg would."""
    bundle, made = tmp_path_factory.mktemp("bundle") / "lbbic", tmp_path_factory.mktemp("made")
    (bundle / "_internal").mkdir(parents=True)
    for name in ("lbbic", "lbbic-gui"):
        program = bundle / name
        program.write_text('#!/bin/sh\nreadlink -f "$0"\n', encoding="utf-8")
        program.chmod(0o755)
    command = [sys.executable, MAKE / "deb.py", bundle, made]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (package,) = made.glob("lbbic_*.deb")
    assert list(made.iterdir()) == [package]
    subprocess.run(["dpkg-deb", "-R", package, made / "root"], check=True)
    return made / "root"


@needs_dpkg
def test_the_package_puts_both_programs_on_the_path(unpacked: Path) -> None:
    for name in ("lbbic", "lbbic-gui"):
        done = subprocess.run([unpacked / "usr/bin" / name], capture_output=True, text=True)
        assert done.stdout.strip() == str(unpacked / "usr/lib/lbbic" / name)


@needs_dpkg
def test_the_package_installs_entry_icon_type_thumbnailer_and_menu(unpacked: Path) -> None:
    share = unpacked / "usr" / "share"
    for name in (
        "applications/lbbic.desktop",
        "icons/hicolor/48x48/apps/lbbic.png",
        "mime/packages/lbbic.xml",
        "thumbnailers/lbbic.thumbnailer",
        "kio/servicemenus/lbbic-servicemenu.desktop",
        "doc/lbbic/copyright",
    ):
        assert (share / name).is_file(), name
    assert '"/usr/bin/lbbic-gui" %F' in (share / "applications/lbbic.desktop").read_text("utf-8")
    control = (unpacked / "DEBIAN" / "control").read_text("utf-8")
    assert "Package: lbbic\n" in control
    assert {path.name for path in (unpacked / "DEBIAN").iterdir()} == {"control"}


@needs_dpkg
def test_man_pages_and_completion_cover_every_command(unpacked: Path) -> None:
    share = unpacked / "usr" / "share"
    page = gzip.decompress((share / "man/man1/lbbic.1.gz").read_bytes()).decode()
    bash = (share / "bash-completion/completions/lbbic").read_text("utf-8")
    zsh = (share / "zsh/vendor-completions/_lbbic").read_text("utf-8")
    for command in ("compress", "decompress", "info", "thumbnail", "eval", "bench", "demo"):
        assert command in page
        assert command in bash
        assert command in zsh
    assert (share / "man/man1/lbbic-gui.1.gz").is_file()
    subprocess.run(["bash", "-n", share / "bash-completion/completions/lbbic"], check=True)
