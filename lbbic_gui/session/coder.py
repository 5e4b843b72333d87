"""Codes one picture at a time for the view, and remembers what came out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal

from lbbic_gui.jobs.lanes import Job, Jobs
from lbbic_gui.jobs.messages import (
    Coded,
    DecodingStarted,
    Front,
    Problem,
    Report,
    Step,
    Stopped,
)
from lbbic_gui.jobs.requests import Code, Decode
from lbbic_gui.session.pace import Pace
from lbbic_gui.state.cache import Cache
from lbbic_gui.state.queue_model import QueueModel, Row, State

OnCoded = Callable[[Coded | Problem | Stopped], None]


class Coder(QObject):
    """Its signals tell how the picture gets on; the answer goes to who asked."""

    decoding_started = Signal(DecodingStarted)
    front = Signal(Front)
    progressed = Signal(str, float)

    def __init__(self, queue: QueueModel, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue, self._jobs = queue, jobs
        self._cache = Cache()
        self._pace = Pace()
        self._job: Job[Coded] | None = None

    def known(self, row: Row, request: Code | Decode) -> Coded | None:
        """What came of a request before, if the file is the same."""
        return self._cache.find(request, row.version)

    def code(self, row: Row, request: Code | Decode, on_coded: OnCoded) -> None:
        """Code a row in place of what is being coded."""
        take = partial(self._on_answer, request, on_coded)
        before = self._job
        self._job = self._jobs.submit(request, take, partial(self._on_report, row))
        if before is not None:
            self._jobs.cancel(before)

    def is_busy(self, request: Code | Decode | None = None) -> bool:
        """Whether it is at work, on a certain request."""
        return self._job is not None and request in (None, self._job.request)

    def stop(self) -> None:
        """What is being coded is not wanted any more."""
        if self._job is not None:
            job, self._job = self._job, None
            self._jobs.cancel(job)

    def _on_answer(
        self, request: Code | Decode, on_coded: OnCoded, answer: Coded | Problem | Stopped
    ) -> None:
        if self._job is not None and self._job.request is request:
            self._job = None
        if isinstance(answer, Coded):
            self._cache.add(request, answer)
        on_coded(answer)

    def _on_report(self, row: Row, report: Report) -> None:
        match report:
            case DecodingStarted(picture):
                row.width, row.height = picture.width, picture.height
                self.decoding_started.emit(report)
            case Front(step=step):
                self.front.emit(report)
                self._on_step(row, step)
            case Step():
                self._on_step(row, report)

    def _on_step(self, row: Row, step: Step) -> None:
        if row.state is not State.WORKING:
            row.state = State.WORKING
            self._pace.begin()
        row.stage, row.progress = step.stage, max(row.progress, min(step.share, 0.99))
        words = self._pace.words(step)
        if words:
            self.progressed.emit(words, row.progress)
        self._queue.touch(row)
