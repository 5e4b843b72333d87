"""Results on view belong to the current file and are never computed twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt

from lbbic_gui.jobs.messages import FileVersion, Source
from lbbic_gui.jobs.requests import Code
from lbbic_gui.state.cache import Cache
from lbbic_gui.state.row import State

Draw = Callable[..., Path]
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Record the files that are decoded."""
    from lbbic_engine import codec

    seen: list[bytes] = []
    decode = codec.decode_progressively

    def note(data: bytes, **options: Any) -> Any:
        seen.append(data)
        return decode(data, **options)

    monkeypatch.setattr(codec, "decode_progressively", note)
    return seen


def compress_all(user: Any) -> None:
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: not user.window.session.batch.is_busy)


def test_retry_reads_an_edited_file_again(user: Any, draw: Draw) -> None:
    from PIL import Image

    from lbbic_engine import compress, load_picture

    path = draw("a.png", 92, 60)
    user.drop(path)
    before = user.wait_for_result()
    compress_all(user)
    with Image.open(path) as image:
        edited = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    stat = path.stat()
    edited.save(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    user.press(Qt.Key.Key_R, CTRL)
    after = user.wait_for_result()
    assert after is not before
    assert after.point.data == compress(load_picture(path), 4).data
    shown = user.window.viewer.canvas.original
    assert np.array_equal(shown[..., 2::-1], np.asarray(edited))
    assert user.rows[0].state is State.CODED  # no longer saved
    compress_all(user)
    assert user.rows[0].saved_path.read_bytes() == after.point.data


@pytest.mark.parametrize("way", ["retry", "compress all"])
def test_a_repaired_file_gets_its_thumbnail(user: Any, draw: Draw, way: str) -> None:
    bad = draw("b.png")
    content = bad.read_bytes()
    bad.write_bytes(b"no picture")
    user.drop(draw("a.png"), bad)
    user.wait(lambda: len(user.rows) == 2 and user.rows[1].state is State.FAILED)
    bad.write_bytes(content)
    if way == "retry":
        user.window.queue.select(user.rows[1])
        user.press(Qt.Key.Key_R, CTRL)
    else:
        compress_all(user)
    user.wait(lambda: user.rows[1].thumbnail is not None)
    assert not user.rows[1].thumbnail.isNull()


def test_an_edited_file_is_shown_as_it_is_when_it_is_coded_again(user: Any, draw: Draw) -> None:
    from PIL import Image

    path = draw("a.png", 92, 60)
    user.drop(path)
    user.wait_for_result()
    draw("new.png", 92, 60, seed=3).replace(path)
    user.window.commands.choose_quality(2.0, False)
    user.wait_for_result(2.0)
    with Image.open(path) as image:
        edited = np.asarray(image)
    user.wait(lambda: np.array_equal(user.window.viewer.canvas.original[..., 2::-1], edited))


def test_after_a_stop_the_original_is_shown_with_the_next_result(user: Any, draw: Draw) -> None:
    session, once = user.window.session, Qt.ConnectionType.SingleShotConnection
    session.progressed.connect(session.stop, once)  # before the picture can be read
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    assert session.original is None
    user.window.commands.choose_quality(2.0, False)
    user.wait_for_result(2.0)
    user.wait(lambda: user.window.viewer.canvas.original is not None)


def test_a_late_failure_of_an_earlier_reading_is_not_shown(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_gui.jobs.tasks import Tasks

    is_retried, open_picture, calls = threading.Event(), Tasks._open, []

    def fail_late(self: Tasks, request: Any) -> Any:
        calls.append(request)
        if len(calls) == 1:
            assert is_retried.wait(600)
            raise OSError("as it was before the file was replaced")
        return open_picture(self, request)

    monkeypatch.setattr(Tasks, "_open", fail_late)
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    user.window.session.retry()
    is_retried.set()
    user.wait(lambda: user.window.session.original is not None)
    assert user.rows[0].state is State.CODED
    assert not user.window.viewer.banner.isVisible()


def test_the_first_result_is_of_the_quality_that_was_set_meanwhile(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 320, 240))
    user.wait(lambda: bool(user.rows) and user.rows[0].state is State.WORKING)
    user.window.settings.change(quality=7.0)  # as a reset of all settings does
    user.wait_for_result(7.0)
    assert not user.window.session.is_stale


def test_the_previous_result_returns_if_its_quality_is_set_meanwhile(user: Any, draw: Draw) -> None:
    session = user.window.session
    user.drop(draw("a.png", 320, 240))
    first = user.wait_for_result(4.0)
    user.window.settings.change(quality=2.0)
    assert session.is_stale
    user.window.settings.change(quality=4.0)
    assert session.result is first
    assert not session.is_stale
    assert not session.coder.is_busy
    user.window.settings.change(quality=2.0)
    session.stop()
    user.window.settings.change(theme="dark")  # which starts nothing
    assert not session.coder.is_busy
    user.window.settings.change(quality=4.0)
    assert not session.is_stale


def test_changing_the_device_meanwhile_keeps_the_result(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 320, 240))
    user.wait(lambda: bool(user.rows) and user.rows[0].state is State.WORKING)
    user.window.settings.change(device="cpu")
    assert user.wait_for_result()
    assert user.rows[0].state is State.CODED


