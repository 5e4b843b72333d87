"""The brush raises or lowers quality in the file, and its strokes can be undone."""

from __future__ import annotations

import multiprocessing
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, QSizeF, Qt
from PySide6.QtGui import QAccessible, QGuiApplication, QWheelEvent
from PySide6.QtWidgets import QApplication, QFileDialog

from lbbic_engine import read_info
from lbbic_engine.bitstream.container import parse_container
from lbbic_engine.bitstream.quality_map import unpack
from lbbic_engine.cli import main
from lbbic_engine.config import quality_index
from lbbic_engine.parallel import cores, run
from lbbic_gui.painting.brush import MAX_CELLS, NEUTRAL, Brush, Kind, Stroke, levels_of
from lbbic_gui.painting.view_options import Mode
from lbbic_gui.state.row import State

Draw = Callable[..., Path]
CTRL, LEFT = Qt.KeyboardModifier.ControlModifier, Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier


def drag(user: Any, *points: tuple[float, float]) -> None:
    """Drag the mouse through points of the picture."""
    canvas = user.window.viewer.canvas
    places = [canvas.viewport.to_view(QPointF(*point)).toPoint() for point in points]
    user.bot.mousePress(canvas, LEFT, pos=places[0])
    for place in places[1:]:
        user.bot.mouseMove(canvas, place)
    user.bot.mouseRelease(canvas, LEFT, pos=places[-1])


def wait_for_another(user: Any, before: Any) -> Any:
    """Wait until the picture on view is coded again."""
    session = user.window.session
    user.wait(lambda: session.result is not before and not session.is_stale)
    return session.result


def take_brush(user: Any, *, size: int = 40) -> None:
    user.press(Qt.Key.Key_B)
    user.window.viewer.brush_bar.size_.setValue(size)
    user.window.actions_["flip"].trigger()  # no handle is in the way


def words(user: Any, name: str) -> str:
    action = user.window.actions_[name]
    return str(action.text()) if action.isEnabled() else ""


@pytest.fixture
def opened(user: Any, draw: Draw) -> Any:
    """A picture of identical blocks on view, with the brush active."""
    user.drop(draw("a.png", 192, 128))
    user.wait_for_result()
    take_brush(user)
    return user


def test_a_painted_face_is_better_and_takes_more_bytes(
    shipped_user: Any, photograph: NDArray[np.uint8], tmp_path: Path
) -> None:
    user, path = shipped_user, tmp_path / "cat.png"
    Image.fromarray(photograph).save(path)
    user.drop(path)
    before = user.wait_for_result()
    take_brush(user, size=round(40 * user.window.viewer.canvas.viewport.scale))
    drag(user, (20, 20), (20, 52))
    after = wait_for_another(user, before)
    assert read_info(after.point.data).has_quality_map
    painted = np.s_[2:7, 1:4]  # blocks
    rest = np.ones(before.errors.shape, bool)
    rest[1:8, :5] = False
    assert after.errors[painted].mean() < 0.8 * before.errors[painted].mean()
    assert after.picture.bits[painted].sum() > 1.2 * before.picture.bits[painted].sum()
    assert after.picture.bits[rest].sum() == pytest.approx(before.picture.bits[rest].sum(), rel=0.1)
    assert len(after.point.data) > len(before.point.data)


def test_undoing_a_stroke_restores_the_same_bytes(opened: Any) -> None:
    user, (row,) = opened, opened.rows
    results = [user.window.session.result]
    drag(user, (40, 60), (60, 60))
    results.append(wait_for_another(user, results[0]))
    assert words(user, "undo") == "Undo “Keep sharp” on a.png"
    user.window.viewer.brush_bar.kinds[Kind.WORSE].click()
    drag(user, (140, 60))
    results.append(wait_for_another(user, results[1]))
    assert words(user, "undo") == "Undo “Matters less” on a.png"
    levels = levels_of(row.mask)
    assert levels[3, 3] == 255
    assert levels[3, 8] == 0
    files = [result.point.data for result in results]
    assert len(set(files)) == 3
    for file in (files[1], files[0]):
        user.press(Qt.Key.Key_Z, CTRL)
        assert wait_for_another(user, None).point.data == file
    assert row.mask == b""
    user.press(Qt.Key.Key_Y, CTRL)
    assert wait_for_another(user, None).point.data == files[1]


