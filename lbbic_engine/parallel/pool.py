"""A pool of processes in which one that dies costs only its own task, and which ends at once.

When a process of ``concurrent.futures.ProcessPoolExecutor`` dies, all waiting tasks fail with it,
and nobody can tell which one was the cause. Here each process belongs to a thread that sends it one
task after the other through a pipe. The end of the pipe shows which process died, and the thread
starts another. Processes are spawned, because a fork would share the locks of threads.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import pickle
import signal
import sys
import time
import warnings
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from threading import Lock, local
from typing import Any
from weakref import WeakKeyDictionary

from lbbic_engine.errors import Cancelled, LbbicError

_SPAWN = multiprocessing.get_context("spawn")
_GRACE_SECONDS = 0.3  # from a request to end to the end
_REPORT_SECONDS = 0.05  # between two reports of a task, at least

LOG = logging.getLogger("lbbic")

# Returns whether the value was passed on: one soon after another is not.
Report = Callable[[Any], bool]


class WorkerDied(LbbicError):
    """The process of a task ended before the task did."""

    def __init__(self) -> None:
        super().__init__("The worker died", "It was killed from outside, or memory ran out.")


class WorkerPool(ThreadPoolExecutor):
    """An Executor of at most ``workers`` processes, each started when there is a task for it.

    What is submitted must be importable by name, and a script that uses it guarded by
    ``if __name__ == "__main__"``, as for any pool of processes. A future raises what its function
    raised, or WorkerDied. Leaving it as a context ends what still runs.
    ``helped``: a thread of this process is one more worker, which needs no start. It takes tasks
    while all processes are busy or starting.
    """

    def __init__(self, workers: int, *, helped: bool = False) -> None:
        self.size = workers + helped  # tasks at a time
        super().__init__(self.size, "lbbic-worker", self._begin_thread)
        self._own = local()
        self._without_process = workers  # threads that are to start one
        self._workers: set[_Worker] = set()
        self._tasks: WeakKeyDictionary[Future[Any], _Task] = WeakKeyDictionary()
        # Held only for moments: nobody waits with it for a process to start or to end.
        self._changing = Lock()
        self._terminated = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._submit(_Task(fn, args, kwargs))

    def submit_reporting(
        self, fn: Callable[[Any, Report], Any], task: Any, report: Callable[[Any], None]
    ) -> Future[Any]:
        """Submit ``fn(task, report)``; reports are passed to ``report`` in some thread."""
        return self._submit(_Task(fn, (task,), {}, report))

    def stop(self, *futures: Future[Any]) -> None:
        """Cancel tasks.

        The processes of running ones are ended, so they raise WorkerDied; one in this process
        raises Cancelled at its next report.
        """
        tasks = [self._tasks[future] for future in futures if not future.cancel()]
        with self._changing:
            for task in tasks:
                task.is_stopped = True
            workers = [task.worker for task in tasks if task.worker is not None]
            _ask_to_end(workers)
        _end(workers)

    def terminate(self) -> None:
        """Stop running tasks, and cancel waiting ones; end all processes."""
        with self._changing:
            self._terminated = True
            workers = list(self._workers)
            _ask_to_end(workers)
        _end(workers)
        self.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def __exit__(self, *_: object) -> None:
        self.terminate()

    def _begin_thread(self) -> None:
        _leave_interrupts_to_the_main_thread()
        with self._changing:
            self._own.has_process = self._without_process > 0
            self._without_process -= 1

    def _submit(self, task: _Task) -> Future[Any]:
        future = super().submit(self._call, task)
        self._tasks[future] = task
        return future

    def _call(self, task: _Task) -> Any:
        worker = self._worker()
        with self._changing:
            if task.is_stopped:
                raise WorkerDied
            task.worker = worker
        try:
            return worker.call(task)
        finally:
            with self._changing:
                task.worker = None

    def _worker(self) -> _Worker:
        """The worker of this thread, or a new one if it has been asked to end or has died."""
        worker: _Worker | None = getattr(self._own, "worker", None)
        if worker is not None and worker.is_usable():
            return worker
        if self._terminated:
            raise WorkerDied
        if worker is not None:
            worker.close()
        new = self._own.worker = _Process() if self._own.has_process else _Here()
        with self._changing:
            self._workers = self._workers - {worker} | {new}
            if self._terminated:
                new.ask_to_end()
                raise WorkerDied
        return new


@dataclass
class _Task:
    """A call of a function, and what is done with it."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    report: Callable[[Any], None] | None = None
    worker: _Worker | None = None  # while it runs
    is_stopped: bool = False


