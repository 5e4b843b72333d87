"""The queue: saving, exporting, the batch, and the states of its rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from lbbic_gui.desktop import file_dialogs
from lbbic_gui.state.row import Row, State

Draw = Callable[..., Path]
CTRL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton


def test_saved_files_reopen_and_decode_as_on_the_command_line(
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
    user.export()
    user.wait(target.exists)
    user.wait(lambda: user.rows[0].state is State.CODED)
    image = QImage(str(target)).convertToFormat(QImage.Format.Format_RGB32)
    expected = coded.picture.image().convertToFormat(QImage.Format.Format_RGB32)
    user.wait(lambda: "Saved" in user.window.status.notice.text())
    assert image == expected


def test_a_batch_continues_after_failures_and_keeps_the_folders(
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
    user.window.settings.change(keep_structure=False)
    assert "0 of 3 saved" in user.window.queue.total.text()
    user.bot.mouseClick(user.window.queue.button, LEFT)
    user.wait(lambda: not user.window.session.batch.is_busy)
    assert (tmp_path / "out" / "two.lbb").exists()


def test_selecting_a_saved_picture_keeps_its_state(user: Any, draw: Draw) -> None:
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


@pytest.mark.parametrize(
    "change",
    [
        lambda window, row: window.session.set_quality(row, 2.0, 4.0),
        lambda window, row: window.commands.choose_quality(2.0, False),
        lambda window, row: window.commands.choose_effort("thorough"),
        lambda window, row: window.settings.change(format="png"),
        lambda window, row: window.settings.change(pattern="{name}-small"),
    ],
    ids=["its quality", "the common quality", "the encoder", "the format", "the name"],
)
def test_a_picture_is_saved_only_as_long_as_its_file_is_the_wanted_one(
    user: Any, draw: Draw, change: Callable[[Any, Row], None]
) -> None:
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait(lambda: len(user.rows) == 2)
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: all(row.state is State.SAVED for row in user.rows))
    on_view, other = user.rows
    assert user.window.session.row is on_view
    change(user.window, other)
    assert other.state in (State.NEW, State.CODED)
    assert other.columns()[0] != "Saved"
    user.window.settings.change(quality=4.0, effort="fast", format="lbb", pattern="{name}")
    user.window.session.set_quality(other, None, 4.0)
    assert other.state is State.SAVED
    user.wait(lambda: on_view.state is State.SAVED)


def test_a_removed_picture_comes_back_with_results_of_the_current_options(
    user: Any, draw: Draw
) -> None:
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait(lambda: len(user.rows) == 2)
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: all(row.state is State.SAVED for row in user.rows))
    rows = list(user.rows)
    user.window.commands.remove(rows)
    user.window.settings.change(keep_exif=False)
    user.press(Qt.Key.Key_Z, CTRL)
    assert user.rows == rows
    assert not any(row.points for row in rows)
    assert rows[1].state is State.NEW


def test_a_batch_replaces_files_only_on_request(user: Any, draw: Draw) -> None:
    path = draw("a.png")
    mine = path.with_suffix(".lbb")
    mine.write_bytes(b"mine")
    user.drop(path)
    user.wait_for_result()
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert mine.read_bytes() == b"mine"
    assert (path.parent / "a (2).lbb").exists()


def test_an_unwritable_folder_is_reported(user: Any, draw: Draw, tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_text("a file where a folder should be")
    user.window.settings.change(output_folder=str(blocker / "out"))
    user.drop(draw("a.png"))
    user.wait_for_result()
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: user.rows[0].state is State.FAILED)
    assert user.window.viewer.banner.isVisible()
    assert user.rows[0].problem.hint


def test_changed_metadata_settings_make_a_new_file(user: Any, tmp_path: Path) -> None:
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


def test_the_batch_follows_the_rows_and_shows_the_remaining_time(user: Any, draw: Draw) -> None:
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
    assert model.moveRows(top, 4, 1, top, 1)  # as when a row is dropped there in the list
    user.wait(lambda: not user.window.session.batch.is_busy)
    assert saved.index("3") < saved.index("2")
    assert saved.index("2") > saved.index("1")
    assert "smaller (−" in totals[-1]


@pytest.mark.slow
def test_two_hundred_pictures_do_not_keep_their_pixels(
    user: Any, draw: Draw, tmp_path: Path
) -> None:
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
