"""A file on its way to a picture: checked, decoded in common fronts, refined, put together."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.bitstream.container import Container, Segment
from lbbic_engine.bitstream.segments import SegmentReader, TogetherReader
from lbbic_engine.coding.adaptive_threads import on_idle_cores
from lbbic_engine.coding.assemble import (
    GREY,
    in_grey,
    merge_tiles,
    parts_of_tiles,
    pixel_values,
)
from lbbic_engine.coding.block_loop import code_grids
from lbbic_engine.coding.latents import LatentReader, Received
from lbbic_engine.coding.refine import Arrivals, refine_tile
from lbbic_engine.coding.results import Front, Pixels
from lbbic_engine.config import MIN_QUALITY, QUALITY_STEPS
from lbbic_engine.devices import choose_device
from lbbic_engine.errors import CorruptDataError
from lbbic_engine.layout.tiles import GROUP_BLOCKS, MAX_TILE_BLOCKS, Tile, cut, group
from lbbic_engine.layout.wavefront import coding_order, flip_blocks
from lbbic_engine.networks import refinement_files
from lbbic_engine.networks import weights as weights_files
from lbbic_engine.networks.refinement import Refinement
from lbbic_engine.pictures.picture import Notice, NoticeKind, Picture

_PARTS = {b"A": "transparency", b"i": "colour profile", b"e": "EXIF", b"x": "XMP"}


class DecodeJob:
    """A parsed file about to be decoded: everything is checked that can be before the start."""

    def __init__(self, container: Container, device: str, partial: bool) -> None:
        self.container = container
        self.partial = partial
        self.network = weights_files.load(weights_of(container), choose_device(device))
        self._refinement: Refinement | None = None
        if container.strength:
            info = refinement_files.by_id(container.weights_id)
            self._refinement = refinement_files.load(info, self.network.integer.device)
        self.quality_index = container.quality_eighths - round(MIN_QUALITY * QUALITY_STEPS)
        config = self.network.info.config
        if not config.offers(self.quality_index):
            raise CorruptDataError("The file is damaged", "Its model has no such quality.")
        self.block_size = config.block_size
        self.segments: dict[int, list[Segment]] = {}
        for segment in container.segments:
            self.segments.setdefault(segment.tile, []).append(segment)
        tiles = self.tiles(0)
        if tiles[0].blocks > MAX_TILE_BLOCKS:
            raise CorruptDataError("The file is damaged", "A part of it is larger than allowed.")
        if not partial:
            self._check_coverage(tiles)
        self.pixels = np.full((container.height, container.width, 3), GREY, np.uint8)
        self.missing = 0  # blocks

    def tiles(self, number: int) -> list[Tile]:
        container = self.container
        return cut(
            number,
            container.height,
            container.width,
            self.network.info.config,
            container.tile_block_rows,
        )

    def refine(self, tile: Tile, here: NDArray[np.bool_]) -> None:
        """Refines the pixels of a tile of which the blocks ``here`` (n,) are decoded."""
        if self._refinement is None:
            return
        rows = self.pixels[tile.pixel_rows(self.block_size)]
        strengths = [self.container.strength]
        (refined,) = refine_tile(self._refinement, self.quality_index, tile, rows, strengths, here)
        rows[:] = in_grey(refined) if self.container.grey else refined

    def arrivals(self, tile: Tile) -> Arrivals:
        """What refines the blocks of a tile as they come; the file is a refined one."""
        assert self._refinement is not None
        shape = self.pixels[tile.pixel_rows(self.block_size)].shape[:2]
        strength = self.container.strength
        return Arrivals(self._refinement, self.quality_index, strength, tile, shape)

    def _check_coverage(self, tiles: Sequence[Tile]) -> None:
        """Every front of every tile is in some segment, and nothing else is."""
        if any(number >= len(tiles) for number in self.segments):
            raise CorruptDataError("The file is damaged", "It holds more than its picture.")
        for tile in tiles:
            found = sum(segment.front_count for segment in self.segments.get(tile.number, ()))
            if found < tile.fronts:
                raise CorruptDataError("Truncated file", "A part of the picture is missing.")
            if found > tile.fronts:
                raise CorruptDataError("The file is damaged", "It holds more than its picture.")

    def finish(self) -> Picture:
        """The picture so far; CorruptDataError if it is whole and not the encoder's."""
        container = self.container
        blocks = sum(tile.blocks for tile in self.tiles(0))
        notices = damage_notices(container, missing_blocks=self.missing, blocks=blocks)
        if not self.missing and zlib.crc32(self.pixels.data) != container.pixels_crc:
            raise CorruptDataError(
                "Checksum mismatch", "The decoded picture is not the one that was saved."
            )
        return Picture(
            pixels=self.pixels,
            alpha=container.alpha,
            grey=container.grey,
            icc=container.icc,
            exif=container.exif,
            xmp=container.xmp,
            notices=notices,
        )


