"""A file to be decoded: checks its parts, then refines and assembles what was decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.bitstream import coarse
from lbbic_engine.bitstream.chunks import Segment
from lbbic_engine.bitstream.container import Container
from lbbic_engine.bitstream.entropy import max_rows
from lbbic_engine.bitstream.exact import LAYOUT
from lbbic_engine.bitstream.quality_map import BlockIndexes, pack, unpack
from lbbic_engine.coding.assemble import Canvas, Region, in_grey, quality_of_tiles
from lbbic_engine.coding.refining import wiener
from lbbic_engine.coding.refining.progressive import ProgressiveRefiner
from lbbic_engine.coding.refining.whole_tiles import refine_tile
from lbbic_engine.coding.results import Pixels
from lbbic_engine.config import Config, ModelConfig, quality_index
from lbbic_engine.devices import choose_device
from lbbic_engine.errors import CorruptDataError, UnrecoverableDataError, damaged
from lbbic_engine.layout.blocks import grid, merge_blocks, split_blocks
from lbbic_engine.layout.coarse import Correction, grid_shape
from lbbic_engine.layout.tiles import Tile, are_allowed, cut
from lbbic_engine.networks import refinement_files
from lbbic_engine.networks import weights as weights_files
from lbbic_engine.networks.block_model import Quality
from lbbic_engine.networks.refinement import Refinement
from lbbic_engine.networks.weights import LoadedModel
from lbbic_engine.pictures.picture import Notice, NoticeKind, Picture

_PARTS = {
    b"A": "transparency",
    b"M": "map of quality",
    b"C": "correction of slow errors",
    b"F": "filter",
    b"i": "colour profile",
    b"e": "EXIF",
    b"x": "XMP",
}


class DecodeJob:
    """A parsed file to be decoded.

    Raises CorruptDataError for whatever is detected before decoding, UnknownWeightsError if its
    model is not installed. If ``partial``, parts that are damaged are left out instead.
    """

    def __init__(
        self,
        container: Container,
        device: str,
        *,
        partial: bool = False,
        region: Region | None = None,
    ) -> None:
        """``region`` is the part of the picture to keep, by default all of it."""
        self.container = container
        self.partial = partial
        self._network: LoadedModel | None = None
        if not container.exact:
            self._network = weights_files.load(weights_of(container), choose_device(device))
        self._refinement: Refinement | None = None
        if container.strength:
            info = refinement_files.by_id(container.weights_id)
            self._refinement = refinement_files.load(info, self.network.integer.device)
        self.quality_index = quality_index(container.quality)
        self._config: Config = self._network.info.config if self._network else LAYOUT
        config = self._config
        if not config.offers(self.quality_index):
            raise damaged("Its model does not support its quality.")
        self.block_size = config.block_size
        self._indexes: BlockIndexes | None = None
        if container.quality_map is not None:
            self._indexes = self._read_map(container.quality_map)
        # A block has a row of symbols for each slice of its latents.
        self._row_count = len(config.latent_slices) if isinstance(config, ModelConfig) else 1
        self._correction = self._read_correction()
        self._filter = self._read_filter()
        self.segments: dict[int, list[Segment]] = {}
        for segment in self.container.segments:
            self.segments.setdefault(segment.tile, []).append(segment)
        tiles = self.tiles(0)
        if not are_allowed(tiles, self.block_size):
            raise damaged("A part of it is larger or smaller than allowed.")
        if not partial:
            self._check_coverage(tiles)
        elif self._has_surplus(tiles):
            self._lose(b"?")
        self.canvas = Canvas(container.height, container.width, region)
        self.missing = 0  # blocks

    def _read_correction(self) -> Correction | None:
        container = self.container
        if container.coarse is None:
            return None
        shape = grid_shape(container.height, container.width, grey=container.grey)
        try:
            return Correction(*coarse.decode(container.coarse, shape, self.network.tables))
        except CorruptDataError:
            if not self.partial:
                raise
            self._lose(b"C")
            return None

    def _read_filter(self) -> NDArray[np.int8] | None:
        """The weights of the filter (tiles, weights)."""
        body, count = self.container.filter_weights, len(self.tiles(0))
        if body is None:
            return None
        if len(body) == count * wiener.weight_count(grey=self.container.grey):
            return np.frombuffer(body, np.int8).reshape(count, -1)
        if not self.partial:
            raise damaged("Its filter has the wrong length.")
        self._lose(b"F")
        return None

    def _weights(self, tile: Tile) -> wiener.Weights | None:
        """Those of the filter of a tile, if there is one."""
        return None if self._filter is None else self._filter[tile.number]

    def _lose(self, kind: bytes) -> None:
        lost = dict.fromkeys((*self.container.lost, kind))
        self.container = replace(self.container, lost=tuple(lost))

    @property
    def network(self) -> LoadedModel:
        """The model of a picture that is not stored exactly."""
        assert self._network is not None
        return self._network

    @property
    def device(self) -> str:
        """Where its model is; a picture that is stored exactly needs none."""
        return self._network.integer.device if self._network else "cpu"

    def tiles(self, number: int) -> list[Tile]:
        container = self.container
        return cut(
            number,
            container.height,
            container.width,
            self._config,
            container.tile_block_rows,
        )

    def strip(self, tiles: Sequence[Tile]) -> Container:
        """Return consecutive tiles as a separate file, without metadata."""
        segments = (
            replace(segment, tile=number)
            for number, tile in enumerate(tiles)
            for segment in self.segments[tile.number]
        )
        return Container(
            width=self.container.width,
            height=sum(self.shape(tile)[0] for tile in tiles),
            grey=self.container.grey,
            quality_eighths=self.container.quality_eighths,
            tile_block_rows=self.container.tile_block_rows,
            weights_id=self.container.weights_id,
            strength=self.container.strength,
            exact=self.container.exact,
            quality_map=self._map_of(tiles),
            filter_weights=self._filter_of(tiles),
            pixels_crc=0,  # not checked
            segments=tuple(segments),
            version=self.container.version,
        )

    def quality(self, tile: Tile) -> BlockIndexes | int:
        """The quality index of all blocks of a tile, or that of each block (n,)."""
        if self._indexes is None:
            return self.quality_index
        return self._indexes[tile.top : tile.top + tile.rows].ravel()

    @property
    def is_mapped(self) -> bool:
        """Whether blocks differ in quality."""
        return self._indexes is not None

    def _quality_for_refinement(self, tile: Tile) -> Quality:
        assert self._refinement is not None
        return quality_of_tiles([self.quality(tile)], [tile.blocks], self._refinement.device)

    def _read_map(self, body: bytes) -> BlockIndexes | None:
        """The quality indexes of all blocks; without their map, no block can be decoded."""
        if not isinstance(self._config, ModelConfig):
            raise damaged("Its model has only one quality.")
        rows, columns = grid(self.container.height, self.container.width, self.block_size)
        try:
            return unpack(body, rows, columns, self.quality_index)
        except CorruptDataError:
            if not self.partial:
                raise
            self.container = replace(self.container, segments=())
            return None

    def _map_of(self, tiles: Sequence[Tile]) -> bytes | None:
        if self._indexes is None:
            return None
        indexes = self._indexes[tiles[0].top : tiles[-1].top + tiles[-1].rows]
        return pack(indexes, self.quality_index)

    def _filter_of(self, tiles: Sequence[Tile]) -> bytes | None:
        if self._filter is None:
            return None
        return self._filter[tiles[0].number : tiles[-1].number + 1].tobytes()

    def check_contents(self, tile: Tile) -> None:
        """Check that a complete stream is not shorter than its number of blocks requires."""
        if self.container.exact:
            return
        segments = self.segments.get(tile.number, [])
        is_whole = all(segment.whole for segment in segments)
        if not is_whole or sum(segment.front_count for segment in segments) < tile.fronts:
            return
        if max_rows(sum(len(each.stream) for each in segments)) < tile.blocks * self._row_count:
            if self.partial:
                self.segments.pop(tile.number, None)
                return
            raise damaged("It contains less data than its picture needs.")

    def place(self, tile: Tile, blocks: Pixels, here: NDArray[np.bool_]) -> None:
        """Refine and store the blocks (n, 3B²) of a tile; ``here`` (n,) marks the decoded ones.

        The others are stored as they are.
        """
        shown = in_grey(blocks) if self.container.grey else blocks
        pixels = merge_blocks(shown, *self.shape(tile), self.block_size)
        if self._refinement is not None and here.any():
            pixels = refine_tile(
                self._refinement,
                self._quality_for_refinement(tile),
                tile,
                pixels,
                self.container.strength,
                self._weights(tile),
                here,
            )
            pixels = in_grey(pixels) if self.container.grey else pixels
        corrected = self.corrected(tile, pixels)
        if not here.all():
            parts = split_blocks(corrected, self.block_size)
            parts[~here] = split_blocks(pixels, self.block_size)[~here]
            corrected = merge_blocks(parts, *self.shape(tile), self.block_size)
        self.canvas.take(tile.top * self.block_size, corrected)
        self.missing += int((~here).sum())

    def corrected(self, tile: Tile, pixels: Pixels) -> Pixels:
        """The pixels (height, width, 3) of a tile with the correction of slow errors, if any."""
        if self._correction is None:
            return pixels
        return self._correction.add(pixels, tile.top * self.block_size)

    @property
    def is_corrected(self) -> bool:
        """Whether there is a correction of slow errors."""
        return self._correction is not None

    def correction_of_blocks(self, tile: Tile) -> NDArray[np.int16]:
        """What the correction of slow errors adds to the blocks (n, 3B²) of a tile."""
        assert self._correction is not None
        size = self.block_size
        height, width = tile.rows * size, tile.columns * size
        return split_blocks(self._correction.of_rows(tile.top * size, height, width), size)

    def shape(self, tile: Tile) -> tuple[int, int]:
        """Height and width of a tile, in pixels."""
        rows = tile.pixel_rows(self.block_size)
        return min(rows.stop, self.container.height) - rows.start, self.container.width

    def progressive_refiner(self, tile: Tile) -> ProgressiveRefiner:
        """Return the refiner for the blocks of a tile of a refined file."""
        assert self._refinement is not None
        strength, shape = self.container.strength, self.shape(tile)
        quality = self._quality_for_refinement(tile)
        weights = self._weights(tile)
        return ProgressiveRefiner(self._refinement, quality, strength, weights, tile, shape)

    def _check_coverage(self, tiles: Sequence[Tile]) -> None:
        """Check that the segments contain every front of every tile, and nothing else."""
        if any(self._fronts_there(tile) < tile.fronts for tile in tiles):
            raise CorruptDataError("Truncated file", "A part of the picture is missing.")
        if self._has_surplus(tiles):
            raise damaged("It contains more data than its picture needs.")

    def _has_surplus(self, tiles: Sequence[Tile]) -> bool:
        """Whether there are more fronts or tiles than the picture has."""
        return any(number >= len(tiles) for number in self.segments) or any(
            self._fronts_there(tile) > tile.fronts for tile in tiles
        )

    def _fronts_there(self, tile: Tile) -> int:
        segments = self.segments.get(tile.number, ())
        if self.container.exact:
            return tile.fronts if segments else 0
        return sum(segment.front_count for segment in segments)

    def finish(self) -> Picture:
        """Return the picture; UnrecoverableDataError if all of it is missing, or it differs."""
        container = self.container
        blocks = sum(tile.blocks for tile in self.tiles(0))
        if self.missing == blocks:
            raise UnrecoverableDataError("Nothing is left", "No block of this file can be decoded.")
        notices = damage_notices(container, missing_blocks=self.missing, blocks=blocks)
        is_whole = not self.missing and not {b"C", b"F"} & set(container.lost)
        if is_whole and self.canvas.crc != container.pixels_crc:
            raise UnrecoverableDataError(
                "Checksum mismatch", "The decoded picture differs from the one that was saved."
            )
        return Picture(
            pixels=self.canvas.pixels,
            alpha=container.alpha,
            grey=container.grey,
            icc=container.icc,
            exif=container.exif,
            xmp=container.xmp,
            notices=notices,
        )


def damage_notices(container: Container, *, missing_blocks: int, blocks: int) -> tuple[Notice, ...]:
    """Notices of the parts, and the share of blocks, that a damaged file lacks."""
    texts = []
    lost = [_PARTS[kind] for kind in container.lost if kind in _PARTS]
    others = set(container.lost) - _PARTS.keys()
    if not missing_blocks or not others <= {b"S", b"P", b"L"}:
        lost += ["data of an unknown kind"] * bool(others)
    if lost:
        texts.append(f"The file is damaged: {', '.join(lost)} could not be read.")
    if missing_blocks:
        share = 100 * (blocks - missing_blocks) // blocks
        texts.append(f"The file is incomplete: {share} % of the picture could be decoded.")
    return tuple(Notice(NoticeKind.INCOMPLETE, text) for text in texts)


def weights_of(container: Container) -> weights_files.WeightsInfo:
    """Return the weights that a file was coded with; UnknownWeightsError if not installed."""
    identity = container.weights_id
    if container.strength:
        identity = refinement_files.by_id(identity).weights_id
    return weights_files.by_id(identity)
