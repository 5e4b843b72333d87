"""What a new user learns: the use of .lbb files, what opens them, how large an export is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import Qt

from lbbic_gui.desktop import file_dialogs
from lbbic_gui.dialogs.export_dialog import ExportDialog
from lbbic_gui.state.row import State
from lbbic_gui.style import text

Draw = Callable[..., Path]


def test_the_empty_window_explains_lbb_files(user: Any) -> None:
    words = user.window.empty.purpose
    assert words.isVisibleTo(user.window)
    for opener in ("this app", "command line", "Pillow", "Python"):
        assert opener in words.text()


def test_only_the_first_save_explains_lbb_files(
    user: Any, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hint = user.window.viewer.hint
    user.drop(draw("a.png"))
    user.wait_for_result()
    for name in ("first.lbb", "second.lbb"):
        monkeypatch.setattr(file_dialogs, "choose_target", lambda *_, name=name: tmp_path / name)
        user.press(Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
        user.wait((tmp_path / name).exists)
        user.wait(lambda: user.rows[0].state is State.SAVED)
        assert hint.isVisibleTo(user.window) is (name == "first.lbb")
        if hint.isVisibleTo(user.window):
            assert "Pillow" in hint.words.text()
            user.bot.mouseClick(hint.close_button, Qt.MouseButton.LeftButton)


def test_the_export_dialog_shows_how_much_larger_files_are(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 184, 120))
    coded = user.wait_for_result()
    dialog = ExportDialog(coded, user.window.session.jobs, user.window)
    user.bot.addWidget(dialog)
    user.wait(lambda: all("times" in label.text() for label in dialog.sizes.values()))
    assert dialog.suffix == ".png"
    pixels = coded.picture.picture()[..., 2::-1]
    path = user.window.settings.path.with_name("out.png")
    Image.fromarray(pixels).save(path)
    times = path.stat().st_size / len(coded.point.data)
    words = dialog.sizes[".png"].text()
    assert f"{times:.0f} times" in words or f"{times:.1f} times" in words
    assert dialog.formats[".png"].accessibleDescription() == words


def test_the_first_picture_is_compared_automatically(tiny: None, new_user: Any, draw: Draw) -> None:
    user, headline = new_user, new_user.window.inspector.headline
    user.window.settings.change(reduce_motion=True)
    user.drop(draw("a.png", 184, 120))
    coded = user.wait_for_result()
    user.wait(lambda: headline.isVisibleTo(user.window))
    words = headline.words.text()
    assert text.decibels(coded.point.psnr) in words
    assert text.size(len(coded.point.data)) in words
    assert "JPEG" in words
    assert "4:" in headline.button.toolTip()
    canvas = user.window.viewer.canvas
    assert not canvas.options.baseline
    user.bot.mouseClick(headline.button, Qt.MouseButton.LeftButton)
    assert canvas.options.baseline.startswith("JPEG 4:")
    user.bot.mouseClick(headline.button, Qt.MouseButton.LeftButton)
    assert not canvas.options.baseline
    user.drop(draw("b.png", 184, 120, seed=2))
    user.wait(lambda: len(user.rows) == 2 and user.window.session.row is user.rows[1])
    user.wait_for_result()
    assert not user.window.tools._comparisons
    assert headline.isHidden()
