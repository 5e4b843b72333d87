"""Probabilities of the symbols at every scale level: integer counts and lookups, no formulas.

A symbol k is stored as 0, -1, 1, -2, 2, … → 0, 1, 2, 3, 4, … (``fold``), so the likely ones
come first; the last entry of a row is an escape. Counts of a row sum to ``TOTAL``; as binary32
probabilities they are exact, hence the same on every machine. How the counts come about is the
affair of ``training``; they travel in the weights file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOTAL = 2**20
WIDTHS = (8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class ProbabilityTables:
    """Rows grouped by width, because a wide row costs a decoder more time than a narrow one."""

    rows: tuple[NDArray[np.float32], ...]  # one array (levels of that width, width) per width
    width_class: NDArray[np.intp]  # (levels,) which of the arrays
    row: NDArray[np.intp]  # (levels,) which row of it

    def bits(self) -> NDArray[np.float32]:
        """Cost of the folded symbols (levels, widest row); beyond a row, its escape's and more.

        For a sender's decisions; no decoder depends on it.
        """
        cost = np.empty((len(self.row), self.rows[-1].shape[1]), np.float32)
        for level, (number, row) in enumerate(zip(self.width_class, self.row, strict=True)):
            known = -np.log2(self.rows[number][row])
            escape = len(known) - 1
            cost[level, :escape] = known[:-1]
            beyond = np.arange(1, cost.shape[1] - escape + 1)
            cost[level, escape:] = known[-1] + 2 * np.log2(beyond) + 5
        return cost


def build_tables(counts: NDArray[np.int32], widths: NDArray[np.int32]) -> ProbabilityTables:
    """Tables from counts (levels, ≥ widest row), of which each row uses its first ``width``.

    ValueError if a used count is not positive or a row does not sum to ``TOTAL``.
    """
    used = np.arange(counts.shape[1]) < widths[:, None]
    if (counts[used] < 1).any() or (np.where(used, counts, 0).sum(1) != TOTAL).any():
        raise ValueError("probability tables are damaged")
    classes = np.unique(widths)
    rows = [(counts[widths == w, :w] / TOTAL).astype(np.float32) for w in classes]
    width_class = np.searchsorted(classes, widths)
    row = np.array([(widths[:i] == w).sum() for i, w in enumerate(widths)], dtype=np.intp)
    return ProbabilityTables(tuple(rows), width_class, row)


def fold(symbols: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, -1, 1, -2, 2, … to 0, 1, 2, 3, 4, …"""
    return np.where(symbols < 0, -2 * symbols - 1, 2 * symbols)


def unfold(folded: NDArray[np.int64]) -> NDArray[np.int64]:
    """The inverse of ``fold``."""
    return np.where(folded & 1, -(folded + 1) // 2, folded // 2)
