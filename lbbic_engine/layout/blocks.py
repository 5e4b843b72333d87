"""Pictures split into blocks and merged again."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

ValueT = TypeVar("ValueT", bound=np.generic)


def grid(height: int, width: int, block_size: int) -> tuple[int, int]:
    """Rows and columns of blocks that cover a picture."""
    return -(-height // block_size), -(-width // block_size)


def split_blocks(pixels: NDArray[ValueT], block_size: int) -> NDArray[ValueT]:
    """Split (H, W, 3) into (rows·columns, 3·B²) blocks, repeating the last row and column.

    A block's values are ordered by row, then column, then colour.
    """
    height, width, _ = pixels.shape
    rows, columns = grid(height, width, block_size)
    padding = ((0, rows * block_size - height), (0, columns * block_size - width), (0, 0))
    padded = np.pad(pixels, padding, mode="edge")
    cut = padded.reshape(rows, block_size, columns, block_size, 3)
    return np.ascontiguousarray(cut.transpose(0, 2, 1, 3, 4)).reshape(rows * columns, -1)


def merge_blocks(
    blocks: NDArray[ValueT], height: int, width: int, block_size: int
) -> NDArray[ValueT]:
    """Merge (rows·columns, 3·B²) blocks into (H, W, 3); the inverse of ``split_blocks``."""
    rows, columns = grid(height, width, block_size)
    cut = blocks.reshape(rows, columns, block_size, block_size, 3).transpose(0, 2, 1, 3, 4)
    merged = cut.reshape(rows * block_size, columns * block_size, 3)
    return np.ascontiguousarray(merged[:height, :width])
