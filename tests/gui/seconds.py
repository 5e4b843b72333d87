"""Measures how quickly the window opens and how long it freezes; run by `make bench`.

    python tests/gui/seconds.py

This is not a test, because seconds depend on the machine. test_responsive.py tests without a clock
that the window stays responsive.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from lbbic_gui.shell.main_window import MainWindow

MANY, PHOTOGRAPHS = 5000, 12

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def main() -> None:
    """Print all figures."""
    with TemporaryDirectory(prefix="lbbic-") as folder:
        os.environ["LBBIC_SETTINGS"] = str(Path(folder, "settings.ini"))
        began = time.perf_counter()
        _application, window = open_window()
        print(f"window up: {time.perf_counter() - began:.2f} s")
        megapixel = Path(folder, "megapixel.png")
        noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(noise).resize((1024, 1024)).save(megapixel)

        ready: list[object] = []
        window.session.networks.loaded.connect(ready.append)
        print_stall("torch is imported", lambda: window.begin([]), lambda: ready)
        print_stall("it is coded", lambda: window.begin([megapixel]), lambda: window.session.result)
        compare = window.inspector.compare
        names = compare.names.values()
        print_stall(
            "other codecs code it", compare.button.click, lambda: all(n.isEnabled() for n in names)
        )
        print_stalls_of_workers(window, Path(folder))
        print_stalls_of_many(window, Path(folder))
        window.close()
        window.session.jobs.stop()


def print_stalls_of_workers(window: MainWindow, folder: Path) -> None:
    """Save photographs with all workers, and stop in the middle."""
    from lbbic_engine.resources import FOLDER

    photographs = folder / "photographs"
    photographs.mkdir()
    with Image.open(FOLDER / "samples" / "coffee.png") as image:
        large = image.convert("RGB").resize((1800, 1200))
    for number in range(PHOTOGRAPHS):
        large.save(photographs / f"{number}.png", compress_level=1)
    batch = window.session.batch
    saved: list[object] = []
    batch.saved.connect(saved.append)
    print_stall(
        f"{PHOTOGRAPHS} photographs are added",
        lambda: window.begin([photographs]),
        lambda: len(window.session.queue.rows) > PHOTOGRAPHS,
    )
    compress_all, cancel = (window.actions_[name].trigger for name in ("compress_all", "cancel"))
    print_stall("all workers code them", compress_all, lambda: len(saved) > PHOTOGRAPHS // 2)
    print_stall("they are stopped", cancel, lambda: not batch.is_busy)


def print_stalls_of_many(window: MainWindow, folder: Path) -> None:
    """Add, save and stop many pictures, with a stub for the coder."""
    from lbbic_gui.jobs.messages import Saved, Step
    from lbbic_gui.jobs.requests import Save
    from lbbic_gui.jobs.tasks import Tasks

    do = Tasks.do

    def stub(self: Tasks, request: Any, report: Any, cancelled: Any) -> Any:
        if isinstance(request, Save):
            report(Step("Encoding", 1, 2))
            return Saved(request.target, None, 100)
        return do(self, request, report, cancelled)

    Tasks.do = stub  # type: ignore[method-assign]
    many, picture = folder / "many", folder / "picture.png"
    many.mkdir()
    Image.new("RGB", (64, 48), "teal").save(picture)
    for number in range(MANY):
        (many / f"{number}.png").write_bytes(picture.read_bytes())
    rows, batch = window.session.queue.rows, window.session.batch
    saved: list[object] = []
    batch.saved.connect(saved.append)
    before = len(rows)
    print_stall(
        f"{MANY} are added", lambda: window.begin([many]), lambda: len(rows) == before + MANY
    )
    compress_all, cancel = (window.actions_[name].trigger for name in ("compress_all", "cancel"))
    print_stall("half of them are saved", compress_all, lambda: len(saved) > MANY // 2)
    print_stall("the others are stopped", cancel, lambda: not batch.is_busy)


def open_window() -> tuple[QApplication, MainWindow]:
    """Measure until the window shows its first picture."""
    from PySide6.QtWidgets import QApplication

    from lbbic_gui.app import prepare
    from lbbic_gui.shell.main_window import MainWindow
    from lbbic_gui.state.settings import Settings

    application = QApplication([])
    prepare(application)
    window = MainWindow(Settings())
    window.show()
    window.grab()
    return application, window


def print_stall(what: str, begin: Callable[[], object], done: Callable[[], object]) -> None:
    """The longest time between two turns of the event loop from ``begin`` until ``done``.

    It is printed with the time of all.
    """
    from PySide6.QtWidgets import QApplication

    longest, last = 0.0, time.perf_counter()
    began = last
    begin()
    while not done():
        QApplication.processEvents()
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        time.sleep(0.001)
    print(f"longest stall while {what}: {1000 * longest:.0f} ms, in {last - began:.2f} s")


if __name__ == "__main__":
    main()
