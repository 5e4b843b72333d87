"""The app by its user's route: a real window, drops, keys, the slider, the menus."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox

from lbbic_engine import codec, load_picture
from lbbic_engine.devices import device_failures
from lbbic_engine.errors import Cancelled, GpuError
from lbbic_gui.desktop import file_dialogs
from lbbic_gui.painting.overlays import Overlay
from lbbic_gui.painting.view_options import Mode
from lbbic_gui.state.queue_model import State
from lbbic_gui.style import text, theme
from lbbic_gui.viewer.timeline import STILLS

Draw = Callable[..., Path]
CTRL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton


def test_the_window_starts_empty_and_the_sample_is_one_click_away(user: Any) -> None:
    assert user.window.pages.currentWidget() is user.window.empty
    user.bot.mouseClick(user.window.empty.sample, LEFT)
    user.wait_for_result()
    assert user.rows[0].source.name == "astronaut.png"
    assert "%" in user.window.inspector.figure.text()


def test_a_sample_is_not_saved_beside_the_program(user: Any, tmp_path: Path) -> None:
    from lbbic_gui.state.samples import sample_source

    user.window.settings.change(last_folder=str(tmp_path))
    user.press(Qt.Key.Key_T, CTRL, widget=user.window)
    user.wait_for_result()
    assert user.window.tools.proposal(".lbb") == tmp_path / "astronaut.lbb"
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert user.rows[0].saved_path == tmp_path / "astronaut.lbb"
    assert not list(sample_source().path.parent.glob("*.lbb"))


def test_a_dropped_picture_appears_front_by_front(user: Any, draw: Draw) -> None:
    shares = []
    user.window.session.coder.front.connect(lambda front: shares.append(front.step.share))
    user.drop(draw("a.png", 92, 60))
    coded = user.wait_for_result()
    assert len(shares) > 3
    assert shares == sorted(shares)
    assert user.rows[0].state is State.CODED
    assert user.window.viewer.canvas.result is not None
    assert np.array_equal(user.window.viewer.canvas.result, coded.picture.picture())
    assert user.window.viewer.pill.isHidden()


def test_a_mixed_drop_is_sorted_out_without_a_dialog(user: Any, draw: Draw) -> None:
    folder = draw("folder/deep/b.png").parent.parent
    draw("folder/c.jpg")
    other = draw("a.png").with_suffix(".txt")
    other.write_text("no picture")
    user.drop(other.with_suffix(".png"), folder, other, other.with_suffix(".png"))
    user.wait(lambda: len(user.rows) == 3)
    words = user.window.status.notice.text()
    assert "3 pictures" in words
    assert "1 already" in words
    assert "a.txt" in words
    for name in ("1.heic", "2.heic", ".d.png"):
        (folder / name).touch()
    (folder / "lost").symlink_to(folder / "lost")
    user.drop(folder)
    user.wait(lambda: "cannot be read" in user.window.status.notice.text())
    words = user.window.status.notice.text()
    assert (
        words == "2 already in the list  ·  cannot be read: lost  ·  not taken: 2 .heic, 1 hidden"
    )
    (folder / "empty").mkdir()
    user.drop(folder / "empty")
    user.wait(lambda: user.window.status.notice.text() == "No pictures there")


def test_bad_files_among_good_ones_become_states_of_their_rows(
    user: Any, draw: Draw, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    cut = tmp_path / "cut.lbb"
    cut.write_bytes(b"\x8bLBB\r\n\x1a\n")
    user.drop(bad, draw("good.png"), cut)
    user.wait(lambda: len(user.rows) == 3)
    user.wait(lambda: user.rows[0].state is State.FAILED)
    assert user.window.viewer.banner.isVisible()
    assert "bad.png" in user.window.viewer.banner.title.text()
    user.window.queue.select(user.rows[2])
    user.wait(lambda: user.rows[2].state is State.FAILED)
    assert not user.window.inspector.line.text()
    user.window.queue.select(user.rows[1])
    user.wait_for_result()
    assert not user.window.viewer.banner.isVisible()


def test_broken_files_are_marked_when_they_are_added(user: Any, draw: Draw, tmp_path: Path) -> None:
    whole = {path.name: path.read_bytes() for path in (draw("a.png"), draw("b.jpg"))}
    whole["c.lbb"] = codec.compress(load_picture(draw("c.png"))).data
    broken = [tmp_path / f"cut {name}" for name in whole]
    for path, data in zip(broken, whole.values(), strict=True):
        path.write_bytes(data[: len(data) // 2])
    broken += [tmp_path / "empty.webp", tmp_path / "text.lbb"]
    broken[-2].touch()
    broken[-1].write_text("no picture")
    (tmp_path / "c.lbb").write_bytes(whole["c.lbb"])
    user.drop(draw("a.png"), *broken, tmp_path / "c.lbb")
    user.wait(lambda: [row.state for row in user.rows[1:-1]] == [State.FAILED] * len(broken))
    user.wait(lambda: user.rows[-1].width == 24)
    assert user.rows[-1].state is State.NEW
    for row in user.rows[1:-1]:
        assert row.problem.title == row.status()
        user.window.queue.select(row)
        assert user.window.viewer.banner.isVisible()
        assert not user.window.inspector.line.text()


def test_a_whole_file_is_decoded_not_compressed(user: Any, draw: Draw, tmp_path: Path) -> None:
    path = tmp_path / "a.lbb"
    path.write_bytes(codec.compress(load_picture(draw("a.png", 800, 600))).data)
    told: list[str] = []
    line = user.window.inspector.line
    user.window.session.current_changed.connect(lambda _: told.append(line.text()))
    user.drop(path)
    user.wait_for_result()
    assert told == ["Not decoded yet"]


def test_words_for_experts_are_not_those_of_the_format(user: Any, draw: Draw) -> None:
    told: list[str] = []
    user.window.session.coder.progressed.connect(lambda words, _: told.append(words))
    user.drop(draw("a.png", 184, 120))
    user.wait_for_result()
    assert any(re.fullmatch(r"\w+  \d+ %(  ·  .*)?", words) for words in told)
    user.window.commands.choose_overlay(Overlay.ORDER)
    canvas = user.window.viewer.canvas
    user.bot.mouseMove(canvas, canvas.rect().center() + QPoint(40, 0))
    user.wait(lambda: "decoded in step" in user.window.status.place.text())
    assert not any("block" in words or "front" in words for words in told)


def test_the_slider_codes_on_release_and_a_known_quality_comes_back_at_once(
    user: Any, draw: Draw
) -> None:
    user.drop(draw("a.png"))
    first = user.wait_for_result(4.0)
    slider = user.window.inspector.slider
    right = QPoint(slider.width() - 11, slider.height() // 2)
    user.bot.mousePress(slider, LEFT, pos=right)
    assert "Best" in user.window.inspector.level.text()
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
    user.press(Qt.Key.Key_Right, widget=user.window.inspector.slider)
    user.wait_for_result(4.125)


def test_a_quality_of_its_own_is_marked_and_kept(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait_for_result()
    user.window.inspector.only_this.click()
    user.window.commands.choose_quality(2.0, True)
    assert user.rows[0].override == 2.0
    user.window.queue.select(user.rows[1])
    assert user.window.session.quality() == 4.0
    assert not user.window.inspector.only_this.isChecked()


def test_escape_stops_and_what_is_decoded_stays(user: Any, draw: Draw) -> None:
    user.drop(draw("large.png", 800, 600))
    user.wait(lambda: user.window.viewer.canvas.result is not None)
    user.press(Qt.Key.Key_Escape)
    user.wait(lambda: user.rows[0].state is State.STOPPED)
    assert user.window.viewer.canvas.result is not None
    assert user.window.viewer.pill.isHidden()


def test_saving_opening_again_and_the_command_line_agree(
    user: Any, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_engine import decompress

    target = tmp_path / "out" / "größe 图.lbb"
    monkeypatch.setattr(file_dialogs, "choose_target", lambda *_: target)
    user.drop(draw("a.png", 92, 60))
    coded = user.wait_for_result()
    user.press(Qt.Key.Key_S, CTRL)
    user.wait(target.exists)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    user.drop(target)
    user.wait(lambda: user.window.session.row.source.is_lbb)
    again = user.wait_for_result()
    assert np.array_equal(again.picture.canvas, coded.picture.canvas)
    decoded = decompress(target.read_bytes()).pixels
    assert np.array_equal(again.picture.picture()[..., 2::-1], decoded)


def test_an_export_writes_the_decoded_picture(
    user: Any, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "decoded.png"
    monkeypatch.setattr(file_dialogs, "choose_export", lambda *_: target)
    user.drop(draw("a.png"))
    coded = user.wait_for_result()
    user.press(Qt.Key.Key_E, CTRL)
    user.wait(target.exists)
    user.wait(lambda: user.rows[0].state is State.CODED)
    image = QImage(str(target)).convertToFormat(QImage.Format.Format_RGB32)
    expected = coded.picture.image().convertToFormat(QImage.Format.Format_RGB32)
    user.wait(lambda: "Saved" in user.window.status.notice.text())
    assert image == expected


def test_a_batch_goes_on_after_a_failure_and_keeps_the_folders(
    user: Any, draw: Draw, tmp_path: Path
) -> None:
    folder = draw("in/one.png").parent
    draw("in/deep/two.png", seed=2)
    (folder / "bad.png").write_bytes(b"no picture")
    user.window.settings.change(output_folder=str(tmp_path / "out"))
    user.drop(folder)
    user.wait(lambda: len(user.rows) == 3)
    user.bot.mouseClick(user.window.queue.button, LEFT)
    user.wait(lambda: not user.window.session.batch.is_busy)
    assert (tmp_path / "out" / "one.lbb").exists()
    assert (tmp_path / "out" / "deep" / "two.lbb").exists()
    assert sorted(row.state.value for row in user.rows) == ["failed", "saved", "saved"]
    assert "2 of 3 saved" in user.window.queue.total.text()
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_saved_picture_stays_saved_when_it_is_looked_at(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait(lambda: len(user.rows) == 2)
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: all(row.state is State.SAVED for row in user.rows))
    user.window.queue.select(user.rows[1])
    user.wait_for_result()
    assert user.rows[1].state is State.SAVED
    assert not user.window.queue.button.isEnabled()
    user.press(Qt.Key.Key_Return, CTRL)
    assert not user.window.session.batch.is_busy


def test_a_batch_never_replaces_a_file_unasked(user: Any, draw: Draw) -> None:
    path = draw("a.png")
    mine = path.with_suffix(".lbb")
    mine.write_bytes(b"mine")
    user.drop(path)
    user.wait_for_result()
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert mine.read_bytes() == b"mine"
    assert (path.parent / "a (2).lbb").exists()


def test_a_folder_that_cannot_be_written_is_told(user: Any, draw: Draw, tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_text("a file where a folder should be")
    user.window.settings.change(output_folder=str(blocker / "out"))
    user.drop(draw("a.png"))
    user.wait_for_result()
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: user.rows[0].state is State.FAILED)
    assert user.window.viewer.banner.isVisible()
    assert user.rows[0].problem.hint


def test_pasting_a_picture(user: Any) -> None:
    image = QImage(40, 24, QImage.Format.Format_RGB32)
    image.fill(0xFF336699)
    QApplication.clipboard().setImage(image)
    user.press(Qt.Key.Key_V, CTRL, widget=user.window)
    user.wait_for_result()
    assert user.rows[0].width == 40


def test_keys_compare_zoom_and_overlay(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    canvas = user.window.viewer.canvas
    for key, split in ((Qt.Key.Key_1, 1.0), (Qt.Key.Key_2, 0.5), (Qt.Key.Key_3, 0.0)):
        user.press(key)
        assert canvas.options.split == split
    for key, mode in zip("1234", Mode, strict=True):
        user.press(key, CTRL)
        assert canvas.options.mode is mode
        canvas.grab()
    user.press(Qt.Key.Key_Plus, CTRL)
    assert canvas.viewport.zoom == 1.5
    user.press(Qt.Key.Key_0, CTRL)
    assert canvas.viewport.zoom == 1.0
    user.press(Qt.Key.Key_9, CTRL)
    assert canvas.viewport.is_fitted
    for overlay in (*list(Overlay)[1:], Overlay.NONE):
        user.press(Qt.Key.Key_G)
        assert canvas.options.overlay is overlay
        canvas.grab()
    before = canvas.viewport
    user.bot.keyPress(canvas, Qt.Key.Key_Space)
    assert canvas.options.peeking
    user.bot.keyRelease(canvas, Qt.Key.Key_Space)
    assert not canvas.options.peeking
    assert canvas.viewport == before


def test_the_split_handle_is_dragged_and_a_double_click_centres_it(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    canvas = user.window.viewer.canvas
    middle, quarter = canvas.rect().center(), QPoint(canvas.width() // 4, 20)
    user.bot.mousePress(canvas, LEFT, pos=middle)
    user.bot.mouseMove(canvas, quarter)
    user.bot.mouseRelease(canvas, LEFT, pos=quarter)
    assert canvas.options.split == pytest.approx(0.25, abs=0.01)
    user.bot.mouseDClick(canvas, LEFT, pos=quarter)
    assert canvas.options.split == 0.5
    assert canvas.options.pinned is None


def test_the_picture_is_moved_and_a_block_pinned_by_keys(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 400, 300))
    user.wait_for_result()
    canvas = user.window.viewer.canvas
    canvas.zoom_to(8.0)
    before = canvas.viewport.centre
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down):
        user.press(key, Qt.KeyboardModifier.ShiftModifier)
    after = canvas.viewport.centre
    assert after.x() > before.x()
    assert after.y() > before.y()
    user.press(Qt.Key.Key_Return)
    assert canvas.options.pinned == (int(after.y()) // 8, int(after.x()) // 8)
    user.press(Qt.Key.Key_Return)
    assert canvas.options.pinned is None


def test_the_inspector_comes_and_goes(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"))
    user.wait_for_result()
    for is_there in (False, True):
        user.press(Qt.Key.Key_I, CTRL)
        assert user.window.inspector.isVisible() is is_there
        assert user.window.actions_["inspector"].isChecked() is is_there


def test_the_timeline_scrubs_what_was_decoded(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    coded = user.wait_for_result()
    timeline, canvas = user.window.viewer.timeline, user.window.viewer.canvas
    user.press(Qt.Key.Key_Home, widget=timeline.slider)
    assert (canvas.result[..., :3] == canvas.result[0, 0, :3]).all()
    user.press(Qt.Key.Key_Right, widget=timeline.slider)
    size, (first,) = coded.picture.size, np.argwhere(coded.picture.order == 0)
    place = tuple(slice(at * size, (at + 1) * size) for at in first)
    assert np.array_equal(canvas.result[place], coded.picture.canvas[place])
    timeline.slider.setValue(7)
    assert np.array_equal(canvas.result, coded.picture.until(7).pixels)
    user.press(Qt.Key.Key_End, widget=timeline.slider)
    assert np.array_equal(canvas.result, coded.picture.picture())
    timeline.speed.setCurrentIndex(5)
    user.press(Qt.Key.Key_P)
    user.wait(lambda: timeline.slider.value() == timeline.slider.maximum())
    user.window.settings.change(reduce_motion=True)
    timeline.slider.setValue(1)
    user.press(Qt.Key.Key_P)
    assert timeline.slider.value() == timeline.slider.maximum()
    shown: list[int] = []
    timeline.sought.connect(shown.append)
    user.press(Qt.Key.Key_P)  # at the end: again from the start, in stills
    user.wait(lambda: shown[-1:] == [timeline.slider.maximum()])
    assert shown[0] == 0
    assert len(shown) <= 1 + STILLS


def test_a_click_pins_a_block_and_tells_its_cost(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    coded = user.wait_for_result()
    canvas = user.window.viewer.canvas
    user.bot.mouseClick(canvas, LEFT, pos=canvas.rect().center() + QPoint(40, 0))
    row, column = canvas.options.pinned
    panel = user.window.inspector.block
    assert panel.isVisibleTo(user.window)
    assert f"{coded.picture.bits[row, column]:.1f} bits" in panel.values["bits"].text()
    # The upper right quarter is coded upside down: the context lies to the left and below.
    assert row < coded.picture.rows // 2
    assert column > coded.picture.columns // 2
    context = [(row, column - 1), *((row + 1, column + step) for step in (-1, 0, 1))]
    assert canvas.context_of(row, column) == context
    user.window.commands.choose_quality(8.0, False)
    again = user.wait_for_result(8.0)
    assert canvas.options.pinned == (row, column)
    assert f"{again.picture.bits[row, column]:.1f} bits" in panel.values["bits"].text()


def test_the_plot_codes_a_hollow_point_and_picks_a_filled_one(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    plot = user.window.inspector.plot
    user.bot.mouseClick(plot, LEFT, pos=plot.places()[6.0].toPoint())
    user.wait(lambda: 6.0 in user.rows[0].points)
    assert user.window.session.quality() == 4.0
    user.bot.mouseClick(plot, LEFT, pos=plot.places()[6.0].toPoint())
    user.wait_for_result(6.0)


def test_a_target_size_sets_the_quality_or_says_what_is_possible(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 184, 120))
    user.wait_for_result()
    target = user.window.inspector.target
    field = target.value.lineEdit()
    assert field.width() > field.fontMetrics().horizontalAdvance("1000000,0")
    told: list[tuple[str, int]] = []
    pill = user.window.viewer.pill
    user.window.tools.progressed.connect(
        lambda words, _: told.append((pill.words.text(), pill.bar.value())) if words else None
    )
    target.value.selectAll()
    user.bot.keyClicks(target.value, "4")
    user.press(Qt.Key.Key_Return, widget=target.value)
    user.wait(lambda: user.rows[0].override is not None)
    found = user.rows[0].override
    assert len(user.wait_for_result(found).point.data) <= 4000
    assert user.window.inspector.slider.quality() == found
    assert user.window.inspector.only_this.isChecked()
    assert told[0][0].startswith("Attempt 1 of at most 6")
    assert any(words.startswith("Attempt 2 of at most 6") for words, _ in told)
    shares = [share for _, share in told]
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


def test_a_codec_that_cannot_be_so_small_says_so(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 40, 24))
    coded = user.wait_for_result()
    panel = user.window.inspector.compare
    user.bot.mouseClick(panel.button, LEFT)
    limit = f"not below {text.size(len(coded.point.data))}"
    user.wait(lambda: panel.cells["jpeg"][0].text() == limit)
    assert not user.window.viewer.canvas.options.baseline.startswith("JPEG")


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """Answers the questions of the app by Return, then Escape, then the second button.

    Yields the buttons of each question so far, from left to right.
    """
    questions: list[list[str]] = []

    def answer() -> None:
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox) and box.isVisible():
            buttons = sorted(box.buttons(), key=lambda button: button.x())
            questions.append([button.text() for button in buttons])
            keys = {1: Qt.Key.Key_Return, 2: Qt.Key.Key_Escape}
            if (key := keys.get(len(questions))) is not None:
                QTest.keyClick(box, key)
            else:
                QTest.mouseClick(buttons[1], LEFT)

    timer = QTimer(interval=0)
    timer.timeout.connect(answer)
    timer.start()
    yield questions
    timer.stop()


def work_until_cancelled(*_: object, cancelled: Any, **__: object) -> None:
    cancelled.__self__.wait()
    raise Cancelled


@pytest.mark.parametrize("work", ["batch", "export"])
def test_quitting_while_files_are_written_asks(
    user: Any,
    draw: Draw,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answered: list[list[str]],
    work: str,
) -> None:
    monkeypatch.setattr(file_dialogs, "choose_export", lambda *_: tmp_path / "out.png")
    user.drop(draw("a.png"))
    user.wait_for_result()
    for name in ("compress", "decompress"):
        monkeypatch.setattr(codec, name, work_until_cancelled)
    if work == "batch":
        user.window.settings.change(quality=5.0)
        user.press(Qt.Key.Key_Return, CTRL)
    else:
        user.press(Qt.Key.Key_E, CTRL)
    for _ in range(2):
        assert not user.window.close()
    assert user.window.isVisible()
    assert user.window.close()
    assert answered == [["Go on", "Stop and quit"]] * 3
    assert not user.window.isVisible()
    assert not (tmp_path / "out.png").exists()


def test_quitting_asks_nothing_while_nothing_is_written(
    user: Any, draw: Draw, answered: list[list[str]]
) -> None:
    user.drop(draw("a.png", 800, 600))
    user.wait(lambda: user.window.viewer.canvas.result is not None)
    assert user.window.close()
    assert not answered


def test_every_action_has_words_and_every_control_a_name(user: Any) -> None:
    from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QComboBox, QScrollBar

    for name, action in user.window.actions_.items():
        assert action.text(), name
        assert not action.shortcut().isEmpty(), name
    keys = [key for action in user.window.actions_.values() for key in action.shortcuts()]
    assert len(set(keys)) == len(keys)
    for kind in (QAbstractButton, QAbstractSlider, QComboBox):
        for widget in user.window.findChildren(kind):
            named = widget.accessibleName() or (hasattr(widget, "text") and widget.text())
            internal = isinstance(widget, QScrollBar) or widget.objectName().startswith("qt_")
            assert named or internal or not widget.isVisible(), widget


def test_choices_are_undone_and_redone(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result(4.0)
    canvas = user.window.viewer.canvas
    user.press(Qt.Key.Key_4, CTRL)
    user.press(Qt.Key.Key_G)
    user.window.commands.choose_quality(2.0, False)
    user.wait_for_result(2.0)
    user.press(Qt.Key.Key_Z, CTRL)
    assert user.window.session.result.point.quality == 4.0
    user.press(Qt.Key.Key_Z, CTRL)
    assert canvas.options.overlay is Overlay.NONE
    user.press(Qt.Key.Key_Z, CTRL)
    assert canvas.options.mode is Mode.SPLIT
    for _ in range(3):
        user.press(Qt.Key.Key_Y, CTRL)
    user.wait_for_result(2.0)
    assert (canvas.options.mode, canvas.options.overlay) == (Mode.DIFFERENCE, Overlay.GRID)


def test_other_metadata_make_another_file(user: Any, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "tagged.jpg"
    exif = Image.Exif()
    exif[0x010E] = "a description of some length"
    Image.new("RGB", (40, 24), "teal").save(path, exif=exif)
    user.drop(path)
    with_exif = user.wait_for_result()
    user.window.settings.change(keep_exif=False)
    user.wait(lambda: user.window.session.result is not with_exif)
    without = user.wait_for_result()
    assert b"a description" in with_exif.point.data
    assert b"a description" not in without.point.data


def test_rows_are_moved_removed_and_retried(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait_for_result()
    alt = Qt.KeyboardModifier.AltModifier
    user.press(Qt.Key.Key_Down, alt)
    assert [row.source.name for row in user.rows] == ["b.png", "a.png"]
    assert user.window.queue.current().source.name == "a.png"
    before = user.window.session.result
    user.press(Qt.Key.Key_R, CTRL)
    user.wait_for_result()
    assert before is user.window.session.result
    assert user.window.settings.values.device == "auto"
    user.press(Qt.Key.Key_Delete, widget=user.window.queue.list)
    assert [row.source.name for row in user.rows] == ["b.png"]
    user.wait_for_result()


def test_the_batch_takes_the_order_of_the_rows_and_tells_what_is_left(
    user: Any, draw: Draw
) -> None:
    user.drop(draw("a.png"), *(draw(f"{n}.png", 200, 120, seed=n) for n in range(4)))
    user.wait_for_result()
    saved: list[str] = []
    user.window.session.batch.saved.connect(lambda answer: saved.append(answer.path.stem))
    totals: list[str] = []
    user.window.session.batch.changed.connect(
        lambda _: totals.append(user.window.queue.total.text())
    )
    user.press(Qt.Key.Key_Return, CTRL)
    user.window.queue.select(user.rows[4])
    model, top = user.window.session.queue, user.window.session.queue.index(-1)
    assert model.moveRows(top, 4, 1, top, 1)  # what the list does when a row is dropped there
    user.wait(lambda: not user.window.session.batch.is_busy)
    assert saved.index("3") < saved.index("2")
    assert saved.index("2") > saved.index("1")
    assert "smaller (−" in totals[-1]


def test_what_is_left_of_a_damaged_file_is_a_click_away(
    user: Any, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_engine import compress, load_picture

    monkeypatch.setattr("lbbic_engine.bitstream.container.PAGE_BYTES", 64)
    cut = tmp_path / "cut.lbb"
    data = compress(load_picture(draw("a.png", 200, 120))).data
    cut.write_bytes(data[: len(data) // 2])
    user.drop(cut)
    banner = user.window.viewer.banner
    user.wait(lambda: banner.isVisible() and banner.rest.isVisible())
    user.bot.mouseClick(banner.rest, LEFT)
    coded = user.wait_for_result()
    assert not banner.isVisible()
    assert "incomplete" in user.window.inspector.facts.text()
    timeline = user.window.viewer.timeline.slider
    assert timeline.maximum() == coded.picture.front_count


def test_growth_is_amber_and_said_in_words(user: Any, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "plain.png"
    Image.new("RGB", (16, 16), "teal").save(path)
    user.drop(path)
    user.wait_for_result()
    inspector = user.window.inspector
    assert inspector.figure.text().startswith("+")
    assert inspector.figure.property("role") == "grown"
    amber = theme.colour("amber")
    assert inspector.figure.palette().windowText().color() == amber
    assert "Larger" in inspector.warning.text()


def test_f1_lists_every_action(user: Any) -> None:
    from PySide6.QtWidgets import QLabel

    from lbbic_gui.shell.dialogs import KeysDialog

    dialog = KeysDialog(user.window)
    user.bot.addWidget(dialog)
    words = {label.text() for label in dialog.findChildren(QLabel)}
    for action in user.window.actions_.values():
        assert action.text().rstrip("…") in words


def test_a_pattern_names_the_files(user: Any, draw: Draw) -> None:
    from lbbic_gui.shell.settings_dialog import SettingsDialog

    dialog = SettingsDialog(user.window.settings, user.window)
    user.bot.addWidget(dialog)
    dialog.show()
    dialog.pattern.clear()
    user.bot.keyClicks(dialog.pattern, "{name} q{quality}")
    assert dialog.example.text() == "holiday q4.lbb"
    user.bot.keyClicks(dialog.pattern, "/")
    assert "needs" in dialog.example.text()
    dialog.close()
    path = draw("a.png")
    user.drop(path)
    user.wait_for_result()
    user.bot.mouseClick(user.window.queue.button, LEFT)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert user.rows[0].saved_path == path.with_name("a q4.lbb")


def test_the_theme_changes_at_once(user: Any) -> None:
    for name, colours in (("dark", theme.DARK), ("light", theme.LIGHT)):
        user.window.settings.change(theme=name)
        window = QApplication.palette().window().color().name()
        assert (theme.colours(), window) == (colours, colours.window)


@pytest.mark.slow
def test_two_hundred_pictures_keep_no_pixels(user: Any, draw: Draw, tmp_path: Path) -> None:
    for number in range(200):
        draw(f"many/{number:03}.png", 40, 24, seed=number)
    user.window.settings.change(output_folder=str(tmp_path / "out"))
    user.drop(tmp_path / "many")
    user.wait(lambda: len(user.rows) == 200)
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: not user.window.session.batch.is_busy)
    assert len(list((tmp_path / "out").iterdir())) == 200
    kept = sum(len(point.data) for row in user.rows for point in row.points.values())
    assert kept < 5000
    assert len(user.window.session.coder._cache) <= 2


def test_closing_does_not_wait_for_a_picture_that_is_being_decoded(user: Any, draw: Draw) -> None:
    user.drop(draw("large.png", 1600, 1200))
    canvas = user.window.viewer.canvas
    user.wait(lambda: canvas.result is not None)
    assert user.window.close()
    user.wait(lambda: not user.window.session.jobs.active())
    assert 0 <= canvas._decoded.done < canvas._decoded.total


def test_a_retry_on_the_cpu_is_offered_when_the_gpu_is_full(user: Any, draw: Draw) -> None:
    from lbbic_gui.jobs.error_messages import explain

    with pytest.raises(GpuError) as full, device_failures():
        raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB.")
    user.drop(draw("a.png"))
    user.wait_for_result()
    banner = user.window.viewer.banner
    banner.show_problem("a.png", explain(full.value, "a.png"))
    user.bot.mouseClick(banner.copy, LEFT)
    assert "a.png" in QApplication.clipboard().text()
    user.bot.mouseClick(banner.cpu, LEFT)
    assert user.window.settings.values.device == "cpu"
    user.wait_for_result()


def test_the_layout_is_kept(user: Any, draw: Draw) -> None:
    from lbbic_gui.shell.main_window import MainWindow
    from lbbic_gui.state.settings import Settings

    user.drop(draw("a.png"))
    user.wait_for_result()
    user.window.resize(790, 640)  # within the offscreen display
    user.window.splitter.setSizes([240, 246, 304])
    user.window.close()
    again = MainWindow(Settings(user.window.settings.path))
    user.bot.addWidget(again)
    again.show()
    assert again.height() == 640
    assert again.settings.layout("splitter") == user.window.splitter.saveState()
    assert again.session.jobs.stop(600)
