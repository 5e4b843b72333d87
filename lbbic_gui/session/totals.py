"""Totals over the pictures of the queue, updated row by row and never recounted for one row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from PySide6.QtCore import QModelIndex

from lbbic_gui.state.queue_model import QueueModel
from lbbic_gui.state.row import Row, State


class Sums(NamedTuple):
    """Numbers of pictures, of saved and failed ones, and bytes of the saved ones."""

    pictures: int = 0
    saved: int = 0
    failed: int = 0
    before: int = 0
    after: int = 0


class Totals:
    """The sums over all pictures of a queue, updated by the queue's signals."""

    def __init__(self, queue: QueueModel, is_saved: Callable[[Row], bool]) -> None:
        self._queue, self._is_saved = queue, is_saved
        self._parts: dict[Row, Sums] = {}
        self.sums = Sums()
        queue.rowsInserted.connect(self._on_inserted)
        queue.removed.connect(self._on_removed)
        queue.dataChanged.connect(self._on_changed)

    def recount(self) -> None:
        """Count again, because other results count as saved now."""
        self._follow(self._queue.rows)

    def _on_inserted(self, _: QModelIndex, first: int, last: int) -> None:
        self._follow(self._queue.rows[first : last + 1])

    def _on_changed(self, top: QModelIndex, bottom: QModelIndex) -> None:
        self._follow(self._queue.rows[top.row() : bottom.row() + 1])

    def _on_removed(self, rows: list[Row]) -> None:
        for row in rows:
            self._put(row, Sums())
            self._parts.pop(row)

    def _follow(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._put(row, self._part(row))

    def _put(self, row: Row, part: Sums) -> None:
        before = self._parts.get(row, Sums())
        if part != before:
            triples = zip(self.sums, before, part, strict=True)
            self.sums = Sums(*(total - old + new for total, old, new in triples))
        self._parts[row] = part

    def _part(self, row: Row) -> Sums:
        if row.source.is_lbb:
            return Sums()
        if not self._is_saved(row):
            return Sums(1, 0, int(row.state is State.FAILED))
        if not (row.file_bytes and row.saved_bytes):
            return Sums(1, 1)
        return Sums(1, 1, 0, row.file_bytes, row.saved_bytes)
