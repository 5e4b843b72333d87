"""A pool of real processes; what they run are functions of the standard library."""

import multiprocessing
import multiprocessing.connection
import operator
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from lbbic_engine.parallel.pool import WorkerDied, WorkerPool


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(1) as pool:
        yield pool


def test_a_task_runs_elsewhere_with_one_thread(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert pool.submit(os.getpid).result() != os.getpid()
    assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
    assert pool.submit(eval, "__import__('torch').get_num_threads()").result() == 1


def test_what_a_task_raises_is_raised_here_and_its_process_goes_on(pool: WorkerPool) -> None:
    first = pool.submit(os.getpid).result()
    with pytest.raises(FileNotFoundError) as caught:
        pool.submit(os.listdir, "/nowhere").result()
    assert caught.value.filename == "/nowhere"
    assert pool.submit(os.getpid).result() == first


def test_a_process_that_dies_costs_its_task_alone(pool: WorkerPool) -> None:
    first = pool.submit(os.getpid).result()
    fatal, waiting = pool.submit(os._exit, 1), pool.submit(os.getpid)
    with pytest.raises(WorkerDied):
        fatal.result()
    second = waiting.result()
    assert second != first
    os.kill(second, signal.SIGKILL)  # while it is idle: nothing is lost
    multiprocessing.connection.wait([p.sentinel for p in multiprocessing.active_children()])
    assert pool.submit(operator.add, 1, 2).result() == 3


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in its file system")
def test_leaving_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    stuck = tmp_path / "stuck"
    os.mkfifo(stuck)
    with WorkerPool(1) as pool:
        running = pool.submit(Path.read_bytes, stuck)
        waiting = pool.submit(os.getpid)
        end = os.open(stuck, os.O_WRONLY)  # once it reads
    os.close(end)
    with pytest.raises((WorkerDied, CancelledError)):
        waiting.result()
    assert running.done()
    assert not multiprocessing.active_children()
    assert not [t for t in threading.enumerate() if t.name.startswith("lbbic-worker")]
