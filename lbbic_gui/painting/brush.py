"""A brush that paints where quality is higher or lower: strokes on a mask, and their display.

A mask is a grey picture of few pixels, its cells, that is stretched over the picture: white makes
it better, black worse. A cell covers what the map of a file has one offset for, so that what is
painted is what is coded.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from lbbic_gui.jobs.conversion import to_png
from lbbic_gui.jobs.messages import Pixels
from lbbic_gui.style.text import tr

CELL = 16  # pixels of the picture, the side of a cell
MAX_CELLS = 2**17  # of a mask: those of larger pictures have larger cells
NEUTRAL = 128
_LEAST = 8  # that differs from NEUTRAL by an eighth of a quality, a file's step
_TINT = 150  # opacity of what is painted most strongly, of 255


class Kind(Enum):
    """The kinds of brushes; the values are the grey that they paint."""

    BETTER = 255
    WORSE = 0
    ERASE = NEUTRAL

    def title(self) -> str:
        return {
            Kind.BETTER: tr("Keep sharp"),
            Kind.WORSE: tr("Matters less"),
            Kind.ERASE: tr("Erase"),
        }[self]


# Sky blue and vermilion: light and dark, and safe for colour-blind eyes.
COLOURS = {Kind.BETTER: QColor(86, 180, 233), Kind.WORSE: QColor(213, 94, 0)}


@dataclass(frozen=True)
class Brush:
    """``opacity`` and ``softness``, the part of the radius that fades, are 0 to 1."""

    kind: Kind
    opacity: float
    softness: float


class Stroke:
    """A line painted on a mask, not stronger where it crosses itself."""

    def __init__(self, mask: bytes, picture: QSizeF, brush: Brush, width: float) -> None:
        """``width`` is the brush's, in pixels of the ``picture``; ``mask`` is a file, or empty."""
        self._brush = brush
        self._before = levels_of(mask) if mask else _blank(picture)
        self._cover = np.zeros(self._before.shape, np.float32)
        rows, columns = self._before.shape
        self._cell = picture.width() / columns, picture.height() / rows
        self._radius = max(width, *self._cell) / 2
        self._last: QPointF | None = None

    def draw_to(self, at: QPointF) -> None:
        """Start the line at a point of the picture, or continue it there."""
        start, self._last = self._last or at, at
        line = at - start
        side = max(self._cell)
        columns = self._between(start.x(), at.x(), axis=1)
        rows = self._between(start.y(), at.y(), axis=0)
        x = (np.arange(columns.start, columns.stop) + 0.5) * self._cell[0] - start.x()
        y = (np.arange(rows.start, rows.stop)[:, None] + 0.5) * self._cell[1] - start.y()
        length = QPointF.dotProduct(line, line)
        along = ((x * line.x() + y * line.y()) / max(length, 1e-9)).clip(0, 1)
        distance = np.hypot(x - along * line.x(), y - along * line.y())
        fading = max(self._brush.softness * self._radius, side)
        cover = ((self._radius + side / 2 - distance) / fading).clip(0, 1)
        part = self._cover[rows, columns]
        np.maximum(part, cover, out=part)

    def levels(self) -> Pixels:
        """The mask with the stroke up to now."""
        change = self._brush.kind.value - self._before.astype(np.float32)
        levels = self._before + self._brush.opacity * self._cover * change
        return levels.round().astype(np.uint8)

    def _between(self, first: float, last: float, *, axis: int) -> slice:
        """The cells near enough to be painted on."""
        count: int = self._cover.shape[axis]
        cell = self._cell[1 - axis]
        reach = self._radius + max(self._cell)
        low, high = min(first, last) - reach, max(first, last) + reach
        begin = min(max(int(low // cell), 0), count)
        return slice(begin, max(begin, min(int(high // cell) + 1, count)))


def levels_of(mask: bytes) -> Pixels:
    """The cells (rows, columns) of a mask's file."""
    image = QImage.fromData(mask).convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : image.width()].copy()


def mask_of(levels: Pixels) -> bytes:
    """The file of a mask, a PNG; empty if nothing is painted."""
    if (levels == NEUTRAL).all():
        return b""
    rows, columns = levels.shape
    grey = QImage.Format.Format_Grayscale8
    return to_png(QImage(levels.tobytes(), columns, rows, columns, grey))


@dataclass(frozen=True)
class Tint:
    """An image that shows a mask over a picture: the cells' colours, one pixel each.

    ``outline``, in cells, surrounds all that is better and all that is worse: the colours alone do
    not show on a picture of the same colours.
    """

    image: QImage
    outline: list[QLineF]


def tint_of(levels: Pixels) -> Tint:
    pixels, (rows, columns) = _TABLE[levels], levels.shape
    format_ = QImage.Format.Format_ARGB32_Premultiplied
    image = QImage(pixels.tobytes(), columns, rows, 4 * columns, format_).copy()
    return Tint(image, _outline(levels))


def paint_tint(painter: QPainter, tint: Tint, area: QRectF) -> None:
    """Paint the cells as squares, because an offset applies to a whole cell."""
    ratio = painter.device().devicePixelRatio()  # cosmetic pens have pixels of the screen
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    painter.drawImage(area, tint.image)
    painter.translate(area.topLeft())
    painter.scale(area.width() / tint.image.width(), area.height() / tint.image.height())
    for colour, width in ((QColor(0, 0, 0, 140), 3.0), (QColor(255, 255, 255), 1.0)):
        pen = QPen(colour, width * ratio)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.drawLines(tint.outline)
    painter.restore()


def paint_ring(painter: QPainter, centre: QPointF, width: float) -> None:
    """Paint the outline of the brush, visible on every picture."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, line in ((QColor(0, 0, 0, 180), 3.0), (QColor(255, 255, 255), 1.25)):
        painter.setPen(QPen(colour, line))
        painter.drawEllipse(centre, width / 2, width / 2)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _outline(levels: Pixels) -> list[QLineF]:
    """The edges between cells of higher, lower and unchanged quality."""
    change = levels.astype(np.int16) - NEUTRAL
    sign = np.pad(np.sign(change) * (np.abs(change) >= _LEAST), 1)
    lines = [QLineF(x, y, x + 1, y) for y, x in _steps(sign[:, 1:-1])]
    return lines + [QLineF(x, y, x, y + 1) for x, y in _steps(sign.T[:, 1:-1])]


def _steps(sign: NDArray[np.int16]) -> list[tuple[int, int]]:
    """Where a row of cells differs from the row before."""
    return [(int(row), int(column)) for row, column in np.argwhere(np.diff(sign, axis=0))]


def _blank(picture: QSizeF) -> Pixels:
    side = CELL
    width, height = round(picture.width()), round(picture.height())
    while (shape := (-(-height // side), -(-width // side)))[0] * shape[1] > MAX_CELLS:
        side *= 2
    return np.full(shape, NEUTRAL, np.uint8)


def _colour_table() -> Pixels:
    """The colour of each grey of a mask (256, 4), BGRA, multiplied by its opacity."""
    rows = []
    for level in range(256):
        colour = COLOURS[Kind.BETTER if level > NEUTRAL else Kind.WORSE]
        alpha = _TINT * abs(level - NEUTRAL) / NEUTRAL
        shares = (colour.blueF(), colour.greenF(), colour.redF(), 1.0)
        rows.append([round(alpha * share) for share in shares])
    return np.array(rows, np.uint8)


_TABLE = _colour_table()
