"""What errors are seen: the map of quality that the encoder draws when it is tuned for looks.

Texture hides errors, smooth areas show them. So squares of little texture get more quality, those
of much get less, by the logarithm of the variance of luma. Constants are those that gave the best
SSIMULACRA 2 at equal bytes, of crops of photographs; steps are coarse and squares large, or the map
would cost more than it gives.

Errors of whole areas are seen more than the sum of their squares tells: a sky of another colour. So
their correction (``layout.coarse``) is finer then, and more bytes are spent on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SQUARE = 4  # blocks, side of what has one offset
STRENGTH = 0.3  # quality for each doubling of the variance
FLOOR = 12.0  # of the variance, squared 8-bit steps: noise that nobody sees
LIMIT, STEP = 1.5, 0.5  # of the offsets
SLOW_ERRORS = 2.0  # what a squared error counts in the correction, relative to elsewhere
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_STRIP = 64  # squares, for memory


def visual_offsets(pixels: NDArray[np.uint8], block_size: int) -> Floats:
    """Offsets of the quality of the blocks (rows, columns) of a picture (height, width, 3)."""
    side = SQUARE * block_size
    strips = [
        _activity(pixels[top : top + _STRIP * side], block_size)
        for top in range(0, len(pixels), _STRIP * side)
    ]
    activity = np.concatenate(strips)
    offsets = STRENGTH * (np.median(activity) - activity)
    squares = (offsets.clip(-LIMIT, LIMIT) / STEP).round() * STEP
    rows, columns = (-(-length // block_size) for length in pixels.shape[:2])
    blocks: Floats = squares.repeat(SQUARE, axis=0).repeat(SQUARE, axis=1)[:rows, :columns]
    return blocks


def _activity(pixels: NDArray[np.uint8], block_size: int) -> Floats:
    """Mean logarithm of the variance of a square's blocks, of squares (rows, columns)."""
    side = SQUARE * block_size
    luma = pixels @ _LUMA
    luma = np.pad(luma, [(0, -length % side) for length in luma.shape], mode="edge")
    rows, columns = (length // side for length in luma.shape)
    cut = luma.reshape(rows, SQUARE, block_size, columns, SQUARE, block_size)
    variance = cut.var(axis=(2, 5), dtype=np.float64)
    activity: Floats = np.log2(variance + FLOOR).mean(axis=(1, 3))
    return activity
