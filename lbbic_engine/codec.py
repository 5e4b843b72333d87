"""The two chains: a picture to a file's bytes, and back. No mathematics of its own.

    compress              split_blocks → code_blocks(LatentWriter) → pack_container
    decode_progressively  parse_container → code_blocks(LatentReader) → fronts of blocks
    decompress            the same, then merge_blocks

Sender and receiver run the same loop (``wavefront.code_blocks``) and the same exact networks;
they differ in where a front's symbols come from (``exchange``).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lbbic_engine import weights as weights_files
from lbbic_engine.blocks import grid, merge_blocks, split_blocks
from lbbic_engine.config import MIN_QUALITY, QUALITY_STEPS, quality_index
from lbbic_engine.container import VERSION, Container, Segment, pack_container, parse_container
from lbbic_engine.devices import choose_device, device_failures, few_threads
from lbbic_engine.errors import Cancelled, CorruptDataError, LbbicError, UnknownWeightsError
from lbbic_engine.exchange import EndOfSegments, LatentReader, LatentWriter
from lbbic_engine.model import PIXEL_OFFSET
from lbbic_engine.pixels import Picture
from lbbic_engine.wavefront import code_blocks
from lbbic_engine.weights import DEFAULT, Network

Pixels = NDArray[np.uint8]

TILE_PIXELS = 1 << 23  # pictures beyond this are cut into tiles of rows, of about this size
GREY = 128  # where nothing was decoded


@dataclass(frozen=True)
class Progress:
    """How far a job is, in blocks."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Compressed:
    """A file's bytes, the pixels (H, W, 3) that every decoder makes of it, and its quality."""

    data: bytes
    reconstruction: Pixels
    quality: float