def test_the_mask_belongs_to_its_picture(opened: Any, draw: Draw) -> None:
    user, before = opened, opened.window.session.result
    drag(user, (40, 60))
    painted = wait_for_another(user, before).point.data
    user.drop(draw("b.png", 192, 128, seed=2))
    user.wait(lambda: len(user.rows) == 2)
    a, b = user.rows
    user.window.queue.select(b)
    plain = user.wait_for_result()
    assert user.window.viewer.canvas.tint is None
    assert not read_info(plain.point.data).has_quality_map
    assert (b.mask, b.own_choices(), a.own_choices()) == (b"", "", "painted")
    user.press(Qt.Key.Key_Z, CTRL)  # on the other picture
    assert a.mask == b""
    assert user.window.session.result is plain
    user.press(Qt.Key.Key_Y, CTRL)
    user.window.queue.select(a)
    assert wait_for_another(user, None).point.data == painted
    assert user.window.viewer.canvas.tint is not None


def test_painting_waits_for_a_pause_and_then_shows_the_result(opened: Any) -> None:
    user, session = opened, opened.window.session
    drag(user, (40, 60))
    drag(user, (80, 60))
    assert not session.coder.is_busy
    assert user.window.viewer.canvas.options.badge == "Previous result"
    user.press(Qt.Key.Key_E, CTRL)  # which opens no dialog
    assert user.window.status.notice.text() == "Not compressed yet with these settings"
    wait_for_another(user, None)
    assert user.window.viewer.canvas.options.badge == ""


def test_erasing_and_clearing_remove_the_mask(opened: Any) -> None:
    user, before = opened, opened.window.session.result
    bar, (row,) = user.window.viewer.brush_bar, user.rows
    assert not bar.clear.isEnabled()
    drag(user, (40, 60), (90, 60))
    assert bar.clear.isEnabled()
    bar.kinds[Kind.ERASE].click()
    bar.size_.setValue(200)
    drag(user, (40, 60), (90, 60))
    assert row.mask == b""
    assert words(user, "undo") == "Undo “Erase” on a.png"
    assert wait_for_another(user, None) is before
    user.press(Qt.Key.Key_Z, CTRL)
    assert row.mask
    bar.clear.click()
    assert row.mask == b""
    assert words(user, "undo") == "Undo “Clear” on a.png"


def test_opacity_and_softness_apply_to_a_stroke(opened: Any) -> None:
    user, bar = opened, opened.window.viewer.brush_bar
    bar.opacity.setValue(50)
    bar.softness.setValue(0)
    drag(user, (40, 60), (90, 60), (40, 60))  # over itself: no stronger
    assert levels_of(user.rows[0].mask).max() == NEUTRAL + 64
    bar.softness.setValue(100)
    bar.opacity.setValue(100)
    bar.size_.setValue(120)
    drag(user, (136, 72))
    levels = levels_of(user.rows[0].mask)
    fading = levels[4, 8:12].astype(int)
    assert fading[0] > 220
    assert (np.diff(fading) < 0).all()


@pytest.mark.parametrize("zoom", [0.5, 1.0, 4.0])
def test_the_brush_paints_below_the_cursor_at_any_zoom(opened: Any, zoom: float) -> None:
    user, canvas = opened, opened.window.viewer.canvas
    canvas.zoom_to(zoom)
    user.window.viewer.brush_bar.size_.setValue(16)
    drag(user, (104, 56))
    levels = levels_of(user.rows[0].mask)
    painted = np.argwhere(levels == levels.max())
    assert painted.mean(axis=0) == pytest.approx((3, 6), abs=0.5)


@pytest.mark.parametrize("side", [0, 1])
def test_a_stroke_across_both_panes_stays_in_one_picture(opened: Any, side: int) -> None:
    user, canvas = opened, opened.window.viewer.canvas
    user.window.actions_["side"].trigger()
    half = canvas.width() // 2
    begin = canvas.viewport.to_view(QPointF(184, 56)).toPoint() + QPoint(side * half, 0)
    end = QPoint(half + 5, begin.y()) if side == 0 else begin + QPoint(5, 0)
    user.bot.mousePress(canvas, LEFT, pos=begin)
    user.bot.mouseMove(canvas, end)
    user.bot.mouseRelease(canvas, LEFT, pos=end)
    levels = levels_of(user.rows[0].mask)
    assert levels[3, -1] == 255
    assert (levels[:, :9] == NEUTRAL).all()


