"""The order in which blocks are coded. Knows no networks.

A block's context includes the block to its upper right, so all blocks with the same
``column + 2·row`` are independent of each other. They form a *front* and are coded in one batch.

Wider fronts cost less per block. A grid can therefore be coded *from the middle*: in four quarters
at once, outwards. A block's context is then on the side of the middle. Left quarters are flipped
left to right, and upper quarters upside down, so that the networks always see the context to the
left and above. The lower right quarter begins. At the seams between quarters, contexts include
blocks of the quarters that began earlier:

    upper left, from front 3      upper right, from front 2
    lower left, from front 1      lower right, from front 0
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

ValueT = TypeVar("ValueT", bound=np.generic)

# The blocks of a context as (row, column) offsets: left, upper left, upper, upper right.
NEIGHBOURS = ((0, -1), (-1, -1), (-1, 0), (-1, 1))


class Grid(NamedTuple):
    """Rows and columns of blocks, coded from the upper left corner or from the middle."""

    rows: int
    columns: int
    from_middle: bool = False

    @property
    def centre(self) -> tuple[int, int]:
        """Row and column of the first block."""
        return (self.rows // 2, self.columns // 2) if self.from_middle else (0, 0)


class StateFlip:
    """Flips the pixels in the state (n, width) of blocks that are context across a seam."""

    def __init__(self, block_size: int, state: Tensor) -> None:
        import torch

        places = np.tile(np.arange(state.shape[1]), (4, 1))
        pixels = flip_permutations(block_size)
        places[:, : pixels.shape[1]] = pixels  # features are not flipped
        self._places = torch.from_numpy(places).to(state.device)

    def __call__(self, state: Tensor, flips: Tensor) -> Tensor:
        return state.gather(1, self._places.index_select(0, flips))


@dataclass(frozen=True)
class CodingOrder:
    """The order in which the n blocks of some grids are coded together.

    *Places* are positions in coding order. A block that is context across a seam is flipped for it;
    m such copies have the places n to n + m - 1. Place n + m is the outside.
    """

    blocks: NDArray[np.int64]  # (n,) raster index of the block at each place
    bounds: list[int]  # the first place of each front, then n
    around: NDArray[np.int64]  # (4·n,) places of each block's neighbours
    seam_neighbours: NDArray[np.int64]  # (m,) places of the blocks that are copied
    seam_flips: NDArray[np.int64]  # (m,) how they are flipped (``flip_permutations``)
    seam_bounds: list[int]  # the first copy made of each front's blocks, then m
    flips: NDArray[np.int64]  # (n,) how blocks are flipped, by raster index
    parts: list[list[tuple[int, int, int]]]  # of each front: (grid, first row, end of its rows)


@lru_cache(maxsize=8)
def coding_order(grids: tuple[Grid, ...]) -> CodingOrder:
    """Return the order for grids whose raster indexes continue from grid to grid."""
    sizes = [grid.rows * grid.columns for grid in grids]
    count, offsets = sum(sizes), np.cumsum([0, *sizes[:-1]])
    front = np.concatenate([front_numbers(grid) for grid in grids])
    flips = np.concatenate([block_flips(grid) for grid in grids])
    grid = np.repeat(np.arange(len(grids)), sizes)
    blocks = np.argsort(front, kind="stable")  # within a front, grid by grid
    place = np.empty(count + 1, np.int64)
    place[blocks], place[count] = np.arange(count), count
    around = np.concatenate(
        [
            np.where(indexes == size, count, indexes + offset)
            for indexes, size, offset in zip(
                (neighbours(each) for each in grids), sizes, offsets, strict=True
            )
        ]
    )
    around = place[around[blocks]].ravel()
    # A neighbour that is flipped differently from the block is across a seam.
    own, outside = flips[blocks], around == count
    flipped = np.where(outside, 0, own.repeat(4) ^ np.append(own, 0)[around])
    across = flipped > 0
    pairs, which = np.unique(4 * around[across] + flipped[across], return_inverse=True)
    around[outside], around[across] = count + len(pairs), count + which
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
    seam_neighbours, seam_flips = np.divmod(pairs, 4)
    seam_bounds = np.searchsorted(seam_neighbours, bounds).tolist()
    return CodingOrder(
        blocks, bounds, around, seam_neighbours, seam_flips, seam_bounds, flips, parts
    )


def front_count(grid: Grid) -> int:
    """Number of fronts of a grid, without computing the order of its blocks."""
    first_row, first_column = grid.centre
    numbers: set[int] = set()
    for above, rows in ((0, grid.rows - first_row), (1, first_row)):
        for left, columns in ((0, grid.columns - first_column), (1, first_column)):
            if rows and columns:  # in a single column, every other front is empty
                last = columns - 1 + 2 * (rows - 1)
                late = left + 2 * above
                numbers.update(range(late, late + last + 1, 2 if columns == 1 else 1))
    return len(numbers)


def fronts(grid: Grid) -> list[NDArray[np.int64]]:
    """Raster indexes of the blocks of each front, in coding order; no front is empty."""
    order = coding_order((grid,))
    return np.split(order.blocks, order.bounds[1:-1])


class _Quarters:
    """The position of each block in its quarter, by raster index (n,)."""

    def __init__(self, grid: Grid) -> None:
        first_row, first_column = grid.centre
        self.row, self.column = np.divmod(np.arange(grid.rows * grid.columns), grid.columns)
        self.above, self.left = self.row < first_row, self.column < first_column
        # Steps outwards from the middle.
        self.down = np.where(self.above, first_row - 1 - self.row, self.row - first_row)
        self.right = np.where(self.left, first_column - 1 - self.column, self.column - first_column)
        self.flips = self.left + 2 * self.above


def block_flips(grid: Grid) -> NDArray[np.int64]:
    """How each block (n,) is flipped for coding (``flip_permutations``), by raster index."""
    return np.asarray(_Quarters(grid).flips)


def front_numbers(grid: Grid, skew: int = 2) -> NDArray[np.int64]:
    """The step in which each block (n,) is coded if each row is ``skew`` blocks behind the last."""
    quarters = _Quarters(grid)
    late = (skew - 1) * quarters.left + skew * quarters.above
    return np.asarray(quarters.right + skew * quarters.down + late)


def neighbours(grid: Grid) -> NDArray[np.int64]:
    """Raster indexes (rows·columns, 4) of each block's context; ``rows·columns`` if outside."""
    quarters = _Quarters(grid)
    first_row, first_column = grid.centre
    indexes = []
    for down, right in NEIGHBOURS:
        row = quarters.row + np.where(quarters.above, -down, down)
        column = quarters.column + np.where(quarters.left, -right, right)
        inside = (row >= 0) & (row < grid.rows) & (column >= 0) & (column < grid.columns)
        # A context does not include blocks of quarters that begin later.
        inside &= (quarters.above | (row >= first_row)) & (quarters.left | (column >= first_column))
        indexes.append(np.where(inside, row * grid.columns + column, grid.rows * grid.columns))
    return np.stack(indexes, axis=1)


@cache
def flip_permutations(block_size: int) -> NDArray[np.int64]:
    """Indexes (4, 3B²) that flip a block: not at all, left to right, upside down, both."""
    places = np.arange(3 * block_size**2).reshape(block_size, block_size, 3)
    ways = (places, places[:, ::-1], places[::-1], places[::-1, ::-1])
    return np.stack([way.ravel() for way in ways])


def flip_blocks(blocks: NDArray[ValueT], flips: NDArray[np.int64], block_size: int) -> None:
    """Flip blocks (n, 3B²) in place; ``flips`` (n,) are rows of ``flip_permutations``."""
    for way, places in enumerate(flip_permutations(block_size)[1:], 1):
        (chosen,) = (flips == way).nonzero()
        blocks[chosen] = blocks[chosen].take(places, axis=1)
