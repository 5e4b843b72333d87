"""Photographs the window in every state, in both themes and at twice the scale.

    python tests/gui/screenshots.py FOLDER

Each state is reached as a user reaches it. Look at the pictures before a release.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

VARIANTS = (("light", 1), ("dark", 1), ("light", 2), ("dark", 2))
WIDTH, HEIGHT = 1280, 800


def main(folder: Path) -> int:
    """Photograph every variant, each in a process of its own: Qt reads the scale at its start."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = []
    for theme, scale in VARIANTS:
        environment = os.environ | {"QT_SCALE_FACTOR": str(scale)}
        command = [sys.executable, __file__, str(folder), theme, str(scale)]
        codes.append(subprocess.run(command, env=environment, check=False).returncode)
    return max(codes)


class Photographer:
    """A window, and the camera before it."""

    def __init__(self, folder: Path, theme: str, scale: str, workshop: Path) -> None:
        from PySide6.QtWidgets import QApplication

        from lbbic_gui.app import prepare
        from lbbic_gui.main_window import MainWindow
        from lbbic_gui.settings import Settings

        self.application = QApplication([])
        prepare(self.application)
        settings = Settings(workshop / "settings.ini")
        settings.change(theme=theme, output_folder=str(workshop / "out"))
        self.window = MainWindow(settings)
        self.window.resize(WIDTH, HEIGHT)
        self.window.show()
        self._prefix = folder / f"{theme}-{scale}x"
        self._number = 0

    def wait(self, condition: Callable[[], object], seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it took too long"
            self.application.processEvents()
            time.sleep(0.002)

    def shoot(self, name: str, widget: object = None) -> None:
        for _ in range(20):
            self.application.processEvents()
        self._number += 1
        picture = (widget or self.window).grab()  # type: ignore[attr-defined]
        picture.save(f"{self._prefix}-{self._number:02}-{name}.png")


def photograph(folder: Path, theme: str, scale: str, workshop: Path) -> None:
    """Walk through the app."""
    from PySide6.QtCore import QPointF

    from lbbic_gui.dialogs import AboutDialog, KeysDialog
    from lbbic_gui.look import Mode
    from lbbic_gui.overlays import Overlay
    from lbbic_gui.settings_dialog import SettingsDialog

    camera = Photographer(folder, theme, scale, workshop)
    window, session = camera.window, camera.window.session
    canvas = window.stage.canvas
    camera.shoot("empty")
    session.warm_up()
    window.empty.sample.click()
    fronts: list[object] = []
    session.front.connect(fronts.append)
    camera.wait(lambda: len(fronts) > 70)
    camera.shoot("decoding")
    camera.wait(lambda: session.result)
    camera.shoot("split")
    window.actions_["difference"].trigger()
    camera.shoot("difference")
    window.actions_["side"].trigger()
    canvas.zoom_to(3)
    camera.shoot("side")
    window.actions_["flip"].trigger()
    canvas.fit()
    camera.shoot("flip")
    window.actions_["split"].trigger()
    canvas.zoom_to(2)
    canvas.pin((26, 37))
    for overlay in list(Overlay)[1:]:
        window.inspector.overlay.show_overlay(overlay)
        camera.shoot(overlay.value)
    window.inspector.overlay.show_overlay(Overlay.NONE)
    canvas.pin((26, 37))
    canvas.zoom_to(4)
    canvas.cursor_at = QPointF(250, 200)
    canvas.set_look(loupe=True)
    camera.shoot("loupe")
    canvas.set_look(loupe=False, mode=Mode.SPLIT)
    canvas.fit()
    for quality in (1.0, 2.0, 6.0, 8.0):
        window.side.probe(quality)
    compare = window.inspector.compare
    compare.button.click()
    camera.wait(lambda: len(session.row.points) == 5)
    camera.wait(lambda: all(name.isEnabled() for name in compare.names.values()))
    camera.shoot("plot")
    bottom = window.inspector.scroll_area.verticalScrollBar()
    bottom.setValue(bottom.maximum())
    camera.shoot("inspector-end")
    bottom.setValue(0)
    bad = workshop / "holiday 2019.png"
    bad.write_bytes(b"no picture")
    session.intake.open([Path(str(item)) for item in _samples()] + [bad])
    camera.wait(lambda: len(session.model.rows) == 4)
    window.actions_["compress_all"].trigger()
    camera.wait(lambda: any(row.progress > 0.3 for row in session.model.rows[1:]))
    camera.shoot("batch")
    camera.wait(lambda: not session.batch.is_busy)
    camera.shoot("batch-done")
    window.queue.select(session.model.rows[-1])
    camera.shoot("unreadable")
    dialogs = {
        "settings": SettingsDialog(window.settings, window),
        "keys": KeysDialog(window),
        "about": AboutDialog(window._ready, session.models.chosen(), window),
    }
    for name, dialog in dialogs.items():
        dialog.show()
        camera.shoot(name, dialog)
        dialog.close()
    window.close()


def _samples() -> list[object]:
    import resources

    return list(resources.sample_pictures())


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit(main(Path(sys.argv[1])))
    temporary = Path(tempfile.mkdtemp(prefix="lbbic-"))
    try:
        photograph(Path(sys.argv[1]), sys.argv[2], sys.argv[3], temporary)
    finally:
        shutil.rmtree(temporary)
