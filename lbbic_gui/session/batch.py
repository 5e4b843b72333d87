"""Saving many pictures: how many at a time, their total, and where the results go.

Pictures wait here and not with the workers: each is requested when one before it is done, with the
results known by then. So nothing is coded twice, and stopping or reordering costs little.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path

from PySide6.QtCore import QModelIndex, QObject, Signal

from lbbic_gui.desktop.file_dialogs import place_of
from lbbic_gui.jobs import requests
from lbbic_gui.jobs.lanes import Job, Jobs
from lbbic_gui.jobs.messages import (
    BATCH,
    VIEW,
    EncodeOptions,
    OutputFormat,
    Problem,
    Report,
    Result,
    Saved,
    Step,
    Stopped,
)
from lbbic_gui.jobs.naming import fill, output_path
from lbbic_gui.session.coder import Coder
from lbbic_gui.session.outputs import Outputs
from lbbic_gui.session.pace import Workload
from lbbic_gui.session.totals import Totals
from lbbic_gui.state.networks import Networks
from lbbic_gui.state.queue_model import QueueModel
from lbbic_gui.state.row import BUSY, Row, State
from lbbic_gui.state.settings import Preferences, Settings

_USUAL_PIXELS = 4_000_000


@dataclass(frozen=True)
class Total:
    """The number of saved pictures, and the progress of the others."""

    saved: int
    failed: int
    count: int
    before: int  # bytes of what is saved
    after: int
    share: float  # of the work requested
    busy: bool
    seconds_left: float | None  # None: nothing runs, or too little is done to tell
    has_earlier_settings: bool  # what runs or waits was requested before they were changed


@dataclass(eq=False)
class _Saving:
    """A picture to be saved, with the settings at the time of the request."""

    row: Row
    quality: float
    options: EncodeOptions
    values: Preferences
    target: Path | None = None  # that the user chose, else as the settings say
    job: Job[Saved] | None = None

    @property
    def output(self) -> OutputFormat:
        """What the user chose by name is an .lbb file."""
        return OutputFormat() if self.target else self.values.output

    @property
    def result(self) -> Result:
        return Result.of(self.quality, self.options, self.output, self.values.place)

    @cached_property
    def work(self) -> int:
        """The work in pixels; for a picture not measured yet, those of a usual one."""
        return self.row.width * self.row.height or _USUAL_PIXELS


class Batch(QObject):
    """Saves rows and tracks their progress."""

    changed = Signal(Total)
    saved = Signal(Saved)
    row_failed = Signal(Row)  # or it has recovered
    file_changed = Signal(Row)  # since it was opened

    def __init__(
        self,
        queue: QueueModel,
        jobs: Jobs,
        settings: Settings,
        networks: Networks,
        coder: Coder,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._queue, self._jobs, self._coder = queue, jobs, coder
        self._settings, self._networks = settings, networks
        self._totals = Totals(queue, self._is_saved)
        self._waiting: OrderedDict[_Saving, None] = OrderedDict()
        self._running: list[_Saving] = []
        self._failed: dict[Row, Path | None] = {}  # with the target that the user chose
        self._at_a_time = 1
        self._all_wanted = False  # once the models are known
        self._load = Workload()
        self.outputs = Outputs()
        queue.rowsMoved.connect(self._on_moved)
        queue.layoutChanged.connect(self._on_moved)
        queue.removed.connect(self._on_removed)
        queue.rowsInserted.connect(self._on_inserted)
        coder.ended.connect(self._next)  # a row that is waited for is coded, or will not be
        settings.changed.connect(self._recount)
        networks.changed.connect(self._recount)
        networks.failed.connect(self._on_no_models)

    @property
    def is_busy(self) -> bool:
        return bool(self._running or self._waiting or self._all_wanted)

    def compress_all(self) -> None:
        """Save every picture that is not saved with the current settings."""
        self._all_wanted = not self._networks.installed  # their qualities have to be known
        if self._all_wanted:
            self.tell()
            return
        values = self._settings.values
        for row in self._queue.rows:
            if not (row.source.is_lbb or row.savings or self._is_saved(row)):
                self._ask(self._saving(row))
        if values.device != "cuda":
            pixels = [saving.work for saving in self._waiting]
            self._at_a_time = self._jobs.prepare_to_save(pixels, values.options, values.output)
        self._next()

    def resume(self) -> None:
        """Start what was asked for before the models were known."""
        if self._all_wanted:
            self.compress_all()

    def save(self, row: Row, target: Path) -> None:
        """Save one row; the user has agreed to replace ``target``."""
        saving = self._saving(row, target)
        self._ask(saving)
        self._waiting.move_to_end(saving, last=False)
        self._next()

    def retry(self, row: Row) -> None:
        """Save a row again, with the current settings, if that has failed."""
        if row in self._failed:
            self._ask(self._saving(row, self._failed[row]))
            self._next()

    def stop(self) -> None:
        """Cancel all that are not saved yet."""
        self._all_wanted = False
        waiting, self._waiting = self._waiting, OrderedDict()
        for saving in waiting:
            self._give_up(saving)
        self._cancel(self._running)

    def tell(self) -> None:
        """Emit the current total."""
        self._queue.flush()
        sums, running = self._totals.sums, self._running
        share = self._load.share(sum(each.work * each.row.progress for each in running))
        left = self._load.seconds_left(share) if self.is_busy else None
        self.changed.emit(
            Total(
                sums.saved,
                sums.failed,
                sums.pictures,
                sums.before,
                sums.after,
                share,
                self.is_busy,
                left,
                any(map(self._is_outdated, (*running, *islice(self._waiting, 1)))),
            )
        )

    def _saving(self, row: Row, target: Path | None = None) -> _Saving:
        quality, options = self._networks.quality(row), self._networks.options(row)
        return _Saving(row, quality, options, self._settings.values, target)

    def _ask(self, saving: _Saving) -> None:
        self._failed.pop(saving.row, None)
        self._load.ask(saving.work)
        self._waiting[saving] = None
        saving.row.savings += 1
        if saving.row.state is not State.WORKING:
            saving.row.state, saving.row.progress = State.WAITING, 0.0
        self._queue.touch(saving.row)

    def _give_up(self, saving: _Saving) -> None:
        """Drop a waiting picture."""
        self._load.drop(saving.work)
        saving.row.savings -= 1
        if saving.row.state is State.WAITING:
            self._rest(saving.row)

    def _cancel(self, running: list[_Saving]) -> None:
        self._jobs.cancel(*[saving.job for saving in running if saving.job is not None])
        self._go_on()

    def _next(self) -> None:
        """Start waiting pictures, as many as there is room for."""
        ready = (each for each in self._waiting if not self._coder.is_coding(each.row))
        for saving in list(islice(ready, max(0, self._at_a_time - len(self._running)))):
            del self._waiting[saving]
            self._begin(saving)
        self.tell()

    def _begin(self, saving: _Saving) -> None:
        row, quality, values, output = saving.row, saving.quality, saving.values, saving.output
        if row.follow_file():
            self.file_changed.emit(row)
        is_known = output.is_lbb and saving.options == self._networks.options(row)
        point = row.points.get(quality) if is_known else None
        named = output.quality or quality
        wanted = saving.target or self.wanted(row, named, output.suffix, values)
        earlier = None if saving.target else self.outputs.earlier(row.source, wanted)
        path = earlier.path if earlier else self.outputs.name(row.source, wanted)
        request = requests.Save(
            row.source,
            saving.target or path,
            quality,
            values.device,
            "replace" if saving.target else values.policy,
            saving.options,
            (point.data or None) if point else None,
            earlier.version if earlier else None,
            values.keep_dates,
            values.skip_larger and saving.target is None,
            not output.is_lbb or (self._at_a_time > 1 and row.source.path is not None),
            output,
            point.notices if point else (),
        )
        self._running.append(saving)
        saving.job = self._jobs.submit(
            request,
            partial(self._on_answer, saving, request, wanted),
            partial(self._on_report, row),
            priority=VIEW if saving.target else BATCH,
        )

    def wanted(
        self, row: Row, quality: float, suffix: str, values: Preferences | None = None
    ) -> Path:
        """The path of a result by the current or given settings, if no file had that name."""
        values = values or self._settings.values
        folder = Path(values.output_folder) if values.output_folder else None
        source = place_of(row.source, values.last_folder)
        name = fill(values.pattern, source.stem, quality) + suffix
        return output_path(source, folder, row.base if values.keep_structure else None, name)

    def _is_saved(self, row: Row) -> bool:
        """Whether a row is saved at its quality and with its options, or need not be."""
        values = self._settings.values
        is_skipped_still = {"larger": values.skip_larger, "exists": values.policy == "skip"}
        return self._networks.is_saved(row) and is_skipped_still.get(row.skipped, True)

    def _is_outdated(self, saving: _Saving) -> bool:
        """Whether *Compress all* would now save a picture differently."""
        return saving.target is None and saving.result != self._networks.result(saving.row)

    def _rest(self, row: Row, *, stopped: bool = False) -> None:
        row.rest(self._networks.quality(row), self._networks.is_saved(row), stopped=stopped)
        self._queue.touch(row)

    def _on_no_models(self) -> None:
        if not self._networks.installed:
            self._all_wanted = False
            self.tell()

    def _recount(self) -> None:
        self._totals.recount()
        self.tell()

    # --- reports and answers --------------------------------------------------------------------

    def _on_report(self, row: Row, report: Report) -> None:
        if isinstance(report, Step):
            share = min(report.share, 0.99)  # 100 % is for what is saved
            is_new = row.state is not State.WORKING or row.stage != report.stage
            if is_new or share - row.progress >= 0.01:
                row.state, row.stage = State.WORKING, report.stage
                row.progress = max(row.progress, share)
                self._queue.touch(row)
                self.tell()

    def _on_answer(
        self,
        saving: _Saving,
        request: requests.Save,
        wanted: Path,
        answer: Saved | Problem | Stopped,
    ) -> None:
        row = saving.row
        row.savings -= 1
        self._running.remove(saving)
        match answer:
            case Saved():
                self._load.finish(saving.work)
                self._note(saving, answer)
                if not answer.skipped:
                    self.outputs.note(row.source, wanted, answer.path, answer.version)
                self.saved.emit(answer)
            case Stopped():
                self._load.drop(saving.work)
                if row.state in BUSY:
                    self._rest(row, stopped=row.state is State.WORKING)
            case Problem():
                self._load.drop(saving.work)
                row.state, row.problem, row.progress = State.FAILED, answer, 0.0
                self._failed[row] = saving.target
                self._queue.touch(row)
                self.row_failed.emit(row)
        self._go_on()

    def _note(self, saving: _Saving, answer: Saved) -> None:
        row = saving.row
        if answer.point is not None and saving.options == self._networks.options(row):
            known = row.points.get(answer.point.quality)
            # without the file's bytes, of which there may be hundreds
            is_new = known is None or not known.data
            if is_new and row.note(replace(answer.point, data=b"")):
                self.file_changed.emit(row)
        row.problem, row.skipped, row.notices = None, answer.skipped, answer.notices
        row.saved_path = None if answer.skipped == "larger" else answer.path
        row.saved_as, row.saved_bytes = saving.result, answer.file_bytes
        self._rest(row)
        self.row_failed.emit(row)

    def _go_on(self) -> None:
        if not self.is_busy:
            self._load.clear()
            self._at_a_time = 1
        self._next()

    # --- changes of the queue -------------------------------------------------------------------

    def _on_inserted(self, _: QModelIndex, first: int, last: int) -> None:
        self.outputs.keep(row.source for row in self._queue.rows[first : last + 1])
        self.tell()

    def _on_moved(self) -> None:
        """Sort the waiting pictures into the order of the rows."""
        waiting = sorted(self._waiting, key=lambda saving: self._queue.place(saving.row))
        self._waiting = OrderedDict.fromkeys(waiting)

    def _on_removed(self, rows: list[Row]) -> None:
        gone = set(rows)
        for row in rows:
            self._failed.pop(row, None)
        for saving in [each for each in self._waiting if each.row in gone]:
            del self._waiting[saving]
            self._give_up(saving)
        self._cancel([each for each in self._running if each.row in gone])
