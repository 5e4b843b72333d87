from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.coding.block_loop import code_grids
from lbbic_engine.layout.blocks import split_blocks
from lbbic_engine.layout.wavefront import (
    NEIGHBOURS,
    Grid,
    coding_order,
    flip_blocks,
    front_count,
    fronts,
    neighbours,
)
from lbbic_engine.networks.block_model import SymbolPort

SIZES = [(1, 1), (1, 7), (7, 1), (2, 2), (5, 2), (64, 96), (3, 40), (9, 8)]
GRIDS = [Grid(*size, from_middle) for size in SIZES for from_middle in (False, True)]
BLOCK_SIZE = 3


@pytest.mark.parametrize("grid", GRIDS)
def test_every_block_is_coded_once_and_after_its_context(grid: Grid) -> None:
    around = neighbours(grid)
    done = np.zeros(grid.rows * grid.columns + 1, bool)
    done[-1] = True  # the outside is always known
    for front in fronts(grid):
        assert len(front) > 0
        assert done[around[front]].all()
        assert not done[front].any()
        done[front] = True
    assert done.all()
    assert front_count(grid) == len(fronts(grid))


def test_a_kodak_picture_takes_222_fronts_from_the_corner_113_from_the_middle() -> None:
    assert front_count(Grid(64, 96)) == 222
    assert front_count(Grid(64, 96, from_middle=True)) == 113
    assert front_count(Grid(96, 64)) == 254
    assert front_count(Grid(96, 64, from_middle=True)) == 129


@pytest.mark.parametrize("size", SIZES)
def test_neighbours_are_the_four_of_the_mask_or_the_outside(size: tuple[int, int]) -> None:
    rows, columns = size
    around = neighbours(Grid(rows, columns))
    for block in range(rows * columns):
        row, column = divmod(block, columns)
        for found, (row_step, column_step) in zip(around[block], NEIGHBOURS, strict=True):
            r, c = row + row_step, column + column_step
            inside = 0 <= r < rows and 0 <= c < columns
            assert found == (r * columns + c if inside else rows * columns)


class Recorder:
    """A block model without networks, whose states are the pixels of blocks and their context."""

    block_size = BLOCK_SIZE

    def __init__(self, blocks: NDArray[np.uint8]) -> None:
        self.blocks = torch.from_numpy(blocks)
        self.around = torch.zeros(len(blocks), 4, blocks.shape[1], dtype=torch.uint8)

    def empty_state(self, blocks: int) -> Tensor:
        return torch.zeros(blocks + 1, self.blocks.shape[1], dtype=torch.uint8)

    def code_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        self.around[front] = around.view(len(front), 4, -1)
        return self.blocks[front]


def pictures(grids: tuple[Grid, ...]) -> Iterator[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    for grid in grids:
        shape = (grid.rows * BLOCK_SIZE, grid.columns * BLOCK_SIZE, 3)
        yield random.integers(1, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("grids", [(grid,) for grid in GRIDS] + [(GRIDS[-1], GRIDS[1], GRIDS[9])])
@pytest.mark.slow
def test_context_is_flipped_like_its_quarter(
    grids: tuple[Grid, ...],
) -> None:
    order = coding_order(grids)
    pixels = list(pictures(grids))
    blocks = np.concatenate([split_blocks(each, BLOCK_SIZE) for each in pixels])
    flip_blocks(blocks, order.flips, BLOCK_SIZE)
    model = Recorder(blocks)
    for front, state in code_grids(model, grids, cast(SymbolPort, None)):
        assert np.array_equal(state.numpy(), blocks[front])

    first = 0
    for grid, picture in zip(grids, pixels, strict=True):
        for place in range(grid.rows * grid.columns):
            row, column = divmod(place, grid.columns)
            # The picture flipped like the block's quarter, black where it must not be visible.
            above, left = row < grid.centre[0], column < grid.centre[1]
            view = picture.copy()
            view[: 0 if above else BLOCK_SIZE * grid.centre[0]] = 0
            view[:, : 0 if left else BLOCK_SIZE * grid.centre[1]] = 0
            view = view[::-1] if above else view
            view = view[:, ::-1] if left else view
            view = np.pad(view, ((BLOCK_SIZE, 0), (BLOCK_SIZE, BLOCK_SIZE), (0, 0)))
            row = grid.rows - 1 - row if above else row
            column = grid.columns - 1 - column if left else column
            for found, (down, right) in zip(model.around[first + place], NEIGHBOURS, strict=True):
                top, start = (1 + row + down) * BLOCK_SIZE, (1 + column + right) * BLOCK_SIZE
                true = view[top : top + BLOCK_SIZE, start : start + BLOCK_SIZE]
                assert np.array_equal(found.numpy(), true.ravel())
        first += grid.rows * grid.columns
