"""*Compress all* writes JPEG, WebP and AVIF, as chosen beside where files go."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage

from lbbic_engine.cli import main
from lbbic_gui.state.row import State
from lbbic_gui.state.settings import Settings

pytestmark = pytest.mark.slow  # each test starts a process

Draw = Callable[..., Path]
CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


def choose(user: Any, format_: str, quality: int) -> None:
    """Choose in the two boxes by keyboard, as far as they are shown."""
    destination = user.window.queue.destination
    for box, value in ((destination.format, format_), (destination.look, quality)):
        if box.isVisible():
            user.press(Qt.Key.Key_Home, widget=box)
            for _ in range(box.findData(value)):
                user.press(Qt.Key.Key_Down, widget=box)


def compress_all(user: Any) -> None:
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: not user.window.session.batch.is_busy)


def test_the_format_is_shown_with_the_folder_and_remembered(
    user: Any, draw: Draw, settings_file: Path
) -> None:
    destination = user.window.queue.destination
    user.drop(draw("a.png"))
    user.wait_for_result()
    assert destination.format.currentText() == "as .lbb"
    assert not destination.look.isVisible()
    choose(user, "avif", 0)
    assert destination.look.currentText() == "Same look"
    choose(user, "avif", 80)
    assert Settings(settings_file).values.output == user.window.settings.values.output
    user.window.settings.change(pattern="{name} {quality}")
    compress_all(user)
    (row,) = user.rows
    assert row.saved_path.name == "a 80.avif"
    with Image.open(row.saved_path) as image:
        assert image.format == "AVIF"
    assert row.columns()[0] == "Saved"
    assert not user.window.viewer.hint.isVisible()  # whose hint explains .lbb files
    user.window.settings.change(quality=6.0)  # irrelevant for the file
    user.wait_for_result(6.0)
    assert row.state is State.SAVED
    choose(user, "lbb", 0)
    assert user.window.queue.total.text().startswith("0 of 1 saved")
    compress_all(user)
    assert row.saved_path.name == "a 6.lbb"


def test_a_row_shows_the_size_of_the_saved_file(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60), draw("b.png", 60, 92, seed=2))
    user.wait(lambda: len(user.rows) == 2)
    choose(user, "jpeg", 30)
    compress_all(user)
    user.window.queue.select(user.rows[1])
    user.wait_for_result()
    for row in user.rows:
        assert row.state is State.SAVED
        assert row.shown_bytes == row.saved_path.stat().st_size
    after = sum(row.saved_path.stat().st_size for row in user.rows)
    assert user.window.session.batch._totals.sums.after == after


@pytest.mark.parametrize("policy", ["replace", "skip"])
def test_pictures_in_the_list_are_never_replaced(user: Any, draw: Draw, policy: str) -> None:
    paths = [draw("in/a.png", 40, 24), draw("in/a.jpg", 40, 24)]
    before = [path.read_bytes() for path in paths]
    user.window.settings.change(policy=policy)
    user.drop(paths[0].parent)
    user.wait(lambda: len(user.rows) == 2)
    choose(user, "jpeg", 50)
    compress_all(user)
    assert [path.read_bytes() for path in paths] == before
    assert {row.saved_path.name for row in user.rows} == {"a (2).jpg", "a (3).jpg"}


def test_the_copied_command_makes_the_same_look(user: Any, draw: Draw) -> None:
    path = draw("a.png", 60, 40)
    image = QImage(str(path))
    user.drop(path)
    user.wait_for_result()
    choose(user, "webp", 0)
    user.drop(image=image)
    user.wait(lambda: len(user.rows) == 2)
    compress_all(user)
    assert [row.state for row in user.rows] == [State.SAVED, State.SAVED]
    files = [Image.open(row.saved_path) for row in user.rows]
    assert np.array_equal(*map(np.asarray, files))
    saved = user.rows[0].saved_path.read_bytes()
    user.window.queue.select(user.rows[0])
    user.press(Qt.Key.Key_C, CTRL | ALT)
    command = shlex.split(QGuiApplication.clipboard().text())
    user.rows[0].saved_path.unlink()
    assert main(command[1:]) == 0
    assert user.rows[0].saved_path.read_bytes() == saved


def test_a_picture_that_the_format_cannot_store_does_not_affect_others(
    user: Any, draw: Draw
) -> None:
    user.drop(draw("long.png", 17_000, 1), draw("b.png"))
    user.wait(lambda: len(user.rows) == 2)
    choose(user, "webp", 80)
    compress_all(user)
    assert [row.state for row in user.rows] == [State.FAILED, State.SAVED]
    assert "WebP" in user.rows[0].problem.detail