def test_retrying_an_unchanged_file_does_no_work(
    user: Any, draw: Draw, decodings: list[bytes]
) -> None:
    user.drop(draw("a.png"))
    before = user.wait_for_result()
    user.press(Qt.Key.Key_R, CTRL)
    assert user.window.session.result is before
    assert len(decodings) == 1


def test_compress_all_notices_replaced_files(user: Any, draw: Draw) -> None:
    from lbbic_engine import compress, load_picture

    a, b = draw("a.png"), draw("b.png", seed=2)
    user.drop(a, b)
    user.wait_for_result()
    user.window.queue.select(user.rows[1])
    user.wait_for_result()
    draw("new.png", seed=3).replace(a)
    compress_all(user)
    assert user.rows[0].saved_path.read_bytes() == compress(load_picture(a), 4).data


@pytest.mark.parametrize("by", ["compress all", "a point of the plot"])
@pytest.mark.parametrize("is_on_view", [True, False])
def test_work_on_an_edited_file_shows_what_is_in_it_now(
    user: Any, draw: Draw, by: str, is_on_view: bool
) -> None:
    path = draw("a.png", 160, 120)
    user.drop(path, draw("b.png"))
    before = user.wait_for_result()
    draw("new.png", 200, 100, seed=3).replace(path)
    session, canvas = user.window.session, user.window.viewer.canvas
    row = user.rows[0]
    if by == "compress all":
        user.press(Qt.Key.Key_Return, CTRL)
    else:
        user.window.tools.compress_only(6.0)
    if not is_on_view:
        user.window.queue.select(user.rows[1])
    user.wait(lambda: row.file_bytes == path.stat().st_size)
    assert (row.width, row.height) == (200, 100)
    user.wait(lambda: not (session.batch.is_busy or session.coder.is_busy or session.is_stale))
    if is_on_view:
        user.wait(lambda: canvas.original.shape == (100, 200, 4))
        user.wait(lambda: canvas.result.shape == (100, 200, 4))
        assert session.result is not before
        assert row.points[4.0].version == FileVersion.of(path)
    else:
        assert canvas.original.shape == (16, 24, 4)


def test_a_file_is_decoded_only_once(user: Any, draw: Draw, decodings: list[bytes]) -> None:
    from lbbic_engine import compress, load_picture

    picture, other = draw("a.png"), draw("c.png", seed=2)
    file = picture.with_name("b.lbb")
    file.write_bytes(compress(load_picture(other)).data)
    user.drop(file, picture)
    user.wait(lambda: len(user.rows) == 2)
    for quality in (4.0, 2.0):
        user.window.settings.change(quality=quality)
        for row in (*user.rows, *user.rows):
            user.window.queue.select(row)
            user.wait_for_result()
    assert decodings.count(file.read_bytes()) == 1


def test_a_decoded_file_keeps_its_thumbnail(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_engine import compress, load_picture
    from lbbic_gui.jobs import conversion

    decoded, look = threading.Event(), conversion.thumbnail

    def look_late(source: Source) -> Any:
        assert decoded.wait(600)
        return look(source)

    monkeypatch.setattr(conversion, "thumbnail", look_late)
    picture = draw("a.png")
    file = picture.with_name("b.lbb")
    file.write_bytes(compress(load_picture(picture)).data)
    user.drop(file)
    user.wait_for_result()
    decoded.set()
    user.wait(lambda: user.rows[0].file_bytes > 0)
    assert not user.rows[0].thumbnail.isNull()


def test_results_are_cached_by_file_request_and_device() -> None:
    class Coded:
        def __init__(self, version: FileVersion) -> None:
            self.point, self.picture, self.levels = self, self, ()
            self.version, self.canvas = version, np.zeros(4)

    first, second = FileVersion(1, 2, 3), FileVersion(1, 2, 4)
    source, cache = Source("a.png", Path("/a.png")), Cache()
    request = Code(source, 4.0, "cpu")
    coded: Any = Coded(first)
    cache.add(request, coded)
    assert cache.find(Code(source, 4.0, "cpu", data=b"known"), first) is coded
    assert cache.find(request, second) is None
    assert cache.find(Code(source, 4.0, "cuda"), first) is None
    assert cache.find(Code(source, 5.0, "cpu"), first) is None


def test_visible_rows_get_their_thumbnails_first(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_gui.jobs import conversion

    may_look, look, order = threading.Event(), conversion.thumbnail, list[str]()

    def look_late(source: Source) -> Any:
        assert may_look.wait(600)
        order.append(source.name)
        return look(source)

    monkeypatch.setattr(conversion, "thumbnail", look_late)
    path = draw("00.png")
    for number in range(1, 40):
        path.with_name(f"{number:02}.png").write_bytes(path.read_bytes())
    user.drop(path.parent)
    user.wait(lambda: len(user.rows) == 40)
    user.window.queue.list.scrollToBottom()
    user.window.queue.list.viewport().repaint()
    may_look.set()
    user.wait(lambda: len(order) == 40)
    assert order.index("39.png") < 20 < order.index("15.png")
