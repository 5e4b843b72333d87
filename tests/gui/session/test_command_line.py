"""*Copy as command* copies a command that makes the same file."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from lbbic_engine.bitstream.container import PREVIEW, parse_container
from lbbic_engine.cli import main
from lbbic_gui.state.row import State


@pytest.mark.parametrize(
    ("changes", "width"),
    [
        ({}, 60),
        ({"tune": "visual"}, 60),
        ({"quality": 5.5, "longest_side": 40, "keep_exif": False}, 60),
        ({"quality": 8.0}, 500),
        ({"quality": 8.0, "preview": False}, 500),
    ],
)
def test_the_copied_command_makes_the_same_file(
    user: Any,
    draw: Callable[..., Path],
    photograph: NDArray[np.uint8],
    changes: dict[str, Any],
    width: int,
) -> None:
    path = draw("it's a picture.png", width, width * 2 // 3)
    if "tune" in changes:  # a picture that it is of any matter to
        Image.fromarray(photograph).save(path)
    user.window.settings.change(**changes)
    user.drop(path)
    coded = user.wait_for_result()
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    user.press(Qt.Key.Key_C, modifiers)
    command = shlex.split(QGuiApplication.clipboard().text())
    assert command[0] == "lbbic"
    assert main(command[1:]) == 0
    lbb = path.with_suffix(".lbb")
    assert lbb.read_bytes() == coded.point.data
    kinds = [kind for kind, _ in parse_container(coded.point.data).ancillary]
    has_room = width > 60
    assert (PREVIEW in kinds) == (has_room and changes.get("preview", True))
    user.drop(lbb)
    user.wait(lambda: len(user.rows) == 2 and user.rows[1].state is State.CODED)
    user.press(Qt.Key.Key_C, modifiers)
    assert main(shlex.split(QGuiApplication.clipboard().text())[1:]) == 0
    assert lbb.with_name("it's a picture (2).png").exists()
