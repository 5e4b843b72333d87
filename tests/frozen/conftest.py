"""The bundle as ``make bundle`` builds it, and a display of its own to open its window on."""

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
    """The folder of the two programs, built anew (PyInstaller redoes what has changed)."""
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR"]
    options = ["--workpath", "build/bundle", "build_app.spec"]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return ROOT / "dist" / "lbbic"


@pytest.fixture
def read_only(bundle: Path) -> Iterator[Path]:
    """The bundle in a folder that nobody may write to, and that root has not written to either."""
    before = times(bundle)
    folders = [bundle, *(path for path in before if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield bundle
    for folder in folders:
        folder.chmod(0o755)
    assert times(bundle) == before


def times(folder: Path) -> dict[Path, int]:
    """When each file and folder in a folder was last written to."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


class Display:
    """A virtual screen; programs on it see nothing else of this machine's environment."""

    def __init__(self, number: str, home: Path) -> None:
        self.name = f":{number}"
        self.environment = {"DISPLAY": self.name, "HOME": str(home)}

    def shot(self) -> Image.Image:
        return ImageGrab.grab(xdisplay=self.name)

    def wait(self, condition: Callable[[Image.Image], bool], patience: float = 600) -> float:
        """Seconds until the screen is as it should be."""
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
