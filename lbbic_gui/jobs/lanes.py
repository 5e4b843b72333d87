"""Jobs on their way to two threads: one owns the model, the other does all that needs none.

What a job does is in ``tasks``. Jobs wait on the window's side and are handed over one at a time:
those that wait can be dropped without a lock. Whatever a worker says goes to who asked, by a call
that is made in the window's thread.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

from lbbic_engine.errors import Cancelled
from lbbic_gui.jobs.error_messages import explain
from lbbic_gui.jobs.messages import VIEW, Problem, Report, Stopped
from lbbic_gui.jobs.requests import Request
from lbbic_gui.jobs.tasks import Tasks

A = TypeVar("A")
OnReport = Callable[[Report], None]
_numbers = itertools.count()


@dataclass(eq=False)
class Job(Generic[A]):
    """A request on its way, and to whom its answer goes. It stops once ``cancelled`` is set."""

    request: Request[A]
    on_answer: Callable[[A | Problem | Stopped], None]
    on_report: OnReport
    priority: int
    number: int = field(default_factory=lambda: next(_numbers))
    cancelled: threading.Event = field(default_factory=threading.Event)
    is_answered: bool = False

    def answer(self, answer: A | Problem | Stopped) -> None:
        """Tell who asked."""
        self.is_answered = True
        self.on_answer(answer)

    def __lt__(self, other: Job[Any]) -> bool:
        """Whether it goes first."""
        return (self.priority, self.number) < (other.priority, other.number)


def _ignore(_: Report) -> None:
    """For those who wait for the answer alone."""


class Jobs(QObject):
    """Hands jobs to the two workers."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._coding, self._reading = _Lane(self), _Lane(self)

    def submit(
        self,
        request: Request[A],
        on_answer: Callable[[A | Problem | Stopped], None],
        on_report: OnReport = _ignore,
        *,
        priority: int = VIEW,
    ) -> Job[A]:
        """Queue a request; returns what to cancel it by.

        ``on_answer`` is called once, for a cancelled job with ``Stopped``; ``on_report`` before
        that and never once the job is cancelled. Both in the window's thread.
        """
        job = Job(request, on_answer, on_report, priority)
        (self._coding if request.needs_model else self._reading).submit(job)
        return job

    def cancel(self, *jobs: Job[Any]) -> None:
        """Stop jobs at their next front; those that have not begun are answered at once."""
        for job in jobs:
            job.cancelled.set()
        for lane in (self._coding, self._reading):
            lane.drop_cancelled()

    def active(self) -> list[Job[Any]]:
        """All jobs that are not answered, those that run first."""
        return [*self._coding.jobs(), *self._reading.jobs()]

    def stop(self, seconds: float = 2.0) -> bool:
        """Cancel everything and end the threads; False if one did not end in time."""
        for job in self.active():
            job.cancelled.set()
        deadline = time.monotonic() + seconds
        ended = [lane.stop(deadline) for lane in (self._reading, self._coding)]
        return all(ended)


class _Lane(QObject):
    """One thread, and the jobs that wait for it."""

    _said = Signal(object)  # a call, from the thread to the window's

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: list[Job[Any]] = []  # a heap
        self._running: Job[Any] | None = None
        self._handed_over: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._said.connect(self._make, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    # --- in the window's thread -----------------------------------------------------------------

    def jobs(self) -> list[Job[Any]]:
        return ([self._running] if self._running else []) + sorted(self._waiting)

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
        self._handed_over.put(None)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _next(self) -> None:
        if self._running is None and self._waiting:
            self._running = heapq.heappop(self._waiting)
            self._handed_over.put(self._running)

    def _make(self, call: Callable[[], None]) -> None:
        call()

    def _report(self, job: Job[Any], report: Report) -> None:
        if not job.cancelled.is_set():
            job.on_report(report)

    def _finish(self, job: Job[A], answer: A | Problem | Stopped) -> None:
        self._running = None
        job.answer(answer)
        self._next()

    # --- in the worker's thread -----------------------------------------------------------------

    def _work(self) -> None:
        tasks = Tasks()
        while (job := self._handed_over.get()) is not None:
            self._do(tasks, job)
            del job  # with its picture; the next one may be long in coming

    def _do(self, tasks: Tasks, job: Job[A]) -> None:
        """Do a job and answer it, whatever happens."""

        def report(report: Report) -> None:
            self._said.emit(partial(self._report, job, report))

        answer: A | Problem | Stopped
        try:
            answer = tasks.do(job.request, report, job.cancelled.is_set)
        except Cancelled:
            answer = Stopped()
        except Exception as error:
            answer = explain(error, job.request.name)
        self._said.emit(partial(self._finish, job, answer))