class _Process:
    """A process and the pipe to it."""

    def __init__(self) -> None:
        self._pipe, end = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(end,), daemon=True)
        self._process.start()
        self._has_begun = False  # and taken its end of the pipe, as far as is known
        self._is_lost = False  # or about to be
        end.close()

    def call(self, task: _Task) -> Any:
        if not self._has_begun:
            self._try(self._receive)
            self._has_begun = True
        self._try(_send, self._pipe, (task.fn, task.args, task.kwargs, task.report is not None))
        while True:
            kind, value = self._try(self._receive)
            if kind == "log":
                LOG.handle(value)
            elif kind == "error":
                raise value
            elif kind == "result":
                return value
            elif task.report is not None:
                task.report(value)

    def _receive(self) -> Any:
        """Receive a value; EOFError if there will be none.

        On Windows, the end of a process does not end a pipe that it has not taken yet.
        """
        if self._pipe not in wait([self._pipe, self._process.sentinel]):
            raise EOFError
        return _receive(self._pipe)

    def _try(self, exchange: Callable[..., Any], *value: Any) -> Any:
        """Send or receive a value; WorkerDied at the end of the pipe, be it within a message."""
        try:
            return exchange(*value)
        except (EOFError, OSError):
            self._is_lost = True  # its end of the pipe goes a moment before it is gone
            raise WorkerDied from None

    def is_usable(self) -> bool:
        """Between two tasks, when all there can be to read is the end."""
        is_at_end = self._has_begun and self._pipe.poll()
        return not self._is_lost and self._process.is_alive() and not is_at_end

    def ask_to_end(self) -> None:
        self._is_lost = True
        self._process.terminate()

    def end(self, deadline: float) -> None:
        """It gets a moment to run its ``finally`` clauses."""
        self._process.join(max(0, deadline - time.monotonic()))
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        self._pipe.close()
        self._process.join()


class _Here:
    """This process, until it is asked to end its task."""

    def __init__(self) -> None:
        self._is_usable = True

    def call(self, task: _Task) -> Any:
        if task.report is None:
            return task.fn(*task.args, **task.kwargs)
        pass_on = _seldom(task.report)

        def report_or_stop(value: Any) -> bool:
            if not self._is_usable:
                raise Cancelled
            return pass_on(value)

        return task.fn(*task.args, report_or_stop, **task.kwargs)

    def is_usable(self) -> bool:
        return self._is_usable

    def ask_to_end(self) -> None:
        self._is_usable = False

    def end(self, deadline: float) -> None:
        """Its task ends at its next report."""

    def close(self) -> None:
        """There is nothing to close."""


_Worker = _Process | _Here


def _ask_to_end(workers: Collection[_Worker]) -> None:
    for worker in workers:
        worker.ask_to_end()


def _end(workers: Collection[_Worker]) -> None:
    """Wait for workers that are asked to end, and kill those that do not."""
    deadline = time.monotonic() + _GRACE_SECONDS
    for worker in workers:
        worker.end(deadline)


def _leave_interrupts_to_the_main_thread() -> None:
    """Block SIGINT in threads that start processes, which would print a traceback on it."""
    if sys.platform != "win32":
        resource_tracker.ensure_running()  # first, because starting it unblocks SIGINT
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _serve(pipe: Connection) -> None:
    """Run tasks in a process, one after another, until the owner closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _send(pipe, "begun")
    os.environ["OMP_NUM_THREADS"] = "1"  # for torch, and for code that asks whether it may use more
    import torch

    # So that every finally clause runs. Not before: what a handler raises while torch's own code
    # is being loaded ends that code with a long traceback.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    torch.set_num_threads(1)  # a script that starts a pool may have imported torch before
    warnings.filterwarnings("ignore", module="PIL")  # as the command line does
    LOG.addHandler(_LogTo(pipe))
    LOG.propagate = False
    with suppress(EOFError, ConnectionError, SystemExit):
        while True:
            _serve_one(pipe)
    os._exit(0)  # at once: taking torch apart would take longer than what was cancelled may


def _serve_one(pipe: Connection) -> None:
    """Run the next task; nothing of it is kept."""
    fn, args, kwargs, reporting = _receive(pipe)
    if reporting:
        args = (*args, _seldom(lambda value: _send(pipe, ("report", value))))
    try:
        answer = ("result", fn(*args, **kwargs))
    except Exception as error:
        answer = ("error", error)
    _send(pipe, answer)


def _send(pipe: Connection, value: Any) -> None:
    """Send a value; the arrays in it are not copied, which would take as much memory again."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, 5, buffer_callback=buffers.append)
    parts = [memoryview(data), *(buffer.raw() for buffer in buffers)]
    pipe.send([len(part) for part in parts])
    for part in parts:
        pipe.send_bytes(part)


def _receive(pipe: Connection) -> Any:
    parts = [bytearray(size) for size in pipe.recv()]
    for part in parts:
        pipe.recv_bytes_into(part)
    return pickle.loads(parts[0], buffers=parts[1:])


class _LogTo(QueueHandler):
    """Sends log records to the owner of the process."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__(pipe)  # type: ignore[arg-type]  # nothing but enqueue uses it

    def enqueue(self, record: logging.LogRecord) -> None:
        pipe: Any = self.queue
        _send(pipe, ("log", record))


def _seldom(send: Callable[[Any], None]) -> Report:
    """Return a function that sends reports, but no more often than they are displayed."""
    last = -math.inf

    def report(value: Any) -> bool:
        nonlocal last
        if time.monotonic() - last < _REPORT_SECONDS:
            return False
        last = time.monotonic()
        send(value)
        return True

    return report
