"""Refines blocks of a tile by the network, from their unrefined surroundings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lbbic_engine.coding.refining import wiener
from lbbic_engine.coding.refining.padded_tile import PaddedTile
from lbbic_engine.coding.refining.wiener import Values
from lbbic_engine.layout.wavefront import Grid, block_flips, flip_blocks
from lbbic_engine.networks.block_model import Quality
from lbbic_engine.networks.refinement import RESIDUAL_BITS, Refinement

STRENGTHS = (1, 2)  # of the residual, in halves
assert wiener.PARTS == 2 << RESIDUAL_BITS  # so the unit of a residual times its strength
_PIXEL = np.dtype("V3")  # its three colours are faster to copy as one value
# Blocks in a product: for a processor's cache; for a GPU, those of a tile of usual size.
_CHUNK = {"cpu": 2048, "cuda": 1 << 15}


class TileRefiner:
    """Refines blocks of a tile (height, width, 3).

    ``index`` is the quality index of the tile, or that of each of its blocks.
    """

    def __init__(
        self, refinement: Refinement, index: Quality, grid: Grid, height: int, width: int
    ) -> None:
        config = refinement.config
        size, ring = config.block_size, config.ring
        self._refinement, self._index = refinement, index
        self._columns, self._size = grid.columns, size
        self._flips = block_flips(grid)
        self.tile = PaddedTile(np.uint8, grid, size, ring, height, width)
        pixels = self.tile.values.view(_PIXEL)[..., 0]
        patches = sliding_window_view(pixels, (config.side, config.side))[::size, ::size]
        # In the order of ``flip_permutations``.
        self._patches = [
            patches,
            patches[..., ::-1],
            patches[:, :, ::-1],
            patches[:, :, ::-1, ::-1],
        ]

    def refine(
        self, indexes: NDArray[np.int64], strengths: Sequence[int]
    ) -> Iterator[tuple[NDArray[np.int64], list[Values]]]:
        """Yield some of the blocks at raster indexes at a time: indexes (n,) and values (n, 3B²).

        There are values for each of the strengths.
        """
        if len(indexes):
            self.tile.repeat_edges()
        chunk = _CHUNK[self._refinement.device]
        for first in range(0, len(indexes), chunk):
            part = indexes[first : first + chunk]
            yield part, self._refine(part, strengths)

    def _refine(self, indexes: NDArray[np.int64], strengths: Sequence[int]) -> list[Values]:
        config = self._refinement.config
        flips = self._flips[indexes]
        patches = np.empty((len(indexes), config.side, config.side, 3), np.uint8)
        gathered = patches.view(_PIXEL)[..., 0]
        for way, windows in enumerate(self._patches):
            (chosen,) = (flips == way).nonzero()
            gathered[chosen] = windows[np.divmod(indexes[chosen], self._columns)]
        index = self._index
        if not isinstance(index, int):
            index = index[torch.from_numpy(indexes).to(index.device)]
        residuals = self._refinement.residuals(torch.from_numpy(patches), index).cpu().numpy()
        inner = slice(config.ring, -config.ring)
        blocks = patches[:, inner, inner].reshape(len(indexes), config.pixels)
        values = blocks.astype(np.int16) * wiener.PARTS
        refined = []
        for strength in strengths:
            sums = residuals * np.int16(strength) + values
            sums.clip(0, 255 * wiener.PARTS, out=sums)
            flip_blocks(sums, flips, self._size)
            refined.append(sums)
        return refined
