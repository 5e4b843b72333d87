"""Jobs on their way to two threads: one owns the model, the other does all that needs none.

What a job does is in ``tasks``, ``worker`` runs it. Jobs wait on the window's side and are handed
over one at a time: those that wait can be put in order or dropped without a lock.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

from lbbic_gui.jobs.messages import (
    BATCH,
    VIEW,
    CompareAtSize,
    Find,
    FindModels,
    Job,
    Open,
    Stopped,
    Thumbnail,
)
from lbbic_gui.jobs.worker import Worker

_WITHOUT_MODEL = (Find, FindModels, Open, Thumbnail, CompareAtSize)


class Jobs(QObject):
    """Hands jobs to the two workers. ``reported`` and ``finished`` arrive in the window's thread.

    ``finished`` fires once for every job that was submitted, cancelled ones too.
    """

    reported = Signal(object, object)
    finished = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reading = _Lane(self)
        self._coding = _Lane(self)

    def submit(self, request: object, row: int = -1, priority: int = VIEW) -> Job:
        """Queue a request; returns what to cancel it by."""
        job = Job(request, row, priority)
        self._lane(job).submit(job)
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job at its next front, or at once if it has not begun."""
        job.cancelled.set()
        self._lane(job).drop_cancelled()

    def reorder(self, rows: Sequence[int]) -> None:
        """Batch jobs that wait take the order of these rows."""
        self._coding.reorder({row: place for place, row in enumerate(rows)})

    def active(self) -> list[Job]:
        """All jobs that have not finished, those that run first."""
        return [*self._coding.jobs(), *self._reading.jobs()]

    def stop(self, seconds: float = 2.0) -> bool:
        """Cancel everything and end the threads; False if one did not end in time."""
        for job in self.active():
            job.cancelled.set()
        deadline = time.monotonic() + seconds
        ended = [lane.stop(deadline) for lane in (self._reading, self._coding)]
        return all(ended)

    def _lane(self, job: Job) -> _Lane:
        return self._reading if isinstance(job.request, _WITHOUT_MODEL) else self._coding


class _Lane(QObject):
    """One thread with one worker, and the jobs that wait for it."""

    begin = Signal(object)

    def __init__(self, jobs: Jobs) -> None:
        super().__init__(jobs)
        self._jobs = jobs
        self._waiting: list[Job] = []
        self._running: Job | None = None
        self._thread = QThread()
        self._worker = Worker()
        self._worker.moveToThread(self._thread)
        self.begin.connect(self._worker.run, Qt.ConnectionType.QueuedConnection)
        self._worker.reported.connect(self._on_report)
        self._worker.finished.connect(self._on_finish)
        self._thread.start()

    def jobs(self) -> list[Job]:
        return ([self._running] if self._running else []) + self._waiting

    def submit(self, job: Job) -> None:
        self._waiting.append(job)
        self._waiting.sort(key=_turn)
        self._next()

    def reorder(self, places: dict[int, int]) -> None:
        batch = [job for job in self._waiting if job.priority == BATCH and job.row in places]
        numbers = sorted(job.number for job in batch)
        batch.sort(key=lambda job: places[job.row])
        for job, number in zip(batch, numbers, strict=True):
            job.number = number
        self._waiting.sort(key=_turn)

    def drop_cancelled(self) -> None:
        dropped = [job for job in self._waiting if job.cancelled.is_set()]
        self._waiting = [job for job in self._waiting if not job.cancelled.is_set()]
        for job in dropped:
            self._jobs.finished.emit(job, Stopped())

    def stop(self, deadline: float) -> bool:
        self._waiting.clear()
        self._thread.quit()
        return self._thread.wait(max(1, int(1000 * (deadline - time.monotonic()))))

    def _next(self) -> None:
        if self._running is None and self._waiting:
            self._running = self._waiting.pop(0)
            self.begin.emit(self._running)

    @Slot(object, object)
    def _on_report(self, job: Job, report: object) -> None:
        if not job.cancelled.is_set():
            self._jobs.reported.emit(job, report)

    @Slot(object, object)
    def _on_finish(self, job: Job, answer: object) -> None:
        self._running = None
        self._jobs.finished.emit(job, answer)
        self._next()


def _turn(job: Job) -> tuple[int, int]:
    return job.priority, job.number
