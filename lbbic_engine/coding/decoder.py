"""Decodes the blocks of tiles, those of several files in common fronts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.bitstream import lossless
from lbbic_engine.bitstream.container import NO_WEIGHTS
from lbbic_engine.bitstream.segments import GroupReader, SegmentReader
from lbbic_engine.coding.adaptive_threads import on_idle_cores
from lbbic_engine.coding.assemble import GREY, parts_of_tiles, pixel_values, quality_of_tiles
from lbbic_engine.coding.block_loop import code_grids
from lbbic_engine.coding.decode_job import DecodeJob
from lbbic_engine.coding.latents import LatentReader
from lbbic_engine.coding.results import Pixels
from lbbic_engine.errors import CorruptDataError
from lbbic_engine.layout.blocks import split_blocks
from lbbic_engine.layout.tiles import GROUP_BLOCKS, Tile, group
from lbbic_engine.layout.wavefront import coding_order, flip_blocks
from lbbic_engine.networks.cuda_graphs import with_graphs


@dataclass(frozen=True)
class DecodedBlocks:
    """The n blocks of a front, as they were coded."""

    places: NDArray[np.int64]  # (n,) among the blocks of all tiles that share fronts
    values: Pixels  # (n, 3B²), flipped
    flips: NDArray[np.int64]  # (n,) how the values are flipped (``flip_permutations``)
    bits: Callable[[], NDArray[np.float32]]  # returns the bits (n,)


def decode_tiles(jobs: Sequence[DecodeJob], tiles: Sequence[Tile]) -> Iterator[DecodedBlocks]:
    """Decode tiles and place them, those of the same model and quality in common fronts."""
    for part in groups(jobs, tiles):
        size = jobs[part[0].picture].block_size
        count = sum(tile.blocks for tile in part)
        blocks = np.full((count, 3 * size**2), GREY, np.uint8)
        flips, here = np.zeros(count, np.int64), np.zeros(count, bool)
        for front in decode_fronts(jobs, part):
            blocks[front.places], flips[front.places] = front.values, front.flips
            here[front.places] = True
            yield front
        flip_blocks(blocks, flips, size)
        parts = zip(part, parts_of_tiles(blocks, part), parts_of_tiles(here, part), strict=True)
        for tile, values, decoded in parts:
            jobs[tile.picture].place(tile, values, decoded)


def groups(jobs: Sequence[DecodeJob], tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    """Yield groups of tiles to be decoded in common fronts, after checking their streams."""
    for kind in dict.fromkeys(_kind(job) for job in jobs):
        chosen = [tile for tile in tiles if _kind(jobs[tile.picture]) == kind]
        # In partial decoding, a tile that ends early must not end others.
        device = jobs[chosen[0].picture].device
        limit = 1 if any(job.partial for job in jobs) else GROUP_BLOCKS[device]
        for part in group(chosen, limit):
            for tile in part:
                jobs[tile.picture].check_contents(tile)
            yield part


def _kind(job: DecodeJob) -> tuple[bytes, int]:
    if job.container.exact:
        return NO_WEIGHTS, 0
    return job.network.info.id, -1 if job.is_mapped else job.quality_index


def decode_fronts(jobs: Sequence[DecodeJob], tiles: Sequence[Tile]) -> Iterator[DecodedBlocks]:
    """Decode a group of tiles; in partial decoding, fronts end where the data do."""
    first = jobs[tiles[0].picture]
    if first.partial and tiles[0].number not in first.segments:
        return
    decode = _decode_exactly if first.container.exact else _decode
    try:
        yield from decode(jobs, tiles)
    except CorruptDataError:
        if not first.partial:
            raise


def _decode(jobs: Sequence[DecodeJob], tiles: Sequence[Tile]) -> Iterator[DecodedBlocks]:
    first = jobs[tiles[0].picture]
    network = first.network
    qualities = [jobs[tile.picture].quality(tile) for tile in tiles]
    quality = quality_of_tiles(qualities, [tile.blocks for tile in tiles], network.integer.device)
    model = with_graphs(network.integer.at_quality(quality))
    model = on_idle_cores(model, network.integer.device)
    grids = tuple(tile.grid for tile in tiles)
    readers = [
        SegmentReader(network.tables, jobs[tile.picture].segments.get(tile.number, ()))
        for tile in tiles
    ]
    order = coding_order(grids)
    source = readers[0] if len(tiles) == 1 else GroupReader(readers, order.parts)
    reader = LatentReader(network, source)
    for front, state in code_grids(model, grids, reader):
        values = pixel_values(state, 3 * first.block_size**2)
        yield DecodedBlocks(front, values, order.flips[front], reader.take_received().bits)


def _decode_exactly(jobs: Sequence[DecodeJob], tiles: Sequence[Tile]) -> Iterator[DecodedBlocks]:
    """Yield each tile as a front; its bits are distributed evenly over its blocks."""
    begin = 0
    for tile in tiles:
        job = jobs[tile.picture]
        (segment,) = job.segments[tile.number]
        blocks = split_blocks(lossless.decode(segment.stream, *job.shape(tile)), job.block_size)
        places, flips = np.arange(tile.blocks) + begin, np.zeros(tile.blocks, np.int64)
        bits = partial(np.full, tile.blocks, 8 * len(segment.stream) / tile.blocks, np.float32)
        yield DecodedBlocks(places, blocks, flips, bits)
        begin += tile.blocks
