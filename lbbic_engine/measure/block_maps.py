"""The bits and distortion of every block of a file: as numbers, as a table, as a picture."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.codec import decode_progressively
from lbbic_engine.layout.blocks import grid

HEADINGS = ("row", "column", "bits", "mse")
GAP_PX = 8  # between the two maps of a picture

Maps = NDArray[np.float64]


@dataclass(frozen=True)
class BlockMaps:
    """Bits and distortion of each block, (rows, columns)."""

    block_size: int
    bits: Maps
    squared_error: Maps  # sum over the block, on the 0…255 range
    values: Maps  # number of terms of that sum: pixels inside the picture times three colours

    @property
    def mse(self) -> Maps:
        return self.squared_error / self.values

    def csv(self) -> bytes:
        """A table with a line for each block, in raster order."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(HEADINGS)
        for (row, column), bits in np.ndenumerate(self.bits):
            writer.writerow((row, column, f"{bits:.3f}", f"{self.mse[row, column]:.4f}"))
        return text.getvalue().encode()

    def png(self) -> bytes:
        """A picture with the bits on the left and the distortion on the right; maxima are white."""
        maps = [
            _grey(np.sqrt(values)) for values in (self.bits, self.mse)
        ]  # roots show more detail
        wide = [np.kron(m, np.ones((self.block_size,) * 2, np.uint8)) for m in maps]
        gap = np.full((len(wide[0]), GAP_PX), 128, np.uint8)
        image = io.BytesIO()
        Image.fromarray(np.hstack([wide[0], gap, wide[1]])).save(image, "PNG")
        return image.getvalue()


def block_maps(data: bytes, original: NDArray[np.uint8], *, device: str = "auto") -> BlockMaps:
    """Decode a file and compare it with its original (H, W, 3); raises like ``decompress``."""
    height, width, _ = original.shape
    maps: BlockMaps | None = None
    for front in decode_progressively(data, device=device):
        size = front.blocks.shape[1]
        if maps is None:
            rows, columns = grid(height, width, size)
            padding = ((0, rows * size - height), (0, columns * size - width), (0, 0))
            inside = _cut(np.pad(np.ones_like(original, bool), padding), size)
            blocks = _cut(np.pad(original.astype(np.int16), padding), size)
            empty = np.zeros((rows, columns))
            maps = BlockMaps(size, empty, empty.copy(), inside.sum(axis=(2, 3, 4)).astype(float))
        place = front.rows, front.columns
        maps.bits[place] = front.bits
        error = np.where(inside[place], front.blocks - blocks[place], 0).astype(np.int64)
        maps.squared_error[place] = np.square(error).sum(axis=(1, 2, 3))
    assert maps is not None  # no picture is without blocks
    return maps


def _cut(values: NDArray[Any], size: int) -> NDArray[Any]:
    """(rows·B, columns·B, 3) as (rows, columns, B, B, 3)."""
    rows, columns = values.shape[0] // size, values.shape[1] // size
    cut: NDArray[Any] = values.reshape(rows, size, columns, size, 3).transpose(0, 2, 1, 3, 4)
    return cut


def _grey(values: Maps) -> NDArray[np.uint8]:
    share = values / max(float(values.max()), 1e-9)
    grey: NDArray[np.uint8] = (255 * share).round().astype(np.uint8)
    return grey
