"""Pixels between numpy, Pillow and Qt: thumbnails, canvases (blue first), growing pictures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QColor, QImage

from lbbic_gui.messages import Pixels, Source, Thumb

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_PX = 128
UNDECODED = (44, 40, 38)  # blue, green, red of blocks that are still to come
_CHECKS = (0xF2, 0xD8)  # light and dark squares behind a transparent picture
_CHECK_PX = 8


def to_canvas(rgb: Pixels) -> Pixels:
    """(H, W, 3) red first as (H, W, 4) blue first, which Qt draws without converting."""
    canvas = np.full((*rgb.shape[:2], 4), 255, np.uint8)
    canvas[..., :3] = rgb[..., ::-1]
    return canvas


def as_image(canvas: Pixels) -> QImage:
    """A view of a canvas, no copy: the caller keeps the array alive as long as the image."""
    height, width = canvas.shape[:2]
    return QImage(canvas.data, width, height, canvas.strides[0], QImage.Format.Format_RGB32)


def veil(alpha: NDArray[np.uint8] | None) -> QImage | None:
    """Checks that lie on a picture where it is transparent; None if it is not."""
    if alpha is None:
        return None
    rows, columns = (np.arange(side) // _CHECK_PX for side in alpha.shape)
    checks = np.where((rows[:, None] + columns) % 2, *_CHECKS).astype(np.uint16)
    cover = 255 - alpha.astype(np.uint16)
    pixels = np.empty((*alpha.shape, 4), np.uint8)
    pixels[..., :3] = (checks * cover // 255)[..., None]
    pixels[..., 3] = cover
    height, width = alpha.shape
    format_ = QImage.Format.Format_ARGB32_Premultiplied
    return QImage(pixels.data, width, height, 4 * width, format_).copy()


def thumbnail(source: Source) -> Thumb:
    """A small upright picture; whatever Pillow raises where a file cannot be read."""
    from PIL import Image, ImageOps

    if source.image is not None:
        size = source.image.size()
        return Thumb(_small(source.image), 0, size.width(), size.height())
    assert source.path is not None
    file_bytes = source.path.stat().st_size
    if source.is_lbb:
        return Thumb(QImage(), file_bytes, 0, 0)
    with Image.open(source.path) as image:
        width, height = image.size
        image.draft("RGB", (2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))
        small = ImageOps.exif_transpose(image)
        if (small.width < small.height) != (width < height):
            width, height = height, width
        small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        pixels = np.ascontiguousarray(np.asarray(small.convert("RGBA")))
    format_ = QImage.Format.Format_RGBA8888
    view = QImage(pixels.data, small.width, small.height, pixels.strides[0], format_)
    return Thumb(view.copy(), file_bytes, width, height)


def _small(image: QImage) -> QImage:
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return image.scaled(THUMBNAIL_PX, THUMBNAIL_PX, keep, smooth)


def small_canvas(canvas: Pixels) -> QImage:
    """A thumbnail of a canvas."""
    step = max(1, max(canvas.shape[:2]) // (2 * THUMBNAIL_PX))
    return _small(as_image(np.ascontiguousarray(canvas[::step, ::step])).copy())


def to_pillow(image: QImage) -> tuple[Image.Image, int]:
    """A pasted picture for Pillow, and its size as a PNG file."""
    from PIL import Image

    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    data = bytes(buffer.data().data())
    return Image.open(io.BytesIO(data)), len(data)


class Growing:
    """A picture that is decoded block by block: (rows·B, columns·B, 4), with maps of its blocks.

    ``order`` (rows, columns) is the number of a block's front, −1 before it comes; ``bits`` its
    cost.
    """

    def __init__(self, width: int, height: int, size: int) -> None:
        self.width, self.height, self.size = width, height, size
        self.rows, self.columns = -(-height // size), -(-width // size)
        self.canvas = np.full((self.rows * size, self.columns * size, 4), 255, np.uint8)
        self.canvas[..., :3] = UNDECODED
        self.order = np.full((self.rows, self.columns), -1, np.int32)
        self.bits = np.zeros((self.rows, self.columns), np.float32)
        self._fronts = 0
        self._done = 0
        # (row, column, y, x, colour): one block at a time, without copying
        self._blocks = self.canvas.reshape(self.rows, size, self.columns, size, 4).swapaxes(1, 2)

    @property
    def total(self) -> int:
        return self.rows * self.columns

    def done(self, share: int) -> int:
        """Blocks done, all those of the stages before this last one counted."""
        return self._done + (share - 1) * self.total

    def add(
        self,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        blocks: Pixels,
        bits: NDArray[np.float32] | None = None,
    ) -> None:
        """Put a front in its place; ``blocks`` (n, B, B, 3) red first."""
        self._blocks[rows, columns, :, :, :3] = blocks[..., ::-1]
        self.order[rows, columns] = self._fronts
        if bits is not None:
            self.bits[rows, columns] = bits
        self._fronts += 1
        self._done += len(rows)

    def picture(self) -> Pixels:
        """The picture without the blocks' overhang, (H, W, 4)."""
        return np.ascontiguousarray(self.canvas[: self.height, : self.width])

    def image(self) -> QImage:
        """A view of the picture, no copy; valid while this object lives."""
        return as_image(self.canvas[: self.height, : self.width])


def undecoded_colour() -> QColor:
    blue, green, red = UNDECODED
    return QColor(red, green, blue)