def damage_notices(container: Container, *, missing_blocks: int, blocks: int) -> tuple[Notice, ...]:
    """What to say of a partial reading: which parts, and how many of the blocks, are missing."""
    texts = []
    lost = [_PARTS[kind] for kind in container.lost if kind in _PARTS]
    others = set(container.lost) - _PARTS.keys()
    if not missing_blocks or not others <= {b"S", b"P"}:
        lost += ["something of unknown kind"] * bool(others)
    if lost:
        texts.append(f"The file is damaged: {', '.join(lost)} could not be read.")
    if missing_blocks:
        share = 100 * (blocks - missing_blocks) // blocks
        texts.append(f"The file is incomplete: {share} % of the picture could be decoded.")
    return tuple(Notice(NoticeKind.INCOMPLETE, text) for text in texts)


@dataclass(frozen=True)
class DecodedBlocks:
    """A front's blocks: raster indexes (n,) in their pictures, values (n, 3B²).

    These are flipped as ``flips`` (n,) say; ``received`` is what they were made of.
    """

    indexes: NDArray[np.int64]
    values: Pixels
    flips: NDArray[np.int64]
    received: Received


def decode_tiles(jobs: Sequence[DecodeJob], tiles: Sequence[Tile]) -> Iterator[DecodedBlocks]:
    """Decodes tiles, those of one model and quality in common fronts."""
    for kind in dict.fromkeys(_kind(job) for job in jobs):
        chosen = [tile for tile in tiles if _kind(jobs[tile.picture]) == kind]
        # A tile that ends early must not end others.
        limit = 1 if any(job.partial for job in jobs) else GROUP_BLOCKS
        for part in group(chosen, limit):
            yield from _decode_group(jobs, part)


def _kind(job: DecodeJob) -> tuple[bytes, int]:
    return job.network.info.id, job.quality_index


def _decode_group(jobs: Sequence[DecodeJob], tiles: Sequence[Tile]) -> Iterator[DecodedBlocks]:
    first = jobs[tiles[0].picture]
    network = first.network
    model = on_idle_cores(network.integer.at_quality(first.quality_index), network.integer.device)
    grids = tuple(tile.grid for tile in tiles)
    readers = [
        SegmentReader(network.tables, jobs[tile.picture].segments.get(tile.number, ()))
        for tile in tiles
    ]
    order = coding_order(grids)
    source = readers[0] if len(tiles) == 1 else TogetherReader(readers, order.parts)
    reader = LatentReader(network, source)
    indexes = np.concatenate([tile.indexes for tile in tiles])
    blocks = np.full((len(indexes), 3 * first.block_size**2), GREY, np.uint8)
    here = np.zeros(len(indexes), bool)
    try:
        for front, state in code_grids(model, grids, reader):
            values = pixel_values(state, blocks.shape[1])
            blocks[front] = values
            here[front] = True
            yield DecodedBlocks(indexes[front], values, order.flips[front], reader.take_received())
    except CorruptDataError:
        if not first.partial:
            raise
    flip_blocks(blocks, order.flips, first.block_size)
    merge_tiles(blocks, tiles, [(job.pixels, job.container.grey) for job in jobs], first.block_size)
    for tile, part in zip(tiles, parts_of_tiles(here, tiles), strict=True):
        jobs[tile.picture].refine(tile, part)
    first.missing += int((~here).sum())  # none, but where a partial file ends


def decoded_fronts(job: DecodeJob) -> Iterator[Front]:
    tiles = job.tiles(0)
    size, columns = job.block_size, tiles[0].columns
    context = np.concatenate([tile.context for tile in tiles])
    for front in decode_tiles([job], tiles):
        flip_blocks(front.values, front.flips, size)
        values = in_grey(front.values) if job.container.grey else front.values
        rows, places = np.divmod(front.indexes, columns)
        blocks = values.reshape(-1, size, size, 3)
        yield Front(rows, places, blocks, front.received.bits(), context[front.indexes])


def refined_fronts(job: DecodeJob, fronts: Iterator[Front]) -> Iterator[Front]:
    """The same blocks, each once it can be refined; at the end those whose neighbours never came,
    as they are.
    """
    tiles = job.tiles(0)
    arrivals = [job.arrivals(tile) for tile in tiles]
    context = np.concatenate([tile.context for tile in tiles])
    bits = np.zeros(len(context), np.float32)
    size, columns = job.block_size, tiles[0].columns

    def refined(indexes: NDArray[np.int64], values: Pixels) -> Iterator[Front]:
        if len(indexes):
            shown = in_grey(values) if job.container.grey else values
            blocks = shown.reshape(-1, size, size, 3)
            rows, places = np.divmod(indexes, columns)
            yield Front(rows, places, blocks, bits[indexes], context[indexes])

    for front in fronts:
        indexes = front.rows * columns + front.columns
        bits[indexes] = front.bits
        for tile in arrivals:
            yield from refined(*tile.add(indexes, front.blocks))
    for tile in arrivals:
        yield from refined(*tile.rest())


def weights_of(container: Container) -> weights_files.WeightsInfo:
    """The weights that a file was coded with."""
    identity = container.weights_id
    if container.strength:
        identity = refinement_files.by_id(identity).weights_id
    return weights_files.by_id(identity)
