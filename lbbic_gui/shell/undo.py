"""What can be taken back: the choice of a quality, of a comparison, of an overlay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from PySide6.QtGui import QUndoCommand

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
