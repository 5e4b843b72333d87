"""Codes one picture at a time for the view, and keeps the results in the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject, Signal

from lbbic_gui.jobs.conversion import small_canvas
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
from lbbic_gui.jobs.work.workers import waiting_seconds
from lbbic_gui.session.pace import Pace
from lbbic_gui.state.cache import Cache
from lbbic_gui.state.networks import Networks
from lbbic_gui.state.queue_model import QueueModel
from lbbic_gui.state.row import BUSY, Row, State
from lbbic_gui.state.settings import Settings
from lbbic_gui.style.text import tr

_MEASURABLE_SECONDS = 0.5


class Coder(QObject):
    """Codes pictures and emits the progress; the result goes to the callback of ``code``."""

    decoding_started = Signal(DecodingStarted)
    front = Signal(Front)
    progressed = Signal(str, float)
    row_failed = Signal(Row)  # or it has recovered
    file_changed = Signal(Row)  # since it was opened
    ended = Signal()  # it is free, or at work on something else

    def __init__(
        self,
        queue: QueueModel,
        jobs: Jobs,
        settings: Settings,
        networks: Networks,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._queue, self._jobs, self._settings, self._networks = queue, jobs, settings, networks
        self._cache = Cache()
        self._pace = Pace()
        self._slowness = 1.0  # of this machine, against the engine's estimate
        self._job: Job[Coded] | None = None

    @property
    def is_busy(self) -> bool:
        return self._job is not None

    def is_coding(self, row: Row) -> bool:
        """Whether exactly the wanted result of a row is being made."""
        return self._job is not None and self._job.request == self._request(row)

    def seconds_for(self, pixels: int, effort: str) -> float:
        """Estimate the seconds to code and decode such a picture, from the last one."""
        return self._slowness * waiting_seconds(pixels, effort, self._settings.values.device)

    def code(self, row: Row, on_coded: Callable[[Coded], None]) -> None:
        """Code a row instead of the current one; if the result is cached, answer at once."""
        request, before = self._request(row), self._job
        known = self._cache.find(request, row.version)
        if known is not None:
            self.stop()
            self._take(row, request, known)
            on_coded(known)
            return
        row.problem = None
        self.row_failed.emit(row)
        row.state, row.stage, row.progress = State.WAITING, tr("Waiting"), 0.0
        self._queue.touch(row)
        take = partial(self._on_answer, row, request, on_coded)
        self._job = self._jobs.submit(request, take, partial(self._on_report, row))
        if before is not None:
            self._jobs.cancel(before)

    def stop(self, row: Row | None = None) -> None:
        """Stop coding; ``row``, if given, is marked as stopped."""
        if self._job is not None:
            job, self._job = self._job, None
            if row is not None:
                self._rest(row, stopped=True)
            self._jobs.cancel(job)

    def _request(self, row: Row) -> Code | Decode:
        """The request that makes a row's result."""
        values, quality = self._settings.values, self._networks.quality(row)
        if row.source.is_lbb:
            return Decode(row.source, values.device, row.partial)
        point = row.points.get(quality)
        data = (point.data or None) if point else None
        return Code(row.source, quality, values.device, self._networks.options(row), data)

    def _on_answer(
        self,
        row: Row,
        request: Code | Decode,
        on_coded: Callable[[Coded], None],
        answer: Coded | Problem | Stopped,
    ) -> None:
        is_wanted = self._job is not None and self._job.request is request
        if is_wanted:
            self._job = None
        if isinstance(answer, Coded):
            self._note_seconds(row, request)
            self._cache.add(request, answer)
            self._take(row, request, answer)
        match answer:
            case Coded() if is_wanted:
                on_coded(answer)
            case Problem() if is_wanted:
                self._fail(row, answer)
            case _ if row.state in BUSY and not self.is_coding(row):
                self._rest(row)
        self.ended.emit()

    def _note_seconds(self, row: Row, request: Code | Decode) -> None:
        """Update the estimate from a picture that took long enough to be measured."""
        seconds = self._pace.seconds()
        if isinstance(request, Code) and request.data is None and seconds > _MEASURABLE_SECONDS:
            pixels, effort = row.width * row.height, request.options.effort
            expected = waiting_seconds(pixels, effort, request.device)
            self._slowness = seconds / max(expected, 1e-9)

    def _take(self, row: Row, request: Code | Decode, coded: Coded) -> None:
        """Store the result with the row."""
        if row.source.is_lbb:
            row.thumbnail = small_canvas(coded.picture.picture())
        is_wanted = isinstance(request, Decode) or request.options == self._networks.options(row)
        if is_wanted and row.note(coded.point):
            self.file_changed.emit(row)
        if not self.is_coding(row):
            self._rest(row)

    def _fail(self, row: Row, problem: Problem) -> None:
        can_show_rest = problem.can_show_rest and not row.partial  # it has been tried
        row.state, row.problem = State.FAILED, replace(problem, can_show_rest=can_show_rest)
        self._queue.touch(row)
        self.progressed.emit("", 0.0)
        self.row_failed.emit(row)

    def _rest(self, row: Row, *, stopped: bool = False) -> None:
        row.rest(self._networks.quality(row), self._networks.is_saved(row), stopped=stopped)
        self._queue.touch(row)

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
