"""The picture on view: decoding, comparing, moving, playing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from lbbic_engine import load_picture
from lbbic_gui.jobs import decoded_picture
from lbbic_gui.jobs.decoded_picture import UNDECODED, halvings
from lbbic_gui.painting import overlays, painting
from lbbic_gui.painting.overlays import Overlay
from lbbic_gui.painting.view_options import Mode
from lbbic_gui.panels.quality_slider import QualitySlider
from lbbic_gui.panels.rate_plot import RatePlot
from lbbic_gui.shell.empty_state import EmptyState
from lbbic_gui.state.row import State
from lbbic_gui.style import theme
from lbbic_gui.viewer.picture_view import PictureView
from lbbic_gui.viewer.timeline import STILLS

Draw = Callable[..., Path]
CTRL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton


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


def test_escape_stops_and_keeps_the_decoded_part(user: Any, draw: Draw) -> None:
    user.drop(draw("large.png", 800, 600))
    user.wait(lambda: user.window.viewer.canvas.result is not None)
    user.press(Qt.Key.Key_Escape)
    user.wait(lambda: user.rows[0].state is State.STOPPED)
    assert user.window.viewer.canvas.result is not None
    assert user.window.viewer.pill.isHidden()


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


def test_the_timeline_scrubs_through_the_decoding(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    coded = user.wait_for_result()
    timeline, canvas = user.window.viewer.timeline, user.window.viewer.canvas
    order, size = coded.picture.order, coded.picture.size
    canvas.set_mode(Mode.FLIP)

    def hidden() -> Any:
        """Whether each block has the colour of blocks that are not decoded yet."""
        image, ratio = canvas.grab().toImage(), canvas.devicePixelRatioF()
        colour = QColor(*reversed(UNDECODED))
        middles = [
            canvas.viewport.to_view(QPointF(size * column + 2, size * row + 2)) * ratio
            for row, column in np.ndindex(order.shape)
        ]
        found = [image.pixelColor(point.toPoint()) == colour for point in middles]
        return np.reshape(found, order.shape)

    user.press(Qt.Key.Key_Home, widget=timeline.slider)
    assert hidden().all()
    user.press(Qt.Key.Key_Right, widget=timeline.slider)
    assert np.array_equal(hidden(), order > 0)
    timeline.slider.setValue(7)
    assert np.array_equal(hidden(), order >= 7)
    user.press(Qt.Key.Key_End, widget=timeline.slider)
    assert not hidden().any()
    timeline.speed.setCurrentIndex(5)
    user.press(Qt.Key.Key_P)
    user.wait(lambda: timeline.slider.value() == timeline.slider.maximum())
    user.window.settings.change(reduce_motion=True)
    timeline.slider.setValue(1)
    user.press(Qt.Key.Key_P)
    assert timeline.slider.value() == timeline.slider.maximum()
    shown: list[int] = []
    timeline.sought.connect(shown.append)
    user.press(Qt.Key.Key_P)  # at the end: again from the start, in still pictures
    user.wait(lambda: shown[-1:] == [timeline.slider.maximum()])
    assert shown[0] == 0
    assert len(shown) <= 1 + STILLS


def test_a_large_picture_is_always_drawn_from_its_halvings(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only an image of the view's size is changed, during decoding, scrubbing and afterwards."""
    monkeypatch.setattr(decoded_picture, "SMALL_PX", 32)
    canvas, timeline = user.window.viewer.canvas, user.window.viewer.timeline
    sizes: list[Any] = []
    paint = painting.paint

    def note(painter: Any, shown: Any, dirty: Any) -> None:
        if shown.result is not None:
            shown.viewport = shown.viewport.zoomed(1 / 8)
            sizes.append(shown.scaled_image("result").size())
            sizes.append(shown.scaled_checkerboard().size())
        paint(painter, shown, dirty)

    monkeypatch.setattr(painting, "paint", note)
    path = draw("a.png", 173, 121)
    with Image.open(path) as image:
        image.putalpha(200)
        image.save(path)
    user.drop(path)
    coded = user.wait_for_result()
    user.wait(lambda: not user.window.viewer.first_decode.is_running)
    timeline.slider.setValue(3)
    canvas.grab()
    assert set(sizes) == {QSize(173 // 8, 121 // 8)}
    whole = coded.picture.picture()
    for level, expected in zip(coded.picture.levels, halvings(whole), strict=True):
        height, width, _ = expected.shape
        assert np.array_equal(level[:height, :width], expected)
    assert np.shares_memory(canvas.result, whole)  # nothing of it was copied to be scrubbed


def test_only_the_visible_part_of_the_difference_is_computed(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.drop(draw("a.png", 400, 300))
    user.wait_for_result()
    canvas, counts = user.window.viewer.canvas, []
    canvas.set_mode(Mode.DIFFERENCE)
    canvas.zoom_to(1.0)
    whole = canvas.grab().toImage()
    work_out = overlays.difference

    def note(original: Any, result: Any, gain: int) -> Any:
        counts.append(original.shape[0] * original.shape[1])
        return work_out(original, result, gain)

    monkeypatch.setattr(overlays, "difference", note)
    middle = canvas.rect().center()
    part = QRect(middle, QSize(40, 30))
    image = canvas.grab(part).toImage()
    assert counts == [pytest.approx(40 * 30, rel=0.3)]
    assert image == whole.copy(part)


def test_a_click_pins_a_block_and_shows_its_cost(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    coded = user.wait_for_result()
    canvas = user.window.viewer.canvas
    user.bot.mouseClick(canvas, LEFT, pos=canvas.rect().center() + QPoint(40, 0))
    row, column = canvas.options.pinned
    panel = user.window.inspector.block
    assert panel.isVisibleTo(user.window)
    assert f"{coded.picture.bits[row, column]:.1f} bits" in panel.values["bits"].text()
    # The upper right quarter is coded upwards: the context is on the left and below.
    assert row < coded.picture.rows // 2
    assert column > coded.picture.columns // 2
    context = [(row, column - 1), *((row + 1, column + step) for step in (-1, 0, 1))]
    assert canvas.context_of(row, column) == context
    user.window.commands.choose_quality(8.0, False)
    again = user.wait_for_result(8.0)
    assert canvas.options.pinned == (row, column)
    assert f"{again.picture.bits[row, column]:.1f} bits" in panel.values["bits"].text()


def at_pixel(canvas: Any, x: int, y: int) -> QPoint:
    """The point of the canvas that shows a pixel."""
    return canvas.viewport.to_view(QPointF(x, y)).toPoint()


@pytest.mark.parametrize("cause", ["the setting", "the file"])
def test_a_pinned_block_stays_within_a_smaller_result(user: Any, draw: Draw, cause: str) -> None:
    path, session = draw("a.png", 184, 120), user.window.session
    user.drop(path)
    before = user.wait_for_result()
    canvas = user.window.viewer.canvas
    canvas.set_mode(Mode.FLIP)
    user.bot.mouseClick(canvas, LEFT, pos=at_pixel(canvas, 180, 116))
    assert canvas.options.pinned == (14, 22)
    if cause == "the setting":
        user.window.settings.change(longest_side=92)
    else:
        draw("new.png", 92, 60, seed=3).replace(path)
        user.window.commands.choose_quality(2.0, False)
    user.wait(lambda: canvas.result.shape == (60, 92, 4))
    canvas.grab()  # while it is decoded
    user.wait(lambda: session.result is not before)
    canvas.grab()
    assert canvas.options.pinned == (7, 11)
    panel = user.window.inspector.block
    assert f"{session.result.picture.bits[7, 11]:.1f} bits" in panel.values["bits"].text()


def test_there_are_no_blocks_beyond_an_earlier_and_smaller_result(user: Any, draw: Draw) -> None:
    session, canvas = user.window.session, user.window.viewer.canvas
    user.window.settings.change(longest_side=46)
    user.drop(draw("a.png", 184, 120))
    user.wait_for_result()
    user.wait(lambda: canvas.original is not None)
    user.window.viewer.set_overlay(Overlay.BITS)
    canvas.set_mode(Mode.FLIP)
    user.window.settings.change(longest_side=0)
    session.coder.stop()  # or there would soon be a larger result
    user.wait(lambda: canvas.original.shape == (120, 184, 4))
    inside, outside = at_pixel(canvas, 20, 10), at_pixel(canvas, 180, 116)
    for place, pinned, words in ((inside, (1, 2), "bits"), (outside, None, "x 180  y 116")):
        user.bot.mouseMove(canvas, place)
        assert user.window.status.place.text().endswith(words)
        user.bot.mouseClick(canvas, LEFT, pos=place)
        assert canvas.options.pinned == pinned
        canvas.grab()


@pytest.mark.parametrize("widget", [EmptyState, PictureView, QualitySlider, RatePlot])
def test_a_fault_while_painting_ends_the_painting(
    qtbot: Any, qtlog: Any, monkeypatch: pytest.MonkeyPatch, widget: type[QWidget]
) -> None:
    """With a painter left on a widget, Qt would end the process."""
    painted = widget()
    qtbot.addWidget(painted)
    monkeypatch.setattr(theme, "colour", lambda name: {}[name])
    with qtbot.captureExceptions(), suppress(KeyError):
        painted.grab()
    assert [record.message for record in qtlog.records] == []


def test_a_click_shows_the_rest_of_a_damaged_file(
    user: Any, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_engine import compress

    monkeypatch.setattr("lbbic_engine.bitstream.chunks.PAGE_BYTES", 64)
    cut = tmp_path / "cut.lbb"
    data = compress(load_picture(draw("a.png", 200, 120))).data
    cut.write_bytes(data[: len(data) // 2])
    user.drop(cut)
    banner = user.window.viewer.banner
    user.wait(lambda: banner.isVisible() and banner.rest.isVisible())
    user.bot.mouseClick(banner.rest, LEFT)
    coded = user.wait_for_result()
    assert not banner.isVisible()
    assert "incomplete" in user.window.inspector.result.facts.text()
    timeline = user.window.viewer.timeline.slider
    assert timeline.maximum() == coded.picture.front_count


def test_closing_does_not_wait_for_decoding(user: Any, draw: Draw) -> None:
    user.drop(draw("large.png", 1600, 1200))
    canvas = user.window.viewer.canvas
    user.wait(lambda: canvas.result is not None)
    assert user.window.close()
    user.wait(lambda: not user.window.session.jobs.active())
    assert 0 <= canvas._decoded.done < canvas._decoded.total
