"""The object in a worker's thread that runs its jobs. What they do is in ``tasks``.

The surprise: it speaks through one signal that carries whatever a job has to say, once per front
of blocks.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from lbbic_gui.jobs.error_messages import explain
from lbbic_gui.jobs.messages import Job, Stopped
from lbbic_gui.jobs.tasks import Tasks


class Worker(QObject):
    """Runs jobs in its thread, one after the other."""

    reported = Signal(object, object)
    finished = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self._tasks = Tasks()

    @Slot(object)
    def run(self, job: Job) -> None:
        """Do a job and answer it, whatever happens."""
        try:
            answer = self._tasks.do(job, lambda report: self.reported.emit(job, report))
        except Exception as error:
            name = type(error).__name__
            answer = Stopped() if name == "Cancelled" else explain(error, _source_name(job))
        self.finished.emit(job, answer)


def _source_name(job: Job) -> str:
    source = getattr(job.request, "source", None)
    target = getattr(job.request, "target", None)
    return source.name if source is not None else target.name if target is not None else ""
