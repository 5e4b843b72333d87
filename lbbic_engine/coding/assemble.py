"""Assembles decoded blocks into tiles and pictures."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from lbbic_engine.bitstream.quality_map import BlockIndexes
from lbbic_engine.coding.results import Pixels
from lbbic_engine.layout.blocks import merge_blocks
from lbbic_engine.layout.tiles import Tile
from lbbic_engine.networks.block_model import Quality

ValueT = TypeVar("ValueT", bound=np.generic)

GREY = 128  # the value of pixels that could not be decoded


class Region(NamedTuple):
    """A part of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int


NOTHING = Region(0, 0, 0, 0)


def merge_tiles(
    blocks: Pixels,
    tiles: Sequence[Tile],
    canvases: Sequence[tuple[Pixels, bool]],
    size: int,
) -> None:
    """Write the blocks (n, 3·size²) of tiles to their pictures: pairs of pixels and ``grey``."""
    for tile, part in zip(tiles, parts_of_tiles(blocks, tiles), strict=True):
        pixels, grey = canvases[tile.picture]
        rows = pixels[tile.pixel_rows(size)]
        height, width, _ = rows.shape
        rows[:] = merge_blocks(in_grey(part) if grey else part, height, width, size)


def parts_of_tiles(blocks: NDArray[ValueT], tiles: Sequence[Tile]) -> list[NDArray[ValueT]]:
    """Split values (n, …) of the blocks of all tiles into those of each tile."""
    return np.split(blocks, np.cumsum([tile.blocks for tile in tiles])[:-1])


def pixel_values(state: torch.Tensor, pixels: int) -> Pixels:
    """8-bit values (n, 3B²) from blocks' state, which contains them minus 128."""
    return state.cpu().numpy()[:, :pixels].view(np.uint8) ^ np.uint8(128)


def in_grey(values: Pixels) -> Pixels:
    """Blocks (n, 3B²) with each colour replaced by the mean of the three."""
    colours = values.reshape(len(values), -1, 3)
    mean = (colours.astype(np.int16).sum(axis=2, keepdims=True) + 1) // 3
    return np.broadcast_to(mean, colours.shape).reshape(values.shape).astype(np.uint8)


class Canvas:
    """The decoded pixels of a picture (height, width), or of a region, whose tiles arrive in order.

    Memory is allocated when the first pixels arrive.
    """

    def __init__(self, height: int, width: int, region: Region | None = None) -> None:
        self._region = region or Region(0, 0, width, height)
        self._pixels: Pixels | None = None
        self.crc = 0  # of all rows so far

    def take(self, first_row: int, rows: Pixels) -> None:
        """Add rows (n, width, 3) of the picture."""
        self.crc = zlib.crc32(rows.data, self.crc)
        left, top, width, height = self._region
        first, last = max(first_row, top), min(first_row + len(rows), top + height)
        if first < last:
            part = rows[first - first_row : last - first_row, left : left + width]
            self.pixels[first - top : last - top] = part

    @property
    def pixels(self) -> Pixels:
        """The pixels; those that have not arrived are undefined."""
        if self._pixels is None:
            _, _, width, height = self._region
            self._pixels = np.empty((height, width, 3), np.uint8)
        return self._pixels


def quality_of_tiles(
    parts: Sequence[BlockIndexes | int], sizes: Sequence[int], device: str
) -> Quality:
    """The quality of the blocks of tiles of so many each.

    It is one index if all parts are (they are the same then), or that of each block.
    """
    first = parts[0]
    if isinstance(first, int) and all(isinstance(each, int) for each in parts):
        return first
    indexes = [np.broadcast_to(part, (size,)) for part, size in zip(parts, sizes, strict=True)]
    return torch.from_numpy(np.concatenate(indexes).astype(np.int64)).to(device)
