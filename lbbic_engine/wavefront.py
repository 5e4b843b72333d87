"""The order in which blocks are coded, and the loop that codes them; knows no network.

A block's context reaches one block to the upper right, so all blocks with the same
``column + 2·row`` are independent: they form a *front* and are coded in one batched pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

# Blocks a context is made of, as (row, column) offsets: left, upper left, upper, upper right.
NEIGHBOURS = ((0, -1), (-1, -1), (-1, 0), (-1, 1))

ExchangeT = TypeVar("ExchangeT", contravariant=True)


class BlockModel(Protocol, Generic[ExchangeT]):
    """A network that codes blocks; what a block's state holds is its own affair."""

    def empty_state(self, blocks: int) -> Tensor:
        """State (blocks + 1, width) whose last row stands for the outside of the picture."""

    def code_front(self, front: Tensor, around: Tensor, exchange: ExchangeT) -> Tensor:
        """State (n, width) of the blocks ``front`` from their neighbours' (n, 4·width)."""


def code_blocks(
    model: BlockModel[ExchangeT], rows: int, columns: int, exchange: ExchangeT
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Codes a grid of blocks, for sender and receiver alike; they differ in ``exchange``.

    Yields each front's raster indexes (n,) and its blocks' state (n, width).
    """
    import torch

    state = model.empty_state(rows * columns)
    around = torch.from_numpy(neighbours(rows, columns)).to(state.device)
    for numbers in fronts(rows, columns):
        front = torch.from_numpy(numbers).to(state.device)
        gathered = state.index_select(0, around[front].flatten()).view(len(front), -1)
        coded = model.code_front(front, gathered, exchange)
        state.index_copy_(0, front, coded)
        yield numbers, coded


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
