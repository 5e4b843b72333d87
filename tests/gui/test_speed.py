"""How quickly the window is up and how long its event loop stands still; figures are printed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QObject, QTimer

from lbbic_gui.jobs import messages
from lbbic_gui.jobs.messages import Source

_OPEN = """
import sys, time
start = time.perf_counter()
from PySide6.QtWidgets import QApplication
from lbbic_gui.app import prepare
from lbbic_gui.shell.main_window import MainWindow
from lbbic_gui.state.settings import Settings
application = QApplication([])
prepare(application)
window = MainWindow(Settings())
window.show()
window.grab()
print(time.perf_counter() - start, "torch" in sys.modules)
window.close()
"""

_LOAD = """
import os, sys, time
from PySide6.QtCore import QObject, QTimer

from lbbic_gui.jobs import messages
from lbbic_gui.jobs.messages import Source
from PySide6.QtWidgets import QApplication
from lbbic_gui.app import prepare
from lbbic_gui.shell.main_window import MainWindow
from lbbic_gui.state.settings import Settings
application = QApplication([])
prepare(application)
window = MainWindow(Settings())
window.show()
window.grab()
gaps, last = [], [time.perf_counter()]
def tick():
    now = time.perf_counter()
    gaps.append(now - last[0])
    last[0] = now
timer = QTimer(interval=0)
timer.timeout.connect(tick)
timer.start()
window.session.ready.connect(application.quit)
window.session.warm_up()
application.exec()
print(max(gaps), "torch" in sys.modules, flush=True)
window.session.jobs.stop()
os._exit(0)
"""


def test_the_window_is_up_before_torch(settings_file: Path) -> None:
    run = subprocess.run([sys.executable, "-c", _OPEN], capture_output=True, text=True, check=True)
    seconds, has_torch = run.stdout.split()
    print(f"\nwindow up after {float(seconds):.2f} s")
    assert has_torch == "False"
    assert float(seconds) < 5


@pytest.mark.slow
def test_the_event_loop_keeps_running_while_torch_is_imported(settings_file: Path) -> None:
    run = subprocess.run([sys.executable, "-c", _LOAD], capture_output=True, text=True, check=True)
    seconds, has_torch = run.stdout.split()
    print(f"\nlongest stall while torch is imported {1000 * float(seconds):.0f} ms")
    assert has_torch == "True"
    assert float(seconds) < 0.5


@pytest.mark.slow
def test_the_event_loop_keeps_running_while_a_megapixel_is_coded(
    user: Any, draw: Callable[..., Path]
) -> None:
    ready: list[object] = []
    user.window.session.ready.connect(ready.append)
    user.wait(lambda: bool(ready))
    user.drop(draw("megapixel.png", 1024, 1024))
    with _stalls(user.window) as gaps:
        user.wait(lambda: user.window.session.result is not None, 240)
    assert max(gaps) < 0.5


@pytest.mark.slow
def test_the_event_loop_keeps_running_while_a_large_picture_is_compared(
    answers: Any, tmp_path: Path
) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (6000, 4000), "teal").save(path)  # flat, so that it is quickly coded
    source = Source(path.name, path)
    answers.ask(messages.Open(source))
    with _stalls(answers.jobs) as gaps:
        answers.ask(messages.CompareAtSize(source, "webp", 700_000), 240_000)
    assert max(gaps) < 0.2  # 0.1 s, and what a busy machine takes for itself


@contextmanager
def _stalls(parent: QObject) -> Iterator[list[float]]:
    """Seconds between two turns of the event loop; the longest is printed."""
    gaps: list[float] = []
    last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        gaps.append(now - last)
        last = now

    timer = QTimer(parent, interval=0)
    timer.timeout.connect(tick)
    timer.start()
    yield gaps
    timer.stop()
    print(f"\nlongest stall {1000 * max(gaps):.0f} ms")
