"""Refines and filters blocks of a tile as they arrive, in any order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.coding.refining import wiener
from lbbic_engine.coding.refining.padded_tile import PaddedTile, neighbourhoods
from lbbic_engine.coding.refining.tile_refiner import TileRefiner
from lbbic_engine.coding.refining.wiener import Weights
from lbbic_engine.layout.tiles import Tile
from lbbic_engine.networks.block_model import Quality
from lbbic_engine.networks.refinement import Refinement

Pixels = NDArray[np.uint8]
Indexes = NDArray[np.int64]

_FEW = 128  # the fewest blocks worth a product


class ProgressiveRefiner:
    """Refines each block of a tile once its neighbours are decoded.

    With weights of a filter, it is given once its neighbours are refined, too. Raster indexes are
    those of the picture.
    """

    def __init__(
        self,
        refinement: Refinement,
        index: Quality,
        strength: int,
        weights: Weights | None,
        tile: Tile,
        shape: tuple[int, int],
    ) -> None:
        self._refiner = TileRefiner(refinement, index, tile.grid, *shape)
        self._strength = strength
        self._first, self._count = int(tile.indexes[0]), tile.blocks
        self._decoded = _Waiting(tile)
        self._weights = weights if weights is not None and weights.any() else None
        self._refined = _Waiting(tile)
        size = refinement.config.block_size
        self._values = PaddedTile(np.int16, tile.grid, size, wiener.RADIUS, *shape)

    def add(self, indexes: Indexes, blocks: Pixels) -> tuple[Indexes, Pixels]:
        """Add blocks (n, B, B, 3); those of other tiles are ignored.

        Returns the blocks that are finished now: raster indexes (m,) and values (m, 3B²). None
        are returned until there are enough for an efficient product.
        """
        own = (indexes >= self._first) & (indexes < self._first + self._count)
        arrived = indexes[own] - self._first
        self._refiner.tile.place_blocks(arrived, blocks[own])
        self._decoded.add(arrived)
        return self._finish(at_least=_FEW)

    def flush(self) -> list[tuple[Indexes, Pixels]]:
        """Return the remaining finished blocks, then those without all neighbours."""
        finished = self._finish(at_least=0)
        refined, decoded = self._refined.left(), self._decoded.left()
        values = wiener.to_pixels(self._values.blocks(refined))
        return [
            finished,
            (refined + self._first, values),
            (decoded + self._first, self._refiner.tile.blocks(decoded)),
        ]

    def _finish(self, at_least: int) -> tuple[Indexes, Pixels]:
        ready = self._decoded.take(at_least)
        for part, (values,) in self._refiner.refine(ready, [self._strength]):
            self._values.place_blocks(part, values)
        if self._weights is None:
            return ready + self._first, wiener.to_pixels(self._values.blocks(ready))
        self._refined.add(ready)
        ready = self._refined.take(at_least)
        if len(ready):
            self._values.repeat_edges()
        return ready + self._first, wiener.filtered_blocks(self._values, ready, self._weights)


class _Waiting:
    """Blocks of a tile that wait for their neighbours."""

    def __init__(self, tile: Tile) -> None:
        self._around = neighbourhoods(tile.grid)
        self._here = np.append(np.zeros(tile.blocks, bool), True)  # the last: outside of the tile
        self._given = self._here.copy()

    def add(self, indexes: Indexes) -> None:
        self._here[indexes] = True

    def take(self, at_least: int) -> Indexes:
        """Return blocks whose neighbours are all here, each once, or none if there are too few."""
        waiting = self.left()
        ready: Indexes = waiting[self._here[self._around[waiting]].all(axis=1)]
        if len(ready) < at_least:
            ready = ready[:0]
        self._given[ready] = True
        return ready

    def left(self) -> Indexes:
        """Blocks that are here and have not been taken."""
        return np.flatnonzero(self._here & ~self._given)
