"""Many pictures: no work is done twice, displays are correct, and the window stays responsive."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import Qt

from lbbic_engine import compress, load_picture
from lbbic_engine.errors import Cancelled
from lbbic_engine.measure.metrics import psnr
from lbbic_engine.parallel import cores, run
from lbbic_gui.jobs import requests
from lbbic_gui.jobs.messages import Saved, Step
from lbbic_gui.jobs.tasks import Tasks
from lbbic_gui.jobs.work import models
from lbbic_gui.session.batch import Total
from lbbic_gui.state.row import State

Draw = Callable[..., Path]
Pixels = NDArray[np.uint8]
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def stub_coder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace saving by a stub that writes nothing."""
    do = Tasks.do

    def stub(self: Tasks, request: Any, report: Any, cancelled: Any) -> Any:
        if isinstance(request, requests.Save):
            report(Step("Encoding", 1, 2))
            return Saved(request.target, None, 100)
        return do(self, request, report, cancelled)

    monkeypatch.setattr(Tasks, "do", stub)


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the qualities at which pictures are encoded."""
    from lbbic_engine import codec

    seen: list[float] = []
    compress = codec.compress

    def note(picture: Any, quality: float, **options: Any) -> Any:
        seen.append(quality)
        return compress(picture, quality, **options)

    monkeypatch.setattr(codec, "compress", note)
    return seen


def compress_all(user: Any) -> None:
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: not user.window.session.batch.is_busy)


def add(user: Any, folder: Path, content: bytes, count: int) -> None:
    """Drop a folder with ``count`` copies of a picture; wait for all thumbnails."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:04}.png").write_bytes(content)
    before = len(user.rows)
    user.drop(folder)
    user.wait(lambda: len(user.rows) == before + count)
    user.wait(lambda: all(row.thumbnail for row in user.rows))


def test_work_per_picture_does_not_grow_with_the_list(
    user: Any, draw: Draw, tmp_path: Path, stub_coder: None, calls_of_this_thread: Any
) -> None:
    content = draw("a.png", 40, 24).read_bytes()
    user.window.settings.change(output_folder=str(tmp_path / "out"))

    def work(name: str) -> int:
        """Count the calls of the window's thread while a hundred pictures are added and saved."""
        with calls_of_this_thread() as calls:
            add(user, tmp_path / name, content, 100)
            compress_all(user)
        return sum(count for module, count in calls.items() if module.startswith("lbbic_gui"))

    work("the first, with all that is done but once")
    among_few = work("few")
    add(user, tmp_path / "many", content, 500)
    compress_all(user)
    among_many = work("the last")
    assert among_many < 2 * among_few

    with calls_of_this_thread() as calls:
        user.window.settings.change(quality=5.0)
    assert sum(calls.values()) < 38 * len(user.rows)
    user.press(Qt.Key.Key_Return, CTRL)
    with calls_of_this_thread() as calls:
        user.press(Qt.Key.Key_Escape)
    assert not [row for row in user.rows if row.state is State.WAITING]
    assert sum(calls.values()) < 40 * len(user.rows)


def test_saving_uses_the_result_of_a_running_job(
    user: Any, draw: Draw, encodings: list[float]
) -> None:
    user.drop(draw("a.png", 320, 240), draw("b.png"))
    user.wait(lambda: len(user.rows) == 2 and user.rows[0].state is State.WORKING)
    compress_all(user)
    assert [row.state for row in user.rows] == [State.SAVED, State.SAVED]
    assert encodings == [4.0, 4.0]
    assert user.rows[0].saved_path.read_bytes() == user.window.session.result.point.data


def test_later_settings_do_not_change_a_running_batch(
    user: Any, draw: Draw, tmp_path: Path
) -> None:
    from lbbic_engine import read_info

    user.drop(draw("a.png", 320, 240), draw("b.png"), draw("c.png", seed=2))
    user.wait(lambda: len(user.rows) == 3 and user.rows[0].state is State.WORKING)
    user.press(Qt.Key.Key_Return, CTRL)
    user.window.session.batch.save(
        user.rows[0], tmp_path / "chosen.lbb"
    )  # of the first, at its current quality
    total = user.window.queue.total
    assert "started with" not in total.text()
    user.window.settings.change(quality=2.0, keep_exif=False, output_folder=str(tmp_path / "out"))
    assert total.text() == "0 of 3 saved\nWith the settings it was started with"
    user.wait(lambda: not user.window.session.batch.is_busy)
    saved = [row.saved_path for row in user.rows]
    assert {path.parent for path in saved} == {row.source.path.parent for row in user.rows}
    for path in (*saved, tmp_path / "chosen.lbb"):
        assert read_info(path.read_bytes()).quality == 4.0
    assert total.text() == "0 of 3 saved"


