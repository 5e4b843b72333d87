"""Dropped, pasted and opened files become rows, each with its own state."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication

from lbbic_engine import codec, load_picture
from lbbic_engine.pictures import find
from lbbic_gui.state.row import State

Draw = Callable[..., Path]
CTRL = Qt.KeyboardModifier.ControlModifier


def test_a_mixed_drop_is_handled_without_a_dialog(user: Any, draw: Draw) -> None:
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
    for name in ("1.psb", "2.psb", ".d.png"):
        (folder / name).touch()
    (folder / "lost").symlink_to(folder / "lost")
    user.drop(folder)
    user.wait(lambda: "cannot be read" in user.window.status.notice.text())
    words = user.window.status.notice.text()
    assert words == "2 already in the list  ·  cannot be read: lost  ·  skipped: 2 .psb, 1 hidden"
    (folder / "empty").mkdir()
    user.drop(folder / "empty")
    user.wait(lambda: user.window.status.notice.text() == "No pictures found")


def test_a_search_of_folders_shows_can_be_stopped_and_keeps_nothing_waiting(
    user: Any, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice, is_over = user.window.status.notice, threading.Event()

    def walk_for_ever(folder: Path, **_: object) -> Iterator[tuple[str, list[str], list[str]]]:
        while not is_over.wait(0.01):
            yield str(folder), [], []

    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait(lambda: len(user.rows) == 2)
    monkeypatch.setattr(find, "os", SimpleNamespace(walk=walk_for_ever))
    (tmp_path / "large").mkdir()
    user.drop(tmp_path / "large")
    user.wait(lambda: "Searching" in notice.text())
    user.window.queue.select(user.rows[1])
    user.wait(lambda: user.window.session.original is not None)
    assert "Searching" in notice.text()
    user.press(Qt.Key.Key_Escape)
    user.wait(lambda: "stopped" in notice.text())
    is_over.set()


def test_dropped_files_are_copied_so_that_no_file_manager_deletes_them(
    user: Any, draw: Draw
) -> None:
    data, action = QMimeData(), Qt.DropAction
    data.setUrls([QUrl.fromLocalFile(str(draw("a.png")))])
    button, shift = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier
    rest = (action.CopyAction | action.MoveAction, data, button, shift)
    for event in (
        QDragEnterEvent(QPoint(400, 300), *rest),
        QDragMoveEvent(QPoint(410, 300), *rest),
        QDropEvent(QPointF(410, 300), *rest),
    ):
        assert event.proposedAction() is action.MoveAction
        QApplication.sendEvent(user.window, event)
        assert event.isAccepted()
        assert event.dropAction() is action.CopyAction
    user.wait(lambda: len(user.rows) == 1)


def test_bad_files_are_marked_in_their_rows(user: Any, draw: Draw, tmp_path: Path) -> None:
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
    assert not user.window.inspector.result.line.text()
    user.window.queue.select(user.rows[1])
    user.wait_for_result()
    assert not user.window.viewer.banner.isVisible()


def test_a_heic_picture_is_coded_or_its_row_names_the_missing_package(
    user: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heic = Path(__file__).parents[2] / "engine" / "pictures" / "extra" / "turned.heic"
    user.drop(heic)
    user.wait_for_result()
    assert (user.rows[0].width, user.rows[0].height) == (32, 48)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    copy = tmp_path / "other.heic"
    copy.write_bytes(heic.read_bytes())
    user.drop(copy)
    user.wait(lambda: len(user.rows) == 2 and user.rows[1].state is State.FAILED)
    user.window.queue.select(user.rows[1])
    user.wait(lambda: user.window.viewer.banner.isVisible())
    assert "lbbic[heif]" in user.window.viewer.banner.detail.text()


def test_broken_files_are_marked_when_they_are_added(user: Any, draw: Draw, tmp_path: Path) -> None:
    intact = {path.name: path.read_bytes() for path in (draw("a.png"), draw("b.jpg"))}
    intact["c.lbb"] = codec.compress(load_picture(draw("c.png"))).data
    broken = [tmp_path / f"cut {name}" for name in intact]
    for path, data in zip(broken, intact.values(), strict=True):
        path.write_bytes(data[: len(data) // 2])
    broken += [tmp_path / "empty.webp", tmp_path / "text.lbb"]
    broken[-2].touch()
    broken[-1].write_text("no picture")
    (tmp_path / "c.lbb").write_bytes(intact["c.lbb"])
    user.drop(draw("a.png"), *broken, tmp_path / "c.lbb")
    user.wait(lambda: [row.state for row in user.rows[1:-1]] == [State.FAILED] * len(broken))
    user.wait(lambda: user.rows[-1].width == 24)
    assert user.rows[-1].state is State.NEW
    for row in user.rows[1:-1]:
        assert row.problem.title == row.status()
        user.window.queue.select(row)
        assert user.window.viewer.banner.isVisible()
        assert not user.window.inspector.result.line.text()


def test_an_lbb_file_is_decoded_not_compressed(user: Any, draw: Draw, tmp_path: Path) -> None:
    path = tmp_path / "a.lbb"
    path.write_bytes(codec.compress(load_picture(draw("a.png", 800, 600))).data)
    lines: list[str] = []
    line = user.window.inspector.result.line
    user.window.session.current_changed.connect(lambda _: lines.append(line.text()))
    user.drop(path)
    user.wait_for_result()
    assert lines == ["Not decoded yet"]


def test_pasted_pictures_are_added(user: Any) -> None:
    image = QImage(40, 24, QImage.Format.Format_RGB32)
    image.fill(0xFF336699)
    QApplication.clipboard().setImage(image)
    user.press(Qt.Key.Key_V, CTRL, widget=user.window)
    user.wait_for_result()
    assert user.rows[0].width == 40
