"""The list widget: what is selected, its keys, and dragging rows inside and out of the window."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QMimeData, Qt, QUrl, Signal
from PySide6.QtGui import (
    QDrag,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QKeySequence,
)
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from lbbic_gui.state.networks import Networks
from lbbic_gui.state.queue_model import ROW, Index
from lbbic_gui.state.row import Row

Drop = TypeVar("Drop", bound=QDropEvent)


class PictureList(QListView):
    """Several rows can be selected; the current one is on view.

    ``networks`` know which result of a row is the current one, which is what is dragged out.
    """

    removal_wanted = Signal()

    def __init__(self, networks: Networks, parent: QWidget) -> None:
        super().__init__(parent)
        self._networks = networks
        self.setMouseTracking(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def selected(self) -> list[Row]:
        """The selected rows from top to bottom."""
        indexes = sorted(self.selectedIndexes(), key=lambda index: index.row())
        return [index.data(ROW) for index in indexes]

    def dataChanged(self, top: Index, bottom: Index, roles: Sequence[int] = ()) -> None:
        """Only repaint: Qt's list would lay out all rows again, which all have one size."""
        QAbstractItemView.dataChanged(self, top, bottom, roles)

    def startDrag(self, supported: Qt.DropAction) -> None:
        """Rows dropped in the list are moved; outside the window their files are copied.

        If other programs were offered a move, a file manager would take the file from its folder.
        """
        drag = QDrag(self)
        drag.setMimeData(self.files_of(self.selected()))
        drag.exec(Qt.DropAction.CopyAction)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self._pass_as_move(event, super().dragEnterEvent)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._pass_as_move(event, super().dragMoveEvent)

    def dropEvent(self, event: QDropEvent) -> None:
        self._pass_as_move(event, super().dropEvent)

    def _pass_as_move(self, event: Drop, handle: Callable[[Drop], None]) -> None:
        """Let Qt handle the list's own drag, a copy, as the move that it is within the list."""
        if event.source() is not self:
            event.ignore()
            return
        place = event.position() if type(event) is QDropEvent else event.position().toPoint()
        actions, shift = self.model().supportedDragActions(), Qt.KeyboardModifier.ShiftModifier
        move = type(event)(place, actions, event.mimeData(), event.buttons(), shift)
        handle(move)
        event.setAccepted(move.isAccepted())

    def files_of(self, rows: Sequence[Row]) -> QMimeData:
        """The .lbb files of rows, if they are saved or coded."""
        data = self.model().mimeData(self.selectedIndexes())
        files = [file for row in rows if (file := result_file(row, self._networks))]
        if files:
            data.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
        return data

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removal_wanted.emit()
        elif event.key() in _LIST_KEYS or event.matches(QKeySequence.StandardKey.SelectAll):
            super().keyPressEvent(event)
        else:
            event.ignore()  # letters and digits are the window's shortcuts


_LIST_KEYS = (
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
)


def result_file(row: Row, networks: Networks) -> Path | None:
    """The file saved with the current settings, or a temporary one that lasts as long as the app.

    None if the row is not coded with these settings.
    """
    if row.source.is_lbb:
        return row.source.path
    saved = row.saved_path if networks.is_saved(row) and not row.skipped else None
    if saved is not None and saved.exists():
        return saved
    point = row.points.get(networks.quality(row))
    if point is None or not point.data:
        return None
    path = Path(tempfile.mkdtemp(dir=_folder())) / f"{Path(row.source.name).stem}.lbb"
    path.write_bytes(point.data)
    return path


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lbbic-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