def test_stopping_keeps_finished_pictures(user: Any, draw: Draw) -> None:
    user.drop(*(draw(f"{n}.png", 800, 600, seed=n) for n in (1, 2)), draw("small.png"))
    user.wait(lambda: len(user.rows) == 3 and user.rows[0].state is State.WORKING)
    small = user.rows[2]
    user.press(Qt.Key.Key_Return, CTRL)
    user.window.queue.select(small)
    user.wait_for_result()
    user.press(Qt.Key.Key_Escape)
    user.wait(lambda: not user.window.session.batch.is_busy)
    assert small.state is State.CODED
    assert user.window.session.result is not None
    assert State.WAITING not in [row.state for row in user.rows]


def test_stopping_keeps_failed_states(user: Any, draw: Draw) -> None:
    bad = draw("z.png")
    bad.write_bytes(b"no picture")
    user.drop(draw("large.png", 800, 600), bad)
    user.wait(lambda: len(user.rows) == 2 and user.rows[1].state is State.FAILED)
    user.press(Qt.Key.Key_Return, CTRL)
    assert user.rows[1].state is State.WAITING
    user.press(Qt.Key.Key_Escape)
    assert user.rows[1].state is State.FAILED
    assert user.rows[1].problem is not None


@pytest.mark.parametrize("way", ["compress all", "retry", "chosen"])
def test_a_picture_that_could_not_be_saved_is_saved_at_the_next_try(
    user: Any, draw: Draw, tmp_path: Path, way: str
) -> None:
    folder, banner = tmp_path / "out", user.window.viewer.banner
    folder.write_bytes(b"in the way of the folder")
    user.window.settings.change(output_folder=str(folder))
    user.drop(draw("a.png"))
    user.wait_for_result()
    target = folder / "a.lbb"
    if way == "chosen":
        target = folder / "chosen.lbb"
        user.window.session.batch.save(user.rows[0], target)
        user.wait(lambda: not user.window.session.batch.is_busy)
    else:
        compress_all(user)
    assert user.rows[0].state is State.FAILED
    assert banner.isVisible()
    folder.unlink()
    if way == "compress all":
        compress_all(user)
    else:
        user.bot.mouseClick(banner.retry, Qt.MouseButton.LeftButton)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert target.read_bytes() == user.window.session.result.point.data
    assert not banner.isVisible()


def test_unreadable_files_are_named_and_count_as_no_progress(user: Any, draw: Draw) -> None:
    bad = draw("a.png")
    bad.write_bytes(b"no picture")
    totals: list[Total] = []
    user.window.session.batch.changed.connect(totals.append)
    user.drop(bad, draw("b.png"), draw("c.png", seed=2))
    user.wait(lambda: len(user.rows) == 3 and user.rows[0].state is State.FAILED)
    compress_all(user)
    shares = [total.share for total in totals if total.busy]
    assert shares == sorted(shares)
    assert shares[-1] < 1  # only a finished batch is complete
    after_failure = next(total for total in totals if total.failed and total.busy)
    assert after_failure.share == 0
    words = user.window.queue.total.text()
    assert words.startswith("2 of 3 saved  ·  1 failed")


def test_the_size_is_shown_before_the_picture_and_measuring_is_named(user: Any, draw: Draw) -> None:
    words: list[str] = []
    figures: list[str] = []
    coder, inspector = user.window.session.coder, user.window.inspector
    coder.progressed.connect(lambda *_: words.append(user.window.viewer.pill.words.text()))
    coder.front.connect(lambda _: figures.append(inspector.result.figure.text()))
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    assert words[-1].startswith("Measuring")
    assert figures[0] == inspector.result.figure.text()
    assert "%" in figures[0]


def test_pictures_can_be_removed_while_waiting_or_being_saved(user: Any, draw: Draw) -> None:
    user.drop(*(draw(f"{n}.png", 320, 240, seed=n) for n in range(3)))
    user.wait(lambda: len(user.rows) == 3)
    user.wait_for_result()
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: user.rows[1].state is State.WORKING)
    remove = partial(user.press, Qt.Key.Key_Delete, widget=user.window.queue.list)
    for _ in range(2):
        user.window.queue.select(user.rows[1])
        remove()
    user.wait(lambda: not user.window.session.batch.is_busy)
    assert [row.state for row in user.rows] == [State.SAVED]
    assert user.window.queue.total.text().startswith("1 of 1 saved")


def test_a_picture_removed_while_it_is_saved_is_no_work_any_more(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    do, may_end = Tasks.do, threading.Event()

    def stub(self: Tasks, request: Any, report: Any, cancelled: Any) -> Any:
        if not isinstance(request, requests.Save):
            return do(self, request, report, cancelled)
        report(Step("Encoding", 1, 2))
        while not may_end.wait(0.01):
            if cancelled():
                raise Cancelled
        return Saved(request.target, None, 100)

    monkeypatch.setattr(Tasks, "do", stub)
    batch, totals = user.window.session.batch, list[Total]()
    batch.changed.connect(totals.append)
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait_for_result()
    user.wait(lambda: len(user.rows) == 2 and user.rows[1].width > 0)
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: user.rows[0].state is State.WORKING)
    assert totals[-1].share == 0.25
    user.window.commands.remove([user.rows[0]])
    user.wait(lambda: totals[-1].share == 0.5)
    may_end.set()
    user.wait(lambda: not batch.is_busy)


