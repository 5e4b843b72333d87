"""The focus stays near the user, whatever happens to the control that was pressed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

Draw = Callable[..., Path]


def focus(user: Any) -> QWidget | None:
    return user.window.focusWidget()


def press_space(user: Any, button: QAbstractButton) -> None:
    """Press a button by keyboard."""
    assert button.isVisible()
    button.setFocus()
    assert focus(user) is button
    user.bot.keyClick(button, Qt.Key.Key_Space)


def is_around(widget: QWidget | None, button: QWidget) -> bool:
    """Whether a widget only contains the button and is not itself a control."""
    is_control = isinstance(widget, QAbstractButton)
    return widget is not None and not is_control and widget.isAncestorOf(button)


def test_a_button_that_disables_itself_does_not_move_the_focus(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60), draw("b.png", 92, 60, seed=2))
    user.wait_for_result()
    compare, queue = user.window.inspector.compare.button, user.window.queue
    for button in (compare, queue.button):
        press_space(user, button)
        assert not button.isEnabled()
        assert is_around(focus(user), button), focus(user)
    press_space(user, queue.cancel)
    user.wait(lambda: queue.cancel.isHidden())
    assert is_around(focus(user), queue.cancel), focus(user)


def test_a_closing_notice_moves_the_focus_to_the_picture(
    user: Any, draw: Draw, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    user.drop(bad)
    banner, canvas = user.window.viewer.banner, user.window.viewer.canvas
    user.wait(banner.isVisible)
    press_space(user, banner.retry)
    assert focus(user) is canvas
    user.wait(banner.isVisible)
    draw("bad.png", 800, 600)
    press_space(user, banner.retry)
    pill = user.window.viewer.pill
    user.wait(pill.isVisible)
    press_space(user, pill.cancel)
    assert pill.isHidden()
    assert focus(user) is canvas


def test_a_disappearing_control_keeps_the_focus_nearby(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    inspector = user.window.inspector
    inspector.save.setFocus()
    user.drop(draw("b.png", 800, 600))  # until it is coded, nothing can be saved
    user.wait(lambda: not inspector.save.isEnabled())
    assert not isinstance(focus(user), QAbstractButton)
    user.wait_for_result()
    user.window.queue.list.setFocus()
    user.press(Qt.Key.Key_Delete, widget=user.window.queue.list)
    user.press(Qt.Key.Key_Delete, widget=user.window.queue.list)
    assert user.window.empty.isVisible()
    assert not isinstance(focus(user), QAbstractButton)


def test_tab_reaches_every_control(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    reached = set()
    for _ in range(60):
        QApplication.processEvents()
        widget = focus(user)
        assert widget is not None
        reached.add(widget)
        user.bot.keyClick(widget, Qt.Key.Key_Tab)
    inspector, queue = user.window.inspector, user.window.queue
    wanted = (queue.list, queue.button, inspector.quality.slider, inspector.export)
    assert reached.issuperset(wanted)


def test_the_first_of_several_dropped_pictures_is_selected_and_has_the_keys(
    user: Any, draw: Draw
) -> None:
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait_for_result()
    chosen = user.window.queue.list
    assert chosen.selected() == [user.rows[0]]
    assert focus(user) is user.window.viewer.canvas
    user.press(Qt.Key.Key_Backspace, Qt.KeyboardModifier.ControlModifier)
    assert [row.source.name for row in user.rows] == ["b.png"]
    assert chosen.selected() == user.rows


def test_escape_in_a_field_only_leaves_the_field(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 800, 600), draw("b.png", seed=2))
    user.wait(lambda: user.window.session.coder.is_busy)
    canvas, zoom = user.window.viewer.canvas, user.window.toolbar.zoom
    for box in (zoom, user.window.inspector.target.value):
        box.setFocus()
        box.lineEdit().selectAll()
        user.bot.keyClicks(box, "7")
        user.press(Qt.Key.Key_Escape, widget=box)
        assert focus(user) is canvas
        assert user.window.session.coder.is_busy
    assert zoom.currentText() == f"{100 * canvas.viewport.zoom:.0f} %"
    user.press(Qt.Key.Key_Escape)
    assert not user.window.session.coder.is_busy


def test_a_typed_zoom_that_is_not_chosen_does_not_stay(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 800, 600))
    user.wait(lambda: user.window.viewer.canvas.original is not None)
    zoom = user.window.toolbar.zoom
    shown = zoom.currentText()
    zoom.setFocus()
    zoom.lineEdit().selectAll()
    user.bot.keyClicks(zoom, "%")
    user.press(Qt.Key.Key_Return, widget=zoom)
    assert zoom.currentText() == shown
    user.bot.keyClicks(zoom, "9")
    user.window.viewer.canvas.setFocus()
    assert zoom.currentText() == shown


def test_space_shows_the_original_wherever_it_has_no_other_use(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait_for_result()
    canvas, inspector = user.window.viewer.canvas, user.window.inspector
    for widget in (canvas, user.window.queue.list, inspector.quality.slider):
        widget.setFocus()
        user.bot.keyPress(widget, Qt.Key.Key_Space)
        assert canvas.options.peeking, widget
        user.bot.keyRelease(widget, Qt.Key.Key_Space)
        assert not canvas.options.peeking, widget
    inspector.quality.only_this.setFocus()
    user.bot.keyPress(inspector.quality.only_this, Qt.Key.Key_Space)
    assert not canvas.options.peeking
    user.bot.keyRelease(inspector.quality.only_this, Qt.Key.Key_Space)
    assert inspector.quality.only_this.isChecked()


@pytest.mark.parametrize("per_cent", [10, 80])
def test_a_typed_zoom_is_not_completed(user: Any, draw: Draw, per_cent: int) -> None:
    """Nor does the list offer 100 % for 10 %."""
    user.drop(draw("a.png"))
    user.wait_for_result()
    zoom = user.window.toolbar.zoom
    zoom.setFocus()
    zoom.lineEdit().selectAll()
    user.bot.keyClicks(zoom.lineEdit(), str(per_cent))
    user.press(Qt.Key.Key_Return, widget=zoom.lineEdit())
    assert user.window.viewer.canvas.viewport.zoom == per_cent / 100
    assert zoom.currentText() == f"{per_cent} %"
