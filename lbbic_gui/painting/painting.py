"""Paints the canvas: pictures, overlays, marks and texts. Makes no decisions.

Qt scales only what is to be painted, from the smallest halving that has enough pixels.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QLinearGradient, QPainter, QPen

from lbbic_gui.jobs.decoded_picture import as_image
from lbbic_gui.painting import overlays
from lbbic_gui.painting.brush import paint_ring, paint_tint
from lbbic_gui.painting.loupe import paint_loupe
from lbbic_gui.painting.overlays import Overlay
from lbbic_gui.painting.view_options import Mode, Shown
from lbbic_gui.style import theme
from lbbic_gui.style.text import tr

SQUARES_FROM = 2.0  # above this zoom pixels are squares
GRID_FROM_PX = 4.0  # a finer grid is a grey haze
GRIP = 15.0  # radius of the split handle's grip
_PILL = QColor(0, 0, 0, 170)


def paint(painter: QPainter, canvas: Shown, dirty: QRect) -> None:
    """Paint the whole canvas within the clip."""
    painter.fillRect(dirty, theme.colour("canvas"))
    if canvas.image("original") is None and canvas.image("result") is None:
        return
    match Mode.FLIP if canvas.options.peeking else canvas.options.mode:
        case Mode.SIDE:
            _paint_side_by_side(painter, canvas)
        case Mode.SPLIT:
            _paint_split(painter, canvas)
        case Mode.FLIP:
            _paint_flip(painter, canvas)
        case Mode.DIFFERENCE:
            _paint_difference(painter, canvas, dirty)
    if canvas.options.badge:
        _paint_badge(painter, canvas)
    if canvas.options.loupe and canvas.cursor_at is not None:
        paint_loupe(painter, canvas)
    if canvas.brush_width and canvas.cursor_at is not None:
        paint_ring(painter, canvas.cursor_at, canvas.brush_width)


def _paint_side_by_side(painter: QPainter, canvas: Shown) -> None:
    half = canvas.width() / 2
    for name, left in (("original", 0.0), ("result", half)):
        painter.save()
        painter.translate(left, 0)
        painter.setClipRect(QRectF(0, 0, half, canvas.height()), Qt.ClipOperation.IntersectClip)
        _paint_picture(painter, canvas, name)
        if name == "result":
            _paint_marks(painter, canvas)
        _paint_label(painter, _label(canvas, name), 12, 12)
        painter.restore()
    painter.fillRect(QRectF(half - 1, 0, 2, canvas.height()), theme.colour("border"))
    _paint_legend(painter, canvas)


def _paint_split(painter: QPainter, canvas: Shown) -> None:
    if canvas.image("original") is None or canvas.image("result") is None:
        only = "original" if canvas.image("result") is None else "result"
        _paint_picture(painter, canvas, only)
        if only == "result":
            _paint_marks(painter, canvas)
            _paint_legend(painter, canvas)
        return
    x, height = canvas.split_x(), canvas.height()
    for name, left, right in (("original", 0.0, x), ("result", x, float(canvas.width()))):
        painter.save()
        painter.setClipRect(QRectF(left, 0, right - left, height), Qt.ClipOperation.IntersectClip)
        _paint_picture(painter, canvas, name)
        if name == "result":
            _paint_marks(painter, canvas)
        painter.restore()
    if x > 96:
        _paint_label(painter, _label(canvas, "original"), x - 12, 12, to_the_left=True)
    if canvas.width() - x > 96:
        _paint_label(painter, _label(canvas, "result"), x + 12, 12)
    _paint_handle(painter, canvas, x, height)
    _paint_legend(painter, canvas)


def _paint_flip(painter: QPainter, canvas: Shown) -> None:
    options = canvas.options
    name = "original" if options.flipped or options.peeking else "result"
    if canvas.image(name) is None:
        name = "result" if name == "original" else "original"
    _paint_picture(painter, canvas, name)
    if name == "result":
        _paint_marks(painter, canvas)
        _paint_legend(painter, canvas)
    _paint_label(painter, _label(canvas, name), 12, 12)


def _paint_difference(painter: QPainter, canvas: Shown, dirty: QRect) -> None:
    original, result = canvas.original, canvas.result
    if original is None or result is None or original.shape != result.shape:
        _paint_flip(painter, canvas)
        return
    view, height, width = canvas.viewport, *original.shape[:2]
    step = max(1, round(1 / view.zoom))
    first, last = (
        view.to_picture(QPointF(corner)) for corner in (dirty.topLeft(), dirty.bottomRight())
    )
    # By whole steps, and one more at each edge, so that parts fit what was painted before.
    left, top = (step * max(0, int(value / step) - 1) for value in (first.x(), first.y()))
    right, bottom = (int(value) + 2 * step + 1 for value in (last.x(), last.y()))
    part = (slice(top, max(0, bottom), step), slice(left, max(0, right), step))
    colours = overlays.difference(original[part], result[part], canvas.options.gain)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, view.zoom < SQUARES_FROM)
    whole = view.area()
    across, down = whole.width() / width, whole.height() / height
    rows, columns, _ = colours.shape
    place = QRectF(left * across, top * down, columns * step * across, rows * step * down)
    if rows and columns:
        painter.drawImage(place.translated(whole.topLeft()), as_image(colours))
    if canvas.cover is not None:
        _paint_by_blocks(painter, canvas, canvas.cover)
    if canvas.tint is not None:
        paint_tint(painter, canvas.tint, whole)
    _paint_marks(painter, canvas, has_map=False)  # two maps at once are illegible
    _paint_label(painter, tr("Difference × {}").format(canvas.options.gain), 12, 12)
    top_value = f"≥ {255 / canvas.options.gain:.3g}"
    _paint_scale(painter, canvas, "0", top_value, tr("levels of 255"))


def _label(canvas: Shown, name: str) -> str:
    if name == "result":
        return canvas.options.ours or tr("Compressed")
    return canvas.options.baseline or tr("Original")


def _paint_picture(painter: QPainter, canvas: Shown, name: str) -> None:
    image = canvas.scaled_image(name)
    if image is None:
        return
    zoom = canvas.viewport.zoom
    smooth = zoom < SQUARES_FROM and zoom != 1
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
    area = canvas.viewport.area()
    painter.drawImage(area, image)
    if name == "result" and canvas.cover is not None:
        _paint_by_blocks(painter, canvas, canvas.cover)
    checkerboard = canvas.scaled_checkerboard()
    if checkerboard is not None:
        painter.drawImage(area, checkerboard)
    if canvas.tint is not None and not canvas.options.peeking:
        paint_tint(painter, canvas.tint, area)


def _paint_marks(painter: QPainter, canvas: Shown, *, has_map: bool = True) -> None:
    """Paint overlay, grid and pinned block."""
    options = canvas.options
    if options.map is not None and has_map:
        _paint_by_blocks(painter, canvas, options.map.image, options.opacity)
    if options.overlay is Overlay.GRID:
        _paint_grid(painter, canvas)
    if options.pinned is not None:
        _paint_pinned(painter, canvas, *options.pinned)


def _paint_by_blocks(painter: QPainter, canvas: Shown, image: QImage, opacity: float = 1.0) -> None:
    """Paint an image of one pixel per block over the result."""
    view, size = canvas.viewport, canvas.block_size
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    painter.setClipRect(view.area(), Qt.ClipOperation.IntersectClip)
    painter.setOpacity(opacity)
    covered = QRectF(0, 0, image.width() * size, image.height() * size)
    painter.drawImage(view.area(covered), image)
    painter.restore()


def _paint_grid(painter: QPainter, canvas: Shown) -> None:
    view = canvas.viewport
    pitch = canvas.block_size
    while pitch * view.scale < GRID_FROM_PX:
        pitch *= 2
    area = view.area()
    colour = QColor(255, 255, 255, round(255 * canvas.options.opacity))
    painter.setPen(QPen(colour, 0))
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Difference)
    for x in range(0, int(view.picture.width()) + 1, pitch):
        at = view.to_view(QPointF(x, 0)).x()
        if 0 <= at <= canvas.width():
            painter.drawLine(QPointF(at, area.top()), QPointF(at, area.bottom()))
    for y in range(0, int(view.picture.height()) + 1, pitch):
        at = view.to_view(QPointF(0, y)).y()
        if 0 <= at <= canvas.height():
            painter.drawLine(QPointF(area.left(), at), QPointF(area.right(), at))
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)


def _paint_pinned(painter: QPainter, canvas: Shown, row: int, column: int) -> None:
    """Outline the block, and with dashes the blocks from which it was predicted."""
    for block in canvas.context_of(row, column):
        _outline(painter, canvas, *block, Qt.PenStyle.DashLine)
    _outline(painter, canvas, row, column, Qt.PenStyle.SolidLine)


def _outline(painter: QPainter, canvas: Shown, row: int, column: int, style: Qt.PenStyle) -> None:
    size = canvas.block_size
    area = canvas.viewport.area(QRectF(column * size, row * size, size, size))
    if not canvas.viewport.area().intersects(area):
        return
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(0, 0, 0, 200), 3))
    painter.drawRect(area)
    painter.setPen(QPen(QColor(255, 255, 255), 1, style))
    painter.drawRect(area)


def _paint_handle(painter: QPainter, canvas: Shown, x: float, height: int) -> None:
    x = round(x)
    painter.fillRect(QRectF(x - 1, 0, 2, height), theme.colour("border"))
    area = canvas.viewport.area()
    if area.left() < x < area.right():
        top, tall = area.top(), area.height()
        painter.fillRect(QRectF(x - 2, top, 4, tall), QColor(0, 0, 0, 70))
        painter.fillRect(QRectF(x - 1, top, 2, tall), QColor(255, 255, 255))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    is_hidden = area.height() < 4 * GRIP  # the picture, behind the grip
    centre = QPointF(x, min(area.bottom() + 2 * GRIP, height - GRIP) if is_hidden else height / 2)
    painter.setPen(QPen(QColor(0, 0, 0, 90), 1))
    painter.setBrush(QColor(255, 255, 255))
    painter.drawEllipse(centre, GRIP, GRIP)
    painter.setPen(QPen(QColor(0x1B, 0x1F, 0x24), 2, c=Qt.PenCapStyle.RoundCap))
    for side in (-1, 1):
        tip = centre + QPointF(side * 8, 0)
        for end in (-4, 4):
            painter.drawLine(tip, centre + QPointF(side * 4, end))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _paint_label(
    painter: QPainter, words: str, x: float, y: float, *, to_the_left: bool = False
) -> float:
    """Paint white text on a dark pill, legible on every picture; return its width."""
    font = QFont(painter.font())
    font.setPixelSize(12)
    painter.setFont(font)
    width = painter.fontMetrics().horizontalAdvance(words) + 16
    place = QRectF(x - width if to_the_left else x, y, width, 24)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_PILL)
    painter.drawRoundedRect(place, 6, 6)
    painter.setPen(QColor(255, 255, 255))
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, words)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    return width


def _paint_badge(painter: QPainter, canvas: Shown) -> None:
    """Paint the note that the result on view is of another quality than the one set."""
    font = QFont(painter.font())
    font.setPixelSize(12)
    font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    width = painter.fontMetrics().horizontalAdvance(canvas.options.badge) + 20
    place = QRectF(canvas.width() - width - 12, 44, width, 24)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0xE8, 0xB0, 0x4A))
    painter.drawRoundedRect(place, 6, 6)
    painter.setPen(QColor(0x1B, 0x1F, 0x24))
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, canvas.options.badge)


def _paint_legend(painter: QPainter, canvas: Shown) -> None:
    options = canvas.options
    if options.map is not None:
        _paint_scale(painter, canvas, options.map.low, options.map.high, options.map.unit)
    elif options.overlay is Overlay.GRID:
        words = tr("Grid of {0} × {0} pixels").format(canvas.block_size)
        _paint_label(painter, words, 12, canvas.height() - 36)


def _paint_scale(painter: QPainter, canvas: Shown, low: str, high: str, unit: str) -> None:
    """Paint the colours from the lowest to the highest, with their values and unit."""
    place = QRectF(12, canvas.height() - 64, 216, 52)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_PILL)
    painter.drawRoundedRect(place, 6, 6)
    bar = place.adjusted(12, 10, -12, -32)
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    for stop in range(0, 256, 15):
        blue, green, red, _ = (int(value) for value in overlays.TABLE[stop])
        gradient.setColorAt(stop / 255, QColor(red, green, blue))
    painter.setBrush(gradient)
    painter.drawRoundedRect(bar, 2, 2)
    font = QFont(painter.font())
    font.setPixelSize(11)
    painter.setFont(font)
    painter.setPen(QColor(255, 255, 255))
    words = place.adjusted(12, 24, -12, -6)
    align = Qt.AlignmentFlag
    painter.drawText(words, align.AlignVCenter | align.AlignLeft, low)
    painter.drawText(words, align.AlignVCenter | align.AlignHCenter, unit)
    painter.drawText(words, align.AlignVCenter | align.AlignRight, high)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
