"""The first decoding of a picture is played, and can be skipped or turned off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt, QVariantAnimation

from lbbic_gui.viewer import first_decode

Draw = Callable[..., Path]


@pytest.fixture
def watched(tiny: None, new_user: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A new user, with a clock that only the test advances."""
    new_user.now = 0.0
    clock = SimpleNamespace(monotonic=lambda: new_user.now)
    monkeypatch.setattr(first_decode, "time", clock)
    new_user.window.settings.change(compare_first=False)
    return new_user


def decoded(user: Any) -> float:
    """The share of the picture that is on view."""
    order = user.window.viewer.canvas._decoded.order
    return float((order >= 0).mean())


def test_the_first_decoding_plays_and_then_the_handle_slides_in(watched: Any, draw: Draw) -> None:
    canvas = watched.window.viewer.canvas
    watched.drop(draw("a.png", 184, 120))
    watched.wait_for_result()
    assert canvas.options.split == 0.0
    assert decoded(watched) == 0
    shares = []
    for now in (0.3, 0.6, 0.9):
        watched.now = now
        before = decoded(watched)
        watched.wait(lambda before=before: decoded(watched) > before)
        shares.append(decoded(watched))
        assert shares[-1] <= now / first_decode.SECONDS
        assert canvas.options.split == 0.0
    watched.now = first_decode.SECONDS
    watched.wait(lambda: decoded(watched) == 1)
    watched.wait(lambda: canvas.options.split == 0.5)
    assert canvas.result is not None
    watched.window.commands.choose_quality(5.0, False)  # only the first time
    watched.wait_for_result(5.0)
    assert canvas.options.split == 0.5


@pytest.mark.parametrize("by", ["key", "click"])
def test_any_key_or_click_skips_the_first_decoding(watched: Any, draw: Draw, by: str) -> None:
    canvas = watched.window.viewer.canvas
    watched.drop(draw("a.png", 184, 120))
    watched.wait_for_result()
    assert decoded(watched) == 0
    if by == "key":
        watched.press(Qt.Key.Key_A)
    else:
        watched.bot.mouseClick(watched.window.status, Qt.MouseButton.LeftButton)
    assert decoded(watched) == 1
    assert canvas.options.split == 0.5


def wait_for_its_end(user: Any) -> None:
    first, stopped = user.window.viewer.first_decode, QVariantAnimation.State.Stopped
    user.now += first_decode.SECONDS
    user.wait(lambda: not first.is_running and first._slide.state() is stopped)


@pytest.mark.parametrize(("key", "split"), [("1", 1.0), ("2", 0.5), ("3", 0.0)])
def test_a_key_of_the_comparison_skips_it_and_is_obeyed(
    watched: Any, draw: Draw, key: str, split: float
) -> None:
    watched.drop(draw("a.png", 184, 120))
    watched.wait_for_result()
    watched.bot.keyClicks(watched.window.viewer.canvas, key)
    assert decoded(watched) == 1
    wait_for_its_end(watched)
    assert watched.window.viewer.canvas.options.split == split


@pytest.mark.parametrize("by", ["key", "drag"])
def test_a_choice_is_kept_when_a_large_picture_is_decoded(
    watched: Any, draw: Draw, by: str
) -> None:
    canvas, first = watched.window.viewer.canvas, watched.window.viewer.first_decode
    watched.drop(draw("a.png", 184, 120))
    watched.wait_for_result()
    wait_for_its_end(watched)
    first.begin(0.5)  # as for a picture whose last blocks are long in coming
    assert canvas.options.split == 0.0
    if by == "key":
        watched.press(Qt.Key.Key_1)
        split = 1.0
    else:
        split = 0.25
        watched.bot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(2, 20))
        watched.bot.mouseMove(canvas, QPoint(round(split * canvas.width()), 20))
        watched.bot.mouseRelease(canvas, Qt.MouseButton.LeftButton)
    assert first.is_running
    splits: list[float] = []
    canvas.options_changed.connect(lambda options: splits.append(options.split))
    first.end_with(lambda: canvas.set_options(badge=""))
    wait_for_its_end(watched)
    assert splits == [pytest.approx(split, abs=0.01)]
    first.begin(0.5)  # of the next one
    first.end_with(lambda: None)
    wait_for_its_end(watched)
    assert canvas.options.split == 0.5


def test_a_choice_ends_the_sliding_of_the_handle(watched: Any, draw: Draw) -> None:
    """One that no key or click makes, as of a screen reader."""
    watched.drop(draw("a.png", 184, 120))
    watched.wait_for_result()
    slide = watched.window.viewer.first_decode._slide
    watched.now = first_decode.SECONDS
    watched.wait(lambda: slide.state() is QVariantAnimation.State.Running)
    watched.window.actions_["original"].trigger()
    wait_for_its_end(watched)
    assert watched.window.viewer.canvas.options.split == 1.0


def test_reduced_motion_skips_the_first_decoding(watched: Any, draw: Draw) -> None:
    watched.window.settings.change(reduce_motion=True)
    watched.drop(draw("a.png", 184, 120))
    watched.wait_for_result()
    assert decoded(watched) == 1
    assert watched.window.viewer.canvas.options.split == 0.5


def test_selecting_another_picture_ends_the_first_decoding(watched: Any, draw: Draw) -> None:
    watched.drop(draw("a.png", 184, 120), draw("b.png", 40, 24, seed=2))
    watched.wait_for_result()
    watched.window.settings.change(reduce_motion=True)
    watched.window.queue.select(watched.rows[1])
    assert watched.window.viewer.canvas.options.split == 0.5
    watched.wait_for_result()
    assert decoded(watched) == 1
