"""How pictures are cut into tiles, and which tiles are coded in common fronts. Numbers only.

A tile is a strip of whole rows of blocks that can be decoded alone. Small pictures are one tile.
Tiles of one picture, or of several, are put into groups, whose blocks share fronts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.config import Config
from lbbic_engine.layout.blocks import grid
from lbbic_engine.layout.wavefront import Grid, front_count, neighbours

TILE_PIXELS = 1 << 21  # pictures beyond twice this are cut into tiles of about this size
MAX_TILE_BLOCKS = 1 << 18  # that a decoder accepts: its memory grows with them
LEAST_SHARE = 2  # of TILE_PIXELS: one by this has every tile but the last, or a decoder refuses it
GROUP_BLOCKS = 1 << 17  # of a group, unless it is one tile


@dataclass(frozen=True)
class Tile:
    """Rows ``top`` … ``top + rows`` of the grid of blocks of a picture of a batch."""

    picture: int
    number: int
    top: int
    rows: int
    columns: int
    from_middle: bool

    @property
    def grid(self) -> Grid:
        return Grid(self.rows, self.columns, self.from_middle)

    @property
    def blocks(self) -> int:
        return self.rows * self.columns

    @property
    def fronts(self) -> int:
        return front_count(self.grid)

    @property
    def first_index(self) -> int:
        """Raster index of its first block in the whole picture's grid."""
        return self.top * self.columns

    @property
    def indexes(self) -> NDArray[np.int64]:
        """Raster indexes (blocks,) in the whole picture's grid."""
        return np.arange(self.blocks) + self.first_index

    @property
    def context(self) -> NDArray[np.int32]:
        """What each block's context is, (blocks, 4) as ``indexes``; -1 outside of the tile."""
        around = neighbours(self.grid).astype(np.int32)
        return np.where(around < self.blocks, around + self.first_index, -1)

    def pixel_rows(self, block_size: int) -> slice:
        return slice(self.top * block_size, (self.top + self.rows) * block_size)


def tile_rows(height: int, width: int, block_size: int) -> int:
    """Rows of blocks of a tile for a picture; 0 if it is one tile."""
    rows, columns = grid(height, width, block_size)
    pixels = rows * columns * block_size**2
    return 0 if pixels <= 2 * TILE_PIXELS else -(-rows // round(pixels / TILE_PIXELS))


def are_allowed(tiles: Sequence[Tile], block_size: int) -> bool:
    """Whether a decoder may spend work and memory on the tiles of a picture."""
    first, *others = tiles
    is_high = first.blocks * block_size**2 >= TILE_PIXELS // LEAST_SHARE
    return first.blocks <= MAX_TILE_BLOCKS and (is_high or not others)


def cut(picture: int, height: int, width: int, config: Config, rows_each: int) -> list[Tile]:
    """The tiles of a picture, ``rows_each`` rows of blocks each (0: one tile)."""
    rows, columns = grid(height, width, config.block_size)
    tops = range(0, rows, rows_each or rows)
    return [
        Tile(picture, number, top, min(tops.step, rows - top), columns, config.from_middle)
        for number, top in enumerate(tops)
    ]


def group(tiles: Sequence[Tile], limit: int) -> Iterator[list[Tile]]:
    """Consecutive tiles of ``limit`` blocks in all, or one tile."""
    tiles_of_group: list[Tile] = []
    for tile in tiles:
        if tiles_of_group and sum(each.blocks for each in tiles_of_group) + tile.blocks > limit:
            yield tiles_of_group
            tiles_of_group = []
        tiles_of_group.append(tile)
    if tiles_of_group:
        yield tiles_of_group
