"""How quickly the window is up and how long it stands still, in seconds; run by `make bench`.

    python tests/gui/seconds.py

Not a test: seconds depend on the machine. What keeps the window alive is tested without a clock
in test_responsive.py.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from lbbic_gui.shell.main_window import MainWindow

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def main() -> None:
    """Print all figures."""
    with TemporaryDirectory(prefix="lbbic-") as folder:
        os.environ["LBBIC_SETTINGS"] = str(Path(folder, "settings.ini"))
        began = time.perf_counter()
        application, window = open_window()
        print(f"window up: {time.perf_counter() - began:.2f} s")
        megapixel = Path(folder, "megapixel.png")
        noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(noise).resize((1024, 1024)).save(megapixel)

        ready: list[object] = []
        window.session.networks.loaded.connect(ready.append)
        window.begin([])
        print_stall("while torch is imported", application, lambda: ready)
        window.begin([megapixel])
        print_stall("while it is coded", application, lambda: window.session.result)
        compare = window.inspector.compare
        compare.button.click()
        names = compare.names.values()
        print_stall(
            "while other codecs code it", application, lambda: all(n.isEnabled() for n in names)
        )
        window.close()
        window.session.jobs.stop()


def open_window() -> tuple[QApplication, MainWindow]:
    """The window with its first picture on the screen."""
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


def print_stall(what: str, application: QApplication, done: Callable[[], object]) -> None:
    """The longest time between two turns of the event loop until ``done``."""
    longest, last = 0.0, time.perf_counter()
    while not done():
        application.processEvents()
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        time.sleep(0.001)
    print(f"longest stall {what}: {1000 * longest:.0f} ms")


if __name__ == "__main__":
    main()
