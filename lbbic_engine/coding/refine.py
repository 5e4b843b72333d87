"""Refines decoded tiles, whole or progressively as blocks arrive.

Every block is refined from unrefined pixels. The outermost pixels of a tile are repeated beyond it,
so that a tile does not depend on others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lbbic_engine.layout.blocks import merge_blocks, split_blocks
from lbbic_engine.layout.tiles import Tile
from lbbic_engine.layout.wavefront import Grid, block_flips, flip_blocks
from lbbic_engine.networks.block_model import Quality
from lbbic_engine.networks.refinement import RESIDUAL_BITS, Refinement

Pixels = NDArray[np.uint8]

STRENGTHS = (1, 2)  # of the residual, in halves
_SHIFT = RESIDUAL_BITS + 1  # from half units of the residual to 8-bit steps
_PIXEL = np.dtype("V3")  # its three colours are faster to copy as one value
_FEW = 128  # the fewest blocks worth a product
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
        self._inside = (slice(ring, ring + height), slice(ring, ring + width))
        shape = (grid.rows * size + 2 * ring, grid.columns * size + 2 * ring, 3)
        self._canvas = np.zeros(shape, np.uint8)
        windows = sliding_window_view(self._canvas.view(_PIXEL)[..., 0], (config.side, config.side))
        patches = windows[::size, ::size]
        # In the order of ``flip_permutations``.
        self._patches = [
            patches,
            patches[..., ::-1],
            patches[:, :, ::-1],
            patches[:, :, ::-1, ::-1],
        ]
        self._blocks = (
            self._canvas[ring : shape[0] - ring, ring : shape[1] - ring]
            .reshape(grid.rows, size, grid.columns, size, 3)
            .swapaxes(1, 2)
        )

    def place(self, pixels: Pixels) -> None:
        """Set the pixels of the whole tile."""
        self._canvas[self._inside] = pixels

    def place_blocks(self, indexes: NDArray[np.int64], blocks: Pixels) -> None:
        """Set the blocks (n, B, B, 3) at raster indexes (n,)."""
        self._blocks[np.divmod(indexes, self._columns)] = blocks

    def blocks(self, indexes: NDArray[np.int64]) -> Pixels:
        """Unrefined blocks (n, 3B²) at raster indexes (n,)."""
        return self._blocks[np.divmod(indexes, self._columns)].reshape(
            len(indexes), 3 * self._size**2
        )

    def refined(self, indexes: NDArray[np.int64], strengths: Sequence[int]) -> list[Pixels]:
        """Refined blocks (n, 3B²) at raster indexes (n,), for each of the strengths."""
        shape = len(indexes), self._refinement.config.pixels
        results = [np.empty(shape, np.uint8) for _ in strengths]
        if len(indexes):
            self._repeat_edges()
        chunk = _CHUNK[self._refinement.device]
        for first in range(0, len(indexes), chunk):
            part = slice(first, first + chunk)
            for result, blocks in zip(results, self._refine(indexes[part], strengths), strict=True):
                result[part] = blocks
        return results

    def _refine(self, indexes: NDArray[np.int64], strengths: Sequence[int]) -> list[Pixels]:
        config = self._refinement.config
        flips = self._flips[indexes]
        patches = np.empty((len(indexes), config.side, config.side, 3), np.uint8)
        values = patches.view(_PIXEL)[..., 0]
        for way, windows in enumerate(self._patches):
            (chosen,) = (flips == way).nonzero()
            values[chosen] = windows[np.divmod(indexes[chosen], self._columns)]
        index = self._index
        if not isinstance(index, int):
            index = index[torch.from_numpy(indexes).to(index.device)]
        residuals = self._refinement.residuals(torch.from_numpy(patches), index).cpu().numpy()
        inner = slice(config.ring, -config.ring)
        blocks = patches[:, inner, inner].reshape(len(indexes), config.pixels)
        refined = []
        for strength in strengths:
            changes = (residuals * np.int16(strength) + (1 << _SHIFT - 1)) >> _SHIFT
            values = (changes + blocks).clip(0, 255).astype(np.uint8)
            flip_blocks(values, flips, self._size)
            refined.append(values)
        return refined

    def _repeat_edges(self) -> None:
        """Fill the ring around the tile, and the padding of its last blocks."""
        rows, columns = self._inside
        self._canvas[: rows.start] = self._canvas[rows.start]
        self._canvas[rows.stop :] = self._canvas[rows.stop - 1]
        self._canvas[:, : columns.start] = self._canvas[:, columns.start, None]
        self._canvas[:, columns.stop :] = self._canvas[:, columns.stop - 1, None]


def refine_tile(
    refinement: Refinement,
    index: Quality,
    tile: Tile,
    pixels: Pixels,
    strengths: Sequence[int],
    here: NDArray[np.bool_] | None = None,
) -> list[Pixels]:
    """Refine a tile (height, width, 3) with each of the strengths.

    ``here`` (n,) tells which blocks are decoded, by default all. Blocks without all of their
    neighbours are not refined.
    """
    height, width, _ = pixels.shape
    size = refinement.config.block_size
    refiner = TileRefiner(refinement, index, tile.grid, height, width)
    refiner.place(pixels)
    indexes = np.arange(tile.blocks)
    if here is not None:
        indexes = indexes[np.append(here, True)[neighbourhoods(tile.grid)].all(axis=1)]
    tiles = []
    for refined in refiner.refined(indexes, strengths):
        blocks = split_blocks(pixels, size)
        blocks[indexes] = refined
        tiles.append(merge_blocks(blocks, height, width, size))
    return tiles


def squared_error(original: Pixels, pixels: Pixels) -> int:
    """Sum of squared errors over a picture (height, width, 3)."""
    rows = (np.subtract(*pair, dtype=np.int64) for pair in zip(original, pixels, strict=True))
    return sum(int(np.vdot(row, row)) for row in rows)


class ProgressiveRefiner:
    """Refines each block of a tile once its neighbours are decoded, in any order.

    Raster indexes are those of the picture.
    """

    def __init__(
        self,
        refinement: Refinement,
        index: Quality,
        strength: int,
        tile: Tile,
        shape: tuple[int, int],
    ) -> None:
        self._refiner = TileRefiner(refinement, index, tile.grid, *shape)
        self._strength = strength
        self._first = int(tile.indexes[0])
        self._around = neighbourhoods(tile.grid)
        self._here = np.append(np.zeros(tile.blocks, bool), True)  # the last: outside of the tile
        self._given = self._here.copy()

    def add(self, indexes: NDArray[np.int64], blocks: Pixels) -> tuple[NDArray[np.int64], Pixels]:
        """Add blocks (n, B, B, 3); those of other tiles are ignored.

        Returns the blocks that can be refined now: raster indexes (m,) and values (m, 3B²). None
        are returned until there are enough for an efficient product.
        """
        own = (indexes >= self._first) & (indexes < self._first + len(self._around))
        arrived = indexes[own] - self._first
        self._refiner.place_blocks(arrived, blocks[own])
        self._here[arrived] = True
        return self._refine_waiting(at_least=_FEW)

    def flush(self) -> list[tuple[NDArray[np.int64], Pixels]]:
        """Return the remaining refined blocks, then the blocks without all neighbours."""
        refined = self._refine_waiting(at_least=0)
        (left,) = np.nonzero(self._here & ~self._given)
        return [refined, (left + self._first, self._refiner.blocks(left))]

    def _refine_waiting(self, at_least: int) -> tuple[NDArray[np.int64], Pixels]:
        (waiting,) = np.nonzero(self._here & ~self._given)
        ready = waiting[self._here[self._around[waiting]].all(axis=1)]
        if len(ready) < at_least:
            ready = ready[:0]
        self._given[ready] = True
        (refined,) = self._refiner.refined(ready, [self._strength])
        return ready + self._first, refined


def neighbourhoods(grid: Grid) -> NDArray[np.int64]:
    """Raster indexes (n, 9) of each block and its eight neighbours, n for those outside."""
    count = grid.rows * grid.columns
    places = np.full((grid.rows + 2, grid.columns + 2), count)
    places[1:-1, 1:-1] = np.arange(count).reshape(grid.rows, grid.columns)
    return sliding_window_view(places, (3, 3)).reshape(count, 9)
