"""The list of pictures: one row each, its state, progress and result. No widgets, no work."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QImage

from lbbic_gui.jobs.messages import Point, Problem, Recipe, Source
from lbbic_gui.style import text
from lbbic_gui.style.text import tr

ROW = int(Qt.ItemDataRole.UserRole)
_NO_INDEX = QModelIndex()
_numbers = itertools.count()
Index = QModelIndex | QPersistentModelIndex


class State(Enum):
    """Where a picture stands."""

    NEW = "new"
    WAITING = "waiting"
    WORKING = "working"
    CODED = "coded"
    SAVED = "saved"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(eq=False)
class Row:
    """A picture of the queue; its pixels live elsewhere, and only while it is on view.

    ``points`` are the files made of it by the recipe of now, by quality; ``override`` its own
    quality, if it has one; ``base`` the folder it was found below; ``saved_as`` quality and recipe
    of the file that is saved, or that was there and let the row be ``skipped``; ``partial``: what
    is left of a damaged file is shown.
    """

    source: Source
    base: Path | None = None
    number: int = field(default_factory=lambda: next(_numbers))
    state: State = State.NEW
    stage: str = ""
    progress: float = 0.0
    thumbnail: QImage | None = None
    file_bytes: int = 0
    width: int = 0
    height: int = 0
    override: float | None = None
    points: dict[float, Point] = field(default_factory=dict)
    result_bytes: int = 0
    saved_path: Path | None = None
    saved_as: tuple[float, Recipe] | None = None
    skipped: bool = False
    problem: Problem | None = None
    partial: bool = False

    def status(self, *, short: bool = False) -> str:
        """The state in a few words, or in fewer."""
        match self.state:
            case State.WAITING:
                return tr("Waiting")
            case State.WORKING:
                return f"{self.stage}  {self.progress:.0%}".replace("%", " %")
            case State.FAILED:
                return self.problem.title if self.problem else tr("Failed")
            case State.STOPPED:
                return tr("Stopped")
            case State.SKIPPED:
                return tr("Skipped: the file exists")
            case State.SAVED | State.CODED if self.result_bytes:
                return self._result(short=short)
        return text.size(self.file_bytes) if self.file_bytes else tr("Added")

    @property
    def has_grown(self) -> bool:
        """Whether its result is larger than its file."""
        return self.state in (State.SAVED, State.CODED) and self.result_bytes > self.file_bytes > 0

    def _result(self, *, short: bool) -> str:
        if self.source.is_lbb or not self.file_bytes:
            return text.size(self.result_bytes)
        saved = text.saving(self.file_bytes, self.result_bytes)
        before = "" if short else f"{text.size(self.file_bytes)} → "
        return f"{saved}  ·  {before}{text.size(self.result_bytes)}"


class QueueModel(QAbstractListModel):
    """The rows; ``rowsInserted``, ``rowsRemoved`` and ``dataChanged`` tell the views."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []

    def rowCount(self, parent: Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> object:
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row = self.rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.source.name
            case Qt.ItemDataRole.ToolTipRole:
                return _tool_tip(row)
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{row.source.name}, {row.status()}"
        return row if role == ROW else None

    def add(self, sources: Sequence[Source], base: Path | None = None) -> tuple[list[Row], int]:
        """Append rows; returns them, and how many were there already."""
        known = {row.source for row in self.rows}
        fresh = [Row(source, base) for source in dict.fromkeys(sources) if source not in known]
        if fresh:
            first = len(self.rows)
            self.beginInsertRows(_NO_INDEX, first, first + len(fresh) - 1)
            self.rows += fresh
            self.endInsertRows()
        return fresh, len(sources) - len(fresh)

    def remove(self, row: Row) -> None:
        place = self.rows.index(row)
        self.beginRemoveRows(_NO_INDEX, place, place)
        del self.rows[place]
        self.endRemoveRows()

    def insert(self, place: int, row: Row) -> None:
        """Put a row back where it was."""
        self.beginInsertRows(_NO_INDEX, place, place)
        self.rows.insert(place, row)
        self.endInsertRows()

    def move(self, row: Row, step: int) -> bool:
        """Move a row by one place up (−1) or down (+1); False at the end of the list."""
        place = self.rows.index(row)
        before = place + step + (1 if step > 0 else 0)
        return self.moveRows(_NO_INDEX, place, 1, _NO_INDEX, before)

    def moveRows(self, parent: Index, first: int, count: int, target: Index, before: int) -> bool:
        """Move rows before another, as Qt counts: before anything is taken out."""
        end = first + count
        if first < 0 or end > len(self.rows) or not 0 <= before <= len(self.rows):
            return False
        if not self.beginMoveRows(_NO_INDEX, first, end - 1, _NO_INDEX, before):
            return False  # they are there already
        moved = self.rows[first:end]
        self.rows[:] = (
            [*self.rows[:before], *moved, *self.rows[before:first], *self.rows[end:]]
            if before < first
            else [*self.rows[:first], *self.rows[end:before], *moved, *self.rows[before:]]
        )
        self.endMoveRows()
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        """A row is dropped between rows, never on one."""
        flag = Qt.ItemFlag
        if not index.isValid():
            return flag.ItemIsDropEnabled
        usual = flag.ItemIsEnabled | flag.ItemIsSelectable | flag.ItemNeverHasChildren
        return usual | flag.ItemIsDragEnabled

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def touch(self, row: Row) -> None:
        """Tell the views that a row has changed."""
        if row in self.rows:
            index = self.index(self.rows.index(row))
            self.dataChanged.emit(index, index)

    def find(self, number: int) -> Row | None:
        return next((row for row in self.rows if row.number == number), None)


def _tool_tip(row: Row) -> str:
    lines = [str(row.source.path or row.source.name)]
    if row.width:
        lines.append(tr("{} × {} pixels").format(row.width, row.height))
    if row.problem:
        lines += [row.problem.detail, row.problem.hint]
    elif row.saved_path:
        lines.append(tr("Saved as {}").format(row.saved_path))
    return "\n".join(filter(None, lines))
