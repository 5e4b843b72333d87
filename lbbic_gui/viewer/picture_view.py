"""Two pictures, original and compressed, under one transform: what is shown, and which part of it.

A plain widget that repaints only what has changed. Qt sees the pixels, numpy arrays, without
copying them, and only the window's thread writes to them. ``painting`` does the painting.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lbbic_gui.jobs.decoded_picture import DecodedPicture, as_image
from lbbic_gui.jobs.messages import Front, Pixels
from lbbic_gui.painting import painting
from lbbic_gui.painting.brush import Tint
from lbbic_gui.painting.view_options import Mode, ViewChanges, ViewOptions
from lbbic_gui.painting.viewport import Viewport


class PictureView(QWidget):
    """Shows two pictures under one transform; ignores mouse and keys."""

    zoomed = Signal(float)
    options_changed = Signal(ViewOptions)
    split_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(400, 200)  # what floats above it has room
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Picture, original and compressed"))
        self.options = ViewOptions()
        self.viewport = Viewport(QSizeF(), QSizeF())
        self.original: Pixels | None = None
        self.result: Pixels | None = None
        self.block_size = 8
        self.checkerboard: tuple[QImage, ...] = ()  # with its halvings
        self.cover: QImage | None = None
        self.cursor_at: QPointF | None = None
        self.tint: Tint | None = None  # of what is painted
        self.brush_width = 0.0  # its outline is drawn around the cursor
        self._images: dict[str, QImage] = {}
        self._levels: dict[str, tuple[QImage, ...]] = {}  # halvings of the images
        self._decoded: DecodedPicture | None = None

    # --- what is shown --------------------------------------------------------------------------

    def clear(self) -> None:
        """Show nothing."""
        self.original = self.result = self._decoded = self.cover = None
        self.checkerboard = ()
        self._images.clear()
        self._levels.clear()
        self.viewport = replace(self.viewport, picture=QSizeF())
        self.set_options(pinned=None, map=None, badge="", baseline="", ours="")

    def show_original(
        self, canvas: Pixels, levels: tuple[Pixels, ...], checkerboard: tuple[QImage, ...]
    ) -> None:
        """Show a picture, with its halvings, on the original's side."""
        self.original, self.checkerboard = canvas, checkerboard
        self._images["original"] = as_image(canvas)
        self._levels["original"] = tuple(map(as_image, levels))
        self._use_size(QSizeF(canvas.shape[1], canvas.shape[0]))

    def show_result(self, decoded: DecodedPicture) -> None:
        """Show a decoded picture, or one that is being decoded, on the other side."""
        self._decoded, self.cover = decoded, None
        self.result = decoded.picture()
        if self.options.pinned is not None:
            self.set_options(pinned=_repinned(self.options.pinned, self.block_size, decoded))
        self.block_size = decoded.size
        self._images["result"] = decoded.image()
        self._levels["result"] = decoded.level_images()
        self._use_size(QSizeF(decoded.width, decoded.height))

    def show_cover(self, cover: QImage | None) -> None:
        """Hide blocks of the result, by an image from ``DecodedPicture.cover``."""
        self.cover = cover
        self.update()

    def add_front(self, front: Front) -> None:
        """Add decoded blocks and repaint only them."""
        if self._decoded is None:
            return
        self._decoded.add(front.rows, front.columns, front.blocks, front.halvings)
        size = self._decoded.size
        left, right = int(front.columns.min()), int(front.columns.max()) + 1
        top, bottom = int(front.rows.min()), int(front.rows.max()) + 1
        part = QRectF(left * size, top * size, (right - left) * size, (bottom - top) * size)
        self.update(self._dirty(part))

    def image(self, name: str) -> QImage | None:
        return self._images.get(name)

    def scaled_image(self, name: str) -> QImage | None:
        """The smallest halving with at least one pixel per pixel of the view."""
        image = self._images.get(name)
        return None if image is None else self._scaled((image, *self._levels.get(name, ())))

    def scaled_checkerboard(self) -> QImage | None:
        """The same for the checkerboard."""
        return self._scaled(self.checkerboard) if self.checkerboard else None

    def _scaled(self, images: tuple[QImage, ...]) -> QImage:
        (image, *halvings), zoom = images, self.viewport.zoom
        for level in halvings:
            zoom *= 2
            if zoom > 1:
                break
            image = level
        return image

    def set_options(self, **changes: Unpack[ViewChanges]) -> None:
        """Change options of painting."""
        self.options = replace(self.options, **changes)
        self.update()
        self.options_changed.emit(self.options)

    def _use_size(self, picture: QSizeF) -> None:
        self._move(self.viewport.of_picture(picture))

    def _dirty(self, part: QRectF) -> QRect:
        area = self.viewport.area(part).toAlignedRect().adjusted(-2, -2, 2, 2)
        return self.rect() if self.options.mode is Mode.SIDE else area

    # --- the view -------------------------------------------------------------------------------

    def fit(self) -> None:
        self._move(self.viewport.fitted())

    def zoom_to(self, zoom: float) -> None:
        self._move(self.viewport.zoomed(zoom))

    def zoom_by(self, steps: int) -> None:
        self._move(self.viewport.stepped(steps))

    def _move(self, viewport: Viewport) -> None:
        changed = viewport.zoom != self.viewport.zoom
        self.viewport = viewport
        self.update()
        if changed:
            self.zoomed.emit(viewport.zoom)

    def pane(self) -> QSizeF:
        """The size of one picture's view: half of the widget if they are side by side."""
        halves = 2 if self.options.mode is Mode.SIDE else 1
        return QSizeF(self.width() / halves, self.height())

    def split_x(self) -> float:
        return self.options.split * self.width()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit_pane()

    def _fit_pane(self) -> None:
        self._move(self.viewport.resized(self.pane(), self.devicePixelRatioF()))

    def set_mode(self, mode: Mode) -> None:
        """Change the comparison; zoom and position stay, unless the picture is fitted."""
        self.set_options(mode=mode)
        self._fit_pane()

    def show_side(self, split: float) -> None:
        """Set the split: 1 original, 0.5 half and half, 0 compressed; without one, flip."""
        if self.options.mode is Mode.FLIP:
            self.set_options(flipped=split >= 0.5)
            return
        self.choose_split(split)
        self.set_mode(Mode.SPLIT)

    def choose_split(self, split: float) -> None:
        """Put the split, a share of the width, where the user wants it."""
        self.set_options(split=split)
        self.split_chosen.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setClipRect(event.rect())
            painting.paint(painter, self, event.rect())

    # --- points and blocks ----------------------------------------------------------------------

    def pixel_at(self, at: QPointF) -> QPoint | None:
        """The picture's pixel below a point of the widget."""
        place = self.viewport.to_picture(self.in_pane(at))
        x, y = int(place.x() // 1), int(place.y() // 1)
        size = self.viewport.picture
        inside = 0 <= x < size.width() and 0 <= y < size.height()
        return QPoint(x, y) if inside and self._images else None

    def pixel_below(self) -> QPoint | None:
        """The picture's pixel below the cursor."""
        return None if self.cursor_at is None else self.pixel_at(self.cursor_at)

    def block_at(self, at: QPointF) -> tuple[int, int] | None:
        pixel = self.pixel_at(at)
        return None if pixel is None else self.block_of(pixel)

    def block_of(self, pixel: QPoint) -> tuple[int, int] | None:
        """The result's block with a pixel; there is none beyond a result smaller than the view."""
        if self._decoded is None:
            return None
        row, column = pixel.y() // self.block_size, pixel.x() // self.block_size
        is_inside = row < self._decoded.rows and column < self._decoded.columns
        return (row, column) if is_inside else None

    def context_of(self, row: int, column: int) -> list[tuple[int, int]]:
        """The blocks from which a block was predicted, as far as known."""
        if self._decoded is None:
            return []
        blocks = self._decoded.context[row, column]
        return [divmod(int(index), self._decoded.columns) for index in blocks if index >= 0]

    def in_pane(self, at: QPointF) -> QPointF:
        """Convert a point of the widget to one of the picture's view that contains it."""
        width = self.pane().width()
        return QPointF(at.x() % width, at.y()) if self.options.mode is Mode.SIDE else at


def _repinned(block: tuple[int, int], size: int, decoded: DecodedPicture) -> tuple[int, int]:
    """The block of another picture, within it, that contains the middle of ``block``."""
    row, column = (int((place + 0.5) * size) // decoded.size for place in block)
    return min(row, decoded.rows - 1), min(column, decoded.columns - 1)
