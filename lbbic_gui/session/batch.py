"""Saving many pictures: one job each, their total, and where the results go."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal

from lbbic_gui.desktop.file_dialogs import place_of
from lbbic_gui.jobs import messages
from lbbic_gui.jobs.lanes import Jobs
from lbbic_gui.jobs.messages import BATCH, VIEW, Job, Problem, Saved, Step, Stopped
from lbbic_gui.jobs.naming import fill, output_path
from lbbic_gui.state.networks import Models
from lbbic_gui.state.queue_model import QueueModel, Row, State
from lbbic_gui.state.settings import Settings
from lbbic_gui.style.text import tr

_USUAL_PIXELS = 4_000_000
_TELLING_SHARE, _TELLING_SECONDS = 0.02, 2.0  # before that the time left is a guess


@dataclass(frozen=True)
class Total:
    """Pictures ``done`` of ``count``, bytes ``before`` and ``after``, ``share`` of the work.

    ``seconds_left`` None: nothing runs, or too little is done to tell.
    """

    done: int
    count: int
    before: int
    after: int
    share: float
    busy: bool
    seconds_left: float | None = None


class Batch(QObject):
    """Saves rows and follows them; ``changed`` carries the total, ``saved`` a file."""

    changed = Signal(object)
    saved = Signal(object)
    problem = Signal(object)

    def __init__(
        self,
        model: QueueModel,
        jobs: Jobs,
        settings: Settings,
        models: Models,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._jobs = jobs
        self._settings = settings
        self._models = models
        self._running: dict[Job, Row] = {}
        self._asked: list[Row] = []  # since nothing ran last
        self._began = 0.0
        jobs.reported.connect(self._on_report)
        jobs.finished.connect(self._on_finish)
        model.rowsMoved.connect(lambda *_: jobs.reorder([row.number for row in model.rows]))
        settings.changed.connect(self.tell)
        models.changed.connect(self.tell)

    @property
    def is_busy(self) -> bool:
        return bool(self._running)

    def compress_all(self) -> None:
        """Save every picture that is not saved yet as it is to be."""
        if not self._models.installed:  # what a model can do has to be known
            once = Qt.ConnectionType.SingleShotConnection
            self._models.changed.connect(self.compress_all, once)
            return
        values = self._settings.values
        folder = Path(values.output_folder) if values.output_folder else None
        busy = {row.number for row in self._running.values()}
        taken: set[str] = set()  # a.png and a.jpg must not share a.lbb, whatever the policy
        for row in self._model.rows:
            if row.source.is_lbb or self._is_done(row) or row.number in busy:
                continue
            quality = self._models.quality(row)
            base = row.base if values.keep_structure else None
            source = place_of(row.source, values.last_folder)
            name = fill(values.pattern, source.stem, quality) + ".lbb"
            target = output_path(source, folder, base, name)
            point = row.points.get(quality)
            data = point.data if point and point.data else None
            key = str(target).casefold()
            self.save(
                row, target, "rename" if key in taken else values.policy, data, quality, BATCH
            )
            taken.add(key)
        self.tell()

    def save(
        self,
        row: Row,
        target: Path,
        policy: str,
        data: bytes | None,
        quality: float,
        priority: int = VIEW,
    ) -> None:
        """Save one row, coding it first where ``data`` is missing."""
        values = self._settings.values
        request = messages.Save(
            row.source, target, quality, values.device, policy, values.recipe, data
        )
        if row.state is not State.WORKING:
            row.state, row.progress, row.problem = State.WAITING, 0.0, None
        if not self._running:
            self._began = time.monotonic()
        self._asked.append(row)
        self._running[self._jobs.submit(request, row.number, priority)] = row
        self._model.touch(row)
        self.tell()

    def stop(self) -> None:
        """Cancel all that is not saved yet."""
        for job in list(self._running):
            self._jobs.cancel(job)

    def tell(self) -> None:
        """Emit the total as it is now."""
        pictures = [row for row in self._model.rows if not row.source.is_lbb]
        saved = [row for row in pictures if self._is_done(row)]
        known = [row for row in saved if row.file_bytes and row.result_bytes]
        share = self._share()
        total = Total(
            len(saved),
            len(pictures),
            sum(row.file_bytes for row in known),
            sum(row.result_bytes for row in known),
            share,
            bool(self._running),
            self._seconds_left(share),
        )
        self.changed.emit(total)

    def _share(self) -> float:
        """How much of what was asked for is done, in pixels."""
        asked = sum(_work(row) for row in self._asked)
        left = sum(_work(row) * (1 - row.progress) for row in self._running.values())
        return 1 - left / asked if asked else 0.0

    def _seconds_left(self, share: float) -> float | None:
        elapsed = time.monotonic() - self._began
        if not self._running or share < _TELLING_SHARE or elapsed < _TELLING_SECONDS:
            return None
        return elapsed * (1 - share) / share

    def _is_done(self, row: Row) -> bool:
        """Whether a row is saved at the quality and by the recipe of now."""
        return row.saved_as == (self._models.quality(row), self._settings.values.recipe)

    def _on_report(self, job: Job, report: object) -> None:
        row = self._running.get(job)
        if row is not None and isinstance(report, Step):
            share = min(report.share, 0.99)  # 100 % is for what is saved
            if share - row.progress < 0.01 and row.state is State.WORKING:
                return
            row.state, row.stage = State.WORKING, tr(report.stage)
            row.progress = max(row.progress, share)
            self._model.touch(row)
            self.tell()

    def _on_finish(self, job: Job, answer: object) -> None:
        row = self._running.pop(job, None)
        if row is None:
            return
        match answer:
            case Saved():
                self._note(job, row, answer)
            case Stopped():
                row.state, row.progress = _stopped(row), 0.0
            case Problem():
                row.state, row.problem, row.progress = State.FAILED, answer, 0.0
                self.problem.emit(row)
        self._model.touch(row)
        if not self._running:
            self._asked.clear()
        self.tell()

    def _note(self, job: Job, row: Row, answer: Saved) -> None:
        request = job.request
        assert isinstance(request, messages.Save)
        row.state = State.SKIPPED if answer.skipped else State.SAVED
        row.skipped = answer.skipped
        row.progress, row.saved_path = 1.0, answer.path
        row.saved_as = (request.quality, request.recipe)
        row.result_bytes = answer.file_bytes
        is_of_now = request.recipe == self._settings.values.recipe
        if (
            answer.point is not None and is_of_now
        ):  # without the file's bytes, of which there may be hundreds
            row.points.setdefault(answer.point.quality, dataclasses.replace(answer.point, data=b""))
        self.saved.emit(answer)


def _stopped(row: Row) -> State:
    """What a row is whose saving was cancelled: as before, if it had not begun."""
    if row.state is not State.WAITING:
        return State.STOPPED
    return State.CODED if row.result_bytes else State.NEW


def _work(row: Row) -> int:
    """Pixels; of a picture not measured yet, those of a usual one."""
    return row.width * row.height or _USUAL_PIXELS
