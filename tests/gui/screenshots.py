"""Takes screenshots of the window in every state, in both themes and at twice the scale.

    python tests/gui/screenshots.py FOLDER

Each state is reached by a user's actions. Look at the pictures before a release.
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
USUAL, SMALL = (1280, 800), (960, 540)  # the small one is a full-HD screen at twice the scale


def main(folder: Path) -> int:
    """Run every variant in a separate process, because Qt reads the scale when it starts."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = []
    for theme, scale in VARIANTS:
        environment = os.environ | {"QT_SCALE_FACTOR": str(scale)}
        command = [sys.executable, __file__, str(folder), theme, str(scale)]
        codes.append(subprocess.run(command, env=environment, check=False).returncode)
    return max(codes)


class Photographer:
    """A window and the folder for its screenshots."""

    def __init__(self, folder: Path, theme: str, scale: str, workshop: Path) -> None:
        from PySide6.QtWidgets import QApplication

        from lbbic_gui.app import prepare
        from lbbic_gui.shell.main_window import MainWindow
        from lbbic_gui.state.settings import Settings

        self.application = QApplication([])
        prepare(self.application)
        settings = Settings(workshop / "settings.ini")
        settings.change(theme=theme, output_folder=str(workshop / "out"))
        self.window = MainWindow(settings)
        self.window.resize(*USUAL)
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

    def drag(self, *points: tuple[float, float]) -> None:
        """Drag the mouse through points of the picture."""
        from PySide6.QtCore import QPointF, Qt
        from PySide6.QtTest import QTest

        canvas, left = self.window.viewer.canvas, Qt.MouseButton.LeftButton
        places = [canvas.viewport.to_view(QPointF(*point)).toPoint() for point in points]
        QTest.mousePress(canvas, left, pos=places[0])
        for place in places[1:]:
            QTest.mouseMove(canvas, place)
        QTest.mouseRelease(canvas, left, pos=places[-1])

    def shoot_modal(self, name: str, open_dialog: Callable[[], object]) -> None:
        """Take a screenshot of a dialog that waits for an answer, and close it."""
        from PySide6.QtCore import QTimer
        from PySide6.QtWidgets import QApplication

        def shoot() -> None:
            dialog = QApplication.activeModalWidget()
            if sizes := getattr(dialog, "sizes", None):  # of an export, which are measured
                self.wait(lambda: not any("measuring" in label.text() for label in sizes.values()))
            self.shoot(name, dialog)
            dialog.reject()  # type: ignore[attr-defined]

        QTimer.singleShot(500, shoot)
        open_dialog()


