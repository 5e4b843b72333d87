"""The order in which blocks are coded. Numbers only; imports no sibling but ``config``.

A block's context reaches one block to the upper right, so all blocks with the same
``column + 2·row`` are independent: they form a *front* and are coded in one batched pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.config import NEIGHBOURS


def fronts(rows: int, columns: int) -> list[NDArray[np.int64]]:
    """Raster indexes of the blocks of each front, in coding order; no front is empty."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    number = column + 2 * row
    order = np.argsort(number, kind="stable")
    _, first = np.unique(number[order], return_index=True)
    return np.split(order, first[1:])


def neighbours(rows: int, columns: int) -> NDArray[np.int64]:
    """Raster indexes (rows·columns, 4) of each block's context, ``rows·columns`` if outside."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    found = []
    for row_step, column_step in NEIGHBOURS:
        r, c = row + row_step, column + column_step
        inside = (r >= 0) & (c >= 0) & (c < columns)
        found.append(np.where(inside, r * columns + c, rows * columns))
    return np.stack(found, axis=1)
