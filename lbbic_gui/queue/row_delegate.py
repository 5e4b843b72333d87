"""How a row of the list is painted: thumbnail, name, state, size, saving and progress."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from lbbic_gui.session.adder import Adder
from lbbic_gui.state.queue_model import ROW
from lbbic_gui.state.row import BUSY, Row, State
from lbbic_gui.style import theme

ROW_HEIGHT, THUMBNAIL = 72, 48


class RowDelegate(QStyledItemDelegate):
    """Paints a row, 72 px high with a thumbnail of 48 px; visible rows get theirs first."""

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
    """Paint a tick for saved rows, for people who cannot distinguish the colours."""
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
    mark = row.own_choices() and f"  {row.own_choices()}"
    room = place.width() - metrics.horizontalAdvance(mark)
    name = metrics.elidedText(row.source.name, Qt.TextElideMode.ElideMiddle, room)
    top = QRect(place.left(), place.top(), place.width(), half)
    painter.drawText(top, Qt.AlignmentFlag.AlignVCenter, name)
    if mark:
        painter.setPen(theme.colour("accent"))
        painter.drawText(top, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, mark)
    bottom = QRect(place.left(), place.top() + half, place.width(), half)
    if row.state in BUSY:
        bottom.translate(0, -3)
    painter.setFont(font)
    painter.setPen(_status_colour(row))
    _paint_columns(painter, bottom, row)


def _paint_columns(painter: QPainter, place: QRect, row: Row) -> None:
    """Paint the state, size and saving, aligned in all rows."""
    state, *figures = row.columns()
    metrics, align = painter.fontMetrics(), Qt.AlignmentFlag
    right = place.right()
    widest = ("+100 %", "1000 kB")
    for words, wide in zip(reversed(figures), widest, strict=True):
        if words:
            column = QRect(place.left(), place.top(), right - place.left(), place.height())
            painter.drawText(column, align.AlignVCenter | align.AlignRight, words)
            right -= max(metrics.horizontalAdvance(wide), metrics.horizontalAdvance(words)) + 4
    state = metrics.elidedText(state, Qt.TextElideMode.ElideRight, right - place.left())
    painter.drawText(place, align.AlignVCenter, state)


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