def photograph(folder: Path, theme: str, scale: str, workshop: Path) -> None:
    """Visit every state of the app."""
    import numpy as np
    from PIL import Image
    from PySide6.QtCore import QPointF

    from lbbic_engine.errors import GpuError
    from lbbic_gui.dialogs.help import AboutDialog, KeysDialog, confirm_stop
    from lbbic_gui.dialogs.settings_dialog import SettingsDialog
    from lbbic_gui.jobs.error_messages import explain
    from lbbic_gui.painting.brush import Kind
    from lbbic_gui.painting.overlays import Overlay
    from lbbic_gui.painting.view_options import Mode
    from lbbic_gui.shell.actions import help_pairs
    from lbbic_gui.state.settings import Settings

    camera = Photographer(folder, theme, scale, workshop)
    window, session = camera.window, camera.window.session
    canvas = window.viewer.canvas
    camera.shoot("empty")
    window._light(True)
    camera.shoot("drag-over")
    window._light(False)
    session.networks.load()
    window.empty.sample.click()
    fronts: list[object] = []
    session.coder.front.connect(fronts.append)
    camera.wait(lambda: len(fronts) > 8)
    camera.shoot("decoding")
    camera.wait(lambda: session.result)
    camera.wait(lambda: not window.viewer.first_decode.is_running)
    camera.wait(lambda: canvas.options.split == 0.5)
    camera.wait(window.inspector.headline.isVisible)
    camera.shoot("simple")
    window.inspector.headline.button.click()
    camera.shoot("jpeg")
    window.inspector.headline.button.click()
    window.actions_["details"].trigger()
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
    canvas.cursor_at = QPointF(0.62 * canvas.width(), 0.5 * canvas.height())
    canvas.set_options(loupe=True)
    camera.shoot("loupe")
    canvas.set_options(loupe=False, mode=Mode.SPLIT)
    canvas.fit()
    bar = window.viewer.brush_bar
    window.actions_["brush"].trigger()
    camera.drag((190, 90), (260, 110))
    bar.kinds[Kind.WORSE].click()
    camera.drag((400, 60), (450, 200))
    camera.wait(lambda: not session.is_stale)
    canvas.cursor_at = canvas.viewport.to_view(QPointF(440, 180))
    camera.shoot("brush")
    bar.clear.click()
    camera.wait(lambda: not session.is_stale)
    window.actions_["brush"].trigger()
    for quality in (1.0, 2.0, 6.0, 8.0):
        window.tools.compress_only(quality)
    compare = window.inspector.compare
    compare.button.click()
    camera.wait(lambda: len(session.row.points) == 5)
    camera.wait(lambda: all(name.isEnabled() for name in compare.names.values()))
    camera.shoot("plot")
    bottom = window.inspector.scroll_area.verticalScrollBar()
    bottom.setValue(bottom.maximum())
    camera.shoot("inspector-end")
    bottom.setValue(0)
    window.inspector.compare.names["avif"].click()
    canvas.pin((26, 37))
    window.resize(*SMALL)
    camera.shoot("small")
    bottom.setValue(bottom.maximum())
    camera.shoot("small-end")
    window.actions_["inspector"].trigger()
    camera.shoot("small-without-inspector")
    window.actions_["inspector"].trigger()
    bottom.setValue(0)
    canvas.pin(None)
    window.resize(*USUAL)
    window.commands.choose_quality(3.0, False)
    camera.wait(lambda: canvas.options.badge and not window.viewer.pill.isHidden())
    camera.shoot("previous")
    window.commands.choose_quality(4.0, False)
    camera.wait(lambda: not window.session.is_stale)
    camera.shoot_modal("save", window.commands.save)
    camera.shoot_modal("export", window.commands.export)
    bad = workshop / "holiday 2019.png"
    bad.write_bytes(b"no picture")
    tiny = workshop / "a name that is far too long to be shown whole in a list of pictures.png"
    Image.new("RGB", (16, 16), "teal").save(tiny)
    checks = workshop / "checks.png"
    Image.fromarray(np.indices((160, 240)).sum(axis=0) % 2 == 1).save(checks)
    session.adder.open([*(Path(str(item)) for item in _samples()), checks, tiny, bad])
    camera.wait(lambda: len(session.queue.rows) == 6)
    window.actions_["compress_all"].trigger()
    camera.wait(lambda: any(row.progress > 0.3 for row in session.queue.rows[1:]))
    camera.shoot("batch")
    camera.shoot_modal("quit", lambda: confirm_stop(window, 0))
    camera.wait(lambda: not session.batch.is_busy)
    camera.shoot("batch-done")
    window.queue.select(session.queue.rows[-1])
    camera.shoot("unreadable")
    gpu = explain(GpuError("Out of memory", "It does not fit into the GPU's memory."), "")
    window.resize(*SMALL)
    window.viewer.banner.show_problem(f"{'a very long name ' * 6}.png", gpu)
    camera.shoot("small-out-of-memory")
    window.resize(*USUAL)
    for name, row in zip(("grown", "tiny"), session.queue.rows[-3:-1], strict=True):
        window.queue.select(row)
        camera.wait(lambda: session.result)
        camera.shoot(name)
    untouched = Settings(Path("/home/mia/.config/lbbic/settings.ini"))  # of no particular user
    dialogs = {
        "settings": SettingsDialog(untouched, window),
        "keys": KeysDialog(help_pairs(), window),
        "about": AboutDialog(session.networks, window),
    }
    for name, dialog in dialogs.items():
        dialog.show()
        camera.shoot(name, dialog)
        dialog.close()
    window.close()


def _samples() -> list[object]:
    from lbbic_engine import resources

    return list(resources.sample_pictures())


if __name__ == "__main__":
    if len(sys.argv) == 2:
        sys.exit(main(Path(sys.argv[1])))
    temporary = Path(tempfile.mkdtemp(prefix="lbbic-"))
    try:
        photograph(Path(sys.argv[1]), sys.argv[2], sys.argv[3], temporary)
    finally:
        shutil.rmtree(temporary)
