"""What can be undone: choices, and the removal of pictures. The menu names the change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from PySide6.QtGui import QUndoCommand

from lbbic_gui.state.queue_model import QueueModel
from lbbic_gui.state.row import Row

T = TypeVar("T")


class Change(QUndoCommand, Generic[T]):
    """A change from one value to another; pushing it makes the change."""

    def __init__(self, words: str, apply: Callable[[T], None], before: T, after: T) -> None:
        super().__init__(words)
        self._apply, self._before, self._after = apply, before, after

    def redo(self) -> None:
        self._apply(self._after)

    def undo(self) -> None:
        self._apply(self._before)


class Removal(QUndoCommand):
    """Removes pictures; undone, they return to their places with all their results."""

    def __init__(
        self, words: str, queue: QueueModel, rows: Sequence[Row], restored: Callable[[Row], None]
    ) -> None:
        super().__init__(words)
        self._queue, self._rows, self._restored = queue, rows, restored
        self._places: dict[int, Row] = {}

    def redo(self) -> None:
        places = {self._queue.place(row): row for row in self._rows}
        self._places = {place: row for place, row in places.items() if place >= 0}
        self._queue.remove(list(self._places.values()))

    def undo(self) -> None:
        back = self._queue.restore(self._places)
        if back:
            self._restored(back[0])
