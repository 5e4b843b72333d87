"""Pictures as they are decoded: fronts of finished blocks, from which the pixels are assembled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.coding.assemble import GREY, in_grey
from lbbic_engine.coding.decode_job import DecodeJob
from lbbic_engine.coding.decoder import decode_fronts, groups
from lbbic_engine.coding.results import Front, Pixels
from lbbic_engine.layout.blocks import merge_blocks
from lbbic_engine.layout.coarse import added
from lbbic_engine.layout.tiles import Tile
from lbbic_engine.layout.wavefront import flip_blocks


def decoded_fronts(job: DecodeJob) -> Iterator[Front]:
    """Yield the fronts of a picture; if it is refined, blocks follow once they can be refined."""
    for tiles in groups([job], job.tiles(0)):
        rows = DecodedRows(job, tiles)
        for front in uncorrected_fronts(job, tiles):
            yield rows.add(front)
        rows.place()


class DecodedRows:
    """The rows of consecutive tiles while their blocks arrive."""

    def __init__(self, job: DecodeJob, tiles: Sequence[Tile]) -> None:
        self._job = job
        self._top, self._columns = tiles[0].top, tiles[0].columns
        self._shape = sum(job.shape(tile)[0] for tile in tiles), job.container.width
        self._changes: NDArray[np.int16] | None = None
        if job.is_corrected:
            self._changes = np.concatenate([job.correction_of_blocks(tile) for tile in tiles])
        count = sum(tile.blocks for tile in tiles)
        self._blocks = np.full((count, job.block_size, job.block_size, 3), GREY, np.uint8)
        self._missing = count

    def add(self, front: Front) -> Front:
        """Return the front with the correction of slow errors, if there is one."""
        places = (front.rows - self._top) * self._columns + front.columns
        blocks = front.blocks
        if self._changes is not None:
            blocks = added(self._changes[places].reshape(blocks.shape), blocks)
        self._blocks[places] = blocks
        self._missing -= len(places)
        return replace(front, blocks=blocks)

    def place(self) -> None:
        """Store the pixels; blocks that have not arrived are grey."""
        size = self._job.block_size
        pixels = merge_blocks(self._blocks.reshape(len(self._blocks), -1), *self._shape, size)
        self._job.canvas.take(self._top * size, pixels)
        self._job.missing += self._missing


def uncorrected_fronts(job: DecodeJob, tiles: Sequence[Tile]) -> Iterator[Front]:
    """Yield the fronts of a group of tiles before the correction of slow errors."""
    fronts = _unrefined_fronts(job, tiles)
    return _refined_fronts(job, tiles, fronts) if job.container.strength else fronts


def _unrefined_fronts(job: DecodeJob, tiles: Sequence[Tile]) -> Iterator[Front]:
    size, columns = job.block_size, tiles[0].columns
    context, first = np.concatenate([tile.context for tile in tiles]), tiles[0].first_index
    if job.container.exact:
        context[:] = -1
    for front in decode_fronts([job], tiles):
        flip_blocks(front.values, front.flips, size)
        values = in_grey(front.values) if job.container.grey else front.values
        rows, places = np.divmod(front.places + first, columns)
        blocks = values.reshape(-1, size, size, 3)
        yield Front(rows, places, blocks, front.bits(), context[front.places])


def _refined_fronts(
    job: DecodeJob, tiles: Sequence[Tile], fronts: Iterator[Front]
) -> Iterator[Front]:
    """Yield refined blocks as soon as they can be refined; at the end, blocks that cannot be."""
    refiners = [job.progressive_refiner(tile) for tile in tiles]
    context, first = np.concatenate([tile.context for tile in tiles]), tiles[0].first_index
    bits = np.zeros(len(context), np.float32)
    size, columns = job.block_size, tiles[0].columns

    def refined(indexes: NDArray[np.int64], values: Pixels) -> Iterator[Front]:
        if len(indexes):
            shown = in_grey(values) if job.container.grey else values
            blocks = shown.reshape(-1, size, size, 3)
            rows, places = np.divmod(indexes, columns)
            yield Front(rows, places, blocks, bits[indexes - first], context[indexes - first])

    for front in fronts:
        indexes = front.rows * columns + front.columns
        bits[indexes - first] = front.bits
        for refiner in refiners:
            yield from refined(*refiner.add(indexes, front.blocks))
    for refiner in refiners:
        for last in refiner.flush():
            yield from refined(*last)


def joined(fronts: Sequence[Front]) -> Front:
    """Several fronts as one."""
    names = [field.name for field in fields(Front)]
    parts = ([getattr(front, name) for front in fronts] for name in names)
    return Front(*map(np.concatenate, parts))


def in_picture(front: Front, tile: Tile) -> Front:
    """A front of a tile that was decoded as a separate picture."""
    context = np.where(front.context < 0, front.context, front.context + tile.first_index)
    return replace(front, rows=front.rows + tile.top, context=context)
