"""What the app is doing: the queue, the picture on view, and the jobs for both. No widgets.

Widgets call its verbs and listen to its signals. One owner per fact: rows live in the queue
model, preferences in the settings, the pixels on view and the cache of coded pictures here.
"""

from __future__ import annotations

import dataclasses
import time

from PySide6.QtCore import QObject, Signal

from lbbic_gui.jobs import messages
from lbbic_gui.jobs.conversion import small_canvas
from lbbic_gui.jobs.lanes import Jobs
from lbbic_gui.jobs.messages import Coded, Job, Opened, Point, Problem, Step, Stopped
from lbbic_gui.session.adder import Intake
from lbbic_gui.session.batch import Batch
from lbbic_gui.state.cache import Cache
from lbbic_gui.state.networks import Models
from lbbic_gui.state.queue_model import QueueModel, Row, State
from lbbic_gui.state.settings import Preferences, Settings
from lbbic_gui.style import text
from lbbic_gui.style.text import tr

_REPORT_SECONDS = 0.04  # rows are repainted no more often


class Session(QObject):
    """See the module. ``coded`` None: nothing is decoded for the picture on view yet."""

    current_changed = Signal(object)  # Row or None
    opened = Signal(object)  # Opened
    begun = Signal(object, object)  # Growing, veil: the first blocks are about to come
    front = Signal(object)  # Front
    coded = Signal(object)  # Coded or None
    troubled = Signal(object)  # Row on view, which failed or has recovered
    stale = Signal(bool)  # the result on view is not of the quality that is set
    progressed = Signal(str, float)  # of the picture on view; empty when nothing runs
    points_changed = Signal()  # the row on view has more files made of it, or fewer
    ready = Signal(object)  # Ready
    failed = Signal(object)  # Problem of something that concerns no row
    noticed = Signal(str)

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self.model = QueueModel(self)
        self.jobs = Jobs(self)
        self.models = Models(settings, self)
        self.batch = Batch(self.model, self.jobs, settings, self.models, self)
        self.intake = Intake(self.model, self.jobs, self)
        self.row: Row | None = None
        self.original: Opened | None = None
        self.result: Coded | None = None
        self._cache = Cache()
        self._view: list[Job] = []  # jobs for the picture on view
        self._started = 0.0
        self._reported = 0.0
        self._is_ready = False
        self._device, self._recipe = settings.values.device, settings.values.recipe
        settings.changed.connect(self._on_settings)
        self.models.changed.connect(self._on_models)
        self.models.noticed.connect(self.noticed)
        self.jobs.reported.connect(self._on_report)
        self.jobs.finished.connect(self._on_finish)

    # --- verbs ----------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Import torch and load the model; answered by ``ready``."""
        values = self.settings.values
        self.jobs.submit(messages.WarmUp(values.device, values.model))

    def find_models(self) -> None:
        """Look whether models have come or gone since."""
        if self._is_ready:  # before that a worker is about to
            self.jobs.submit(messages.FindModels())

    def select(self, row: Row | None) -> None:
        """Put a row on view and start coding it."""
        if row is self.row:
            return
        self._stop_view()
        self.row, self.original, self.result = row, None, None
        self.current_changed.emit(row)
        self.coded.emit(None)
        self.points_changed.emit()
        if row is not None and not row.source.is_lbb:
            self._submit_view(messages.Open(row.source), row)
        if row is not None and row.state is not State.FAILED:
            self._preview()

    def quality(self) -> float:
        """Of the row on view; of an .lbb file, once it is decoded, the one it has."""
        if self.row is not None and self.row.source.is_lbb and self.result is not None:
            return self.result.point.quality
        return self.models.quality(self.row)

    def set_quality(self, quality: float, *, only_this: bool) -> None:
        """Choose a quality for the row on view alone or for all, and code it."""
        if self.row is not None and only_this:
            self.row.override = quality
        else:
            if self.row is not None:
                self.row.override = None
            self.settings.change(quality=quality)
        self.code_again()

    def code_again(self) -> None:
        """Show the row on view at its quality: at once where that is known, else code it."""
        if self.row is None or self.row.source.is_lbb or self._is_coding():
            return
        self._stop_view(messages.Code)
        self.model.touch(self.row)
        self._preview()

    def retry(self, device: str | None = None, *, partial: bool = False) -> None:
        """Try the row on view again, perhaps on another device, or for what is left of its file."""
        if device is not None:
            self.settings.change(device=device)
        row, self.row = self.row, None
        if row is not None:
            row.partial = partial
            row.problem, row.state = None, State.NEW
        self.select(row)

    def stop(self) -> None:
        """Cancel what runs for the row on view and for the batch."""
        self.batch.stop()
        row = self.row
        if row is not None and any(isinstance(job.request, messages.Code) for job in self._view):
            row.state, row.progress = State.STOPPED, 0.0
            self.model.touch(row)
        self._stop_view()
        self.progressed.emit("", 0.0)  # at once; the worker follows at its next front

    def remove(self, row: Row) -> None:
        """Take a row off the queue."""
        for job in self.jobs.active():
            if job.row == row.number:
                self.jobs.cancel(job)
        if row is self.row:
            self.select(None)
        self._cache.drop(row.number)
        self.model.remove(row)
        self.batch.tell()

    # --- the picture on view --------------------------------------------------------------------

    def _is_coding(self) -> bool:
        """Whether just what is wanted is being coded already."""
        wanted = (self.quality(), self.settings.values.recipe)
        requests = [job.request for job in self._view if not job.cancelled.is_set()]
        return any(
            isinstance(request, messages.Code) and (request.quality, request.recipe) == wanted
            for request in requests
        )

    def _on_settings(self, values: Preferences) -> None:
        before, self._recipe = self._recipe, values.recipe
        if (values.device, values.model) != (self._device, before.model):
            self._device = values.device
            self.warm_up()
        if values.recipe != before:  # the files made so far are others
            for row in self.model.rows:
                if not row.source.is_lbb:
                    row.points.clear()
            self.points_changed.emit()
            self.code_again()
        elif self.result is not None and self.result.point.quality != self.quality():
            self.code_again()

    def _on_models(self) -> None:
        """Which qualities there are is known now: what waits may be of another one."""
        if self._view:
            self.code_again()

    def _preview(self) -> None:
        row = self.row
        assert row is not None
        values, quality = self.settings.values, self.quality()
        known = self._cache.find((row.number, quality, values.recipe))
        if known is not None:
            self._show(row, known)
            return
        self.stale.emit(self.result is not None)
        point = row.points.get(quality)
        data = (point.data or None) if point else None
        request = messages.Code(
            row.source, quality, values.device, values.recipe, data, row.partial
        )
        row.problem = None
        self.troubled.emit(row)
        row.state, row.stage, row.progress = State.WAITING, tr("Waiting"), 0.0
        self.model.touch(row)
        others = tr("Waiting for other pictures") if self.batch.is_busy else ""
        self.progressed.emit(others if self._is_ready else tr("Loading model…"), 0.0)
        self._submit_view(request, row)

    def _submit_view(self, request: object, row: Row) -> None:
        self._view.append(self.jobs.submit(request, row.number))

    def _stop_view(self, kind: type = object) -> None:
        for job in list(self._view):
            if isinstance(job.request, kind):
                self.jobs.cancel(job)

    def _show(self, row: Row, coded: Coded) -> None:
        self.result = coded
        self._note_result(row, coded.point)
        self.progressed.emit("", 1.0)
        self.stale.emit(False)
        self.coded.emit(coded)
        self.points_changed.emit()

    def _note_result(self, row: Row, point: Point) -> None:
        row.points[point.quality] = point
        row.result_bytes = len(point.data)
        row.state = State.CODED
        if row.saved_as == (point.quality, self._recipe):
            row.state = State.SKIPPED if row.skipped else State.SAVED
        row.progress = 1.0
        self.model.touch(row)

    # --- what the workers say -------------------------------------------------------------------

    def _on_report(self, job: Job, report: object) -> None:
        if isinstance(report, messages.Models):
            self.models.take(report.installed)
        row = self.model.find(job.row)
        if row is None or job not in self._view:
            return
        match report:
            case messages.Fresh():
                row.width, row.height = report.growing.width, report.growing.height
                self.stale.emit(False)
                self.begun.emit(report.growing, report.veil)
            case messages.Front():
                self.front.emit(report)
                self._on_step(job, row, report.step)
            case Step():
                self._on_step(job, row, report)

    def _on_step(self, job: Job, row: Row, step: Step) -> None:
        now = time.monotonic()
        if row.state is not State.WORKING:
            row.state, self._started = State.WORKING, now
        row.stage, row.progress = tr(step.stage), max(row.progress, min(step.share, 0.99))
        if now - self._reported < _REPORT_SECONDS:
            return
        self._reported = now
        words = text.progress(row.stage, step.done, step.blocks)
        if row.progress > 0.1 and now - self._started > 1:
            left = (now - self._started) * (1 - row.progress) / row.progress
            words += f"  ·  {text.duration(left)}"
        if row is self.row:
            self.progressed.emit(words, row.progress)
        self.model.touch(row)

    def _on_finish(self, job: Job, answer: object) -> None:
        on_view = job in self._view
        if on_view:
            self._view.remove(job)
        row = self.model.find(job.row)
        match answer:
            case messages.Ready():
                self._is_ready = True
                self.ready.emit(answer)
            case messages.Models():
                self.models.take(answer.installed)
            case Problem() if row is None:
                self.failed.emit(answer)
        if row is not None:
            self._on_answer(job, row, answer, on_view)

    def _on_answer(self, job: Job, row: Row, answer: object, on_view: bool) -> None:
        match answer:
            case Opened() if on_view and row is self.row:
                self.original = answer
                row.file_bytes = answer.file_bytes
                row.height, row.width = answer.canvas.shape[:2]
                self.opened.emit(answer)
            case Coded() if self._is_of_now(job) or row.source.is_lbb:
                self._on_coded(row, answer)
            case Point() if self._is_of_now(job):
                row.points[answer.quality] = answer
                if row is self.row:
                    self.points_changed.emit()
            case Stopped() if on_view and isinstance(job.request, messages.Code):
                self._on_stopped(row)
            case Problem() if on_view:
                self._on_problem(row, answer)

    def _is_of_now(self, job: Job) -> bool:
        """Whether a job makes files by the recipe of now."""
        return getattr(job.request, "recipe", None) == self._recipe

    def _on_coded(self, row: Row, coded: Coded) -> None:
        if row.source.is_lbb:
            row.thumbnail = small_canvas(coded.picture.picture())
        row.points[coded.point.quality] = coded.point
        self._cache.add((row.number, coded.point.quality, self._recipe), coded)
        if row is self.row and (row.source.is_lbb or coded.point.quality == self.quality()):
            self._show(row, coded)
        else:
            self._note_result(row, coded.point)

    def _on_stopped(self, row: Row) -> None:
        others = [other for other in self._view if other.row == row.number]
        if row.state in (State.WAITING, State.WORKING) and not others:
            row.state = State.STOPPED if row is self.row else State.NEW
            row.progress = 0.0
            self.model.touch(row)
        if row is self.row and not others:
            self.progressed.emit("", 0.0)

    def _on_problem(self, row: Row, problem: Problem) -> None:
        can_show_rest = problem.can_show_rest and not row.partial  # it has been tried
        row.state = State.FAILED
        row.problem = dataclasses.replace(problem, can_show_rest=can_show_rest)
        self.model.touch(row)
        if row is self.row:
            self.progressed.emit("", 0.0)
            self.troubled.emit(row)
