"""The list of pictures as a model for views. No widgets, no work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from weakref import WeakSet

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)

from lbbic_gui.jobs.messages import Source
from lbbic_gui.state.row import Row
from lbbic_gui.style.text import tr

ROW = int(Qt.ItemDataRole.UserRole)
_NO_INDEX = QModelIndex()
_ROWS = "application/x-lbbic-rows"
_REPAINT_MS = 40  # the views hear of changes no more often
Index = QModelIndex | QPersistentModelIndex


class QueueModel(QAbstractListModel):
    """The rows; ``rowsInserted``, ``rowsRemoved`` and ``dataChanged`` notify views."""

    removed = Signal(list)  # of rows

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._all: WeakSet[Row] = WeakSet()  # with the removed ones that may return
        self._sources: set[Source] = set()
        self._places: dict[Row, int] = {}  # empty where rows have moved since
        self._touched: set[Row] = set()
        self._timer = QTimer(self, singleShot=True, interval=_REPAINT_MS)
        self._timer.timeout.connect(self.flush)

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
                return ", ".join(filter(None, (row.source.name, row.status(), row.own_choices())))
        return row if role == ROW else None

    def add(self, sources: Sequence[Source], base: Path | None = None) -> tuple[list[Row], int]:
        """Append rows; return them, and how many sources were already in the list."""
        fresh = [
            Row(source, base) for source in dict.fromkeys(sources) if source not in self._sources
        ]
        if fresh:
            self._insert(len(self.rows), fresh)
        return fresh, len(sources) - len(fresh)

    def remove(self, rows: Sequence[Row]) -> None:
        """Remove rows, adjacent ones together."""
        for first, last in reversed(_runs(map(self.place, rows))):
            gone = self.rows[first : last + 1]
            self.beginRemoveRows(_NO_INDEX, first, last)
            del self.rows[first : last + 1]
            self._places.clear()
            self._touched.difference_update(gone)
            self._sources.difference_update(row.source for row in gone)
            self.endRemoveRows()
        self.removed.emit(list(rows))

    def forget_points(self) -> None:
        """Drop the results of all rows, removed ones too, because the options have changed."""
        for row in self._all:
            if not row.source.is_lbb:
                row.points.clear()

    def arrange(self, order: Sequence[Row]) -> None:
        """Sort the rows into an order; rows that are not in it go to the end."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        followed = [self.rows[index.row()] for index in before]
        wanted = {row: place for place, row in enumerate(order)}
        self.rows.sort(key=lambda row: wanted.get(row, len(wanted)))
        self._places.clear()
        after = [self.index(self.place(row)) for row in followed]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def restore(self, rows: Mapping[int, Row]) -> list[Row]:
        """Put rows back in their places, adjacent ones together.

        Returns them without those whose files have been added again meanwhile.
        """
        gone = {place: row for place, row in rows.items() if row.source not in self._sources}
        for first, last in _runs(gone):
            run = [gone[place] for place in range(first, last + 1)]
            self._insert(min(first, len(self.rows)), run)
        return [gone[place] for place in sorted(gone)]

    def place(self, row: Row) -> int:
        """The index of a row in the list, −1 if it is not there."""
        if len(self._places) != len(self.rows):
            self._places = {row: place for place, row in enumerate(self.rows)}
        return self._places.get(row, -1)

    def _insert(self, place: int, rows: list[Row]) -> None:
        self.beginInsertRows(_NO_INDEX, place, place + len(rows) - 1)
        self.rows[place:place] = rows
        self._all.update(rows)
        self._places.clear()
        self._sources.update(row.source for row in rows)
        self.endInsertRows()

    def move(self, row: Row, step: int) -> bool:
        """Move a row one place up (−1) or down (+1); return False at the end of the list."""
        place = self.place(row)
        before = place + step + (1 if step > 0 else 0)
        return self.moveRows(_NO_INDEX, place, 1, _NO_INDEX, before)

    def moveRows(self, parent: Index, first: int, count: int, target: Index, before: int) -> bool:
        """Move rows before another; positions are those before the move, as in Qt."""
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
        self._places.clear()
        self.endMoveRows()
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Rows can be dropped between rows, not onto them."""
        flag = Qt.ItemFlag
        if not index.isValid():
            return flag.ItemIsDropEnabled
        usual = flag.ItemIsEnabled | flag.ItemIsSelectable | flag.ItemNeverHasChildren
        return usual | flag.ItemIsDragEnabled

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def supportedDragActions(self) -> Qt.DropAction:
        """Rows are moved within the list, and copied out of the window."""
        return Qt.DropAction.MoveAction | Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        return [_ROWS]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Only mark the data as rows; the view knows which ones are dragged."""
        data = QMimeData()
        data.setData(_ROWS, b"")
        return data

    def touch(self, row: Row) -> None:
        """Notify views soon that a row has changed."""
        if not self._touched:
            self._timer.start()
        self._touched.add(row)

    def flush(self) -> None:
        """Notify views now of all changed rows, with one signal for each run of them."""
        touched, self._touched = self._touched, set()
        self._timer.stop()
        places = [place for place in map(self.place, touched) if place >= 0]
        for first, last in _runs(places):
            self.dataChanged.emit(self.index(first), self.index(last))


def _runs(places: Iterable[int]) -> list[tuple[int, int]]:
    """The first and last index of each run of adjacent places."""
    runs: list[tuple[int, int]] = []
    for place in sorted(places):
        if runs and place == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
    return runs


def _tool_tip(row: Row) -> str:
    lines = [str(row.source.path or row.source.name)]
    if row.width:
        lines.append(tr("{} × {} pixels").format(row.width, row.height))
    if row.problem:
        lines += [row.problem.detail, row.problem.hint]
    elif row.saved_path:
        lines += [tr("Saved as {}").format(row.saved_path), *row.notices]
    return "\n".join(filter(None, lines))
