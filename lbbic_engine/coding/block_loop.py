"""The loop that codes the blocks of pictures, front by front: the same for encoder and decoder."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.layout.wavefront import Grid, StateFlip, coding_order
from lbbic_engine.networks.block_model import BlockModel, SymbolPort

if TYPE_CHECKING:
    from torch import Tensor


def code_blocks(
    model: BlockModel, rows: int, columns: int, port: SymbolPort
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Code a grid of blocks; encoder and decoder differ only in ``port``.

    Yields each front's raster indexes (n,) and its blocks' state (n, width).
    """
    return code_grids(model, (Grid(rows, columns),), port)


def code_grids(
    model: BlockModel, grids: tuple[Grid, ...], port: SymbolPort
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """Code independent grids of blocks in common fronts, which are wider and therefore faster.

    Raster indexes continue from grid to grid. Blocks are flipped (``CodingOrder.flips``).
    """
    import torch

    order = coding_order(grids)
    count = len(order.blocks)
    # In coding order, so that a front's state is contiguous; then flipped copies for seams.
    state = model.empty_state(count + len(order.seam_neighbours))
    blocks, around, seam_neighbours, flips = (
        torch.from_numpy(values).to(state.device)
        for values in (order.blocks, order.around, order.seam_neighbours, order.seam_flips)
    )
    flip_state = StateFlip(model.block_size, state)
    for (first, last), (begin, end) in zip(
        pairwise(order.bounds), pairwise(order.seam_bounds), strict=True
    ):
        gathered = state.index_select(0, around[4 * first : 4 * last]).view(last - first, -1)
        coded = model.code_front(blocks[first:last], gathered, port)
        state[first:last] = coded
        if begin < end:
            at_seams = state.index_select(0, seam_neighbours[begin:end])
            state[count + begin : count + end] = flip_state(at_seams, flips[begin:end])
        yield order.blocks[first:last], coded