def test_a_picture_that_failed_is_shown_once_it_is_saved(
    user: Any, draw: Draw, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.write_bytes(b"in the way of the folder")
    user.window.settings.change(output_folder=str(folder))
    user.drop(draw("a.png"), draw("b.png", seed=2))
    user.wait(lambda: len(user.rows) == 2)
    user.wait_for_result()
    compress_all(user)
    user.window.queue.select(user.rows[1])
    assert user.rows[1].state is State.FAILED
    folder.unlink()
    compress_all(user)
    coded = user.wait_for_result()
    assert user.rows[1].state is State.SAVED
    assert user.rows[1].saved_path.read_bytes() == coded.point.data


@pytest.fixture
def late_models(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let no models be found before this is set."""
    are_there, warm_up = threading.Event(), models.warm_up

    def warm_up_late(*args: Any) -> Any:
        assert are_there.wait(60)
        return warm_up(*args)

    monkeypatch.setattr(models, "warm_up", warm_up_late)
    return are_there


@pytest.mark.parametrize("is_stopped", [False, True])
def test_compress_all_can_be_stopped_before_the_models_are_known(
    late_models: threading.Event, user: Any, draw: Draw, is_stopped: bool
) -> None:
    user.drop(draw("a.png"))
    user.wait(lambda: len(user.rows) == 1)
    queue, session = user.window.queue, user.window.session
    for _ in range(2):
        user.press(Qt.Key.Key_Return, CTRL)
    assert queue.cancel.isVisible()
    assert queue.bar.isVisible()
    if is_stopped:
        user.press(Qt.Key.Key_Escape)
        assert not queue.cancel.isVisible()
    late_models.set()
    user.wait(lambda: session.networks.ready is not None)
    user.wait(lambda: not session.batch.is_busy)
    assert (user.rows[0].state is State.SAVED) is not is_stopped
    assert user.rows[0].source.path.with_suffix(".lbb").exists() is not is_stopped


def test_rows_show_what_their_files_lack(user: Any, draw: Draw, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    draw("in/a.png")
    for name in ("b.tif", "c.tif"):
        Image.fromarray(np.full((16, 24), 40_000, np.uint16)).save(tmp_path / "in" / name)
    user.drop(tmp_path / "in")
    user.wait(lambda: len(user.rows) == 3)
    user.window.queue.select(user.rows[2])
    user.wait_for_result()
    compress_all(user)
    queue = user.window.session.queue
    words = [queue.index(row).data(Qt.ItemDataRole.ToolTipRole) for row in range(3)]
    for of_a_row in words[1:]:
        assert "Reduced from 16 to 8 bits per channel." in of_a_row.splitlines()
    assert "Reduced" not in words[0]
    assert "Reduced" in user.window.status.notice.text()


@pytest.fixture
def many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that there are two cores and that any two pictures are worth a process each."""
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)
    monkeypatch.setattr(run, "START_SECONDS", 1e-9)


@pytest.mark.slow
def test_worker_processes_save_the_same_files(
    user: Any, draw: Draw, photograph: Pixels, many_cores: None
) -> None:
    paths = [draw(f"{n}.png", 90 + 40 * n, 70, seed=n) for n in range(4)]
    paths.append(paths[0].with_name("deep.tif"))
    Image.fromarray(np.full((16, 24), 40_000, np.uint16)).save(paths[-1])
    paths.append(paths[0].with_name("cat.png"))
    Image.fromarray(photograph).save(paths[-1])
    user.window.settings.change(tune="visual")
    user.drop(*paths)
    user.wait(lambda: len(user.rows) == 6)
    user.wait_for_result()
    compress_all(user)
    assert len(multiprocessing.active_children()) == 2
    assert [row.state for row in user.rows] == [State.SAVED] * 6
    for row, path in zip(user.rows, paths, strict=True):
        alone = compress(load_picture(path), 4, tune="visual")
        assert row.saved_path.read_bytes() == alone.data
        assert row.points[4.0].psnr == psnr(load_picture(path).pixels, alone.reconstruction)
    words = user.window.session.queue.index(4).data(Qt.ItemDataRole.ToolTipRole)
    assert "Reduced from 16 to 8 bits per channel." in words.splitlines()


@pytest.mark.slow
def test_stopping_ends_the_work_of_processes(
    user: Any, draw: Draw, tmp_path: Path, many_cores: None
) -> None:
    user.drop(*(draw(f"{n}.png", 800, 600, seed=n) for n in range(3)))
    user.wait(lambda: len(user.rows) == 3)
    user.wait_for_result()
    user.window.settings.change(effort="thorough")  # minutes, for all
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: [row.state for row in user.rows].count(State.WORKING) == 2)
    user.press(Qt.Key.Key_Escape)
    user.wait(lambda: not user.window.session.batch.is_busy)
    assert not {State.WAITING, State.WORKING, State.SAVED} & {row.state for row in user.rows}
    assert not list(tmp_path.rglob("*.lbb"))
    assert not multiprocessing.active_children()
