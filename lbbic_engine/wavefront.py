"""The order in which blocks are coded, and the loop that codes them; knows no network.

A block's context reaches one block to the upper right, so all blocks with the same
``column + 2·row`` are independent: they form a *front* and are coded in one batched pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
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

    order = coding_order(rows, columns)
    # In coding order, so that a front's state is in one piece.
    state = model.empty_state(rows * columns)
    blocks = torch.from_numpy(order.blocks).to(state.device)
    around = torch.from_numpy(order.around).to(state.device)
    for first, last in pairwise(order.bounds):
        gathered = state.index_select(0, around[4 * first : 4 * last]).view(last - first, -1)
        coded = model.code_front(blocks[first:last], gathered, exchange)
        state[first:last] = coded
        yield order.blocks[first:last], coded


@dataclass(frozen=True)
class CodingOrder:
    """Raster indexes (n,) of a grid's blocks as they are coded; where fronts begin and the end;

    and the places (4·n,) in that order of each block's neighbours, n if outside.
    """

    blocks: NDArray[np.int64]
    bounds: list[int]
    around: NDArray[np.int64]


@lru_cache(maxsize=8)
def coding_order(rows: int, columns: int) -> CodingOrder:
    numbers = fronts(rows, columns)
    blocks = np.concatenate(numbers)
    place = np.empty(rows * columns + 1, np.int64)
    place[blocks] = np.arange(rows * columns)
    place[-1] = rows * columns
    bounds = np.cumsum([0, *(len(front) for front in numbers)]).tolist()
    return CodingOrder(blocks, bounds, place[neighbours(rows, columns)[blocks]].ravel())


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
