"""The panels next to the picture: quality, plot, target, comparison."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QAbstractSlider

from lbbic_engine.errors import Cancelled
from lbbic_engine.measure import target_search
from lbbic_gui.jobs import tasks
from lbbic_gui.jobs.messages import Baseline, Target
from lbbic_gui.jobs.requests import CompareAtSize
from lbbic_gui.jobs.tasks import Tasks
from lbbic_gui.painting.overlays import Overlay
from lbbic_gui.state.row import State
from lbbic_gui.style import text, theme

Draw = Callable[..., Path]
CTRL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton
SINGLE_STEP = QAbstractSlider.SliderAction.SliderSingleStepAdd


def test_messages_avoid_terms_of_the_format(user: Any, draw: Draw) -> None:
    messages: list[str] = []
    user.window.session.coder.progressed.connect(lambda words, _: messages.append(words))
    user.drop(draw("a.png", 184, 120))
    user.wait_for_result()
    assert any(re.fullmatch(r"\w+  \d+ %(  ·  .*)?", words) for words in messages)
    user.window.commands.choose_overlay(Overlay.ORDER)
    canvas = user.window.viewer.canvas
    user.bot.mouseMove(canvas, canvas.rect().center() + QPoint(40, 0))
    user.wait(lambda: "decoded in step" in user.window.status.place.text())
    assert not any("block" in words or "front" in words for words in messages)


def test_the_slider_codes_on_release_and_shows_cached_qualities_at_once(
    user: Any, draw: Draw
) -> None:
    user.drop(draw("a.png"))
    first = user.wait_for_result(4.0)
    slider = user.window.inspector.quality.slider
    right = QPoint(slider.width() - 11, slider.height() // 2)
    user.bot.mousePress(slider, LEFT, pos=right)
    assert "Best" in user.window.inspector.quality.level.text()
    assert user.window.session.quality() == 4.0
    user.bot.mouseRelease(slider, LEFT, pos=right)
    assert user.window.viewer.canvas.options.badge
    best = user.wait_for_result(8.0)
    assert len(best.point.data) > len(first.point.data)
    assert not user.window.viewer.canvas.options.badge
    user.window.commands.choose_quality(4.0, False)
    assert user.window.session.result is first


def test_the_arrow_keys_step_by_an_eighth(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"))
    user.wait_for_result(4.0)
    user.press(Qt.Key.Key_Right, widget=user.window.inspector.quality.slider)
    user.wait_for_result(4.125)


@pytest.fixture
def stepped(user: Any, draw: Draw) -> Any:
    """A user with two pictures who has just pressed a key on the slider, from 4 to 4.125."""
    user.drop(draw("a.png", 92, 60), draw("b.png", seed=2))
    user.wait_for_result(4.0)
    slider = user.window.inspector.quality.slider
    slider._timer.setInterval(10**8)  # as a pause that has not ended yet
    user.press(Qt.Key.Key_Right, widget=slider)
    return user


def test_a_result_that_comes_meanwhile_does_not_move_the_slider(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"))
    user.wait_for_result(4.0)
    quality = user.window.inspector.quality
    right = QPoint(quality.slider.width() - 11, quality.slider.height() // 2)
    user.window.commands.choose_quality(2.0, False)
    user.bot.mousePress(quality.slider, LEFT, pos=right)
    user.wait_for_result(2.0)
    assert quality.slider.quality() == 8.0
    assert quality.level.text().endswith("8")
    user.bot.mouseRelease(quality.slider, LEFT, pos=right)
    user.wait_for_result(8.0)


def test_a_result_that_comes_between_keys_does_not_move_the_slider(stepped: Any) -> None:
    quality = stepped.window.inspector.quality
    stepped.window.session.coded.emit(stepped.window.session.result)
    assert quality.slider.quality() == 4.125
    assert quality.level.text().endswith("4.125")
    stepped.press(Qt.Key.Key_Return, widget=quality.slider)
    stepped.wait_for_result(4.125)
    stepped.window.commands.choose_quality(2.0, False)
    assert quality.slider.quality() == 2.0


@pytest.mark.parametrize("is_own", [False, True])
def test_a_step_is_chosen_for_the_picture_that_it_was_made_on(stepped: Any, is_own: bool) -> None:
    window, (a, b) = stepped.window, stepped.rows
    window.inspector.quality.only_this.setChecked(is_own)
    window.queue.select(b)
    assert (a.override, b.override) == (4.125 if is_own else None, None)
    assert window.settings.values.quality == (4.0 if is_own else 4.125)
    assert window.inspector.quality.slider.quality() == (4.0 if is_own else 4.125)


def test_a_step_is_chosen_before_a_command(stepped: Any) -> None:
    stepped.press(Qt.Key.Key_Return, CTRL)
    stepped.wait(lambda: {row.state for row in stepped.rows} == {State.SAVED})
    assert {row.saved_as.quality for row in stepped.rows} == {4.125}
    stepped.window.inspector.quality.slider.triggerAction(SINGLE_STEP)
    stepped.press(Qt.Key.Key_Z, CTRL)
    assert stepped.window.session.quality() == 4.125


@pytest.mark.parametrize("picked", [4.0, 6.0])
def test_another_choice_replaces_a_step(stepped: Any, picked: float) -> None:
    plot, slider = stepped.window.inspector.plot, stepped.window.inspector.quality.slider
    plot.picked.emit(picked)
    assert slider.quality() == picked
    stepped.wait_for_result(picked)
    stepped.press(Qt.Key.Key_D)  # a command, before which steps are chosen
    assert stepped.window.settings.values.quality == picked


def test_a_pictures_own_quality_is_marked_and_kept(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait_for_result()
    user.window.inspector.quality.only_this.click()
    user.window.commands.choose_quality(2.0, True)
    assert user.rows[0].override == 2.0
    user.window.queue.select(user.rows[1])
    assert user.window.session.quality() == 4.0
    assert not user.window.inspector.quality.only_this.isChecked()


def test_a_picture_returns_to_the_common_quality(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"))
    user.wait_for_result()
    only_this = user.window.inspector.quality.only_this
    only_this.click()
    user.window.commands.choose_quality(2.0, True)
    user.wait_for_result(2.0)
    only_this.click()
    assert user.rows[0].override is None
    assert user.window.settings.values.quality == 4.0
    user.wait_for_result(4.0)
    user.press(Qt.Key.Key_Z, CTRL)
    assert user.rows[0].override == 2.0
    assert only_this.isChecked()


def test_clicking_the_plot_codes_or_selects_a_point(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    plot = user.window.inspector.plot
    user.bot.mouseClick(plot, LEFT, pos=plot.places()[6.0].toPoint())
    user.wait(lambda: 6.0 in user.rows[0].points)
    assert user.window.session.quality() == 4.0
    user.bot.mouseClick(plot, LEFT, pos=plot.places()[6.0].toPoint())
    user.wait_for_result(6.0)


def test_a_target_size_sets_the_quality_or_reports_the_possible(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 184, 120))
    user.wait_for_result()
    target = user.window.inspector.target
    field = target.value.lineEdit()
    assert field.width() > field.fontMetrics().horizontalAdvance("1000000,0")
    messages: list[tuple[str, int]] = []
    pill = user.window.viewer.pill
    user.window.tools.progressed.connect(
        lambda words, _: messages.append((pill.words.text(), pill.bar.value())) if words else None
    )
    target.value.selectAll()
    user.bot.keyClicks(target.value, "4")
    user.press(Qt.Key.Key_Return, widget=target.value)
    user.wait(lambda: user.rows[0].override is not None)
    found = user.rows[0].override
    assert len(user.wait_for_result(found).point.data) <= 4000
    assert user.window.inspector.quality.slider.quality() == found
    assert user.window.inspector.quality.only_this.isChecked()
    assert messages[0][0].startswith("Attempt 1 of at most 6")
    assert any(words.startswith("Attempt 2 of at most 6") for words, _ in messages)
    shares = [share for _, share in messages]
    assert shares == sorted(shares)
    assert len(set(shares)) > 6
    user.press(Qt.Key.Key_Z, CTRL)
    assert user.rows[0].override is None
    user.wait_for_result(4.0)
    target.unit.setCurrentText("bpp")
    target.value.setValue(0.01)
    user.bot.mouseClick(target.button, LEFT)
    user.wait(user.window.viewer.banner.isVisible)
    assert "smallest possible" in user.window.viewer.banner.detail.text()
    assert user.window.viewer.banner.title.text() == "Target too small: a.png"
    target.unit.setCurrentText("dB")
    user.bot.mouseClick(target.button, LEFT)
    assert not user.window.viewer.banner.isVisible(), "it is about the target before"


def test_a_target_found_although_stopped_is_not_applied(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_found, is_stopped, measure = threading.Event(), threading.Event(), tasks.measure

    def measure_late(*arguments: Any) -> Any:
        is_found.set()
        assert is_stopped.wait(600)
        return measure(*arguments)

    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    monkeypatch.setattr(tasks, "measure", measure_late)
    user.window.tools.find_target(Target("bytes", 4000))
    user.wait(is_found.is_set)
    user.press(Qt.Key.Key_Escape)
    is_stopped.set()
    user.wait(lambda: not user.window.session.jobs.active())
    assert user.rows[0].override is None
    assert "Found" not in user.window.status.notice.text()


def test_a_target_found_with_earlier_options_is_not_applied(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, may_end = target_search.search_quality, threading.Event()

    def search_late(*args: Any, **options: Any) -> Any:
        assert may_end.wait(60)
        return search(*args, **options)

    monkeypatch.setattr(target_search, "search_quality", search_late)
    user.drop(draw("a.png", 184, 120))
    user.wait_for_result()
    user.bot.mouseClick(user.window.inspector.target.button, LEFT)
    user.window.settings.change(preview=False)
    may_end.set()
    user.wait(lambda: "changed" in user.window.status.notice.text())
    assert user.rows[0].override is None


def test_one_click_compares_with_the_other_codecs_at_the_same_size(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 184, 120))
    user.wait_for_result(4.0)
    user.window.commands.choose_quality(8.0, False)
    coded = user.wait_for_result(8.0)
    panel, canvas = user.window.inspector.compare, user.window.viewer.canvas
    user.bot.mouseClick(panel.button, LEFT)
    user.wait(lambda: all(name.isEnabled() for name in panel.names.values()))
    assert canvas.options.baseline.startswith("JPEG")
    for cells in panel.cells.values():
        assert "kB" in cells[0].text()
        assert "dB" in cells[1].text()
    user.bot.mouseClick(panel.names["avif"], LEFT)
    assert canvas.options.baseline.startswith("AVIF")
    assert canvas.options.ours == f"LBBIC  ·  {text.size(len(coded.point.data))}"
    assert coded is user.window.session.result
    user.bot.mouseClick(panel.names["avif"], LEFT)
    assert not canvas.options.baseline
    user.window.commands.choose_quality(4.0, False)
    assert not any(name.isEnabled() for name in panel.names.values())


class Comparison:
    """In place of other codecs, which cannot be held up: a comparison lasts until ``go_on``."""

    def __init__(self) -> None:
        self.started, self.go_on, self.can_stop = 0, threading.Event(), True

    def __call__(self, _: Tasks, request: CompareAtSize, cancelled: Callable[[], bool]) -> Baseline:
        self.started += 1
        while not self.go_on.wait(0.01):
            if self.can_stop and cancelled():
                raise Cancelled
        canvas = np.zeros((24, 40, 4), np.uint8)
        return Baseline(request.codec, "4:4:4", 50, request.max_bytes, True, 30.0, canvas)


@pytest.fixture
def comparison(monkeypatch: pytest.MonkeyPatch) -> Comparison:
    stand_in = Comparison()
    monkeypatch.setattr(Tasks, "_compare", lambda *args: stand_in(*args))
    return stand_in


def test_a_comparison_takes_over_from_the_automatic_one_and_can_be_stopped(
    comparison: Comparison, user: Any, draw: Draw
) -> None:
    panel = user.window.inspector.compare
    user.window.settings.change(compare_first=True)
    user.drop(draw("a.png"))
    user.wait(lambda: comparison.started == 1)
    user.bot.mouseClick(panel.button, LEFT)
    user.wait(lambda: comparison.started == 2)  # the first has been answered by now
    assert panel.cells["jpeg"][0].text() == "comparing…"
    assert not panel.button.isEnabled()
    user.press(Qt.Key.Key_Escape)
    user.wait(lambda: panel.cells["jpeg"][0].text() == "stopped")
    assert panel.cells["avif"][0].text() == "stopped"
    assert panel.button.isEnabled()


def test_a_late_comparison_is_not_shown_with_another_result(
    comparison: Comparison, user: Any, draw: Draw
) -> None:
    user.drop(draw("a.png"))
    user.wait_for_result(4.0)
    user.window.commands.choose_quality(8.0, False)
    user.wait_for_result(8.0)
    comparison.can_stop = False  # it has just ended when it is cancelled
    panel = user.window.inspector.compare
    user.bot.mouseClick(panel.button, LEFT)
    user.wait(lambda: comparison.started == 1)
    (job, *_) = user.window.session.jobs.active()
    user.press(Qt.Key.Key_Z, CTRL)
    assert user.window.session.result.point.quality == 4.0
    comparison.go_on.set()
    user.wait(lambda: job.is_answered)
    assert not any(name.isEnabled() for name in panel.names.values())
    assert not user.window.inspector.headline.isVisible()


def test_a_new_comparison_shows_the_original_until_it_has_a_result(
    comparison: Comparison, user: Any, draw: Draw
) -> None:
    canvas = user.window.viewer.canvas
    comparison.go_on.set()
    user.drop(draw("a.png"))
    user.wait_for_result()
    user.wait(lambda: user.window.session.original is not None)
    user.window.actions_["compare"].trigger()
    user.wait(lambda: canvas.options.baseline.startswith("JPEG"))
    user.wait(lambda: user.window.inspector.headline.button.isChecked())
    comparison.go_on.clear()
    user.window.actions_["compare"].trigger()
    assert not canvas.options.baseline
    assert not user.window.inspector.headline.button.isChecked()


def test_a_codec_that_cannot_reach_the_size_shows_its_smallest_file_with_a_note(
    user: Any, draw: Draw
) -> None:
    user.drop(draw("a.png", 40, 24))
    coded = user.wait_for_result()
    panel = user.window.inspector.compare
    user.bot.mouseClick(panel.button, LEFT)
    user.wait(lambda: "at least" in panel.cells["jpeg"][0].text())
    assert "dB" in panel.cells["jpeg"][1].text()
    baseline = panel._baselines["jpeg"]
    assert baseline.file_bytes > len(coded.point.data)
    words = user.window.viewer.canvas.options.baseline
    assert words.startswith("JPEG")
    assert words.endswith("its smallest file")


def test_a_larger_result_is_amber_and_described_in_words(user: Any, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "plain.webp"
    Image.new("RGB", (16, 16), "teal").save(path, lossless=True)
    user.drop(path)
    user.wait_for_result()
    inspector = user.window.inspector
    assert inspector.result.figure.text().startswith("+")
    assert inspector.result.figure.property("role") == "grown"
    amber = theme.colour("amber")
    assert inspector.result.figure.palette().windowText().color() == amber
    assert "Larger" in inspector.result.warning.text()


def test_a_note_marks_drawings_as_stored_exactly(user: Any, tmp_path: Path) -> None:
    Image.new("RGB", (80, 60), "khaki").save(tmp_path / "plan.png")
    user.drop(tmp_path / "plan.png")
    coded = user.wait_for_result()
    assert coded.contents.exact
    inspector = user.window.inspector
    assert inspector.result.line.text().endswith("a drawing: stored exactly")
    assert text.decibels(coded.point.psnr) == "identical"
    assert inspector.plot.accessibleName().endswith("Stored exactly: no error to plot")
    inspector.plot.show_points({4.0: coded.point, 8.0: replace(coded.point, psnr=50.0)}, 4.0)
    assert 4.0 not in inspector.plot.places()  # which would offer to code it
    assert 8.0 in inspector.plot.places()


def test_what_reading_a_picture_left_out_stays_named(user: Any, draw: Draw, tmp_path: Path) -> None:
    path = tmp_path / "moving.gif"
    frames = [Image.new("RGB", (46, 30), colour) for colour in ("teal", "olive")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    user.drop(path)
    user.wait_for_result()
    facts = user.window.inspector.result.facts
    assert "Only one of its frames" in facts.text()
    user.window.commands.choose_quality(5.0, False)
    user.wait_for_result(5.0)
    assert "Only one of its frames" in facts.text()
    user.drop(draw("a.png"))
    user.wait(lambda: user.window.session.row is user.rows[-1] is not user.rows[0])
    user.wait_for_result(5.0)
    assert "frames" not in facts.text()
