"""The toolbar's icons, drawn in the colours of the theme: lines on a grid of 18 × 18."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap

from lbbic_gui.style import theme

SIDE, GAP = 18, 5  # Qt leaves too little between an icon and its words
_RATIOS = (1, 2, 3)  # screens of one to three pixels a unit
_LOOKS = (
    (QIcon.Mode.Normal, QIcon.State.Off, "text"),
    (QIcon.Mode.Normal, QIcon.State.On, "accent"),
    (QIcon.Mode.Disabled, QIcon.State.Off, "faint"),
    (QIcon.Mode.Disabled, QIcon.State.On, "faint"),
)


def icon(name: str) -> QIcon:
    """The icon of an action in the current theme."""
    result = QIcon()
    for mode, state, ink in _LOOKS:
        for ratio in _RATIOS:
            result.addPixmap(_draw(_DRAWINGS[name], theme.colour(ink), ratio), mode, state)
    return result


def names() -> tuple[str, ...]:
    """The actions that have an icon."""
    return tuple(_DRAWINGS)


def _draw(drawing: Callable[[QPainter], None], ink: QColor, ratio: int) -> QPixmap:
    pixmap = QPixmap((SIDE + GAP) * ratio, SIDE * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    cap, join = Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
    with QPainter(pixmap) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(ink, 1.5, c=cap, j=join))
        drawing(painter)
    return pixmap


def _lines(painter: QPainter, *points: tuple[float, float]) -> None:
    painter.drawPolyline([QPointF(*point) for point in points])


def _fill(painter: QPainter, place: QRectF) -> None:
    painter.fillRect(place, painter.pen().color())


def _frame(painter: QPainter) -> None:
    painter.drawRoundedRect(QRectF(2, 3.5, 14, 11), 2, 2)


def _open(painter: QPainter) -> None:
    _lines(painter, (2, 14.5), (2, 4), (7, 4), (8.5, 6), (16, 6), (16, 14.5), (2, 14.5))


def _side(painter: QPainter) -> None:
    painter.drawRoundedRect(QRectF(1.5, 4, 6.5, 10), 1.5, 1.5)
    painter.drawRoundedRect(QRectF(10, 4, 6.5, 10), 1.5, 1.5)


def _split(painter: QPainter) -> None:
    _frame(painter)
    _lines(painter, (9, 1.5), (9, 16.5))
    _fill(painter, QRectF(4, 5.5, 3.5, 7))


def _flip(painter: QPainter) -> None:
    _lines(painter, (2, 6), (15, 6), (12, 3))
    _lines(painter, (16, 12), (3, 12), (6, 15))


def _difference(painter: QPainter) -> None:
    painter.drawEllipse(QPointF(6.75, 9), 5, 5)
    painter.drawEllipse(QPointF(11.25, 9), 5, 5)


def _loupe(painter: QPainter) -> None:
    painter.drawEllipse(QPointF(7.5, 7.5), 5, 5)
    _lines(painter, (11.2, 11.2), (16, 16))


def _brush(painter: QPainter) -> None:
    _lines(painter, (16, 2), (8.5, 9.5))
    painter.drawEllipse(QPointF(5.5, 12.5), 3.5, 3.5)


def _fit(painter: QPainter) -> None:
    for x, inner_x in ((2, 6), (16, 12)):
        for y, inner_y in ((3.5, 7), (14.5, 11)):
            _lines(painter, (inner_x, y), (x, y), (x, inner_y))


def _inspector(painter: QPainter) -> None:
    _frame(painter)
    _fill(painter, QRectF(10.5, 5.5, 3.5, 7))


_DRAWINGS = {
    "open": _open,
    "side": _side,
    "split": _split,
    "flip": _flip,
    "difference": _difference,
    "loupe": _loupe,
    "brush": _brush,
    "fit": _fit,
    "inspector": _inspector,
}
