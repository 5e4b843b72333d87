"""The wheel scrolls, and changes a value only in the focused field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSlider, QAbstractSpinBox, QComboBox, QScrollBar, QWidget

from lbbic_gui.dialogs.settings_dialog import SettingsDialog


def turn_wheel(widget: QWidget, notches: int = -1) -> None:
    """Turn the wheel towards the user over a widget, by the events of a real wheel."""
    window = widget.window()
    at = widget.mapTo(window, widget.rect().center())
    QTest.wheelEvent(window.windowHandle(), QPointF(at), QPoint(0, 120 * notches))


def fields(window: QWidget) -> Iterator[Any]:
    for kind in (QComboBox, QAbstractSpinBox, QAbstractSlider):
        for field in window.findChildren(kind):
            if field.isVisible() and field.isEnabled() and not isinstance(field, QScrollBar):
                yield field


def value(field: Any) -> object:
    return field.currentIndex() if isinstance(field, QComboBox) else field.value()


def test_the_wheel_does_not_change_unfocused_fields(user: Any, draw: Callable[..., Path]) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    user.press(Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)  # with the gain's box
    user.window.inspector.overlay.box.setCurrentIndex(1)  # and the opacity's slider
    user.window.viewer.canvas.setFocus()
    dialog = SettingsDialog(user.window.settings, user.window)
    user.bot.addWidget(dialog)
    dialog.show()
    dialog.reset.setFocus()
    checked = list(fields(user.window))
    assert len(checked) >= 12
    for field in checked:
        before = value(field)
        for notches in (-1, 1):
            turn_wheel(field, notches)
            assert value(field) == before, field.accessibleName()
        assert not field.focusPolicy() & Qt.FocusPolicy.WheelFocus & ~Qt.FocusPolicy.StrongFocus


def test_the_wheel_over_a_field_scrolls_the_inspector(user: Any, draw: Callable[..., Path]) -> None:
    user.window.resize(960, 540)
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    inspector = user.window.inspector
    place = inspector.scroll_area.verticalScrollBar()
    for field in (inspector.quality.slider, inspector.overlay.box, inspector.target.value):
        place.setValue(place.maximum() // 2)
        inspector.scroll_area.ensureWidgetVisible(field)
        before = place.value()
        turn_wheel(field, 1)
        assert place.value() < before, field.accessibleName()


def test_the_wheel_changes_the_focused_field(user: Any, draw: Callable[..., Path]) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result(4.0)
    inspector = user.window.inspector
    for field in (inspector.target.value, inspector.overlay.box):
        inspector.scroll_area.ensureWidgetVisible(field)
        field.setFocus()
        before = value(field)
        turn_wheel(field)
        assert value(field) != before
    inspector.scroll_area.ensureWidgetVisible(inspector.quality.slider)
    inspector.quality.slider.setFocus()
    turn_wheel(inspector.quality.slider)
    user.wait_for_result(inspector.quality.slider.quality())
    assert user.window.session.quality() < 4.0
