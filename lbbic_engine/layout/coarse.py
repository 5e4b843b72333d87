"""A coarse grid laid over a picture: what to add to its pixels so that slow errors go.

The means of blocks are coded in coarse steps, and a wrong one is what the next blocks are predicted
from: at low rates, half of a smooth picture's squared error is shared by areas of 32×32 pixels. A
number for each such cell and colour, interpolated between the cells' centres, takes it away.

The numbers are those of luma and two differences of colours, in steps: red, green and blue change
by Y + Co - Cg, Y + Cg and Y - Co - Cg. A grey picture has Y alone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Values = NDArray[np.int64]

CELL = 32  # pixels
STEP_PARTS = 8  # of a step's unit, in an 8-bit value

# Relative to the step at which its rate and its distortion would be in balance if errors were
# spread evenly; most numbers are 0.
_STEP_SHARE = 1.4
# Part of a step that is added before rounding down: of colours, whose errors are seen more than
# luma's, each number is the nearest.
_ROUNDING = np.array([0.4, 0.5, 0.5])
_SHARES = np.arange(1, 2 * CELL, 2, dtype=np.int32)  # of the next centre's number, in 2 * CELL
_BITS = 15  # below an 8-bit value, of a product of the weights along and across and of a step


def grid_shape(height: int, width: int, *, grey: bool) -> tuple[int, int, int]:
    """Return the rows, columns and channels of a picture's numbers."""
    return -(-height // CELL), -(-width // CELL), 1 if grey else 3


def best_step(bits: float) -> int:
    """Return the step, in eighths, if a squared error of 1 in an 8-bit value is worth ``bits``."""
    balance = math.sqrt(6 / (bits * 3 * CELL**2 * math.log(2)))
    return round(min(max(1, STEP_PARTS * _STEP_SHARE * balance), 255))


def fit(original: Pixels, decoded: Pixels, step: int, *, grey: bool) -> Values:
    """Return numbers (rows, columns, channels) that bring ``decoded`` nearer to ``original``.

    They are the means of the cells' errors in units of ``step``, which is in eighths, plus what
    these would leave, as a cell also gets parts of its neighbours' numbers.
    """
    wanted = _cell_errors(original, decoded, grey=grey) * (STEP_PARTS / step)
    values = _rounded(wanted)
    return _rounded(values + wanted - _interpolated(values))


def _cell_errors(original: Pixels, decoded: Pixels, *, grey: bool) -> NDArray[np.float64]:
    """Return the mean errors of cells (rows, columns, channels)."""
    height, width, _ = original.shape
    rows, columns, channels = grid_shape(height, width, grey=grey)
    edges = np.arange(0, width, CELL)
    widths = np.diff(edges, append=width)[:, None]
    means = np.empty((rows, columns, 3))
    for row in range(rows):
        part = slice(row * CELL, (row + 1) * CELL)
        errors = np.subtract(original[part], decoded[part], dtype=np.int16)
        sums = np.add.reduceat(errors.sum(axis=0, dtype=np.int32), edges)
        means[row] = sums / (widths * len(errors))
    red, green, blue = np.moveaxis(means, 2, 0)
    luma = (red + 2 * green + blue) / 4
    parts = np.stack([luma, (red - blue) / 2, luma - (red + blue) / 2], axis=2)
    return parts[..., :channels]


def _interpolated(values: Values) -> NDArray[np.float64]:
    """Return the means of cells (rows, columns, channels) after interpolation."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    lines = (padded[:-2] + 6 * padded[1:-1] + padded[2:]) / 8
    means: NDArray[np.float64] = (lines[:, :-2] + 6 * lines[:, 1:-1] + lines[:, 2:]) / 8
    return means


def _rounded(steps: NDArray[np.float64]) -> Values:
    sizes = np.floor(np.abs(steps) + _ROUNDING[: steps.shape[2]])
    values: Values = (np.sign(steps) * sizes).astype(np.int64)
    return values


class Correction:
    """What is added to the pixels of a picture, from its numbers (rows, columns, channels)."""

    def __init__(self, values: Values, step: int) -> None:
        most = 255 * STEP_PARTS // step
        luma, co, cg = (*np.moveaxis(values.clip(-most, most).astype(np.int32), 2, 0), 0, 0)[:3]
        cells = np.stack([luma + co - cg, luma + cg, luma - co - cg], axis=2) * np.int32(step)
        # Beyond the outermost centres the picture has what they have.
        self._cells = np.pad(cells, ((1, 1), (1, 1), (0, 0)), mode="edge")

    def of_rows(self, first_row: int, height: int, width: int) -> NDArray[np.int16]:
        """Return what is added (height, width, 3), starting at a row of the picture."""
        cell, pixel = np.divmod(np.arange(first_row, first_row + height) + CELL // 2, CELL)
        cells = self._cells[cell[0] : cell[-1] + 2]
        cell -= cell[0]
        # First across, from each centre to the next: (cells, columns + 1, CELL, 3).
        lines = np.diff(cells, axis=1)[:, :, None] * _SHARES[:, None]
        lines += cells[:, :-1, None] * (2 * CELL)
        lines = lines.reshape(len(cells), -1, 3)[:, CELL // 2 : CELL // 2 + width]
        lines = lines.reshape(len(cells), -1)  # inner loops of three values would take longer
        sums = np.diff(lines, axis=0)[cell]
        sums *= _SHARES[pixel, None]
        sums += (lines * (2 * CELL) + (1 << _BITS - 1))[cell]
        sums >>= _BITS
        between: NDArray[np.int16] = sums.astype(np.int16).reshape(height, width, 3)
        return between

    def add(self, pixels: Pixels, first_row: int) -> Pixels:
        """Return rows (n, width, 3) of the picture from ``first_row`` on, with the correction."""
        corrected = np.empty_like(pixels)
        for top in range(0, len(pixels), CELL):  # little memory
            part = pixels[top : top + CELL]
            corrected[top : top + CELL] = added(
                self.of_rows(first_row + top, *part.shape[:2]), part
            )
        return corrected


def added(change: NDArray[np.int16], pixels: Pixels) -> Pixels:
    """Return pixels with a change of the same shape, within 0…255."""
    sums = change + pixels
    np.minimum(np.maximum(sums, 0, out=sums), 255, out=sums)
    return sums.astype(np.uint8)
