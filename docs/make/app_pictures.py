"""Photographs the app for the docs: the stills of the guide, and a picture decoding.

    python docs/make/app_pictures.py

The stills are some of those that tests/gui/screenshots.py takes. The animation is the real window,
photographed after every few fronts of blocks, then while the split handle moves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lbbic_engine import resources

if TYPE_CHECKING:
    from lbbic_gui.shell.main_window import MainWindow

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide"
ANIMATION = ROOT / "docs" / "decoding.webp"
STILLS = ("empty", "simple", "difference", "brush", "bits", "plot", "batch-done", "settings")
SIZE = (1120, 700)
FRONTS_PER_FRAME = 2
FRAME_MS, HOLD_MS = 60, 1600


def main() -> None:
    """Write every picture."""
    with TemporaryDirectory(prefix="lbbic-") as folder:
        take_stills(Path(folder))
        animate(Path(folder))
    print(f"{ANIMATION.name}: {ANIMATION.stat().st_size / 1e6:.1f} MB")


def take_stills(folder: Path) -> None:
    """Photograph the app in every state and keep those that the guide shows."""
    script = ROOT / "tests" / "gui" / "screenshots.py"
    subprocess.run([sys.executable, script, folder, "light", "1"], check=True)
    GUIDE.mkdir(exist_ok=True)
    for name in STILLS:
        (taken,) = folder.glob(f"light-1x-[0-9][0-9]-{name}.png")
        shutil.copyfile(taken, GUIDE / f"{name}.png")


def animate(folder: Path) -> None:
    """Open a sample in the app and write what is to be seen as one animated picture."""
    from PySide6.QtWidgets import QApplication

    from lbbic_gui.app import prepare
    from lbbic_gui.shell.main_window import MainWindow
    from lbbic_gui.state.settings import Settings

    application = QApplication([])
    prepare(application)
    settings = Settings(folder / "settings.ini")
    settings.change(theme="light", output_folder=str(folder), reduce_motion=True)
    settings.change(compare_first=False, detailed=True)
    window = MainWindow(settings)
    window.resize(*SIZE)
    window.show()
    frames = film(window, application.processEvents)
    window.close()
    images, durations = zip(*frames, strict=True)
    images[0].save(
        ANIMATION,
        save_all=True,
        append_images=images[1:],
        duration=durations,
        loop=0,
        quality=78,
        method=4,
    )


def film(window: MainWindow, turn: Callable[[], None]) -> list[tuple[Image.Image, int]]:
    """Frames and how long each is shown in milliseconds."""
    session, canvas = window.session, window.viewer.canvas
    frames: list[tuple[Image.Image, int]] = []
    count = 0

    def on_front(front: object) -> None:
        nonlocal count
        count += 1
        if count % FRONTS_PER_FRAME == 0:
            frames.append((photograph(window), FRAME_MS))

    session.networks.load()
    (sample,) = (Path(str(item)) for item in resources.sample_pictures() if "coffee" in item.name)
    session.adder.open([sample])
    wait(turn, lambda: session.original is not None)
    canvas.show_side(0.0)
    session.coder.front.connect(on_front)
    wait(turn, lambda: session.result is not None)
    for _ in range(20):
        turn()
    frames.append((photograph(window), HOLD_MS))
    for split in (*np.linspace(0, 0.85, 18), *np.linspace(0.85, 0.5, 8)):
        canvas.show_side(float(split))
        turn()
        frames.append((photograph(window), FRAME_MS))
    return [*frames, (frames[-1][0], HOLD_MS)]


def photograph(window: MainWindow) -> Image.Image:
    image = window.grab().toImage()
    image = image.convertToFormat(image.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    pixels = rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
    return Image.fromarray(pixels.copy())


def wait(turn: Callable[[], None], condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        turn()
        time.sleep(0.002)


if __name__ == "__main__":
    main()
