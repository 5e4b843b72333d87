"""A picture that is decoded block by block, and its states in between. No engine, no widgets.

The array covers whole blocks and so may reach beyond the picture; ``picture`` and ``image`` are
views of the picture alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

Pixels = NDArray[np.uint8]

SMALL_PX = 1024  # a picture of this size needs no halvings
UNDECODED = (44, 40, 38)  # blue, green, red of blocks that are still to come


def as_image(canvas: Pixels, width: int = 0, height: int = 0) -> QImage:
    """A view of a canvas or its upper left part: the caller keeps the array alive as long."""
    rows, columns = canvas.shape[:2]
    stride, format_ = canvas.strides[0], QImage.Format.Format_RGB32
    return QImage(canvas.data, width or columns, height or rows, stride, format_)


def halvings(canvas: Pixels) -> tuple[Pixels, ...]:
    """A picture at a half, a quarter… of its size, for views that are smaller than it."""
    levels: list[Pixels] = []
    while max(canvas.shape[:2]) > SMALL_PX:
        height, width = (side // 2 * 2 for side in canvas.shape[:2])
        sums = canvas[:height:2, :width:2].astype(np.uint16)
        for down, right in ((0, 1), (1, 0), (1, 1)):
            sums += canvas[down:height:2, right:width:2]
        canvas = (sums >> 2).astype(np.uint8)
        levels.append(canvas)
    return tuple(levels)


class DecodedPicture:
    """A picture that is decoded block by block: (rows·B, columns·B, 4), with maps of its blocks.

    ``order`` (rows, columns) is the number of a block's front, −1 before it comes; ``bits`` its
    cost; ``context`` (rows, columns, 4) the blocks it was predicted from, −1 for none.
    """

    def __init__(self, width: int, height: int, size: int) -> None:
        self.width, self.height, self.size = width, height, size
        self.rows, self.columns = -(-height // size), -(-width // size)
        # a pixel at a time, four times as fast as a byte at a time
        (pixel,) = np.array([*UNDECODED, 255], np.uint8).view(np.uint32)
        pixels = np.full((self.rows * size, self.columns * size, 1), pixel, np.uint32)
        self.canvas = pixels.view(np.uint8)
        self.order = np.full((self.rows, self.columns), -1, np.int32)
        self.bits = np.zeros((self.rows, self.columns), np.float32)
        self.context = np.full((self.rows, self.columns, 4), -1, np.int32)
        self._fronts = 0
        self.done = 0
        # (row, column, y, x, colour): one block at a time, without copying
        self._blocks = self.canvas.reshape(self.rows, size, self.columns, size, 4).swapaxes(1, 2)

    @property
    def total(self) -> int:
        return self.rows * self.columns

    def add(
        self,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        blocks: Pixels,
        bits: NDArray[np.float32] | None = None,
        context: NDArray[np.int32] | None = None,
    ) -> None:
        """Put a front in its place; ``blocks`` (n, B, B, 3) red first."""
        self._blocks[rows, columns, :, :, :3] = blocks[..., ::-1]
        self.order[rows, columns] = self._fronts
        if bits is not None:
            self.bits[rows, columns] = bits
        if context is not None:
            self.context[rows, columns] = context
        self._fronts += 1
        self.done += len(rows)

    def recolour(self, convert: Callable[[Pixels], Pixels]) -> None:
        """Pass all pixels, red first, through ``convert``."""
        self.canvas[..., :3] = convert(self.canvas[..., 2::-1])[..., ::-1]

    @property
    def front_count(self) -> int:
        return self._fronts

    def picture(self) -> Pixels:
        """A view of the picture without the blocks' overhang, (H, W, 4)."""
        return self.canvas[: self.height, : self.width]

    def image(self) -> QImage:
        """A view of the picture, no copy; valid while this object lives."""
        return as_image(self.canvas, self.width, self.height)

    def errors(self, original: Pixels) -> NDArray[np.float32]:
        """Mean squared error (rows, columns) of each block, of its part inside the picture."""
        picture, edges = self.picture()[..., 2::-1], np.arange(0, self.width, self.size)
        widths = np.minimum(self.size, self.width - edges)
        means = np.empty((self.rows, self.columns), np.float32)
        for row in range(self.rows):  # one after the other, so that little memory is needed
            part = slice(row * self.size, min((row + 1) * self.size, self.height))
            error = np.subtract(original[part], picture[part], dtype=np.int16)
            columns = np.square(error, dtype=np.int32).sum(axis=(0, 2))
            means[row] = np.add.reduceat(columns, edges) / (3 * len(error) * widths)
        return means

    def until(self, front: int) -> DecodingFrame:
        """A copy that shows the fronts before ``front`` and can be moved to others."""
        return DecodingFrame(self, front)


class DecodingFrame:
    """The state of a decoded picture after some of its fronts; ``image`` is a view of it."""

    def __init__(self, whole: DecodedPicture, front: int) -> None:
        self._whole = whole
        self._shown = DecodedPicture(whole.width, whole.height, whole.size)
        self._front = 0
        self.image, self.pixels = self._shown.image(), self._shown.picture()
        self.seek(front)

    def seek(self, front: int) -> None:
        """Show the fronts before ``front``; only the blocks in between are touched."""
        low, high = sorted((self._front, front))
        rows, columns = np.nonzero((self._whole.order >= low) & (self._whole.order < high))
        shown = self._shown._blocks
        if front > self._front:
            shown[rows, columns] = self._whole._blocks[rows, columns]
        else:
            shown[rows, columns, :, :, :3] = UNDECODED
        self._front = front