def test_handle_picture_and_loupe_can_still_be_moved(opened: Any) -> None:
    user, canvas = opened, opened.window.viewer.canvas
    user.window.actions_["split"].trigger()
    middle = canvas.rect().center()
    user.bot.mousePress(canvas, LEFT, pos=middle)
    user.bot.mouseMove(canvas, middle - QPoint(40, 0))
    user.bot.mouseRelease(canvas, LEFT, pos=middle - QPoint(40, 0))
    assert canvas.options.split < 0.5
    canvas.zoom_to(8.0)
    before = canvas.viewport.centre
    at = middle + QPoint(60, 30)
    user.bot.mousePress(canvas, LEFT, CTRL, pos=at)
    user.bot.mouseMove(canvas, at + QPoint(30, 0))
    user.bot.mouseMove(canvas, at + QPoint(60, 0))
    user.bot.mouseRelease(canvas, LEFT, CTRL, pos=at + QPoint(60, 0))
    assert canvas.viewport.centre.x() < before.x()
    assert user.rows[0].mask == b""
    assert canvas.options.pinned is None


def test_keys_and_wheel_change_the_size(opened: Any) -> None:
    user, canvas = opened, opened.window.viewer.canvas
    size, zoom = user.window.viewer.brush_bar.size_, canvas.viewport.zoom
    user.press(Qt.Key.Key_BracketRight)
    larger = size.value()
    assert larger > 40
    assert canvas.brush_width == larger
    user.press(Qt.Key.Key_BracketLeft)
    assert size.value() == 40
    middle = QPointF(canvas.rect().center())
    for turned, expected in ((120, larger), (-120, 40)):
        wheel = QWheelEvent(
            *(middle, QPointF(canvas.mapToGlobal(middle.toPoint()))),
            *(QPoint(), QPoint(0, turned), Qt.MouseButton.NoButton, SHIFT),
            *(Qt.ScrollPhase.NoScrollPhase, False),
        )
        QApplication.sendEvent(canvas, wheel)
        assert size.value() == expected
    assert canvas.viewport.zoom == zoom


def test_the_mask_is_shown_while_the_brush_is_on(opened: Any) -> None:
    user, canvas = opened, opened.window.viewer.canvas
    bar = user.window.viewer.brush_bar
    place = canvas.viewport.to_view(QPointF(56, 56)).toPoint()

    def colour() -> tuple[int, ...]:
        at = place * canvas.devicePixelRatioF()
        return tuple(canvas.grab().toImage().pixelColor(at).getRgb())

    user.bot.mouseMove(canvas, QPoint(2, 2))
    plain = colour()
    drag(user, (56, 56))
    user.bot.mouseMove(canvas, QPoint(2, 2))
    wait_for_another(user, None)
    for mode in Mode:
        canvas.set_options(peeking=False)
        canvas.set_mode(mode)
        canvas.grab()
    canvas.set_mode(Mode.FLIP)
    tinted = colour()
    assert tinted[2] - tinted[0] > plain[2] - plain[0] + 50  # blue
    bar.visible.click()
    assert canvas.tint is None
    bar.visible.click()
    assert colour() == tinted
    user.press(Qt.Key.Key_B)
    assert canvas.tint is None
    assert not bar.isVisible()
    assert canvas.brush_width == 0
    user.bot.mouseClick(canvas, LEFT, pos=place)
    assert canvas.options.pinned == (7, 7)


def test_lbb_files_cannot_be_painted_on_and_the_reason_is_shown(
    opened: Any, draw: Draw, tmp_path: Path
) -> None:
    user, action = opened, opened.window.actions_["brush"]
    lbb = tmp_path / "a.lbb"
    lbb.write_bytes(user.window.session.result.point.data)
    assert action.isChecked()
    user.drop(lbb)
    user.wait(lambda: len(user.rows) == 2)
    user.window.queue.select(user.rows[1])
    user.wait_for_result()
    assert not action.isEnabled()
    assert "already compressed" in action.toolTip()
    assert not user.window.viewer.brush_bar.isVisible()
    drag(user, (40, 60))
    assert user.rows[1].mask == b""
    user.window.queue.select(user.rows[0])
    assert action.isChecked()
    assert user.window.viewer.brush_bar.isVisible()


def test_saved_files_and_the_copied_command_use_the_mask(
    opened: Any, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, (row,) = opened, opened.rows
    drag(user, (40, 60), (90, 60))
    painted = wait_for_another(user, None).point.data
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: row.state is State.SAVED)
    assert row.saved_path.read_bytes() == painted
    user.window.viewer.brush_bar.clear.click()
    wait_for_another(user, None)
    assert row.state is State.CODED  # what is saved is another file
    user.press(Qt.Key.Key_Z, CTRL)
    wait_for_another(user, None)
    assert row.state is State.SAVED
    mask = tmp_path / "what matters.png"
    proposed: list[str] = []

    def choose(_: object, title: str, proposal: str, kind: str) -> tuple[str, str]:
        proposed.append(Path(proposal).name)
        return str(mask), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    user.press(Qt.Key.Key_C, CTRL | Qt.KeyboardModifier.AltModifier)
    assert proposed == ["a-mask.png"]
    command = shlex.split(QGuiApplication.clipboard().text())
    assert command[command.index("--mask") + 1] == str(mask)
    row.saved_path.unlink()
    assert main(command[1:]) == 0
    assert row.saved_path.read_bytes() == painted


