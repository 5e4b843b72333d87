"""From a drop to a saved file with the shipped weights, compared with the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt

from lbbic_engine.resources import FOLDER
from lbbic_gui.desktop import file_dialogs
from lbbic_gui.state.row import State

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    """A part of a sample photograph (168, 240), alone in its folder."""
    path = tmp_path / "in" / "cat.png"
    path.parent.mkdir()
    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        image.convert("RGB").crop((90, 60, 330, 228)).save(path)
    return path


@pytest.mark.slow
def test_a_dropped_picture_becomes_a_file_that_the_command_line_decodes(
    shipped_user: Any, cat: Path, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    user, window = shipped_user, shipped_user.window
    states = _watch(window)

    user.drop(cat)
    coded = user.wait_for_result()
    assert len(states) >= 3
    assert all(before.sum() < after.sum() for before, after in pairwise(states))

    user.drop(draw("in/second.png", 320, 320))
    user.wait(lambda: len(user.rows) == 2 and window.session.row is user.rows[1])
    user.wait(lambda: user.rows[1].state is State.WORKING)
    user.press(Qt.Key.Key_Escape)
    user.wait(lambda: user.rows[1].state is State.STOPPED)
    assert sorted(path.name for path in cat.parent.iterdir()) == ["cat.png", "second.png"]

    window.queue.select(user.rows[0])
    user.wait_for_result()
    target = cat.with_name("saved.lbb")
    monkeypatch.setattr(file_dialogs, "choose_target", lambda *_: target)
    user.press(Qt.Key.Key_S, CTRL)
    user.wait(lambda: user.rows[0].state is State.SAVED)

    user.drop(target)
    user.wait(lambda: window.session.row.source.is_lbb)
    again = user.wait_for_result()
    pixels = again.picture.picture()[..., 2::-1]
    assert np.array_equal(pixels, coded.picture.picture()[..., 2::-1])
    assert np.array_equal(pixels, _command_line(target))


def _watch(window: Any) -> list[Any]:
    """Record the decoded part of the canvas after every front but the last."""
    states: list[Any] = []

    def note(front: Any) -> None:
        decoded = window.viewer.canvas._decoded
        if front.step.share < 1:
            states.append(decoded.order >= 0)

    window.session.coder.front.connect(note)
    return states


def _command_line(file: Path) -> Any:
    decoded = file.with_name("by the command line.png")
    command = [
        sys.executable,
        "-m",
        "lbbic_engine.cli",
        "decompress",
        str(file),
        "-o",
        str(decoded),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with Image.open(decoded) as image:
        return np.asarray(image.convert("RGB"))
