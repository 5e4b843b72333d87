"""Encodes pictures: cuts them into tiles, codes these in common fronts, packs a file."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from lbbic_engine.bitstream.chunks import Segment
from lbbic_engine.bitstream.coarse import encode as encode_coarse
from lbbic_engine.bitstream.container import Container, pack_container
from lbbic_engine.bitstream.exact import stored_exactly
from lbbic_engine.bitstream.quality_map import BlockIndexes, pack
from lbbic_engine.bitstream.segments import GroupWriter, SegmentWriter, SymbolSink
from lbbic_engine.coding.adaptive_threads import on_idle_cores
from lbbic_engine.coding.assemble import (
    merge_tiles,
    parts_of_tiles,
    pixel_values,
    quality_of_tiles,
)
from lbbic_engine.coding.block_loop import code_grids
from lbbic_engine.coding.latents import LatentWriter, SymbolWriter
from lbbic_engine.coding.refining.whole_tiles import Candidate, refined_candidates, squared_error
from lbbic_engine.coding.refining.wiener import Weights
from lbbic_engine.coding.results import Compressed, Pixels
from lbbic_engine.coding.search.block_choice import BlockChoice, ChoosingModel
from lbbic_engine.coding.search.candidates import SearchSettings
from lbbic_engine.coding.search.symbol_search import SymbolSearch
from lbbic_engine.config import QUALITY_STEPS, ModelConfig, error_bits, quality_of
from lbbic_engine.layout import coarse
from lbbic_engine.layout.blocks import split_blocks
from lbbic_engine.layout.tiles import Tile, cut, tile_rows
from lbbic_engine.layout.wavefront import coding_order, flip_blocks
from lbbic_engine.networks import refinement_files
from lbbic_engine.networks.block_model import Quality, SymbolPort
from lbbic_engine.networks.refinement_files import RefinementInfo
from lbbic_engine.networks.weights import LoadedModel
from lbbic_engine.pictures.picture import Picture

Candidates = dict[int, Candidate]  # of a tile, by the strength of the refinement

COARSE_OVERHEAD = 6  # bytes of a C chunk besides its body


class EncodeJob:
    """A picture to be encoded."""

    def __init__(
        self,
        network: LoadedModel,
        refinement: RefinementInfo | None,
        index: int,
        picture: Picture,
        *,
        exact: bool = False,
        indexes: BlockIndexes | None = None,
        rows_each: int | None = None,
        slow_errors: float = 1.0,
    ) -> None:
        """``exact`` allows lossless storage if that takes no more bytes.

        ``indexes`` are the quality indexes of blocks (rows, columns), if blocks differ in quality.
        ``rows_each`` are the rows of blocks in a tile, if not as many as usual.
        ``slow_errors`` is what a squared error counts in the correction, relative to elsewhere.
        """
        self.picture = picture
        self.reconstruction = np.empty_like(picture.pixels)
        self.segments: dict[int, Segment] = {}
        self._candidates: dict[int, Candidates] = {}  # of tiles that were coded elsewhere
        self._network = network
        self._refinement = refinement
        self._index = index
        self._may_be_exact = exact
        self._indexes = indexes
        self._slow_errors = slow_errors
        self._config = network.info.config
        height, width, _ = picture.pixels.shape
        usual = tile_rows(height, width, self._config.block_size)
        self.tile_rows = usual if rows_each is None else rows_each

    def tiles(self, number: int) -> list[Tile]:
        height, width, _ = self.picture.pixels.shape
        return cut(number, height, width, self._config, self.tile_rows)

    def blocks(self, tile: Tile) -> Pixels:
        size = self._config.block_size
        return split_blocks(self.picture.pixels[tile.pixel_rows(size)], size)

    def indexes(self, tiles: Sequence[Tile]) -> BlockIndexes | None:
        """Those of the blocks (rows, columns) of consecutive tiles, if they differ in quality."""
        if self._indexes is None:
            return None
        return self._indexes[tiles[0].top : tiles[-1].top + tiles[-1].rows]

    def quality(self, tile: Tile) -> BlockIndexes | int:
        """The index of all blocks of a tile, or that of each (n,)."""
        indexes = self.indexes([tile])
        return self._index if indexes is None else indexes.ravel()

    def strip(self, tiles: Sequence[Tile]) -> Pixels:
        """The pixels (height, width, 3) of consecutive tiles."""
        size = self._config.block_size
        return self.picture.pixels[tiles[0].top * size : tiles[-1].pixel_rows(size).stop]

    def take(self, tile: Tile, segment: Segment, candidates: Candidates) -> None:
        """Add a tile that was coded elsewhere."""
        self.segments[tile.number] = replace(segment, tile=tile.number)
        self._candidates[tile.number] = candidates

    def finish(self) -> Compressed:
        tiles = self.tiles(0)
        by_tile = [self._candidates.get(tile.number) or self.candidates(tile) for tile in tiles]
        strength = min(
            by_tile[0], key=lambda each: sum(candidates[each].error for candidates in by_tile)
        )
        chosen = [candidates[strength] for candidates in by_tile]
        for tile, candidate in zip(tiles, chosen, strict=True):
            self.reconstruction[tile.pixel_rows(self._config.block_size)] = candidate.pixels
        error = sum(each.error for each in chosen)
        coarse_body, pixels = self._corrected(self.reconstruction, error)
        self.reconstruction, picture = pixels, self.picture
        weights_id = self._network.info.id
        if self._refinement and strength:
            weights_id = self._refinement.id
        container = Container(
            width=pixels.shape[1],
            height=pixels.shape[0],
            grey=picture.grey,
            quality_eighths=round(quality_of(self._index) * QUALITY_STEPS),
            tile_block_rows=self.tile_rows,
            weights_id=weights_id,
            strength=strength,
            quality_map=None if self._indexes is None else pack(self._indexes, self._index),
            filter_weights=_packed([each.weights for each in chosen]),
            coarse=coarse_body,
            pixels_crc=zlib.crc32(pixels.data),
            segments=tuple(self.segments[tile] for tile in sorted(self.segments)),
            alpha=picture.alpha,
            icc=picture.icc,
            exif=picture.exif,
            xmp=picture.xmp,
        )
        if self._may_be_exact:
            container = stored_exactly(container, picture.pixels) or container
        data = pack_container(container)
        if container.exact:
            return Compressed(data, picture.pixels, container.quality, exact=True)
        return Compressed(data, pixels, container.quality)

    def _corrected(self, pixels: Pixels, error: int) -> tuple[bytes | None, Pixels]:
        """Return the body of a C chunk, if the correction is worth its bytes, and the pixels.

        ``error`` is the squared error of the pixels without it.
        """
        if self._refinement is None:
            return None, pixels
        original, grey = self.picture.pixels, self.picture.grey
        bits = self._slow_errors * error_bits(self._index)
        step = coarse.best_step(bits)
        values = coarse.fit(original, pixels, step, grey=grey)
        if not values.any():
            return None, pixels
        body = encode_coarse(values, step, self._network.tables)
        corrected = coarse.Correction(values, step).add(pixels, 0)
        saved = bits * (error - squared_error(original, corrected))
        if saved < 8 * (len(body) + COARSE_OVERHEAD):
            return None, pixels
        return body, corrected

    def candidates(self, tile: Tile) -> Candidates:
        """A tile with each strength of the refinement, 0 included."""
        rows = tile.pixel_rows(self._config.block_size)
        original, decoded = self.picture.pixels[rows], self.reconstruction[rows]
        if self._refinement is None:
            return {0: Candidate(decoded, 0)}  # nothing to choose by
        refinement = refinement_files.load(self._refinement, self._network.integer.device)
        quality = quality_of_tiles([self.quality(tile)], [tile.blocks], refinement.device)
        return {0: Candidate(decoded, squared_error(original, decoded))} | refined_candidates(
            refinement,
            quality,
            tile,
            decoded,
            original,
            grey=self.picture.grey,
            error_bits=error_bits(self._index),
        )


def _packed(weights: Sequence[Weights | None]) -> bytes | None:
    """Return the body of an F chunk, or None if no tile is filtered."""
    count = max((len(each) for each in weights if each is not None), default=0)
    nothing = np.zeros(count, np.int8)
    return b"".join((nothing if w is None else w).tobytes() for w in weights) if count else None


def encode_tiles(
    network: LoadedModel,
    jobs: Sequence[EncodeJob],
    tiles: Sequence[Tile],
    *,
    search: SearchSettings | None,
) -> Iterator[int]:
    """Code tiles in common fronts, after a search for symbols if there is to be one.

    Yields the work done: 1 per block, ``search.work`` for its search.
    """
    grids, size = tuple(tile.grid for tile in tiles), network.info.config.block_size
    order = coding_order(grids)
    blocks = np.concatenate([jobs[tile.picture].blocks(tile) for tile in tiles])
    flip_blocks(blocks, order.flips, size)
    writers = [SegmentWriter(network.tables, tile.number) for tile in tiles]
    sink = writers[0] if len(tiles) == 1 else GroupWriter(writers, order.parts)
    device = network.integer.device
    parts = [jobs[tile.picture].quality(tile) for tile in tiles]
    quality = quality_of_tiles(parts, [tile.blocks for tile in tiles], device)
    port: SymbolPort
    if search:
        port = yield from _search(network, quality, tiles, blocks, sink, search)
    elif isinstance(network.info.config, ModelConfig):
        port = BlockChoice(network, quality, sink, blocks)
    else:
        port = LatentWriter(network, quality, sink, blocks)
    model = on_idle_cores(network.integer.at_quality(quality), device)
    if isinstance(port, BlockChoice):
        model = ChoosingModel(model, port)
    for front, state in code_grids(model, grids, port):
        blocks[front] = pixel_values(state, blocks.shape[1])  # in the originals' place
        yield len(front)
    flip_blocks(blocks, order.flips, size)
    merge_tiles(blocks, tiles, [(job.reconstruction, job.picture.grey) for job in jobs], size)
    for tile, writer in zip(tiles, writers, strict=True):
        jobs[tile.picture].segments[tile.number] = writer.segment()


def _search(
    network: LoadedModel,
    quality: Quality,
    tiles: Sequence[Tile],
    blocks: Pixels,
    sink: SymbolSink,
    settings: SearchSettings,
) -> Generator[int, None, SymbolWriter]:
    """Search the symbols of tiles; yield the work done, return the writer of the symbols."""
    device = network.integer.device
    counts = [tile.blocks for tile in tiles]
    qualities = [quality] * len(tiles) if isinstance(quality, int) else quality.split(counts)
    searches = []
    for tile, part, own in zip(tiles, parts_of_tiles(blocks, tiles), qualities, strict=True):
        model = on_idle_cores(network.integer.at_quality(own), device, heavy=True)
        searches.append(SymbolSearch(model, network, own, tile.grid, part, settings))
        yield from (settings.work * tried for tried in searches[-1])
    return SymbolWriter(sink, torch.cat([each.symbols for each in searches]).to(device))
