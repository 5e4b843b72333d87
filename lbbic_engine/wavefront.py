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

Grid = tuple[int, int]  # rows and columns of blocks

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
    return code_grids(model, ((rows, columns),), exchange)


def code_grids(
    model: BlockModel[ExchangeT], grids: tuple[Grid, ...], exchange: ExchangeT
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Codes independent grids of blocks in common fronts, which are the wider for it.

    Raster indexes go on from grid to grid.
    """
    import torch

    order = coding_order(grids)
    # In coding order, so that a front's state is in one piece.
    state = model.empty_state(len(order.blocks))
    blocks = torch.from_numpy(order.blocks).to(state.device)
    around = torch.from_numpy(order.around).to(state.device)
    for first, last in pairwise(order.bounds):
        gathered = state.index_select(0, around[4 * first : 4 * last]).view(last - first, -1)
        coded = model.code_front(blocks[first:last], gathered, exchange)
        state[first:last] = coded
        yield order.blocks[first:last], coded


@dataclass(frozen=True)
class CodingOrder:
    """How grids are coded together.

    ``blocks`` are raster indexes (n,) in coding order, ``bounds`` say where in them a front
    begins, ``around`` (4·n,) are the places in them of each block's neighbours, n if outside.
    ``parts`` are, for each front, the grids that have blocks in it, and which of its rows these
    are: (grid, first, last).
    """

    blocks: NDArray[np.int64]
    bounds: list[int]
    around: NDArray[np.int64]
    parts: list[list[tuple[int, int, int]]]


@lru_cache(maxsize=8)
def coding_order(grids: tuple[Grid, ...]) -> CodingOrder:
    sizes = [rows * columns for rows, columns in grids]
    count, offsets = sum(sizes), np.cumsum([0, *sizes[:-1]])
    front = np.concatenate([_front_numbers(*grid) for grid in grids])
    grid = np.repeat(np.arange(len(grids)), sizes)
    blocks = np.argsort(front, kind="stable")  # within a front, grid by grid
    place = np.empty(count + 1, np.int64)
    place[blocks], place[count] = np.arange(count), count
    around = np.concatenate(
        [
            np.where(found == size, count, found + offset)
            for found, size, offset in zip(
                (neighbours(*each) for each in grids), sizes, offsets, strict=True
            )
        ]
    )
    # A part begins where the front or the grid changes.
    front, grid = front[blocks], grid[blocks]
    new_front = np.diff(front, prepend=-1) > 0
    begin = np.flatnonzero(new_front | (np.diff(grid, prepend=-1) != 0))
    bounds = [*np.flatnonzero(new_front).tolist(), count]
    parts: list[list[tuple[int, int, int]]] = []
    for first, last in pairwise([*begin.tolist(), count]):
        if new_front[first]:
            parts.append([])
        origin = bounds[len(parts) - 1]
        parts[-1].append((int(grid[first]), first - origin, last - origin))
    return CodingOrder(blocks, bounds, place[around[blocks]].ravel(), parts)


def front_count(rows: int, columns: int) -> int:
    """How many fronts a grid has; none of them is empty."""
    return columns + 2 * (rows - 1) if columns > 1 else rows


def fronts(rows: int, columns: int) -> list[NDArray[np.int64]]:
    """Raster indexes of the blocks of each front, in coding order; no front is empty."""
    order = coding_order(((rows, columns),))
    return np.split(order.blocks, order.bounds[1:-1])


def _front_numbers(rows: int, columns: int) -> NDArray[np.int64]:
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.asarray(column + 2 * row)


def neighbours(rows: int, columns: int) -> NDArray[np.int64]:
    """Raster indexes (rows·columns, 4) of each block's context, ``rows·columns`` if outside."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    found = []
    for row_step, column_step in NEIGHBOURS:
        r, c = row + row_step, column + column_step
        inside = (r >= 0) & (c >= 0) & (c < columns)
        found.append(np.where(inside, r * columns + c, rows * columns))
    return np.stack(found, axis=1)
