"""The loupe: the pixels under the cursor, original and compressed, with their colour values."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen

from lbbic_gui.painting.view_options import Shown
from lbbic_gui.style.text import tr

REACH, SCALE, GAP = 6, 9, 8
_SIDE = (2 * REACH + 1) * SCALE


def paint_loupe(painter: QPainter, canvas: Shown) -> None:
    """Paint the loupe next to the cursor, on the side with room for it."""
    at = canvas.cursor_at
    pixel = canvas.pixel_at(at) if at is not None else None
    if at is None or pixel is None:
        return
    width, height = 2 * _SIDE + 3 * GAP, _SIDE + 2 * GAP + 40
    x = at.x() + 24 if at.x() + 24 + width < canvas.width() else at.x() - 24 - width
    y = min(max(at.y() - height / 2, 8), canvas.height() - height - 8)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(20, 22, 25, 235))
    painter.drawRoundedRect(QRectF(x, y, width, height), 8, 8)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    options = canvas.options
    names = (
        ("original", options.baseline or tr("Original")),
        ("result", options.ours or tr("Compressed")),
    )
    for place, (name, title) in enumerate(names):
        image = canvas.image(name)
        corner = QPointF(x + GAP + place * (_SIDE + GAP), y + GAP)
        if image is not None:
            cover = canvas.cover if name == "result" else None
            _paint_side(painter, _around(image, cover, canvas.block_size, pixel), corner, title)


def _around(image: QImage, cover: QImage | None, block_size: int, pixel: QPoint) -> QImage:
    """The pixels around one, with the cover of their blocks."""
    left, top, side = pixel.x() - REACH, pixel.y() - REACH, 2 * REACH + 1
    part = image.copy(left, top, side, side)
    if cover is not None:
        with QPainter(part) as painter:
            painter.translate(-left, -top)
            painter.scale(block_size, block_size)
            painter.drawImage(0, 0, cover)
    return part


def _paint_side(painter: QPainter, part: QImage, corner: QPointF, title: str) -> None:
    painter.drawImage(QRectF(corner.x(), corner.y(), _SIDE, _SIDE), part)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    middle = QRectF(corner.x() + REACH * SCALE, corner.y() + REACH * SCALE, SCALE, SCALE)
    for colour, width in ((QColor(0, 0, 0), 3), (QColor(255, 255, 255), 1)):
        painter.setPen(QPen(colour, width))
        painter.drawRect(middle)
    font = QFont(painter.font())
    font.setPixelSize(11)
    painter.setFont(font)
    colour = part.pixelColor(REACH, REACH)
    values = tr("R {}  G {}  B {}").format(colour.red(), colour.green(), colour.blue())
    for line, (words, pen) in enumerate(((title, "#a2a9b3"), (values, "#ffffff"))):
        painter.setPen(QColor(pen))
        place = QRectF(corner.x(), corner.y() + _SIDE + 4 + 18 * line, _SIDE, 18)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, words)