@dataclass(frozen=True)
class Front:
    """Blocks coded together: rows and columns in the grid (n,), values (n, B, B, 3), bits (n,)."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    blocks: Pixels
    bits: NDArray[np.float32]


@dataclass(frozen=True)
class Info:
    """What a file says of itself; sizes in bytes."""

    version: str
    width: int
    height: int
    grey: bool
    has_alpha: bool
    quality: float
    weights: str
    weights_installed: bool
    tiles: int
    segments: int
    payload_bytes: int
    metadata_bytes: dict[str, int]
    total_bytes: int
    bpp: float
    complete: bool


ReportProgress = Callable[[Progress], None]
IsCancelled = Callable[[], bool]


@device_failures()
@few_threads()
def compress(
    picture: Picture,
    quality: float | None = None,
    *,
    device: str = "auto",
    weights: str = DEFAULT,
    progress: ReportProgress | None = None,
    cancelled: IsCancelled | None = None,
) -> Compressed:
    """Codes a picture at a quality from 1 to 8, rounded to 1/8; None is the model's default.

    ``weights`` names the model, ``device`` is auto, cpu or cuda. ValueError for a quality out of
    range, LbbicError for one that the model has not, if the device fails or memory is short,
    UnknownWeightsError, Cancelled once
    ``cancelled`` returns True (asked at every front).
    """
    index = None if quality is None else quality_index(quality)
    network = _load(weights_files.by_name(weights), device)
    config = network.description.config
    if index is None:
        index = quality_index(config.default_quality)
    if not config.offers(index):
        raise LbbicError(
            "Quality not available",
            f"The weights {weights} code at quality {config.default_quality:g} only.",
        )
    size = config.block_size
    height, width, _ = picture.pixels.shape
    blocks = split_blocks(picture.pixels, size)
    layout = _Layout.of(height, width, size)
    decoded = np.empty_like(blocks)
    segments: list[Segment] = []
    follow = _Follower("Encoding", layout, progress, cancelled)
    for tile, part in enumerate(layout.tiles()):
        writer = LatentWriter(network, index, tile, blocks[part])
        rows = layout.rows_of(part)
        for front, state in code_blocks(
            network.integer.at_quality(index), rows, layout.columns, writer
        ):
            decoded[part][front] = _values(state, blocks.shape[1], picture.grey)
            follow(len(front))
        segments += writer.segments()
    reconstruction = merge_blocks(decoded, height, width, size)
    container = Container(
        width=width,
        height=height,
        grey=picture.grey,
        quality_eighths=round(MIN_QUALITY * QUALITY_STEPS) + index,
        tile_block_rows=layout.tile_rows,
        weights_id=network.description.id,
        pixels_crc=_checksum(reconstruction),
        segments=tuple(segments),
        alpha=picture.alpha,
        icc=picture.icc,
        exif=picture.exif,
        xmp=picture.xmp,
    )
    quality = container.quality_eighths / QUALITY_STEPS
    return Compressed(pack_container(container), reconstruction, quality)


@device_failures()
@few_threads()
def decompress(
    data: bytes,
    *,
    device: str = "auto",
    partial: bool = False,
    progress: ReportProgress | None = None,
    cancelled: IsCancelled | None = None,
) -> Picture:
    """The picture of a file. With ``partial``, missing blocks are grey and a notice says so.

    Raises NotLbbicError, UnsupportedVersionError, CorruptDataError (truncated or damaged, or the
    pixels fail their checksum), UnknownWeightsError, Cancelled; LbbicError as ``compress``.
    """
    container = parse_container(data, partial=partial)
    job = _Decoding(container, device, partial)
    follow = _Follower("Decoding", job.layout, progress, cancelled)
    for indexes, _, _ in job.fronts(count_bits=False):
        follow(len(indexes))
    pixels = job.finish()
    notices: tuple[str, ...] = ()
    if job.done < job.layout.blocks:
        share = 100 * job.done // job.layout.blocks
        notices = (f"The file is incomplete: {share} % of the picture could be decoded.",)
    return Picture(
        pixels=pixels,
        alpha=container.alpha,
        grey=container.grey,
        icc=container.icc,
        exif=container.exif,
        xmp=container.xmp,
        notices=notices,
    )


def decode_progressively(
    data: bytes, *, device: str = "auto", partial: bool = False
) -> Iterator[Front]:
    """The fronts of a file as they are decoded; raises like ``decompress``.

    The checksum of the pixels is checked after the last front.
    """
    with device_failures(), few_threads():
        job = _Decoding(parse_container(data, partial=partial), device, partial)
        layout = job.layout
        for indexes, values, bits in job.fronts(count_bits=True):
            rows, columns = np.divmod(indexes, layout.columns)
            shape = (-1, layout.block_size, layout.block_size, 3)
            yield Front(rows, columns, values.reshape(shape), bits)
        job.finish()


def read_info(data: bytes) -> Info:
    """What a file, complete or not, says of itself; decodes nothing."""
    container = parse_container(data, partial=True)
    try:
        name, found = weights_files.by_id(container.weights_id).name, True
    except UnknownWeightsError:
        name, found = container.weights_id.hex(), False
    metadata = {"icc": container.icc, "exif": container.exif, "xmp": container.xmp}
    return Info(
        version=".".join(map(str, VERSION)),
        width=container.width,
        height=container.height,
        grey=container.grey,
        has_alpha=container.alpha is not None,
        quality=container.quality_eighths / QUALITY_STEPS,
        weights=name,
        weights_installed=found,
        tiles=len({segment.tile for segment in container.segments}),
        segments=len(container.segments),
        payload_bytes=sum(len(segment.stream) for segment in container.segments),
        metadata_bytes={key: len(value) for key, value in metadata.items() if value},
        total_bytes=len(data),
        bpp=8 * len(data) / (container.width * container.height),
        complete=container.complete,
    )


@dataclass(frozen=True)
class _Layout:
    """How a picture is cut: a grid of blocks, in tiles of ``tile_rows`` rows (0: one tile)."""

    block_size: int
    rows: int
    columns: int
    tile_rows: int

    @classmethod
    def of(cls, height: int, width: int, block_size: int) -> _Layout:
        rows, columns = grid(height, width, block_size)
        tiles = -(-rows * columns * block_size**2 // TILE_PIXELS)
        return cls(block_size, rows, columns, -(-rows // tiles) if tiles > 1 else 0)

    @property
    def blocks(self) -> int:
        return self.rows * self.columns

    @property
    def tile_blocks(self) -> int:
        """Blocks of a tile, the last one excepted."""
        return (self.tile_rows or self.rows) * self.columns

    def tiles(self) -> Iterator[slice]:
        """Raster indexes of each tile's blocks."""
        for first in range(0, self.blocks, self.tile_blocks):
            yield slice(first, min(first + self.tile_blocks, self.blocks))

    def rows_of(self, part: slice) -> int:
        return int(part.stop - part.start) // self.columns


