"""Adds pictures to the queue: files, folders, pasted ones; and makes their thumbnails.

Both happen in the background. Rows are added a few at a time, and files are read one after the
other, those in view first.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PySide6.QtCore import QModelIndex, QObject, QTimer, Signal
from PySide6.QtGui import QImage

from lbbic_gui.jobs.lanes import Job, Jobs
from lbbic_gui.jobs.messages import (
    THUMBNAIL,
    Found,
    Problem,
    Report,
    Source,
    Step,
    Stopped,
    Thumb,
)
from lbbic_gui.jobs.requests import Find, Thumbnail
from lbbic_gui.state.queue_model import QueueModel
from lbbic_gui.state.row import Row, State
from lbbic_gui.style import text
from lbbic_gui.style.text import tr

ROWS_AT_ONCE = 100  # more would let the window stand still


@dataclass
class _Addition:
    """Pictures that are being added, and the rows made of them up to now."""

    sources: deque[tuple[Path | None, Source]]
    search: Found
    rows: list[Row] = field(default_factory=list)
    doubles: int = 0


class Adder(QObject):
    """``added`` carries the first of the new rows, ``noticed`` a summary of what was added."""

    searching = Signal(str)  # a folder, in words; until the next notice
    added = Signal(Row, bool)  # whether it is the only one
    noticed = Signal(str)

    def __init__(self, queue: QueueModel, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue, self._jobs = queue, jobs
        self._pasted = 0
        self._searches: list[Job[Found]] = []
        self._additions: deque[_Addition] = deque()
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._add_some)
        self._unseen: OrderedDict[Row, None] = OrderedDict()  # to be looked at
        self._looking: Job[Thumb] | None = None
        queue.rowsInserted.connect(self._on_inserted)
        queue.removed.connect(self._on_removed)

    def open(self, paths: list[Path]) -> None:
        """Add files, and the pictures in folders."""
        job = self._jobs.submit(Find(tuple(paths)), self._on_found, self._on_report)
        self._searches = [each for each in self._searches if not each.is_answered] + [job]

    def stop(self) -> None:
        """Stop searching folders."""
        self._jobs.cancel(*self._searches)

    def paste(self, image: QImage) -> None:
        """Add a picture that has no file."""
        self._pasted += 1
        source = Source(tr("Pasted picture {}").format(self._pasted), image=image.copy())
        self._add(_Addition(deque([(None, source)]), Found(())))

    def look_again(self, row: Row) -> None:
        """Read a row's file again, because it has changed."""
        self._unseen[row] = None
        self.hurry(row)
        self._look()

    def hurry(self, row: Row) -> None:
        """Read a row first, if it is waiting, because it is on view."""
        if row in self._unseen:
            self._unseen.move_to_end(row, last=False)

    def _on_report(self, report: Report) -> None:
        if isinstance(report, Step):
            self.searching.emit(report.stage)

    def _on_found(self, answer: Found | Problem | Stopped) -> None:
        match answer:
            case Found(sources):
                pairs = ((base, source) for base, among in sources for source in among)
                self._add(_Addition(deque(pairs), answer))
            case Problem(title, detail):
                self.noticed.emit(f"{title}: {detail}")
            case Stopped():
                self.noticed.emit(tr("Search stopped"))

    def _add(self, addition: _Addition) -> None:
        self._additions.append(addition)
        if len(self._additions) == 1:
            self._add_some()

    def _add_some(self) -> None:
        addition = self._additions[0]
        count = min(ROWS_AT_ONCE, len(addition.sources))
        some = [addition.sources.popleft() for _ in range(count)]
        is_first = not addition.rows
        for base, pairs in itertools.groupby(some, lambda pair: pair[0]):
            rows, doubles = self._queue.add([source for _, source in pairs], base)
            addition.rows += rows
            addition.doubles += doubles
        if is_first and addition.rows:
            self.added.emit(addition.rows[0], len(addition.rows) == 1)
        if not addition.sources:
            self._additions.popleft()
            self._announce(addition, addition.search)
        if self._additions:
            self._timer.start()
        else:
            self._timer.stop()

    def _announce(self, addition: _Addition, search: Found) -> None:
        parts, count = [], len(addition.rows)
        if count:
            parts.append(text.count(count, tr("1 picture added"), tr("{} pictures added")))
        if addition.doubles:
            parts.append(tr("{} already in the list").format(addition.doubles))
        if search.unsupported:
            parts.append(tr("not supported: {}").format(_first(search.unsupported)))
        if search.unreadable:
            parts.append(tr("cannot be read: {}").format(_first(search.unreadable)))
        if search.others:
            parts.append(tr("skipped: {}").format(search.others))
        if not count and not addition.doubles:
            parts.insert(0, tr("No pictures found"))
        self.noticed.emit("  ·  ".join(parts))

    def _look(self) -> None:
        if self._looking is None and self._unseen:
            row, _ = self._unseen.popitem(last=False)
            self._looking = self._jobs.submit(
                Thumbnail(row.source), partial(self._on_thumb, row), priority=THUMBNAIL
            )

    def _on_thumb(self, row: Row, answer: Thumb | Problem | Stopped) -> None:
        self._looking = None
        match answer:
            case Thumb():
                if row.thumbnail is None or not answer.image.isNull():  # a decoded one stays
                    row.thumbnail = answer.image
                row.file_bytes = answer.file_bytes or row.file_bytes
                row.width, row.height = answer.width or row.width, answer.height or row.height
                self._queue.touch(row)
            case Problem() if row.state is State.NEW:
                row.state, row.problem = State.FAILED, answer
                self._queue.touch(row)
        self._look()

    def _on_inserted(self, _: QModelIndex, first: int, last: int) -> None:
        for row in self._queue.rows[first : last + 1]:
            if row.thumbnail is None:
                self._unseen[row] = None
        self._look()

    def _on_removed(self, rows: list[Row]) -> None:
        for row in rows:
            self._unseen.pop(row, None)


def _first(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
