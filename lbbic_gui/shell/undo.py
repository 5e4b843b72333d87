"""What can be undone: choices, and the removal of a picture. The menu names the change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from PySide6.QtGui import QUndoCommand

from lbbic_gui.state.queue_model import QueueModel, Row

T = TypeVar("T")


class Change(QUndoCommand, Generic[T]):
    """From one value to another; pushing it makes the change."""

    def __init__(self, words: str, apply: Callable[[T], None], before: T, after: T) -> None:
        super().__init__(words)
        self._apply, self._before, self._after = apply, before, after

    def redo(self) -> None:
        self._apply(self._after)

    def undo(self) -> None:
        self._apply(self._before)


class Removal(QUndoCommand):
    """A picture leaves the queue, and comes back to its place with all that was made of it."""

    def __init__(
        self, words: str, queue: QueueModel, row: Row, restored: Callable[[Row], None]
    ) -> None:
        super().__init__(words)
        self._queue, self._row, self._restored = queue, row, restored
        self._place = 0

    def redo(self) -> None:
        self._place = self._queue.place(self._row)
        if self._place >= 0:
            self._queue.remove(self._row)

    def undo(self) -> None:
        if self._queue.restore(self._place, self._row):
            self._restored(self._row)