def test_other_formats_ignore_the_mask(opened: Any) -> None:
    user, (row,) = opened, opened.rows
    user.window.settings.change(format="webp", format_quality=80)
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: row.state is State.SAVED)
    drag(user, (40, 60))
    wait_for_another(user, None)
    assert row.state is State.SAVED
    user.press(Qt.Key.Key_C, CTRL | Qt.KeyboardModifier.AltModifier)  # and no file is asked for
    assert "--mask" not in QGuiApplication.clipboard().text()


@pytest.mark.slow
def test_worker_processes_use_the_mask(
    opened: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = opened
    drag(user, (40, 60))
    painted = wait_for_another(user, None).point.data
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)
    monkeypatch.setattr(run, "START_SECONDS", 1e-9)  # any two pictures are worth a process each
    user.drop(draw("b.png", 192, 128, seed=2))
    user.wait(lambda: len(user.rows) == 2)
    for row in user.rows:
        row.points.clear()  # no result is cached: the workers do all of it
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: all(row.state is State.SAVED for row in user.rows))
    assert multiprocessing.active_children()
    first, second = (row.saved_path.read_bytes() for row in user.rows)
    assert first == painted
    assert not read_info(second).has_quality_map


def test_masks_have_at_least_one_cell_and_a_bounded_number() -> None:
    brush = Brush(Kind.BETTER, 1.0, 0.5)
    for size, cells in ((QSizeF(5, 3), 1), (QSizeF(4000, 3000), 250 * 188)):
        assert Stroke(b"", size, brush, 10).levels().size == cells
    assert Stroke(b"", QSizeF(16384, 16384), brush, 10).levels().size <= MAX_CELLS


def test_the_brush_is_accessible(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    user, bar = opened, opened.window.viewer.brush_bar
    names = [
        QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)
        for widget in (*bar.kinds.values(), bar.size_, bar.opacity, bar.softness, bar.visible)
    ]
    assert names[:3] == ["Keep sharp", "Matters less", "Erase"]
    assert all(names[3:])
    assert len(set(names)) == 7
    said: list[str] = []
    update = "updateAccessibility"
    monkeypatch.setattr(QAccessible, update, lambda event: said.append(event.message()))
    user.press(Qt.Key.Key_B)
    bar.kinds[Kind.WORSE].click()
    user.press(Qt.Key.Key_B)
    user.press(Qt.Key.Key_BracketRight)
    assert said == ["Brush off", "Brush: Matters less", "Size of the brush: 50"]


def test_a_rotated_photograph_is_painted_where_it_is_clicked(user: Any, tmp_path: Path) -> None:
    path, turned = tmp_path / "turned.jpg", Image.Exif()
    turned[274] = 6  # a quarter turn to the right
    noise = np.random.default_rng(1).integers(0, 256, (64, 128, 3), np.uint8)
    Image.fromarray(noise).save(path, exif=turned)
    user.drop(path)
    before = user.wait_for_result()
    take_brush(user, size=16)
    drag(user, (40, 120))  # at the lower right of 64 × 128 pixels
    data = wait_for_another(user, before).point.data
    body = parse_container(data).quality_map
    assert body is not None
    indexes = unpack(body, 16, 8, quality_index(4.0))
    assert next(tuple(block) for block in np.argwhere(indexes == indexes.max())) == (14, 4)


def test_two_quick_clicks_are_two_strokes(opened: Any) -> None:
    user = opened
    user.window.viewer.brush_bar.opacity.setValue(50)
    canvas = user.window.viewer.canvas
    place = canvas.viewport.to_view(QPointF(56, 56)).toPoint()
    user.bot.mouseClick(canvas, LEFT, pos=place)
    user.bot.mouseDClick(canvas, LEFT, pos=place)  # as the system calls the second press
    user.bot.mouseRelease(canvas, LEFT, pos=place)
    assert levels_of(user.rows[0].mask).max() == NEUTRAL + 64 + 32
    user.press(Qt.Key.Key_Z, CTRL)
    assert levels_of(user.rows[0].mask).max() == NEUTRAL + 64
