"""A picture that is decoded block by block, and its states in between. No engine, no widgets.

The array covers whole blocks and so may reach beyond the picture; ``picture`` and ``image`` are
views of the picture alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

Pixels = NDArray[np.uint8]

SMALL_PX = 1024  # a picture of this size needs no halvings
UNDECODED = (44, 40, 38)  # blue, green, red of blocks that are still to come


def as_image(canvas: Pixels, width: int = 0, height: int = 0) -> QImage:
    """A view of a canvas or its upper left part; the caller keeps the array alive meanwhile."""
    rows, columns = canvas.shape[:2]
    stride, format_ = canvas.strides[0], QImage.Format.Format_RGB32
    return QImage(canvas.data, width or columns, height or rows, stride, format_)


def halvings(canvas: Pixels) -> tuple[Pixels, ...]:
    """A picture at a half, a quarter… of its size, for smaller views."""
    height, width = canvas.shape[:2]
    return _halvings(canvas, _useful_halvings(width, height))


def _useful_halvings(width: int, height: int) -> int:
    """The number of halvings until a picture is small or a line."""
    count = 0
    while max(width, height) >> count > SMALL_PX and min(width, height) >> count > 1:
        count += 1
    return count


def _halvings(pixels: Pixels, count: int) -> tuple[Pixels, ...]:
    levels = [pixels]
    for _ in range(count):
        levels.append(_halved(levels[-1]))
    return tuple(levels[1:])


def _halved(pixels: Pixels) -> Pixels:
    """Pixels (…, H, W, colour) at half their size; an odd last row or column is dropped."""
    height, width = (side // 2 * 2 for side in pixels.shape[-3:-1])
    sums = pixels[..., :height:2, :width:2, :].astype(np.uint16)
    for down, right in ((0, 1), (1, 0), (1, 1)):
        sums += pixels[..., down:height:2, right:width:2, :]
    return (sums >> 2).astype(np.uint8)


class DecodedPicture:
    """A picture decoded block by block (rows·B, columns·B, 4), with maps of its blocks.

    ``levels`` are its halvings, kept up to date block by block.
    ``order`` (rows, columns) is the number of a block's front, −1 before it comes; ``bits`` its
    cost; ``context`` (rows, columns, 4) the blocks it was predicted from, −1 for none.
    """

    def __init__(self, width: int, height: int, size: int) -> None:
        self.width, self.height, self.size = width, height, size
        self.rows, self.columns = -(-height // size), -(-width // size)
        self.canvas = _undecoded(self.rows * size, self.columns * size)
        # as long as a block has a pixel
        count = min(_useful_halvings(width, height), size.bit_length() - 1)
        sizes = [size >> n for n in range(1, count + 1)]
        self.levels = tuple(_undecoded(self.rows * each, self.columns * each) for each in sizes)
        self.order = np.full((self.rows, self.columns), -1, np.int32)
        self.bits = np.zeros((self.rows, self.columns), np.float32)
        self.context = np.full((self.rows, self.columns, 4), -1, np.int32)
        self._fronts = 0
        self.done = 0
        self._blocks = [
            _by_blocks(canvas, each)
            for canvas, each in zip((self.canvas, *self.levels), (size, *sizes), strict=True)
        ]

    @property
    def total(self) -> int:
        return self.rows * self.columns

    def add(
        self,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        blocks: Pixels,
        halvings: tuple[Pixels, ...] = (),
        bits: NDArray[np.float32] | None = None,
        context: NDArray[np.int32] | None = None,
    ) -> None:
        """Place a front of ``blocks`` (n, B, B, 3), RGB, and their halvings from ``halved``."""
        for canvas, values in zip(self._blocks, (blocks, *halvings), strict=True):
            canvas[rows, columns, :, :, :3] = values[..., ::-1]
        self.order[rows, columns] = self._fronts
        if bits is not None:
            self.bits[rows, columns] = bits
        if context is not None:
            self.context[rows, columns] = context
        self._fronts += 1
        self.done += len(rows)

    def halved(self, blocks: Pixels) -> tuple[Pixels, ...]:
        """Blocks (n, B, B, 3) at a half, a quarter… of their size, one array for each level."""
        return _halvings(blocks, len(self.levels))

    def recolour(self, convert: Callable[[Pixels], Pixels]) -> None:
        """Pass all pixels, in RGB, through ``convert``, except those of levels."""
        self.canvas[..., :3] = convert(self.canvas[..., 2::-1])[..., ::-1]

    @property
    def front_count(self) -> int:
        return self._fronts

    def picture(self) -> Pixels:
        """A view of the picture (H, W, 4) without the overhang of its blocks."""
        return self.canvas[: self.height, : self.width]

    def image(self) -> QImage:
        """A view of the picture without copying; valid while this object lives."""
        return as_image(self.canvas, self.width, self.height)

    def level_images(self) -> tuple[QImage, ...]:
        """Views of the picture at a half, a quarter… of its size."""
        return tuple(
            as_image(canvas, self.width >> n, self.height >> n)
            for n, canvas in enumerate(self.levels, start=1)
        )

    def errors(self, original: Pixels) -> NDArray[np.float32]:
        """Mean squared error (rows, columns) of each block, inside the picture."""
        picture, edges = self.picture()[..., 2::-1], np.arange(0, self.width, self.size)
        widths = np.minimum(self.size, self.width - edges)
        means = np.empty((self.rows, self.columns), np.float32)
        for row in range(self.rows):  # one after the other, so that little memory is needed
            part = slice(row * self.size, min((row + 1) * self.size, self.height))
            error = np.subtract(original[part], picture[part], dtype=np.int16)
            columns = np.square(error, dtype=np.int32).sum(axis=(0, 2))
            means[row] = np.add.reduceat(columns, edges) / (3 * len(error) * widths)
        return means

    def cover(self, front: int) -> QImage:
        """An image, one pixel per block, that hides the blocks of this front and later ones."""
        pixels = np.where(self.order >= front, _undecoded_pixel(), np.uint32(0))
        stride, format_ = pixels.strides[0], QImage.Format.Format_ARGB32_Premultiplied
        return QImage(pixels.data, self.columns, self.rows, stride, format_).copy()


def _undecoded(height: int, width: int) -> Pixels:
    """A canvas on which nothing has been decoded."""
    # a pixel at a time, four times as fast as a byte at a time
    return np.full((height, width, 1), _undecoded_pixel(), np.uint32).view(np.uint8)


def _undecoded_pixel() -> np.uint32:
    return np.uint32(int.from_bytes((*UNDECODED, 255), sys.byteorder))


def _by_blocks(canvas: Pixels, size: int) -> Pixels:
    """A view of a canvas by blocks (row, column, y, x, colour)."""
    height, width, colours = canvas.shape
    return canvas.reshape(height // size, size, width // size, size, colours).swapaxes(1, 2)
