"""The bundle as ``make bundle`` builds it, and a virtual display for its window."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageGrab

ROOT = Path(__file__).parents[2]
SCREEN = (1400, 900)


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The folder of the two programs, built again where anything has changed."""
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR"]
    options = ["--workpath", "build/bundle", "build_app.spec"]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return ROOT / "dist" / "lbbic"


@pytest.fixture
def read_only(bundle: Path) -> Iterator[Path]:
    """The bundle in a read-only folder; checks that root has not written to it either."""
    before = times(bundle)
    folders = [bundle, *(path for path in before if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield bundle
    for folder in folders:
        folder.chmod(0o755)
    assert times(bundle) == before


def times(folder: Path) -> dict[Path, int]:
    """The modification times of all files and folders in a folder."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


class Display:
    """A virtual screen, and an environment with nothing else of this machine's."""

    def __init__(self, number: str, home: Path) -> None:
        self.name = f":{number}"
        self.environment = {"DISPLAY": self.name, "HOME": str(home)}

    def shot(self) -> Image.Image:
        return ImageGrab.grab(xdisplay=self.name)

    def wait(self, condition: Callable[[Image.Image], bool], patience: float = 600) -> float:
        """Return the seconds until the screen meets a condition."""
        start = time.monotonic()
        while not condition(self.shot()):
            assert time.monotonic() - start < patience, "it hangs"
            time.sleep(0.01)
        return time.monotonic() - start


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Display]:
    if not shutil.which("Xvfb"):
        pytest.skip("a window needs Xvfb")
    reading, writing = os.pipe()
    width, height = SCREEN
    server = subprocess.Popen(
        [*["Xvfb", "-noreset", "-displayfd"], str(writing), "-screen", "0", f"{width}x{height}x24"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()
    yield Display(number, tmp_path)
    server.terminate()
    server.wait()