class _Decoding:
    """A parsed file about to be decoded: everything is checked that can be before the start."""

    def __init__(self, container: Container, device: str, partial: bool) -> None:
        self.container = container
        self.partial = partial
        self.network = _load(weights_files.by_id(container.weights_id), device)
        self.quality_index = container.quality_eighths - round(MIN_QUALITY * QUALITY_STEPS)
        config = self.network.description.config
        if not config.offers(self.quality_index):
            raise CorruptDataError("The file is damaged", "Its weights have no such quality.")
        size = config.block_size
        rows, columns = grid(container.height, container.width, size)
        self.layout = _Layout(size, rows, columns, container.tile_block_rows)
        self.segments: dict[int, list[Segment]] = {}
        for segment in container.segments:
            self.segments.setdefault(segment.tile, []).append(segment)
        if not partial:
            self._check_coverage()
        self._blocks = np.full((self.layout.blocks, 3 * size**2), GREY, np.uint8)
        self.done = 0

    def _check_coverage(self) -> None:
        """Every front of every tile is in some segment, and nothing else is."""
        count = -(-self.layout.blocks // self.layout.tile_blocks)
        if any(tile >= count for tile in self.segments):
            raise CorruptDataError("The file is damaged", "There is more data than picture.")
        for tile, part in enumerate(self.layout.tiles()):
            expected = self.layout.columns + 2 * (self.layout.rows_of(part) - 1)
            if self.layout.columns == 1:
                expected = self.layout.rows_of(part)  # every other front would be empty
            found = sum(segment.front_count for segment in self.segments.get(tile, ()))
            if found < expected:
                raise CorruptDataError("Truncated file", "A part of the picture is missing.")
            if found > expected:
                raise CorruptDataError("The file is damaged", "There is more data than picture.")

    def fronts(
        self, *, count_bits: bool
    ) -> Iterator[tuple[NDArray[np.int64], Pixels, NDArray[np.float32]]]:
        """Raster indexes (n,), values (n, 3B²) and bits (n,) of the blocks of each front."""
        layout, container = self.layout, self.container
        model = self.network.integer.at_quality(self.quality_index)
        for tile, part in enumerate(layout.tiles()):
            segments = self.segments.get(tile, ())
            reader = LatentReader(self.network, segments, count_bits=count_bits)
            try:
                for front, state in code_blocks(
                    model, layout.rows_of(part), layout.columns, reader
                ):
                    values = _values(state, 3 * layout.block_size**2, container.grey)
                    indexes = front + part.start
                    self._blocks[indexes] = values
                    self.done += len(indexes)
                    yield indexes, values, reader.bits
            except EndOfSegments:
                if not self.partial:
                    raise

    def finish(self) -> Pixels:
        """The picture (H, W, 3) so far; CorruptDataError if it is whole and not the encoder's."""
        container, layout = self.container, self.layout
        pixels = merge_blocks(self._blocks, container.height, container.width, layout.block_size)
        if self.done == layout.blocks and _checksum(pixels) != container.pixels_crc:
            raise CorruptDataError("Checksum mismatch", "The decoded picture is not the encoder's.")
        return pixels


class _Follower:
    """Reports progress and stops the job when the caller wants it."""

    def __init__(
        self,
        stage: str,
        layout: _Layout,
        progress: ReportProgress | None,
        cancelled: IsCancelled | None,
    ) -> None:
        self.done = 0
        self._stage = stage
        self._total = layout.blocks
        self._progress = progress
        self._cancelled = cancelled

    def __call__(self, blocks: int) -> None:
        self.done += blocks
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if self._progress is not None:
            self._progress(Progress(self._stage, self.done, self._total))


def _values(state: torch.Tensor, pixels: int, grey: bool) -> Pixels:
    """8-bit values (n, 3B²) of blocks' state; of a grey picture, the mean of the colours."""
    values = state[:, :pixels].cpu().numpy().astype(np.int16) + PIXEL_OFFSET
    if grey:
        colours = values.reshape(len(values), -1, 3)
        mean = (colours.sum(axis=2, keepdims=True) + 1) // 3
        values = np.broadcast_to(mean, colours.shape).reshape(values.shape)
    return values.astype(np.uint8)


def _checksum(pixels: Pixels) -> int:
    return zlib.crc32(pixels.tobytes())


def _load(description: weights_files.Description, device: str) -> Network:
    return weights_files.load(description, choose_device(device))
