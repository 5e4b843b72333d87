"""Probabilities of the symbols at every scale level: integer counts and lookups, no formulas.

Symbols are folded, 0, -1, 1, -2, 2, … → 0, 1, 2, 3, 4, … (``fold``), so that likely symbols come
first. Each row of probabilities is split into stages: the first codes 0…6 or "larger", the next the
larger ones, and so on; the last entry of the last stage is an escape. Few symbols need more than
the first stage, and the time to code a symbol grows with the width of the row.

The counts of a stage sum to ``TOTAL``. As binary32 probabilities they are exact and therefore the
same on every machine. ``training`` makes the counts of whole rows and stores them in the weights
file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int32] | NDArray[np.int64]

TOTAL = 2**20
WIDTHS = (8, 16, 32, 64, 128, 256, 512)
_STAGE_WIDTHS = (8, 32)  # the last stage has all remaining entries


@dataclass(frozen=True)
class ProbabilityTables:
    """Probabilities (levels, width) of each stage; the last entry of a stage means "larger"."""

    stages: tuple[NDArray[np.float32], ...]

    def bits(self) -> NDArray[np.float32]:
        """Cost in bits of folded symbols (levels, widest row); the last entry is an escape.

        Encoders decide by it; decoders do not use it.
        """
        costs = [-np.log2(stage) for stage in self.stages]
        joined = costs[-1]
        for cost in costs[-2::-1]:
            joined = np.concatenate([cost[:, :-1], cost[:, -1:] + joined], axis=1)
        joined[:, -1] += 6  # at least, for the excess
        return joined


def symbol_cost(
    bits: NDArray[np.float32], levels: NDArray[np.integer], symbols: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Bits (n,) of rows of symbols (n, width) at their levels, by ``ProbabilityTables.bits``."""
    count = bits.shape[1]
    place = fold(symbols.astype(np.int64)).clip(max=count - 1)
    place += levels.astype(np.int64) * count
    return np.asarray(bits.take(place).sum(axis=1))


def build_tables(counts: NDArray[np.int32], widths: NDArray[np.int32]) -> ProbabilityTables:
    """Tables from counts (levels, widest row); row i uses its first ``widths[i]`` entries.

    The last entry used counts all larger symbols, and is distributed over them. ValueError if a
    width is not one of ``WIDTHS``, a used count is not positive or a row does not sum to ``TOTAL``.
    """
    if not np.isin(widths, WIDTHS).all():
        raise ValueError("probability tables are damaged")
    used = np.arange(counts.shape[1]) < widths[:, None]
    if (counts[used] < 1).any() or (np.where(used, counts, 0).sum(1) != TOTAL).any():
        raise ValueError("probability tables are damaged")
    rows = np.stack([_spread(row, width) for row, width in zip(counts, widths, strict=True)])
    stages = []
    for width in _STAGE_WIDTHS:
        if width < rows.shape[1]:
            larger = rows[:, width - 1 :].sum(axis=1, keepdims=True)
            stages.append(np.concatenate([rows[:, : width - 1], larger], axis=1))
            rows = rows[:, width - 1 :]
    return ProbabilityTables(tuple(_normalise(stage) for stage in (*stages, rows)))


def _spread(row: NDArray[np.int32], width: int) -> NDArray[np.int64]:
    """A row (widest,) in units of 2⁻²⁰; the last used entry is distributed as 1/2, 1/6, 1/12, …"""
    whole = row.astype(np.int64) << 20
    n = np.arange(1, len(row) - width + 2)
    whole[width - 1 :] = whole[width - 1] // (n * (n + 1))
    return whole


def _normalise(rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Probabilities proportional to the rows: positive multiples of 1 / ``TOTAL``."""
    counts = np.maximum(rows * TOTAL // rows.sum(axis=1, keepdims=True), 1)
    likeliest = counts.argmax(axis=1)
    counts[np.arange(len(rows)), likeliest] += TOTAL - counts.sum(axis=1)
    return np.asarray(counts / TOTAL, dtype=np.float32)


def fold(symbols: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, -1, 1, -2, 2, … to 0, 1, 2, 3, 4, …"""
    return (symbols << 1) ^ (symbols >> 63)


def unfold(folded: Integers) -> Integers:
    """The inverse of ``fold``."""
    return (folded >> 1) ^ -(folded & 1)
