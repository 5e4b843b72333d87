"""The picture on view and its coding, and the parts that work with it. No widgets.

Widgets call its methods and listen to its signals. One owner per fact: rows live in the queue
model, preferences in the settings, the pixels on view and the cache of coded pictures here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QModelIndex, QObject, Qt, QTimer, Signal

from lbbic_gui.jobs.lanes import Job, Jobs
from lbbic_gui.jobs.messages import Coded, EncodeOptions, Opened, Point, Problem, Stopped
from lbbic_gui.jobs.requests import Open
from lbbic_gui.session.adder import Adder
from lbbic_gui.session.batch import Batch
from lbbic_gui.session.coder import Coder
from lbbic_gui.state.networks import Networks
from lbbic_gui.state.queue_model import QueueModel
from lbbic_gui.state.row import BUSY, Row, State
from lbbic_gui.state.settings import Preferences, Settings
from lbbic_gui.style.text import tr

_PAUSE_MS = 350  # between strokes, before what is painted is coded


class Session(QObject):
    """See the module's docstring. ``coder`` emits the progress of the coding itself."""

    leaving = Signal()  # another picture is about to be on view
    current_changed = Signal(Row)  # or None
    opened = Signal(Opened)
    coded = Signal(Coded)  # or None: nothing is decoded yet
    row_failed = Signal(Row)  # the one on view, or it has recovered
    stale = Signal(bool)  # the result on view is not of the quality and the options that are set
    progressed = Signal(str, float)  # of the picture on view; empty when nothing runs
    points_changed = Signal()  # the row on view has more files made of it, or fewer
    quality_changed = Signal()
    painted = Signal()  # something else is painted on the row on view

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self.queue = QueueModel(self)
        self.jobs = Jobs(self)
        self.networks = Networks(settings, self.jobs, self)
        self.coder = Coder(self.queue, self.jobs, settings, self.networks, self)
        self.batch = Batch(self.queue, self.jobs, settings, self.networks, self.coder, self)
        self.adder = Adder(self.queue, self.jobs, self)
        self.row: Row | None = None
        self.original: Opened | None = None
        self.result: Coded | None = None
        self.is_stale = False  # as ``stale`` says
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._pause.timeout.connect(self.code_again)
        self._opening: Job[Opened] | None = None
        self._values = settings.values
        settings.changed.connect(self._on_settings)
        self.networks.changed.connect(self._on_networks)
        for worker in (self.coder, self.batch):
            worker.row_failed.connect(self._on_row_failed)
            # once they are done with what they are at
            queued = Qt.ConnectionType.QueuedConnection
            worker.file_changed.connect(self._on_file_changed, queued)
        self.batch.row_failed.connect(self._on_row_saved)
        self.queue.rowsInserted.connect(self._on_inserted)
        self.queue.removed.connect(self._on_removed)

    # --- commands -------------------------------------------------------------------------------

    def select(self, row: Row | None) -> None:
        """Put a row on view and start coding it."""
        if row is self.row:
            return
        if self.row is not None:
            self.leaving.emit()
        self._leave()
        self.row, self.original, self.result = row, None, None
        self.current_changed.emit(row)
        self.coded.emit(None)
        self.points_changed.emit()
        if row is not None:
            self._open(row)
        if row is not None and row.state is not State.FAILED:
            self._preview(row)

    def quality(self) -> float:
        """The quality of the row on view; of an .lbb file, its own, once it is decoded."""
        if self.row is not None and self.row.source.is_lbb and self.result is not None:
            return self.result.point.quality
        return self.networks.quality(self.row)

    def set_quality(self, row: Row | None, override: float | None, common: float) -> None:
        """Set a row's own quality, or none, and the common one; code the row on view."""
        if row is not None:
            row.override = override
            self._rest([row])
            self.queue.touch(row)
        if common != self.settings.values.quality:
            self.settings.change(quality=common)
        self.code_again()
        self.quality_changed.emit()

    def paint(self, row: Row, mask: bytes) -> None:
        """Set a row's mask; if the row is on view, it is coded again a moment later."""
        row.mask = mask
        row.points.clear()
        if row is self.row:
            self.coder.stop()
            self._mark_stale(self.result is not None)
            self.progressed.emit("", 0.0)
            self.points_changed.emit()
            self.painted.emit()
            self._pause.start()
        self._rest([row])
        self.queue.touch(row)

    def code_again(self) -> None:
        """Show the row on view at its quality, from the cache or by coding it."""
        row = self.row
        if row is not None and not row.source.is_lbb and not self.coder.is_coding(row):
            self._preview(row)

    def retry(self, device: str | None = None, *, partial: bool = False) -> None:
        """Try the row on view again, and to save it if that has failed.

        Optionally on another device, or for what is left of the file.
        """
        if device is not None:
            self.settings.change(device=device)
        row, self.row = self.row, None
        if row is not None:
            row.partial, row.problem, row.state = partial, None, State.NEW
            self.select(row)
            self._look_if_unseen(row)
            self.batch.retry(row)

    def stop(self) -> None:
        """Cancel the work for the row on view, the batch, and the search of folders."""
        self.adder.stop()
        self.batch.stop()
        self.coder.stop(self.row)
        self._leave()
        self.progressed.emit("", 0.0)  # at once; the worker follows at its next front

    def note_point(self, row: Row, point: Point, options: EncodeOptions) -> None:
        """Keep a file made of a row, if it is still wanted."""
        if options == self.networks.options(row):
            if row.note(point):
                self._on_file_changed(row)
            if row is self.row:
                self.points_changed.emit()

    # --- the picture on view --------------------------------------------------------------------

    def _open(self, row: Row) -> None:
        """Read the original, again if its file has changed; an .lbb file has none."""
        if row.source.is_lbb:
            return
        request = Open(row.source, self.settings.values.longest_side)
        self._opening = self.jobs.submit(request, partial(self._on_opened, row, request))

    def _preview(self, row: Row) -> None:
        has_changed = row.follow_file()
        if has_changed:
            self.adder.look_again(row)
        if has_changed or self._opening is None:  # which was stopped
            self._open(row)
        self._mark_stale(self.result is not None)
        others = tr("Waiting for other pictures") if self.batch.is_busy else ""
        self.progressed.emit(others if self.networks.ready else tr("Loading model…"), 0.0)
        self.coder.code(row, self._show)

    def _leave(self) -> None:
        """Stop all work for the row on view."""
        self._pause.stop()
        self.coder.stop()
        if self._opening is not None and not self._opening.is_answered:
            self.jobs.cancel(self._opening)
            self._opening = None

    def _show(self, coded: Coded) -> None:
        self.result = coded
        self.progressed.emit("", 1.0)
        self._mark_stale(False)
        self.coded.emit(coded)
        self.points_changed.emit()

    def _mark_stale(self, stale: bool) -> None:
        self.is_stale = stale
        self.stale.emit(stale)

    # --- changes of settings, and answers -------------------------------------------------------

    def _rest(self, rows: Sequence[Row]) -> None:
        """Set the states of rows to what they are by the current settings."""
        for row in rows:
            before = row.state, row.shown_bytes
            if row.state not in BUSY:
                stopped = row.state is State.STOPPED
                row.rest(self.networks.quality(row), self.networks.is_saved(row), stopped=stopped)
            if (row.state, row.shown_bytes) != before:
                self.queue.touch(row)

    def _on_settings(self, values: Preferences) -> None:
        before, self._values = self._values, values
        has_other_options = values.options != before.options
        if has_other_options:  # the files made so far are others
            self.queue.forget_points()
        if has_other_options or _makes(values) != _makes(before):
            self._rest(self.queue.rows)
        if has_other_options:
            self.points_changed.emit()
            is_resized = values.longest_side != before.longest_side
            if is_resized and self.row is not None:
                self._open(self.row)
            self.code_again()
        elif self.coder.is_busy or values.quality != before.quality:
            self.code_again()

    def _on_networks(self) -> None:
        """Adapt to the available qualities, which may change that of rows."""
        self._rest(self.queue.rows)
        if self.coder.is_busy:
            self.code_again()
        self.batch.resume()

    def _on_file_changed(self, row: Row) -> None:
        """Look at a picture's file again; show what is in it, if the picture is on view."""
        self.adder.look_again(row)
        if row is self.row:
            self._open(row)
            if not self.coder.is_coding(row):
                self._preview(row)

    def _on_row_failed(self, row: Row) -> None:
        if row is self.row:
            self.row_failed.emit(row)

    def _look_if_unseen(self, row: Row) -> None:
        """Make the thumbnail of a file that could not be read when it was added."""
        if row.thumbnail is None:
            self.adder.look_again(row)

    def _on_row_saved(self, row: Row) -> None:
        """Show what could not be shown when the picture was added or selected, as it had failed."""
        if row.state is State.FAILED:
            return
        self._look_if_unseen(row)
        if row is self.row and self.result is None and not self.coder.is_busy:
            self.code_again()

    def _on_inserted(self, _: QModelIndex, first: int, last: int) -> None:
        """Update the states of restored rows."""
        self._rest(self.queue.rows[first : last + 1])

    def _on_removed(self, rows: list[Row]) -> None:
        if self.row in rows:
            self.select(None)

    def _on_opened(self, row: Row, request: Open, answer: Opened | Problem | Stopped) -> None:
        if self._opening is None or self._opening.request is not request:
            return  # another reading is wanted by now
        match answer:
            case Opened():
                self.original = answer
                row.file_bytes = answer.file_bytes
                row.height, row.width = answer.canvas.shape[:2]
                self.opened.emit(answer)
            case Problem():
                self.coder.stop()  # what cannot be read cannot be coded
                row.state, row.problem = State.FAILED, answer
                self.queue.touch(row)
                self.progressed.emit("", 0.0)
                self.row_failed.emit(row)


def _makes(values: Preferences) -> tuple[object, ...]:
    """What of the settings, besides the options, decides whether a picture counts as saved."""
    return values.quality, values.output, values.place
