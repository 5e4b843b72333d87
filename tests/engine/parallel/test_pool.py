"""A pool of real processes, which run functions of the standard library."""

import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.bench.suite import peak_memory_mb
from lbbic_engine.coding.strips import MOST_ENCODED
from lbbic_engine.errors import Cancelled
from lbbic_engine.parallel import pool as pool_module
from lbbic_engine.parallel.pool import Report, WorkerDied, WorkerPool
from lbbic_engine.parallel.run import WORKER_BYTES, Task, run
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.resources import FOLDER

PATIENCE_S = 600  # what takes longer hangs, on a busy machine too


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


def test_pillows_warnings_in_a_worker_are_not_printed(
    pool: WorkerPool, capfd: pytest.CaptureFixture[str]
) -> None:
    for module, is_said in (("PIL.TiffImagePlugin", False), ("other", True)):
        warn = f"warn_explicit('words', UserWarning, 'name', 1, module={module!r})"
        pool.submit(eval, f"__import__('warnings').{warn}").result()
        assert ("words" in capfd.readouterr().err) is is_said


def test_a_worker_keeps_nothing_of_a_task(pool: WorkerPool) -> None:
    objects = "sum(type(each).__name__ == 'Fraction' for each in __import__('gc').get_objects())"
    assert pool.submit(Fraction, 1, 3).result() == Fraction(1, 3)
    assert pool.submit(eval, objects).result() == 0


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


_DIE_WITHIN_A_MESSAGE = """
import gc, os
from multiprocessing.connection import Connection
(pipe,) = (each for each in gc.get_objects() if type(each) is Connection)
os.write(pipe.fileno(), b"\\0\\0\\0\\x08half")
os._exit(1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="messages are whole there")
def test_a_process_may_die_within_a_message(pool: WorkerPool) -> None:
    with pytest.raises(WorkerDied):
        pool.submit(exec, _DIE_WITHIN_A_MESSAGE, {}).result()
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
    code = (
        "from multiprocessing import Pipe; from lbbic_engine.parallel import pool\n"
        "ours, end = Pipe(); pool._serve(end)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        check=False,
    )
    assert done.returncode == -signal.SIGTERM


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not blocked")
def test_the_first_process_is_not_interrupted_while_it_starts() -> None:
    """It would print a traceback. In a new process, whose first worker starts the tracker, too."""
    code = (
        "import signal\nfrom lbbic_engine.parallel.pool import WorkerPool\n"
        "with WorkerPool(1) as pool:\n"
        "    blocked = pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result()\n"
        "assert signal.SIGINT in blocked, blocked"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


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


_IGNORE_REQUESTS_TO_END = """
import pathlib, signal
signal.signal(signal.SIGTERM, lambda *_: pathlib.Path(asked).write_bytes(b""))
pathlib.Path(blocking).read_bytes()
raise SystemExit
"""


def test_no_other_task_waits_for_one_to_be_stopped(
    blocking_pipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_GRACE_SECONDS", 60.0)
    asked = tmp_path / "asked"
    os.mkfifo(asked)
    with WorkerPool(2) as pool:
        names = {"asked": asked, "blocking": blocking_pipe}
        stubborn = pool.submit(exec, _IGNORE_REQUESTS_TO_END, names)
        with blocking_pipe.open("wb"):  # once it reads
            stopping = Thread(target=pool.stop, args=[stubborn])
            stopping.start()
            asked.read_bytes()
            assert pool.submit(operator.add, 1, 2).result() == 3
            assert stopping.is_alive()
        stopping.join()
        results = [pool.submit(operator.add, number, 2) for number in range(4)]
        assert [each.result() for each in results] == [2, 3, 4, 5]


@pytest.fixture
def slow_start(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Event, Event]]:
    """Set when the start of a pool's first process begins; to be set for it to go on."""
    begun, go_on = Event(), Event()

    class _SlowProcess(pool_module._Process):
        def __init__(self) -> None:
            is_first = not begun.is_set()
            begun.set()
            if is_first:
                go_on.wait(timeout=PATIENCE_S)
            super().__init__()

    monkeypatch.setattr(pool_module, "_Process", _SlowProcess)
    yield begun, go_on
    go_on.set()


def test_no_other_task_waits_for_a_process_to_start(slow_start: tuple[Event, Event]) -> None:
    begun, go_on = slow_start
    with WorkerPool(2) as pool:
        starting = pool.submit(operator.add, 1, 2)
        begun.wait()
        assert pool.submit(operator.add, 2, 2).result(timeout=PATIENCE_S) == 4
        go_on.set()
        assert starting.result() == 3


@pytest.fixture
def kept_ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keeps a process's end of its pipe open here, as Windows does until the process takes it."""
    kept: list[int] = []
    spawn = pool_module._SPAWN

    def pipe() -> tuple[Connection, Connection]:
        ours, end = spawn.Pipe()
        kept.append(os.dup(end.fileno()))
        return ours, end

    names = SimpleNamespace(Pipe=pipe, Process=spawn.Process)
    monkeypatch.setattr(pool_module, "_SPAWN", names)
    yield
    for number in kept:
        os.close(number)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps these ends by itself")
@pytest.mark.parametrize("argument", [1, bytes(10**7)])
def test_a_process_may_die_before_it_takes_its_pipe(kept_ends: None, argument: object) -> None:
    pool = WorkerPool(1)
    future = pool.submit(hash, argument)
    try:
        while not pool._workers:
            time.sleep(0.01)
        pool.stop(future)
        with pytest.raises(WorkerDied):
            future.result(timeout=PATIENCE_S)
        pool.terminate()
    finally:
        pool.shutdown(wait=False)


def test_a_task_can_be_stopped_while_its_process_starts(slow_start: tuple[Event, Event]) -> None:
    begun, go_on = slow_start
    with WorkerPool(1) as pool:
        starting = pool.submit(operator.add, 1, 2)
        begun.wait()
        stopping = Thread(target=pool.stop, args=[starting])
        stopping.start()
        stopping.join(timeout=PATIENCE_S)
        go_on.set()
        with pytest.raises(WorkerDied):
            starting.result()
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
    """With the shipped model, and as many pixels as in two tiles, which it encodes together."""
    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        picture = Picture(np.asarray(image.convert("RGB").resize((4000, 1040))))
    assert picture.pixels.size > 3 * MOST_ENCODED * 2_000_000
    with WorkerPool(1) as pool:
        data = codec.compress(picture, 5, executor=pool, exact=False).data
        codec.decompress(data, executor=pool)
        list(codec.decode_progressively(data, executor=pool))
        megabytes = pool.submit(peak_memory_mb).result()
    if megabytes is None:
        pytest.skip("this system does not count it")
    assert megabytes * 1e6 < WORKER_BYTES
