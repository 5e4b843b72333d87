"""What a screen reader gets: names, values, and keyboard access to all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QWidget

from lbbic_gui.dialogs.settings_dialog import SettingsDialog
from lbbic_gui.style import text

Draw = Callable[..., Path]


def spoken(widget: QWidget) -> str:
    """The words that a screen reader speaks for a widget."""
    return QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)


def labels(widget: QWidget) -> Iterator[str]:
    """The names of a widget's labels, where screen readers look for them."""
    for other, relation in QAccessible.queryAccessibleInterface(widget).relations():
        if relation & QAccessible.RelationFlag.Label:
            yield other.text(QAccessible.Text.Name)


def test_figures_are_spoken_with_their_titles(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 184, 184))
    point = user.wait_for_result().point
    inspector = user.window.inspector
    assert spoken(inspector.metrics.psnr) == f"PSNR: {text.decibels(point.psnr)}"
    assert spoken(inspector.metrics.ms_ssim) == f"MS-SSIM: {text.similarity(point.ms_ssim)}"
    user.bot.mouseClick(inspector.compare.button, Qt.MouseButton.LeftButton)
    user.wait(lambda: all(name.isEnabled() for name in inspector.compare.names.values()))
    for codec, name in (("lbbic", "LBBIC"), ("webp", "WebP")):
        size, quality = inspector.compare.cells[codec]
        assert spoken(size) == f"{name}: {size.text()}"
        assert "kB" in spoken(size)
        assert spoken(quality) == f"{name}: {quality.text()}"
    user.window.viewer.canvas.pin((1, 2))
    assert spoken(inspector.block.values["place"]) == "Block: row 2, column 3"


def test_every_box_has_a_name_and_a_value(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    user.press(Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)  # with the gain's box
    dialog = SettingsDialog(user.window.settings, user.window)
    user.bot.addWidget(dialog)
    dialog.show()
    boxes = [box for window in (user.window, dialog) for box in window.findChildren(QComboBox)]
    assert len(boxes) >= 10
    for box in boxes:
        (name,) = labels(box)
        assert name
        assert name != box.currentText()
    for line in dialog.findChildren(QLineEdit):
        assert spoken(line)


def test_the_quality_is_spoken_in_its_own_unit(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result(4.0)
    slider = user.window.inspector.quality.slider
    assert spoken(slider) == "Quality: Web, 4"
    user.press(Qt.Key.Key_Right, widget=slider)
    assert spoken(slider) == "Quality: Web, 4.125"


def test_the_plot_is_accessible_by_keyboard(user: Any, draw: Draw) -> None:
    plot = user.window.inspector.plot
    assert "Nothing coded yet" in spoken(plot)
    user.drop(draw("a.png", 92, 60))
    coded = user.wait_for_result(4.0)
    user.window.inspector.compare.button.setFocus()
    user.press(Qt.Key.Key_Tab, widget=QApplication.focusWidget() or user.window)
    assert user.window.focusWidget() is plot
    assert f"Web (4): {coded.point.bpp:.2f} bpp, {coded.point.psnr:.2f} dB" in spoken(plot)
    user.press(Qt.Key.Key_Left, widget=plot)
    assert "Web (3): about" in spoken(plot)
    user.press(Qt.Key.Key_End, widget=plot)
    assert "Best (8): about" in spoken(plot)
    user.press(Qt.Key.Key_Return, widget=plot)
    user.wait(lambda: 8.0 in user.rows[0].points)
    assert f"Best (8): {user.rows[0].points[8.0].bpp:.2f} bpp" in spoken(plot)
    assert user.window.session.quality() == 4.0
    user.press(Qt.Key.Key_Return, widget=plot)
    user.wait_for_result(8.0)


def test_events_are_announced(
    user: Any, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced: list[str] = []
    monkeypatch.setattr(
        QAccessible, "updateAccessibility", lambda event: announced.append(event.message())
    )
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    user.drop(bad)
    user.wait(user.window.viewer.banner.isVisible)
    assert announced[0] == "1 picture added"
    assert "Cannot read this picture: bad.png" in announced[-1]
    user.window.commands.noticed.emit("It contains no picture")
    assert announced[-1] == "It contains no picture"
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    user.press(Qt.Key.Key_Left, widget=user.window.inspector.plot)
    assert announced[-1].startswith("Web (3): about")
    for _ in range(2):
        user.press(Qt.Key.Key_G)
    assert re.fullmatch(r"Overlay: Bits, 0 – ≥ \d.* bits per block", announced[-1])
    user.press(Qt.Key.Key_Return)
    assert re.fullmatch(r"Block in row \d+, column \d+: \d+\.\d bits", announced[-1])


def test_focusable_widgets_have_names(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    for button in (user.window.inspector.compare.button, user.window.queue.button):
        button.setFocus()
        user.bot.keyClick(button, Qt.Key.Key_Space)
        assert spoken(user.window.focusWidget())
