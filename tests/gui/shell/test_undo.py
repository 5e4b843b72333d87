"""Undo reverts the right change of the right picture, and the menu names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt

from lbbic_gui.painting.overlays import Overlay
from lbbic_gui.shell.commands import MAX_UNDO
from lbbic_gui.state.row import State

Draw = Callable[..., Path]
CTRL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton


def words(user: Any, name: str) -> str:
    """The text of a menu entry, empty if it is disabled."""
    action = user.window.actions_[name]
    return str(action.text()) if action.isEnabled() else ""


def drop_two(user: Any, draw: Draw) -> tuple[Any, Any]:
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait(lambda: len(user.rows) == 2)
    user.wait_for_result()
    return user.rows[0], user.rows[1]


def test_undo_affects_only_the_picture_that_was_changed(user: Any, draw: Draw) -> None:
    a, b = drop_two(user, draw)
    window, slider = user.window, user.window.inspector.quality.slider
    window.inspector.quality.only_this.click()
    user.bot.mouseClick(slider, LEFT, pos=QPoint(slider.width() - 11, slider.height() // 2))
    user.wait_for_result(8.0)
    assert words(user, "undo") == "Undo quality of a.png"
    window.queue.select(b)
    user.wait_for_result(4.0)
    user.press(Qt.Key.Key_Z, CTRL)
    assert (a.override, b.override) == (4.0, None)
    assert window.settings.values.quality == 4.0
    assert window.session.quality() == 4.0
    assert words(user, "redo") == "Redo quality of a.png"
    user.press(Qt.Key.Key_Y, CTRL)
    assert (a.override, b.override) == (8.0, None)
    window.queue.select(a)
    assert user.wait_for_result(8.0)
    assert slider.quality() == 8.0


def test_undo_restores_a_pictures_own_quality(user: Any, draw: Draw) -> None:
    a, b = drop_two(user, draw)
    user.window.commands.choose_quality(2.0, True)
    user.window.commands.choose_quality(6.0, False)
    assert (a.override, user.window.settings.values.quality) == (None, 6.0)
    user.press(Qt.Key.Key_Z, CTRL)
    assert (a.override, user.window.settings.values.quality) == (2.0, 4.0)
    assert b.override is None


def test_undo_restores_a_removed_picture_with_its_results(user: Any, draw: Draw) -> None:
    a, b = drop_two(user, draw)
    user.drop(draw("c.png", seed=3))
    user.wait(lambda: len(user.rows) == 3)
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: not user.window.session.batch.is_busy)
    user.window.queue.select(b)
    result = user.wait_for_result()
    user.press(Qt.Key.Key_Delete, widget=user.window.queue.list)
    assert b not in user.rows
    assert user.window.queue.total.text().startswith("2 of 2 saved")
    assert words(user, "undo") == "Undo removal of b.png"
    user.press(Qt.Key.Key_Z, CTRL)
    assert user.rows[:2] == [a, b]
    assert b.state is State.SAVED
    assert user.window.session.row is b
    assert user.window.session.result is result
    assert user.window.queue.total.text().startswith("3 of 3 saved")
    user.press(Qt.Key.Key_Y, CTRL)
    assert b not in user.rows


def test_many_pictures_are_removed_and_restored_together(user: Any, draw: Draw) -> None:
    user.drop(*(draw(f"{n}.png", 200, 120, seed=n) for n in range(8)))
    user.wait(lambda: len(user.rows) == 8)
    queue, batch, rows = user.window.session.queue, user.window.session.batch, list(user.rows)
    user.press(Qt.Key.Key_Return, CTRL)
    inserted: list[tuple[int, int]] = []
    totals: list[int] = []
    queue.rowsInserted.connect(lambda _, first, last: inserted.append((first, last)))
    batch.changed.connect(lambda total: totals.append(total.count))
    user.window.commands.remove(rows[1:4] + rows[5:8])
    assert user.rows == [rows[0], rows[4]]
    assert set(totals) == {2}
    assert len(totals) <= 2  # the second, where a picture was about to be saved
    assert [row.savings for row in rows[1:4] + rows[5:8]] == [0] * 6
    user.press(Qt.Key.Key_Z, CTRL)
    assert user.rows == rows
    assert inserted == [(1, 3), (5, 7)]
    assert totals[-2:] == [5, 8]


def test_undo_restores_the_last_picture(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"))
    result = user.wait_for_result()
    user.press(Qt.Key.Key_Backspace, CTRL)
    assert user.window.pages.currentWidget() is user.window.empty
    user.press(Qt.Key.Key_Z, CTRL, widget=user.window)
    assert user.window.pages.currentWidget() is user.window.splitter
    assert user.window.session.result is result


def test_undo_does_not_duplicate_a_picture_added_again(user: Any, draw: Draw) -> None:
    path = draw("a.png")
    user.drop(path)
    user.wait_for_result()
    user.press(Qt.Key.Key_Backspace, CTRL)
    user.drop(path)
    user.wait_for_result()
    user.press(Qt.Key.Key_Z, CTRL)
    assert [row.source.path for row in user.rows] == [path]


def test_undo_leaves_out_a_picture_added_again_and_restores_the_others(
    user: Any, draw: Draw
) -> None:
    a, b = drop_two(user, draw)
    user.drop(draw("c.png", seed=3))
    user.wait(lambda: len(user.rows) == 3)
    c = user.rows[2]
    user.window.commands.remove_all()
    user.drop(b.source.path)
    user.wait(lambda: len(user.rows) == 1)
    user.press(Qt.Key.Key_Z, CTRL)
    again = next(row for row in user.rows if row not in (a, c))
    assert user.rows == [a, again, c]


def test_the_oldest_changes_are_forgotten(user: Any, draw: Draw) -> None:
    """Removed pictures are kept together with their results."""
    user.drop(draw("a.png"))
    user.wait_for_result()
    commands = user.window.commands
    for number in range(MAX_UNDO + 20):
        commands.choose_overlay(list(Overlay)[number % 2 + 1])
    assert commands.undo.count() == MAX_UNDO
