"""How pictures are cut into tiles, and which tiles are coded in common fronts.

A tile is a strip of whole rows of blocks that can be decoded alone. A small picture is one tile.
Tiles of one or more pictures form groups. The tiles of a group are coded in common fronts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.config import Config
from lbbic_engine.layout.blocks import grid
from lbbic_engine.layout.wavefront import Grid, front_count, neighbours

TILE_PIXELS = 1 << 21  # pictures larger than twice this are cut into tiles of about this size
MAX_TILE_BLOCKS = 1 << 18  # decoders refuse larger tiles, because their memory grows with them
MIN_TILE_SHARE = 2  # decoders refuse tiles below TILE_PIXELS / 2, except the last of a picture
# In a group of several tiles, by device. A front takes a GPU hardly longer if it is twice as wide.
GROUP_BLOCKS = {"cpu": 1 << 17, "cuda": 1 << 18}


@dataclass(frozen=True)
class Tile:
    """Some rows of the grid of blocks of a picture."""

    picture: int  # index in a batch
    number: int  # in the picture
    top: int  # first row
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
        """``indexes`` of the four blocks in each block's context, (blocks, 4); -1 if outside."""
        around = neighbours(self.grid).astype(np.int32)
        return np.where(around < self.blocks, around + self.first_index, -1)

    def pixel_rows(self, block_size: int) -> slice:
        return slice(self.top * block_size, (self.top + self.rows) * block_size)


def tile_rows(height: int, width: int, block_size: int) -> int:
    """Rows of blocks in each tile of a picture; 0 if it is one tile."""
    rows, columns = grid(height, width, block_size)
    pixels = rows * columns * block_size**2
    return 0 if pixels <= 2 * TILE_PIXELS else -(-rows // round(pixels / TILE_PIXELS))


def are_allowed(tiles: Sequence[Tile], block_size: int) -> bool:
    """Whether a decoder accepts the sizes of a picture's tiles."""
    first, *others = tiles
    is_large = first.blocks * block_size**2 >= TILE_PIXELS // MIN_TILE_SHARE
    return first.blocks <= MAX_TILE_BLOCKS and (is_large or not others)


def cut(picture: int, height: int, width: int, config: Config, rows_each: int) -> list[Tile]:
    """The tiles of a picture, with ``rows_each`` rows of blocks each (0: one tile)."""
    rows, columns = grid(height, width, config.block_size)
    tops = range(0, rows, rows_each or rows)  # ``tile_count`` of them
    return [
        Tile(picture, number, top, min(tops.step, rows - top), columns, config.from_middle)
        for number, top in enumerate(tops)
    ]


def tile_count(height: int, config: Config, rows_each: int) -> int:
    """Number of tiles of a picture that ``cut`` would return."""
    rows = -(-height // config.block_size)
    return -(-rows // (rows_each or rows))


def share(tiles: Sequence[Tile], workers: int, most: int) -> list[list[Tile]]:
    """Distribute the tiles of a picture evenly over groups, one for each worker or several.

    A group has at most so many consecutive tiles with at most ``GROUP_BLOCKS`` blocks, or one.
    """
    most = max(1, min(most, GROUP_BLOCKS["cpu"] // tiles[0].blocks))
    rounds = -(-len(tiles) // (most * workers))
    parts = np.array_split(range(len(tiles)), min(len(tiles), rounds * workers))
    return [[tiles[place] for place in part] for part in parts]


def group(tiles: Sequence[Tile], limit: int) -> Iterator[list[Tile]]:
    """Yield groups of consecutive tiles with at most ``limit`` blocks, or single tiles."""
    tiles_of_group: list[Tile] = []
    for tile in tiles:
        if tiles_of_group and sum(each.blocks for each in tiles_of_group) + tile.blocks > limit:
            yield tiles_of_group
            tiles_of_group = []
        tiles_of_group.append(tile)
    if tiles_of_group:
        yield tiles_of_group
