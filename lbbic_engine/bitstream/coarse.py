"""A coarse grid of numbers to bytes and back: the correction of slow errors (``layout.coarse``).

Numbers are coded in diagonals, from the upper left corner on. The mean of the neighbours on the
left and above is subtracted from each; the larger these are, the larger the rest may be. It is
coded like the symbols of blocks, by the tables of the model. The body of the chunk begins with the
step of the numbers and with the least scale level of each channel.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.bitstream.entropy import SymbolDecoder, SymbolEncoder
from lbbic_engine.bitstream.tables import ProbabilityTables, symbol_cost
from lbbic_engine.errors import damaged

Values = NDArray[np.int64]
Diagonal = tuple[NDArray[np.int64], NDArray[np.int64]]  # rows and columns

BOUND = 2**12  # of a number, its sign aside
_RISE = 2  # of the scale level, for each unit of the neighbours
_MAX_RISE = 16


def encode(values: Values, step: int, tables: ProbabilityTables) -> bytes:
    """Return the body of a C chunk with numbers (rows, columns, channels) within ``BOUND``."""
    diagonals = list(_diagonals(*values.shape[:2]))
    rests, rises = [], []
    for place in diagonals:
        predicted, rise = _context(values, place)
        rests.append((values[place] - predicted).astype(np.int32))
        rises.append(rise)
    least = _best_levels(np.concatenate(rises), np.concatenate(rests), tables)
    encoder = SymbolEncoder(tables)
    for rest, rise in zip(rests, rises, strict=True):
        encoder.encode(_bounded(least + rise, tables), rest)
    return bytes([step, *least.tolist()]) + encoder.finish()


def decode(
    body: bytes, shape: tuple[int, int, int], tables: ProbabilityTables
) -> tuple[Values, int]:
    """Return the numbers (rows, columns, channels) and their step; CorruptDataError if damaged."""
    step, least, stream = body[:1], body[1 : 1 + shape[2]], body[1 + shape[2] :]
    if not any(step) or len(least) < shape[2]:
        raise damaged("A part of it has the wrong length.")
    lowest = np.frombuffer(least, np.uint8).astype(np.int64)
    decoder = SymbolDecoder(tables, stream)
    values = np.zeros(shape, np.int64)
    for place in _diagonals(*shape[:2]):
        predicted, rise = _context(values, place)
        rest = decoder.decode(_bounded(lowest + rise, tables))
        values[place] = (predicted + rest).clip(-BOUND, BOUND)
    return values, step[0]


def _diagonals(rows: int, columns: int) -> Iterator[Diagonal]:
    for number in range(rows + columns - 1):
        row = np.arange(max(0, number - columns + 1), min(rows, number + 1))
        yield row, number - row


def _context(values: Values, place: Diagonal) -> tuple[Values, Values]:
    """Return the prediction of numbers (n, channels) and the rise of their scale levels.

    At the left and the upper edge the one neighbour stands for both.
    """
    row, column = place
    left = values[row, np.maximum(column - 1, 0)] * (column > 0)[:, None]
    above = values[np.maximum(row - 1, 0), column] * (row > 0)[:, None]
    left, above = (
        np.where((column == 0)[:, None], above, left),
        np.where((row == 0)[:, None], left, above),
    )
    total = left + above
    predicted = np.sign(total) * (np.abs(total) // 2)
    return predicted, (_RISE * (np.abs(left) + np.abs(above))).clip(max=_MAX_RISE)


def _best_levels(rises: Values, rests: NDArray[np.int32], tables: ProbabilityTables) -> Values:
    """Return the least scale levels (channels,) at which symbols (n, channels) take fewest bits."""
    cost = tables.bits()
    choices = [
        [
            symbol_cost(cost, _bounded(least + rise, tables)[None], rest[None]).sum()
            for least in range(len(cost))
        ]
        for rise, rest in zip(rises.T, rests.T, strict=True)
    ]
    return np.asarray(np.argmin(choices, axis=1))


def _bounded(levels: Values, tables: ProbabilityTables) -> Values:
    return levels.clip(max=len(tables.stages[0]) - 1)
