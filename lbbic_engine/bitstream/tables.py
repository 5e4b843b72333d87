"""Probabilities of the symbols at every scale level: integer counts and lookups, no formulas.

A symbol k is stored as 0, -1, 1, -2, 2, … → 0, 1, 2, 3, 4, … (``fold``), so that likely symbols
come first. Its row is cut into stages: the first codes 0…6 or "larger", the next the larger ones,
and so on; the last entry of the last stage is an escape. Few symbols go beyond the first stage, and
the time of an entropy coder grows with the width of a row.

Counts of a stage sum to ``TOTAL``; as binary32 probabilities they are exact and therefore the same
on every machine. ``training`` makes the counts of whole rows; they are stored in the weights file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int32] | NDArray[np.int64]

TOTAL = 2**20
WIDTHS = (8, 16, 32, 64, 128, 256, 512)
_STAGE_WIDTHS = (8, 32)  # the last stage is as wide as is left


@dataclass(frozen=True)
class ProbabilityTables:
    """Probabilities (levels, width) of each stage, the last entry of a stage being "larger"."""

    stages: tuple[NDArray[np.float32], ...]

    def bits(self) -> NDArray[np.float32]:
        """Cost of the folded symbols (levels, widest row); the last is that of an escape.

        For an encoder's decisions; no decoder depends on it.
        """
        costs = [-np.log2(stage) for stage in self.stages]
        joined = costs[-1]
        for cost in costs[-2::-1]:
            joined = np.concatenate([cost[:, :-1], cost[:, -1:] + joined], axis=1)
        joined[:, -1] += 6  # at least what the excess takes
        return joined


def symbol_cost(
    bits: NDArray[np.float32], levels: NDArray[np.integer], symbols: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Bits (n,) that rows of symbols (n, width) take at their levels; ``bits`` is the table."""
    count = bits.shape[1]
    place = fold(symbols.astype(np.int64)).clip(max=count - 1)
    place += levels.astype(np.int64) * count
    return np.asarray(bits.take(place).sum(axis=1))


def build_tables(counts: NDArray[np.int32], widths: NDArray[np.int32]) -> ProbabilityTables:
    """Tables from counts (levels, widest row), of which each row uses its first ``width``.

    The last entry that a row uses stands for all symbols from there on; it is spread over them.
    ValueError if a width is none of ``WIDTHS``, a used count is not positive or a row does not sum
    to ``TOTAL``.
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
    """A row (widest,) in 2⁻²⁰ of a count, the last used entry spread as 1/2, 1/6, 1/12, …"""
    whole = row.astype(np.int64) << 20
    n = np.arange(1, len(row) - width + 2)
    whole[width - 1 :] = whole[width - 1] // (n * (n + 1))
    return whole


def _normalise(rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Positive multiples of 1 / ``TOTAL`` that sum to one, in proportion to the rows."""
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
