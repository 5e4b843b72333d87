"""Runs tasks in an Executor, or in this process if that is faster, and yields their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from lbbic_engine.devices import one_core
from lbbic_engine.errors import Cancelled
from lbbic_engine.parallel.cores import usable_cores
from lbbic_engine.parallel.memory import usable_memory
from lbbic_engine.parallel.pool import Report, WorkerPool

START_SECONDS = 1.0  # of a worker, most of it to import torch
WORKER_BYTES = 450_000_000  # of a worker that codes tiles of two megapixels
MAX_IN_FLIGHT = 1024  # tasks that an Executor of the caller's is given ahead of their results
_POLL_SECONDS = 0.1  # from one question whether to stop to the next

T = TypeVar("T")
R = TypeVar("R")
IsCancelled = Callable[[], bool]


@dataclass(frozen=True)
class Task(Generic[T]):
    """Something to work on.

    It takes about so many seconds of one core, and ``memory_bytes`` beside ``WORKER_BYTES``.
    """

    content: T
    seconds: float
    memory_bytes: int = 0


@dataclass(frozen=True)
class Outcome(Generic[T, R]):
    """The result of a task, or the error that its Executor raised."""

    content: T
    result: R | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Reported(Generic[T]):
    """What a task reported while it ran."""

    content: T
    value: Any


def run(
    work: Callable[[T, Report], R],
    tasks: Iterable[Task[T]],
    *,
    executor: Executor | None = None,
    jobs: int | None = None,
    report: Callable[[T, Any], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> Iterator[Outcome[T, R]]:
    """Yield what ``work(content, report)`` makes of each task, in the order in which they end.

    ``executor`` None: a pool of processes of our own, at most ``jobs`` (None: as many as there are
    cores), no more than there is memory for, and none where the work is not worth their start.
    It is gone when the iterator ends or is closed; what its tasks report comes to ``report``. An
    Executor of the caller's that is no such pool reports nothing, and finishes what it has begun.
    ``work`` and contents are pickled. Cancelled, soon after ``cancelled`` returns True.
    """
    raise_if_cancelled = partial(_raise_if_cancelled, cancelled)
    if executor is not None:
        yield from _outcomes(follow(work, tasks, executor, cancelled=cancelled), report)
        return
    workers, tasks = _plan(tasks, max_workers(jobs))
    if workers == 1:
        if jobs == 1:
            work = partial(_on_one_core, work)
        yield from _run_here(work, tasks, report, raise_if_cancelled)
        return
    limits = _Limits(2 * workers, usable_memory() - workers * WORKER_BYTES)
    with WorkerPool(workers) as pool:
        yield from _outcomes(_hand_out(work, tasks, pool, limits, raise_if_cancelled), report)


def follow(
    work: Callable[[T, Report], R],
    tasks: Iterable[Task[T]],
    executor: Executor,
    *,
    cancelled: IsCancelled | None = None,
) -> Generator[Reported[T] | Outcome[T, R], None, None]:
    """Yield the outcomes of ``run`` in an Executor, and in between what tasks report."""
    limits = _Limits(MAX_IN_FLIGHT)
    return _hand_out(work, tasks, executor, limits, partial(_raise_if_cancelled, cancelled))


def _outcomes(
    events: Generator[Reported[T] | Outcome[T, R], None, None],
    report: Callable[[T, Any], None] | None,
) -> Iterator[Outcome[T, R]]:
    """Yield outcomes; pass the other events to ``report``."""
    with closing(events):
        for event in events:
            if isinstance(event, Outcome):
                yield event
            elif report is not None:
                report(event.content, event.value)


@dataclass(frozen=True)
class _Limits:
    """Limits on the tasks in an Executor at a time."""

    tasks: int
    memory_bytes: float = float("inf")

    def allow(self, task: Task[Any], others: Iterable[Task[Any]]) -> bool:
        """Whether a task may be added to others; a single task is always allowed."""
        each = [other.memory_bytes for other in others]
        return len(each) < self.tasks and (
            not each or sum(each) + task.memory_bytes <= self.memory_bytes
        )


def _plan(tasks: Iterable[Task[T]], most: int) -> tuple[int, Iterator[Task[T]]]:
    """Return the useful number of workers, and all tasks; reads no more tasks than necessary."""
    tasks, seconds = iter(tasks), 0.0
    seen: list[Task[T]] = []
    while (len(seen) < most or seconds < most * START_SECONDS) and (task := next(tasks, None)):
        seen.append(task)
        seconds += task.seconds
    return useful_workers(seconds, min(len(seen), most)), chain(seen, tasks)


def max_workers(jobs: int | None = None) -> int:
    """Return how many workers there is memory for: one a core, ``jobs`` at most."""
    return max(1, int(min(jobs or usable_cores(), usable_memory() // WORKER_BYTES)))


def useful_workers(seconds: float, most: int) -> int:
    """Number of workers worth starting for that work, at most ``most``; 1 means this process."""
    return max(1, min(most, int(seconds / START_SECONDS)))


def _on_one_core(work: Callable[[T, Report], R], content: T, report: Report) -> R:
    """A second torch thread would be a second core."""
    with one_core():
        return work(content, report)


def _run_here(
    work: Callable[[T, Report], R],
    tasks: Iterable[Task[T]],
    report: Callable[[T, Any], None] | None,
    raise_if_cancelled: Callable[[], None],
) -> Iterator[Outcome[T, R]]:
    for task in tasks:

        def forward(value: Any, content: T = task.content) -> bool:
            raise_if_cancelled()
            if report is not None:
                report(content, value)
            return True

        raise_if_cancelled()
        yield Outcome(task.content, work(task.content, forward))


def _hand_out(
    work: Callable[[T, Report], R],
    tasks: Iterable[Task[T]],
    executor: Executor,
    limits: _Limits,
    raise_if_cancelled: Callable[[], None],
) -> Generator[Reported[T] | Outcome[T, R], None, None]:
    """Keep an Executor busy; finished futures and reports arrive in one queue."""
    events: SimpleQueue[Future[R] | Reported[T]] = SimpleQueue()
    running: dict[Future[R], Task[T]] = {}
    waiting, tasks = None, iter(tasks)
    try:
        while True:
            while (waiting := waiting or next(tasks, None)) and limits.allow(
                waiting, running.values()
            ):
                future = _submit(executor, work, waiting.content, events)
                running[future], waiting = waiting, None
                future.add_done_callback(events.put)
            if not running:
                return
            event = _next_event(events, raise_if_cancelled)
            if isinstance(event, Future):
                yield _outcome(running.pop(event).content, event)
            else:
                yield event
    finally:
        if isinstance(executor, WorkerPool):
            executor.stop(*running)
        for future in running:
            future.cancel()


def _submit(
    executor: Executor,
    work: Callable[[T, Report], R],
    content: T,
    events: SimpleQueue[Any],
) -> Future[R]:
    if isinstance(executor, WorkerPool):
        return executor.submit_reporting(
            work, content, lambda value: events.put(Reported(content, value))
        )
    try:
        return executor.submit(work, content, _ignore)
    except Exception as error:  # such as BrokenExecutor: the other tasks continue
        future: Future[R] = Future()
        future.set_exception(error)
        return future


def _ignore(value: object) -> bool:
    """Ignore a report, in Executors without a way to pass it on."""
    return False


def _next_event(events: SimpleQueue[T], raise_if_cancelled: Callable[[], None]) -> T:
    while True:
        raise_if_cancelled()
        try:
            return events.get(timeout=_POLL_SECONDS)
        except Empty:
            pass


def _outcome(content: T, future: Future[R]) -> Outcome[T, R]:
    try:
        return Outcome(content, future.result())
    except Exception as error:
        return Outcome(content, error=error)


def _raise_if_cancelled(cancelled: IsCancelled | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled
