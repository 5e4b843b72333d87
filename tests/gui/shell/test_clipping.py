"""No text is cut off: in a small window, at twice the scale, with long names."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QLabel,
    QPushButton,
    QToolButton,
    QWidget,
)

from lbbic_gui.dialogs.help import AboutDialog, KeysDialog
from lbbic_gui.dialogs.settings_dialog import SettingsDialog
from lbbic_gui.jobs.error_messages import explain
from lbbic_gui.jobs.messages import Ready
from lbbic_gui.shell.actions import help_pairs
from lbbic_gui.style.elided_label import ElidedLabel

TITLE_BAR, TASK_BAR = 40, 48  # in pixels; offscreen there are none
LEAST = (960, 540 - TASK_BAR)  # a full-HD screen at twice the scale
SMALL, USUAL = (960, 540), (1280, 800)  # the small one is a full-HD screen at twice the scale
LONG = "ein sehr langer Name ohne Ende " * 6 + ".png"


def clipped(window: QWidget) -> Iterator[str]:
    """The widgets that are too small for their text or not within their parent."""
    for widget in window.findChildren(QWidget):
        if widget.isVisible() and widget.size().isValid():
            needs = _needs(widget)
            if needs is not None and (needs[0] > widget.width() or needs[1] > widget.height()):
                words = widget.property("text") or widget.property("currentText")
                yield f"{type(widget).__name__} {words!r}: {needs}, has {widget.size()}"
            if isinstance(widget, QLabel | QAbstractButton | QComboBox) and _is_beyond_edge(widget):
                yield f"{type(widget).__name__} {widget.property('text')!r} sticks out"


def _needs(widget: QWidget) -> tuple[int, int] | None:
    """The width and height that the text of a widget needs."""
    if isinstance(widget, ElidedLabel):  # shortened only where it has to be
        is_whole = QLabel.text(widget) == widget.text()
        return None if is_whole or widget.sizeHint().width() > widget.width() else (10_000, 0)
    if isinstance(widget, QLabel) and widget.wordWrap():
        return widget.minimumSizeHint().width(), widget.heightForWidth(widget.width())
    if isinstance(widget, QLabel | QPushButton | QCheckBox | QComboBox | QToolButton):
        hint = widget.sizeHint()
        return hint.width(), 0 if isinstance(widget, QComboBox) else hint.height() - 2
    return None


def _is_beyond_edge(widget: QWidget) -> bool:
    """Whether a widget is beyond the left or right edge; one can scroll to what is below."""
    parent = widget.parentWidget()
    return parent is not None and (widget.x() < 0 or widget.x() + widget.width() > parent.width())


@pytest.mark.parametrize("size", [SMALL, USUAL])
def test_no_text_is_cut_off(user: Any, draw: Callable[..., Path], size: tuple[int, int]) -> None:
    window = user.window
    window.resize(*size)
    _check(window)
    user.drop(draw(LONG, 184, 120))
    user.wait_for_result()
    window.viewer.canvas.pin((3, 4))
    window.actions_["brush"].trigger()
    window.inspector.compare.button.click()
    user.wait(lambda: all(name.isEnabled() for name in window.inspector.compare.names.values()))
    for mode in ("side", "split", "flip", "difference"):
        window.actions_[mode].trigger()
        _check(window)
    window.tools.not_compared.emit("webp", "WEBP cannot store this picture")
    window.session.progressed.emit("Decompressing  88 %  ·  12 min left", 0.5)
    window.status.notify(f"Saved as /home/somebody/{LONG}")
    _check(window)
    window.session.progressed.emit("", 1.0)
    full = explain(OSError(28, "No space left on device"), LONG)
    damaged = replace(full, can_show_rest=True)
    for problem in (explain(RuntimeError("CUDA out of memory."), LONG), full, damaged):
        window.viewer.banner.show_problem(LONG, problem)
        _check(window)
    assert (window.width(), window.height()) == size


def test_no_text_in_dialogs_is_cut_off(user: Any) -> None:
    for dialog in dialogs(user):
        _check(dialog)


def dialogs(user: Any) -> Iterator[QDialog]:
    """Yield each dialog, open and with long texts."""
    networks = user.window.session.networks
    user.wait(lambda: networks.ready is not None)
    networks.ready = Ready("cuda", "2.13.0+cu130")
    for dialog in (
        SettingsDialog(user.window.settings, user.window),
        KeysDialog(help_pairs(), user.window),
        AboutDialog(networks),
    ):
        dialog.show()
        yield dialog
        dialog.close()


def test_windows_fit_the_screen_with_their_frames(user: Any, draw: Callable[..., Path]) -> None:
    available = user.window.screen().availableSize().expandedTo(QSize(*LEAST))
    user.drop(draw(LONG, 184, 120))
    user.wait_for_result()
    for window in itertools.chain([user.window], dialogs(user)):
        QApplication.processEvents()
        size = window.frameSize() + QSize(0, TITLE_BAR)
        assert size.boundedTo(available) == size, window


def _check(window: QWidget) -> None:
    for _ in range(5):
        QApplication.processEvents()
    assert not list(clipped(window))


SCALED, WIDE = "QT_SCALE_FACTOR=2", "LBBIC_TEST_FONT=DejaVu Sans Mono,9"
LARGE = "LBBIC_TEST_FONT=DejaVu Sans Mono,13"


@pytest.mark.parametrize(
    ("settings", "screen", "tests"),
    [
        ((SCALED,), (1600, 1600), "cut_off"),
        ((WIDE,), (1280, 800), "cut_off"),
        ((WIDE,), (1366, 768), "fit_the_screen"),
        ((SCALED, LARGE), (1920, 1080), "fit_the_screen"),
    ],
    ids=["scale", "font", "laptop", "large"],  # must not match ``tests``
)
@pytest.mark.slow
def test_other_scales_fonts_and_screens_have_room_for_all_texts(
    tmp_path: Path, settings: tuple[str, ...], screen: tuple[int, int], tests: str
) -> None:
    """Run the tests of this file in another process, because Qt reads these settings at start."""
    width, height = screen[0], screen[1] - TASK_BAR
    screens = tmp_path / "screens.json"
    sizes = {"x": 0, "y": 0, "width": width, "height": height, "logicalDpi": 96, "dpr": 1}
    screens.write_text(json.dumps({"screens": [{"name": "small", **sizes}]}))
    environment = os.environ | dict(setting.split("=") for setting in settings)
    environment["QT_QPA_PLATFORM"] = f"offscreen:configfile={screens}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    command += ["-k", tests]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout
