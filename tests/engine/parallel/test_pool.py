"""A pool of real processes, which run functions of the standard library."""

import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.bench.suite import peak_memory_mb
from lbbic_engine.errors import Cancelled
from lbbic_engine.parallel.pool import Report, WorkerDied, WorkerPool
from lbbic_engine.parallel.run import WORKER_BYTES, Task, run
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.resources import FOLDER


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(1) as pool:
        yield pool


def test_a_task_runs_in_another_process_with_one_thread(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert pool.submit(os.getpid).result() != os.getpid()
    assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
    assert pool.submit(eval, "__import__('torch').get_num_threads()").result() == 1


def test_a_tasks_exception_is_raised_and_its_process_is_reused(pool: WorkerPool) -> None:
    first = pool.submit(os.getpid).result()
    with pytest.raises(FileNotFoundError) as caught:
        pool.submit(os.listdir, "/nowhere").result()
    assert caught.value.filename == "/nowhere"
    assert pool.submit(os.getpid).result() == first


def test_a_dying_process_fails_only_its_own_task(pool: WorkerPool) -> None:
    first = pool.submit(os.getpid).result()
    fatal, waiting = pool.submit(os._exit, 1), pool.submit(os.getpid)
    with pytest.raises(WorkerDied):
        fatal.result()
    second = waiting.result()
    assert second != first
    os.kill(second, signal.SIGKILL)  # while it is idle: nothing is lost
    for process in multiprocessing.active_children():
        process.join()
    assert pool.submit(operator.add, 1, 2).result() == 3


@pytest.fixture
def blocking_pipe(tmp_path: Path) -> Path:
    """A named pipe: a process that reads it blocks."""
    if sys.platform == "win32":
        pytest.skip("there are no named pipes in its file system")
    path = tmp_path / "stuck"
    os.mkfifo(path)
    return path


def test_leaving_the_pool_stops_running_and_waiting_tasks(blocking_pipe: Path) -> None:
    with WorkerPool(1) as pool:
        running = pool.submit(Path.read_bytes, blocking_pipe)
        waiting = pool.submit(os.getpid)
        end = os.open(blocking_pipe, os.O_WRONLY)  # once it reads
    os.close(end)
    with pytest.raises((WorkerDied, CancelledError)):
        waiting.result()
    assert running.done()
    assert not multiprocessing.active_children()
    assert not [t for t in threading.enumerate() if t.name.startswith("lbbic-worker")]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
def test_a_process_that_is_stopped_while_torch_is_loaded_ends_at_once(tmp_path: Path) -> None:
    """An exception from a signal handler would end torch's own code with a long traceback."""
    imported = tmp_path / "torch.py"
    imported.write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGTERM)\n"
        "except BaseException:\n    os._exit(3)\n"
    )
    code = "from lbbic_engine.parallel import pool; pool._serve(None)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        check=False,
    )
    assert done.returncode == -signal.SIGTERM


def test_a_single_task_can_be_stopped(pool: WorkerPool, blocking_pipe: Path) -> None:
    running = pool.submit(Path.read_bytes, blocking_pipe)
    dropped, waiting = pool.submit(os.getpid), pool.submit(operator.add, 1, 2)
    with blocking_pipe.open("wb"):
        pool.stop(running, dropped)
    with pytest.raises(WorkerDied):
        running.result()
    assert dropped.cancelled()
    assert waiting.result() == 3
    pool.stop(waiting)  # it is over
    assert pool.submit(operator.add, 2, 2).result() == 4


def test_the_caller_of_a_shared_pool_does_remaining_tasks(blocking_pipe: Path) -> None:
    with WorkerPool(1, helped=True) as pool:
        pool.submit(Path.read_text, blocking_pipe)  # its only process has something to do
        outcomes = list(run(operator.is_, (Task(n, seconds=0) for n in range(3)), executor=pool))
    assert {outcome.content for outcome in outcomes} == {0, 1, 2}
    assert [outcome.result for outcome in outcomes] == 3 * [False]


def test_a_stopped_task_of_this_process_ends_at_its_next_report(blocking_pipe: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    reports: list[int] = []

    def work(task: int, report: Report) -> None:
        report(task)
        begun.set()
        go_on.wait()
        report(task + 1)

    with WorkerPool(1, helped=True) as pool:
        pool.submit(Path.read_bytes, blocking_pipe)  # its only process has something to do
        here = pool.submit_reporting(work, 1, reports.append)
        begun.wait()
        pool.stop(here)
        go_on.set()
        with pytest.raises(Cancelled):
            here.result()
        assert reports == [1]
        assert pool.submit(operator.add, 1, 2).result() == 3


@pytest.mark.slow
def test_a_worker_stays_within_its_memory_estimate() -> None:
    """With the shipped model, on a tile of two megapixels."""
    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        picture = Picture(np.asarray(image.convert("RGB").resize((1672, 1254))))
    assert picture.pixels.size > 3 * 2_000_000
    with WorkerPool(1) as pool:
        data = codec.compress(picture, 5, executor=pool, exact=False).data
        codec.decompress(data, executor=pool)
        list(codec.decode_progressively(data, executor=pool))
        megabytes = pool.submit(peak_memory_mb).result()
    if megabytes is None:
        pytest.skip("this system does not count it")
    assert megabytes * 2**20 < WORKER_BYTES
