"""The list of pictures: a heading to sort it by, the list, and what is done with all of them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from lbbic_gui.queue.destination import Destination
from lbbic_gui.queue.picture_list import PictureList
from lbbic_gui.queue.row_delegate import RowDelegate
from lbbic_gui.session.batch import Total
from lbbic_gui.session.session import Session
from lbbic_gui.state.queue_model import ROW
from lbbic_gui.state.row import Row
from lbbic_gui.style import text
from lbbic_gui.style.text import tr

_KEYS: dict[str, Callable[[Row], str | float]] = {
    "name": lambda row: row.source.name.casefold(),
    "size": lambda row: row.shown_bytes or row.file_bytes,
    "saving": lambda row: row.saving,
}


class QueueView(QWidget):
    """The list; its current row is on view."""

    removal_wanted = Signal(list)  # of rows
    order_wanted = Signal(list)  # of all rows
    cancel_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._queue = session, session.queue
        self.setObjectName("panel")
        self.setAccessibleName(self.tr("List of pictures"))
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(232)
        self.heading = _Heading()
        self.heading.chosen.connect(self._sort)
        self.list = PictureList(session.networks, self)
        self.list.setModel(self._queue)
        self.list.setAccessibleName(self.tr("Pictures"))
        self.list.setItemDelegate(RowDelegate(session.adder, self.list))
        self.list.removal_wanted.connect(self.want_removal)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.total = QLabel()
        self.total.setProperty("role", "faint")
        self.total.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of all pictures"))
        self.destination = Destination(session)
        self.button = QPushButton(self.tr("Compress all"))
        self.button.setProperty("primary", True)
        self.button.clicked.connect(session.batch.compress_all)
        self.cancel = QPushButton(self.tr("Stop"))
        self.cancel.clicked.connect(self.cancel_wanted)
        self._lay_out()
        session.batch.changed.connect(self._show_total)
        for change in (self._queue.rowsInserted, self._queue.rowsRemoved):
            change.connect(self._show_heading)
        for change in (self._queue.rowsMoved, self._queue.layoutChanged):
            change.connect(self.heading.clear)
        self._queue.rowsRemoved.connect(self._select_current)
        session.batch.tell()
        self._show_heading()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.button, 1)
        buttons.addWidget(self.cancel)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 12, 16, 16)
        foot.setSpacing(8)
        foot.addWidget(self.total)
        foot.addWidget(self.bar)
        foot.addWidget(self.destination)
        foot.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.heading)
        layout.addWidget(self.list, 1)
        layout.addLayout(foot)

    def current(self) -> Row | None:
        row = self.list.currentIndex().data(ROW)
        return row if isinstance(row, Row) else None

    def select(self, row: Row) -> None:
        """Put a row on view, regardless of modifier keys."""
        index = self._queue.index(self._queue.place(row))
        flag = QItemSelectionModel.SelectionFlag.ClearAndSelect
        self.list.selectionModel().setCurrentIndex(index, flag)

    def _sort(self, column: str, descending: bool) -> None:
        self.order_wanted.emit(sorted(self._queue.rows, key=_KEYS[column], reverse=descending))

    def _show_heading(self) -> None:
        """Show the heading for two pictures or more; a new picture ends the sorting."""
        self.heading.setVisible(len(self._queue.rows) > 1)
        self.heading.clear()

    def _show_total(self, total: Total) -> None:
        """Show how many of the pictures are saved, and the bytes saved."""
        words = self.tr("{} of {} saved").format(total.saved, total.count) if total.count else ""
        if total.failed:
            words += "  ·  " + self.tr("{} failed").format(total.failed)
        if total.seconds_left is not None:
            words += f"  ·  {text.duration(total.seconds_left)}"
        if total.has_earlier_settings:
            words += "\n" + self.tr("With the settings it was started with")
        if total.saved and total.before:
            words += f"\n{text.saved(total.before, total.after)}"
        self.total.setText(words)
        self.bar.setVisible(total.busy)
        self.bar.setRange(0, 1000)
        self.bar.setValue(int(1000 * total.share))
        self.cancel.setVisible(total.busy)
        self.button.setEnabled(total.count > total.saved and not total.busy)

    def _on_current(self, index: QModelIndex) -> None:
        row = index.data(ROW)
        if isinstance(row, Row):
            self._session.select(row)
            self._select_current()

    def _select_current(self) -> None:
        """Select the current row if none is, which Qt does not do after a removal or a Tab."""
        row = self.current()
        if row is not None and not self.list.selectedIndexes():
            self.select(row)

    def want_removal(self) -> None:
        """Request the removal of the selected rows."""
        if rows := self.list.selected():
            self.removal_wanted.emit(rows)


class _Heading(QWidget):
    """A button for each column; a click sorts by it, another click reverses the order."""

    chosen = Signal(str, bool)  # whether the largest goes first

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column, self._descending = "", False
        self._words = {"name": tr("Name"), "size": tr("Size"), "saving": tr("Saving")}
        self.buttons = {column: QPushButton(words) for column, words in self._words.items()}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 4)
        layout.setSpacing(0)
        for column, button in self.buttons.items():
            button.setProperty("flat", True)
            button.clicked.connect(lambda _, column=column: self._choose(column))
            layout.addWidget(button)
        layout.insertStretch(1, 1)
        self.clear()

    def clear(self) -> None:
        """Show that the list is not sorted."""
        self._column = ""
        self._show()

    def _choose(self, column: str) -> None:
        first_descending = column != "name"
        is_same = column == self._column
        descending = not self._descending if is_same else first_descending
        self.chosen.emit(column, descending)
        self._column, self._descending = column, descending
        self._show()

    def _show(self) -> None:
        for column, button in self.buttons.items():
            arrow = ("  ↓" if self._descending else "  ↑") if column == self._column else ""
            words = self._words[column]
            button.setText(words + arrow)
            state = tr("sorted descending") if self._descending else tr("sorted ascending")
            button.setAccessibleName(f"{words}, {state}" if arrow else words)
            button.setToolTip(tr("Sort by {}").format(words.lower()))
