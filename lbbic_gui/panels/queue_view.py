"""The queue as a list: thumbnail, name, state and progress painted in each row."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QImage, QKeyEvent, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListView,
    QProgressBar,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from lbbic_gui.session.adder import Adder
from lbbic_gui.session.batch import Total
from lbbic_gui.session.session import Session
from lbbic_gui.state.queue_model import BUSY, ROW, Index, Row, State
from lbbic_gui.style import text, theme

ROW_HEIGHT, THUMBNAIL = 72, 48


class RowDelegate(QStyledItemDelegate):
    """Paints one row: 72 px high, its thumbnail 48 px; rows that are seen get theirs first."""

    def __init__(self, adder: Adder, parent: QWidget) -> None:
        super().__init__(parent)
        self._adder = adder

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(160, ROW_HEIGHT)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        row: Row = index.data(ROW)
        if row.thumbnail is None:
            self._adder.hurry(row)
        area: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        _paint_background(painter, area, state)
        picture = QRect(area.left() + 16, area.top() + 12, THUMBNAIL, THUMBNAIL)
        _paint_thumbnail(painter, picture, row)
        words = area.adjusted(16 + THUMBNAIL + 12, 14, -16, -14)
        _paint_words(painter, words, row, option.font)
        if row.state in BUSY:
            _paint_progress(painter, words, row.progress)
        painter.restore()


def _paint_background(painter: QPainter, area: QRect, state: QStyle.StateFlag) -> None:
    if state & QStyle.StateFlag.State_Selected:
        painter.fillRect(area, theme.colour("hover"))
        painter.fillRect(QRect(area.left(), area.top(), 3, area.height()), theme.colour("accent"))
    elif state & QStyle.StateFlag.State_MouseOver:
        painter.fillRect(area, theme.colour("field"))


def _paint_thumbnail(painter: QPainter, place: QRect, row: Row) -> None:
    frame = QPainterPath()
    frame.addRoundedRect(QRectF(place), 6, 6)
    painter.fillPath(frame, theme.colour("border"))
    if row.thumbnail is None or row.thumbnail.isNull():
        painter.setPen(theme.colour("faint"))
        suffix = row.source.path.suffix.lstrip(".").upper() if row.source.path else ""
        font = QFont(painter.font())
        font.setPixelSize(11)
        painter.setFont(font)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, suffix)
        return
    painter.save()
    painter.setClipPath(frame)
    painter.drawImage(place, row.thumbnail, _middle_square(row.thumbnail))
    painter.restore()
    if row.state is State.SAVED:
        _paint_tick(painter, QPointF(place.right() - 6, place.bottom() - 6))


def _paint_tick(painter: QPainter, centre: QPointF) -> None:
    """Saved, for eyes that do not see it by the colour of the words."""
    painter.setPen(QPen(theme.colour("panel"), 1.5))
    painter.setBrush(theme.colour("accent"))
    painter.drawEllipse(centre, 8, 8)
    painter.setPen(QPen(theme.colour("on_accent"), 1.75, c=Qt.PenCapStyle.RoundCap))
    painter.drawPolyline([centre + QPointF(*at) for at in ((-3.5, 0), (-1, 2.5), (3.5, -2.5))])


def _middle_square(image: QImage) -> QRect:
    side = min(image.width(), image.height())
    return QRect((image.width() - side) // 2, (image.height() - side) // 2, side, side)


def _paint_words(painter: QPainter, place: QRect, row: Row, font: QFont) -> None:
    half = place.height() // 2
    name_font = QFont(font)
    name_font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(name_font)
    painter.setPen(theme.colour("text"))
    metrics = painter.fontMetrics()
    mark = f"  {row.override:g}" if row.override is not None else ""
    room = place.width() - metrics.horizontalAdvance(mark)
    name = metrics.elidedText(row.source.name, Qt.TextElideMode.ElideMiddle, room)
    top = QRect(place.left(), place.top(), place.width(), half)
    painter.drawText(top, Qt.AlignmentFlag.AlignVCenter, name)
    if mark:
        painter.setPen(theme.colour("accent"))
        painter.drawText(top, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, mark)
    painter.setFont(font)
    painter.setPen(_status_colour(row))
    metrics, status = painter.fontMetrics(), row.status()
    if metrics.horizontalAdvance(status) > place.width():
        status = row.status(short=True)
    status = metrics.elidedText(status, Qt.TextElideMode.ElideRight, place.width())
    bottom = QRect(place.left(), place.top() + half, place.width(), half)
    if row.state in BUSY:
        bottom.translate(0, -3)
    painter.drawText(bottom, Qt.AlignmentFlag.AlignVCenter, status)


def _status_colour(row: Row) -> QColor:
    if row.state is State.FAILED:
        return theme.colour("red")
    if row.state in (State.STOPPED, State.SKIPPED) or row.has_grown:
        return theme.colour("amber")
    return theme.colour("accent" if row.state is State.SAVED else "faint")


def _paint_progress(painter: QPainter, words: QRect, share: float) -> None:
    bar = QRectF(words.left(), words.bottom() - 1, words.width(), 4)
    for width, name in ((bar.width(), "border"), (bar.width() * share, "accent")):
        path = QPainterPath()
        path.addRoundedRect(QRectF(bar.left(), bar.top(), width, bar.height()), 2, 2)
        painter.fillPath(path, theme.colour(name))


class QueueView(QWidget):
    """The list with its total below; the row that is chosen is on view."""

    removal_wanted = Signal(Row)
    cancel_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._queue = session, session.queue
        self.setObjectName("panel")
        self.setAccessibleName(self.tr("List of pictures"))
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(232)
        self.list = _List(self)
        self.list.setModel(self._queue)
        self.list.setAccessibleName(self.tr("Pictures"))
        self.list.setItemDelegate(RowDelegate(session.adder, self.list))
        self.list.removal_wanted.connect(self._want_removal)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.total = QLabel()
        self.total.setProperty("role", "faint")
        self.total.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of all pictures"))
        self.button = QPushButton(self.tr("Compress all"))
        self.button.setProperty("primary", True)
        self.button.clicked.connect(session.batch.compress_all)
        self.cancel = QPushButton(self.tr("Cancel"))
        self.cancel.clicked.connect(self.cancel_wanted)
        self._lay_out()
        session.batch.changed.connect(self._show_total)
        session.batch.tell()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.button, 1)
        buttons.addWidget(self.cancel)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 12, 16, 16)
        foot.setSpacing(8)
        foot.addWidget(self.total)
        foot.addWidget(self.bar)
        foot.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.list, 1)
        layout.addLayout(foot)

    def current(self) -> Row | None:
        row = self.list.currentIndex().data(ROW)
        return row if isinstance(row, Row) else None

    def select(self, row: Row) -> None:
        self.list.setCurrentIndex(self._queue.index(self._queue.place(row)))

    def _show_total(self, total: Total) -> None:
        """Say how many of the pictures are saved, and what that saved."""
        words = self.tr("{} of {} saved").format(total.saved, total.count) if total.count else ""
        if total.failed:
            words += "  ·  " + self.tr("{} failed").format(total.failed)
        if total.seconds_left is not None:
            words += f"  ·  {text.duration(total.seconds_left)}"
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

    def _want_removal(self) -> None:
        if (row := self.current()) is not None:
            self.removal_wanted.emit(row)


class _List(QListView):
    removal_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.setUniformItemSizes(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def dataChanged(self, top: Index, bottom: Index, roles: Sequence[int] = ()) -> None:
        """Paint again; a list would lay all its rows out again, and they are all of one size."""
        QAbstractItemView.dataChanged(self, top, bottom, roles)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removal_wanted.emit()
            return
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            super().keyPressEvent(event)
            return
        event.ignore()  # letters and digits are the window's shortcuts
