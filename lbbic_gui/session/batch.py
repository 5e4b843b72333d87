"""Saving many pictures: how many at a time, their total, and where the results go.

Pictures wait here and not with the workers: each is asked for when one before it is done, with
what is known of it then. So nothing is coded twice, and to stop or to put in order costs little.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal

from lbbic_gui.desktop.file_dialogs import place_of
from lbbic_gui.jobs import requests
from lbbic_gui.jobs.lanes import Job, Jobs
from lbbic_gui.jobs.messages import BATCH, VIEW, Problem, Report, Saved, Step, Stopped
from lbbic_gui.jobs.naming import fill, output_path
from lbbic_gui.session.coder import Coder
from lbbic_gui.session.outputs import Outputs
from lbbic_gui.session.totals import Totals
from lbbic_gui.state.networks import Networks
from lbbic_gui.state.queue_model import QueueModel, Row, State
from lbbic_gui.state.settings import Settings

_USUAL_PIXELS = 4_000_000
_TELLING_SHARE, _TELLING_SECONDS = 0.02, 2.0  # before that the time left is a guess


@dataclass(frozen=True)
class Total:
    """Where the pictures of the queue stand."""

    saved: int
    failed: int
    count: int
    before: int  # bytes of what is saved
    after: int
    share: float  # of the work that was asked for
    busy: bool
    seconds_left: float | None = None  # None: nothing runs, or too little is done to tell


@dataclass(frozen=True)
class _Wish:
    """How a picture is to be saved. ``target`` None: as the settings say, when its turn comes."""

    target: Path | None
    policy: str
    priority: int


class Batch(QObject):
    """Saves rows and follows them."""

    changed = Signal(Total)
    saved = Signal(Saved)
    row_failed = Signal(Row)

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
        self._waiting: OrderedDict[Row, _Wish] = OrderedDict()
        self._running: dict[Row, Job[Saved]] = {}
        self._at_a_time = 1
        self.outputs = Outputs()
        self._work: dict[Row, int] = {}  # of all that was asked for since nothing ran last
        self._asked = self._done = 0  # sums of it
        self._began = 0.0
        queue.rowsMoved.connect(self._on_moved)
        queue.removed.connect(self._on_removed)
        queue.rowsInserted.connect(self.tell)
        coder.ended.connect(self._next)  # a row that is waited for is coded, or will not be
        settings.changed.connect(self._recount)
        networks.changed.connect(self._recount)

    @property
    def is_busy(self) -> bool:
        return bool(self._running or self._waiting)

    def compress_all(self) -> None:
        """Save every picture that is not saved yet as it is to be."""
        if not self._networks.installed:  # what a model can do has to be known
            once = Qt.ConnectionType.SingleShotConnection
            self._networks.changed.connect(self.compress_all, once)
            return
        wish = _Wish(None, self._settings.values.policy, BATCH)
        for row in self._queue.rows:
            if not (row.source.is_lbb or row.is_to_be_saved or self._is_saved(row)):
                self._ask(row, wish)
        if self._settings.values.device != "cuda":
            pixels = [self._work[row] for row in self._waiting]
            effort = self._settings.values.options.effort
            self._at_a_time = self._jobs.prepare_to_save(pixels, effort)
        self._next()

    def save(self, row: Row, target: Path) -> None:
        """Save one row; the user has agreed to replace ``target``."""
        self._ask(row, _Wish(target, "replace", VIEW))
        self._waiting.move_to_end(row, last=False)
        self._next()

    def stop(self) -> None:
        """Cancel all that is not saved yet."""
        waiting, self._waiting = self._waiting, OrderedDict()
        for row in waiting:
            row.is_to_be_saved = False
            if row.state is State.WAITING:
                self._rest(row)
        self._jobs.cancel(*self._running.values())
        self._end_of_row()

    def tell(self) -> None:
        """Emit the total as it is now."""
        self._queue.flush()
        sums, share = self._totals.sums, self._share()
        left = self._seconds_left(share)
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
            )
        )

    def _ask(self, row: Row, wish: _Wish) -> None:
        if not self.is_busy:
            self._began = time.monotonic()
        if row not in self._waiting:
            self._work[row] = _work(row)
            self._asked += self._work[row]
        self._waiting[row] = wish
        row.is_to_be_saved = True
        if row.state is not State.WORKING:
            row.state, row.progress = State.WAITING, 0.0
        self._queue.touch(row)

    def _next(self) -> None:
        """Begin with the first rows that wait, as far as those being saved leave room."""
        ready = (row for row in self._waiting if not self._coder.is_coding(row))
        for row in list(islice(ready, max(0, self._at_a_time - len(self._running)))):
            self._begin(row, self._waiting.pop(row))
        self.tell()

    def _begin(self, row: Row, wish: _Wish) -> None:
        row.follow_file()
        values, quality = self._settings.values, self._networks.quality(row)
        point = row.points.get(quality)
        wanted = wish.target or self.wanted(row, quality, ".lbb")
        earlier = None if wish.target else self.outputs.earlier(row.source, wanted)
        target = wish.target or (earlier.path if earlier else self.outputs.name(row.source, wanted))
        request = requests.Save(
            row.source,
            target,
            quality,
            values.device,
            wish.policy,
            values.options,
            (point.data or None) if point else None,
            earlier.version if earlier else None,
            values.keep_dates,
            values.skip_larger and wish.target is None,
            self._at_a_time > 1 and row.source.path is not None,
        )
        self._running[row] = self._jobs.submit(
            request,
            partial(self._on_answer, row, request, wanted),
            partial(self._on_report, row),
            priority=wish.priority,
        )

    def wanted(self, row: Row, quality: float, suffix: str) -> Path:
        """What a result is to be called by the settings, wherever that leaves it."""
        values = self._settings.values
        folder = Path(values.output_folder) if values.output_folder else None
        source = place_of(row.source, values.last_folder)
        name = fill(values.pattern, source.stem, quality) + suffix
        return output_path(source, folder, row.base if values.keep_structure else None, name)

    def _share(self) -> float:
        """How much of what was asked for is done, in pixels."""
        running = sum(self._work[row] * row.progress for row in self._running)
        return (self._done + running) / self._asked if self._asked else 0.0

    def _seconds_left(self, share: float) -> float | None:
        elapsed = time.monotonic() - self._began
        if not self.is_busy or share < _TELLING_SHARE or elapsed < _TELLING_SECONDS:
            return None
        return elapsed * (1 - share) / share

    def _is_saved(self, row: Row) -> bool:
        """Whether a row is saved, or need not be, at the quality and by the options of now."""
        values = self._settings.values
        is_wanted = row.skipped == "larger" and not values.skip_larger
        return row.saved_as == (self._networks.quality(row), values.options) and not is_wanted

    def _rest(self, row: Row, *, stopped: bool = False) -> None:
        row.rest(self._networks.quality(row), self._settings.values.options, stopped=stopped)
        self._queue.touch(row)

    def _recount(self) -> None:
        self._totals.recount()
        self.tell()

    # --- what the worker says -------------------------------------------------------------------

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
        self, row: Row, request: requests.Save, wanted: Path, answer: Saved | Problem | Stopped
    ) -> None:
        del self._running[row]
        row.is_to_be_saved = row in self._waiting
        match answer:
            case Saved():
                self._done += self._work[row]
                self._note(row, request, answer)
                if not answer.skipped:
                    self.outputs.note(row.source, wanted, answer.path, answer.version)
                self.saved.emit(answer)
            case Stopped() if row.state in (State.WAITING, State.WORKING):
                self._rest(row, stopped=row.state is State.WORKING)
            case Problem():
                self._asked -= self._work[row]  # it took no time that others will take
                row.state, row.problem, row.progress = State.FAILED, answer, 0.0
                self._queue.touch(row)
                self.row_failed.emit(row)
        self._end_of_row()

    def _note(self, row: Row, request: requests.Save, answer: Saved) -> None:
        if answer.point is not None and request.options == self._settings.values.options:
            known = row.points.get(answer.point.quality)
            # without the file's bytes, of which there may be hundreds
            if known is None or not known.data:
                row.note(replace(answer.point, data=b""))
        row.problem, row.skipped, row.notices = None, answer.skipped, answer.notices
        row.saved_path = None if answer.skipped == "larger" else answer.path
        row.saved_as = (request.quality, request.options)
        row.result_bytes = answer.file_bytes
        self._rest(row)

    def _end_of_row(self) -> None:
        if not self.is_busy:
            self._work.clear()
            self._asked = self._done = 0
            self._at_a_time = 1
        self._next()

    # --- what happens to the queue --------------------------------------------------------------

    def _on_moved(self) -> None:
        """Those that wait take the order of the rows."""
        waiting = [row for row in self._queue.rows if row in self._waiting]
        self._waiting = OrderedDict((row, self._waiting[row]) for row in waiting)

    def _on_removed(self, row: Row) -> None:
        if self._waiting.pop(row, None) is not None:
            self._asked -= self._work[row]
            row.is_to_be_saved = False
            self._rest(row)
        if row in self._running:
            self._jobs.cancel(self._running[row])
        self.tell()


def _work(row: Row) -> int:
    """Pixels; of a picture not measured yet, those of a usual one."""
    return row.width * row.height or _USUAL_PIXELS
