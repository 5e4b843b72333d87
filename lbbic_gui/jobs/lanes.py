"""Jobs and the threads that do them.

One thread owns the model, one does what needs no model, one searches folders, which can be large,
and one measures how pictures look, which takes seconds; while a batch is saved, further threads
wait for worker processes. What a job does is in ``tasks``. Jobs wait on the window's side and are
handed over one at a time, so that waiting ones can be dropped without a lock. Reports and answers
go to the callbacks given to ``submit``, called in the window's thread.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

from lbbic_engine.errors import Cancelled
from lbbic_gui.jobs.error_messages import explain
from lbbic_gui.jobs.messages import (
    VIEW,
    EncodeOptions,
    OutputFormat,
    Problem,
    Report,
    Stopped,
)
from lbbic_gui.jobs.requests import Find, MeasureLook, Request, Save
from lbbic_gui.jobs.tasks import Tasks
from lbbic_gui.jobs.work.workers import Workers

A = TypeVar("A")
OnReport = Callable[[Report], None]
_numbers = itertools.count()


@dataclass(eq=False)
class Job(Generic[A]):
    """A submitted request with its callbacks; it stops once ``cancelled`` is set."""

    request: Request[A]
    on_answer: Callable[[A | Problem | Stopped], None]
    on_report: OnReport
    priority: int
    number: int = field(default_factory=lambda: next(_numbers))
    cancelled: threading.Event = field(default_factory=threading.Event)
    is_answered: bool = False

    def answer(self, answer: A | Problem | Stopped) -> None:
        """Deliver the answer, once only."""
        self.is_answered = True
        self.on_answer(answer)

    def __lt__(self, other: Job[Any]) -> bool:
        """Whether this job goes before another."""
        return (self.priority, self.number) < (other.priority, other.number)


def _ignore(_: Report) -> None:
    """Discard reports, for callers that need only the answer."""


class Jobs(QObject):
    """Distributes jobs to the threads and delivers their answers."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workers = Workers()
        self._coding, self._reading, self._saving = (_Lane(self._workers, self) for _ in range(3))
        self._searching, self._measuring = (_Lane(self._workers, self) for _ in range(2))
        self._lanes = (
            self._reading,
            self._coding,
            self._saving,
            self._searching,
            self._measuring,
        )
        for lane in self._lanes:
            lane.widen(1)

    def submit(
        self,
        request: Request[A],
        on_answer: Callable[[A | Problem | Stopped], None],
        on_report: OnReport = _ignore,
        *,
        priority: int = VIEW,
    ) -> Job[A]:
        """Queue a request; return its job, by which it can be cancelled.

        ``on_answer`` is called once, for a cancelled job with ``Stopped``, unless it had ended by
        then; ``on_report`` before that and never once the job is cancelled. Both in the window's
        thread.
        """
        job = Job(request, on_answer, on_report, priority)
        if isinstance(request, Save) and request.by_worker:
            self._saving.submit(job)
        elif isinstance(request, Find):
            self._searching.submit(job)
        elif isinstance(request, MeasureLook):
            self._measuring.submit(job)
        else:
            (self._coding if request.needs_model else self._reading).submit(job)
        return job

    def prepare_to_save(
        self, pixels: Sequence[int], options: EncodeOptions, output: OutputFormat
    ) -> int:
        """Return how many pictures to save at a time; 1: .lbb files without worker processes.

        ``pixels`` are those of each picture.
        """
        count = self._workers.useful_workers(pixels, options, output)
        self._saving.widen(count)
        return count

    def cancel(self, *jobs: Job[Any]) -> None:
        """Stop jobs at their next front; jobs that have not started are answered at once."""
        for job in jobs:
            job.cancelled.set()
        for lane in self._lanes:
            lane.drop_cancelled()

    def active(self) -> list[Job[Any]]:
        """All unanswered jobs, running ones first."""
        return [job for lane in self._lanes for job in lane.jobs()]

    def stop(self, seconds: float = 2.0) -> bool:
        """Cancel everything and end the threads; False if one did not end in time."""
        for job in self.active():
            job.cancelled.set()
        deadline = time.monotonic() + seconds
        ended = [lane.stop(deadline) for lane in self._lanes]
        self._workers.stop()
        return all(ended)


class _Lane(QObject):
    """A number of threads and the jobs that wait for them."""

    _called = Signal(object)  # a callable, from a worker's thread to the window's

    def __init__(self, workers: Workers, parent: QObject) -> None:
        super().__init__(parent)
        self._workers = workers
        self._waiting: list[Job[Any]] = []  # a heap
        self._running: list[Job[Any]] = []
        self._handed_over: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._called.connect(self._make, Qt.ConnectionType.QueuedConnection)
        self._threads: list[threading.Thread] = []

    # --- in the window's thread -----------------------------------------------------------------

    def widen(self, threads: int) -> None:
        """Start threads until there are at least ``threads``."""
        while len(self._threads) < threads:
            self._threads.append(threading.Thread(target=self._work, daemon=True))
            self._threads[-1].start()

    def jobs(self) -> list[Job[Any]]:
        return self._running + sorted(self._waiting)

    def submit(self, job: Job[Any]) -> None:
        heapq.heappush(self._waiting, job)
        self._next()

    def drop_cancelled(self) -> None:
        dropped = [job for job in self._waiting if job.cancelled.is_set()]
        self._waiting = [job for job in self._waiting if not job.cancelled.is_set()]
        heapq.heapify(self._waiting)
        for job in dropped:
            job.answer(Stopped())

    def stop(self, deadline: float) -> bool:
        self._waiting.clear()
        for _ in self._threads:
            self._handed_over.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _next(self) -> None:
        while len(self._running) < len(self._threads) and self._waiting:
            self._running.append(heapq.heappop(self._waiting))
            self._handed_over.put(self._running[-1])

    def _make(self, call: Callable[[], None]) -> None:
        call()

    def _report(self, job: Job[Any], report: Report) -> None:
        if not job.cancelled.is_set():
            job.on_report(report)

    def _finish(self, job: Job[A], answer: A | Problem | Stopped) -> None:
        self._running.remove(job)
        try:
            job.answer(answer)
        finally:  # even if the callback raises
            self._next()

    # --- in a worker's thread -------------------------------------------------------------------

    def _work(self) -> None:
        tasks = Tasks(self._workers)
        while (job := self._handed_over.get()) is not None:
            self._do(tasks, job)
            del job  # with its picture; the next one may be long in coming

    def _do(self, tasks: Tasks, job: Job[A]) -> None:
        """Do a job and answer it, whatever happens."""

        def report(report: Report) -> None:
            self._called.emit(partial(self._report, job, report))

        answer: A | Problem | Stopped
        try:
            answer = tasks.do(job.request, report, job.cancelled.is_set)
        except Cancelled:
            answer = Stopped()
        except Exception as error:
            answer = explain(error, job.request.name)
        self._called.emit(partial(self._finish, job, answer))
