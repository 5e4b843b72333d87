"""The two chains: a picture to a file's bytes, and back. No mathematics of its own.

    compress              cut → split_blocks → mirror → code_grids(LatentWriter) → pack_container
                          (thorough: SymbolSearch first, then SymbolWriter in its place)
    decode_progressively  parse_container → code_grids(LatentReader) → fronts of blocks
    decompress            the same, then mirror → merge_blocks

Sender and receiver run the same loop (``block_loop.code_grids``) and the same exact networks;
they differ in where a front's symbols come from (``latents``). Pictures of a batch, and tiles of
a picture, share fronts (``tiles``).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from lbbic_engine.bitstream.container import (
    Container,
    Segment,
    pack_container,
    parse_container,
)
from lbbic_engine.bitstream.segments import (
    SegmentReader,
    SegmentWriter,
    TogetherReader,
    TogetherWriter,
)
from lbbic_engine.coding.adaptive_threads import on_idle_cores
from lbbic_engine.coding.block_loop import code_grids
from lbbic_engine.coding.latents import LatentReader, LatentWriter, SymbolWriter
from lbbic_engine.coding.refine import STRENGTHS, Arrivals, refine_tile, squared_error
from lbbic_engine.coding.symbol_search import WORK, SymbolSearch
from lbbic_engine.config import EFFORTS, MIN_QUALITY, QUALITY_STEPS, quality_index
from lbbic_engine.devices import CodingThread, choose_device, device_failures
from lbbic_engine.errors import Cancelled, CorruptDataError, LbbicError, UnknownWeightsError
from lbbic_engine.layout.blocks import merge_blocks, split_blocks
from lbbic_engine.layout.tiles import GROUP_BLOCKS, MAX_TILE_BLOCKS, Tile, cut, group, tile_rows
from lbbic_engine.layout.wavefront import coding_order, mirror
from lbbic_engine.networks import refinement_files
from lbbic_engine.networks import weights as weights_files
from lbbic_engine.networks.integer_network import Exchange
from lbbic_engine.networks.refinement import Refinement
from lbbic_engine.networks.refinement_files import RefinementInfo
from lbbic_engine.networks.weights import DEFAULT, Network
from lbbic_engine.pictures.picture import Notice, NoticeKind, Picture

Pixels = NDArray[np.uint8]
ValueT = TypeVar("ValueT", bound=np.generic)

GREY = 128  # where nothing was decoded
_PARTS = {b"A": "transparency", b"i": "colour profile", b"e": "EXIF", b"x": "XMP"}


@dataclass(frozen=True)
class Progress:
    """How far a job is, in blocks; half-done ones are counted together."""

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
    """Blocks coded together: rows and columns in the grid (n,), values (n, B, B, 3), bits (n,).

    ``context`` (n, 4) are the raster indexes of the blocks they were predicted from, -1 for none.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    blocks: Pixels
    bits: NDArray[np.float32]
    context: NDArray[np.int32]


@dataclass(frozen=True)
class Info:
    """What a file says of itself; sizes in bytes, ``refinement`` as a share of full strength."""

    version: str
    width: int
    height: int
    grey: bool
    has_alpha: bool
    quality: float
    weights: str
    weights_installed: bool
    refinement: float
    tiles: int
    payload_bytes: int
    metadata_bytes: dict[str, int]
    total_bytes: int
    bpp: float
    complete: bool


ReportProgress = Callable[[Progress], None]
IsCancelled = Callable[[], bool]


def compress(
    picture: Picture,
    quality: float | None = None,
    *,
    device: str = "auto",
    weights: str = DEFAULT,
    effort: str = EFFORTS[0],
    refine: bool = True,
    progress: ReportProgress | None = None,
    cancelled: IsCancelled | None = None,
) -> Compressed:
    """Codes a picture at a quality from 1 to 8, rounded to 1/8; None is the model's default.

    ``weights`` names the model, ``device`` is auto, cpu or cuda. ``effort`` is fast, or thorough
    (``symbol_search``): smaller files of the production model in eleven to 24 times the time.
    ``refine`` allows the decoder's refinement of all blocks (``coding.refine``), where it helps the
    picture.
    ValueError for a quality out of range and an unknown effort, LbbicError for a quality that the
    model has not, if the device fails or memory is short, UnknownWeightsError, Cancelled once
    ``cancelled`` returns True (asked at every front).
    """
    (compressed,) = compress_batch(
        [picture],
        quality,
        device=device,
        weights=weights,
        effort=effort,
        refine=refine,
        progress=progress,
        cancelled=cancelled,
    )
    return compressed


@device_failures()
def compress_batch(
    pictures: Sequence[Picture],
    quality: float | None = None,
    *,
    device: str = "auto",
    weights: str = DEFAULT,
    effort: str = EFFORTS[0],
    refine: bool = True,
    progress: ReportProgress | None = None,
    cancelled: IsCancelled | None = None,
) -> list[Compressed]:
    """Codes pictures in common fronts, which is faster for small ones; as ``compress``."""
    with CodingThread() as thread:
        if effort not in EFFORTS:
            raise ValueError(f"effort is {' or '.join(EFFORTS)}, not {effort}")
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
        refinement = refinement_files.of_weights(network.description.id) if refine else None
        jobs = [_Encoding(network, refinement, index, picture) for picture in pictures]
        tiles = [tile for i, job in enumerate(jobs) for tile in job.tiles(i)]
        search = effort == "thorough" and network.integer.at_quality(index).step_energy is not None
        follow = _Follower("Encoding", tiles, progress, cancelled, work=1 + WORK if search else 1)
        for part in group(tiles, GROUP_BLOCKS):
            for work in thread.each(_encode(network, index, jobs, part, search=search)):
                follow(work)
        return [thread.run(job.finish) for job in jobs]


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
    (picture,) = decompress_batch(
        [data], device=device, partial=partial, progress=progress, cancelled=cancelled
    )
    return picture


@device_failures()
def decompress_batch(
    files: Sequence[bytes],
    *,
    device: str = "auto",
    partial: bool = False,
    progress: ReportProgress | None = None,
    cancelled: IsCancelled | None = None,
) -> list[Picture]:
    """The pictures of files, those of one quality in common fronts; as ``decompress``."""
    containers = [parse_container(data, partial=partial) for data in files]
    with CodingThread() as thread:
        jobs = [_Decoding(container, device, partial) for container in containers]
        tiles = [tile for i, job in enumerate(jobs) for tile in job.tiles(i)]
        follow = _Follower("Decoding", tiles, progress, cancelled)
        for front in thread.each(_decode(jobs, tiles)):
            follow(len(front.indexes))
        return [job.finish() for job in jobs]


@device_failures()
def decompress_region(
    data: bytes, left: int, top: int, width: int, height: int, *, device: str = "auto"
) -> Pixels:
    """A part (height, width, 3) of a file's picture; decodes only the tiles that hold it.

    ValueError if it is not within the picture; else as ``decompress``, but for the checksum, which
    is that of the whole picture.
    """
    whole = parse_container(data)
    if min(left, top) < 0 or min(width, height) < 1:
        raise ValueError("a region begins within the picture and is not empty")
    if left + width > whole.width or top + height > whole.height:
        raise ValueError(f"the region goes beyond {whole.width} × {whole.height} pixels")
    with CodingThread() as thread:
        job = _Decoding(whole, device, partial=False)
        size = job.block_size
        tiles = [
            tile
            for tile in job.tiles(0)
            if tile.pixel_rows(size).start < top + height and tile.pixel_rows(size).stop > top
        ]
        for _ in thread.each(_decode([job], tiles)):
            pass
    return job.pixels[top : top + height, left : left + width].copy()


def decode_progressively(
    data: bytes, *, device: str = "auto", partial: bool = False
) -> Iterator[Front]:
    """The fronts of a file as they are decoded; raises like ``decompress``.

    Blocks of a refined file come once their neighbours are there, in the fronts that this makes.
    The checksum of the pixels is checked after the last front.
    """
    container = parse_container(data, partial=partial)
    with device_failures(), CodingThread() as thread:
        job = _Decoding(container, device, partial)
        fronts = _decoded_fronts(job)
        yield from thread.each(_refined_fronts(job, fronts) if container.strength else fronts)
        job.finish()


def _decoded_fronts(job: _Decoding) -> Iterator[Front]:
    tiles = job.tiles(0)
    size, columns = job.block_size, tiles[0].columns
    context = np.concatenate([tile.context for tile in tiles])
    for front in _decode([job], tiles):
        mirror(front.values, front.mirrors, size)
        values = _grey(front.values) if job.container.grey else front.values
        rows, places = np.divmod(front.indexes, columns)
        blocks = values.reshape(-1, size, size, 3)
        yield Front(rows, places, blocks, front.bits(), context[front.indexes])


def _refined_fronts(job: _Decoding, fronts: Iterator[Front]) -> Iterator[Front]:
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
            shown = _grey(values) if job.container.grey else values
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


def read_info(data: bytes) -> Info:
    """What a file, complete or not, says of itself; decodes nothing."""
    container = parse_container(data, partial=True)
    try:
        name, found = _weights_of(container).name, True
    except UnknownWeightsError:
        name, found = container.weights_id.hex(), False
    metadata = {"icc": container.icc, "exif": container.exif, "xmp": container.xmp}
    return Info(
        version=".".join(map(str, container.version)),
        width=container.width,
        height=container.height,
        grey=container.grey,
        has_alpha=container.alpha is not None,
        quality=container.quality_eighths / QUALITY_STEPS,
        weights=name,
        weights_installed=found,
        refinement=container.strength / STRENGTHS[-1],
        tiles=len({segment.tile for segment in container.segments}),
        payload_bytes=sum(len(segment.stream) for segment in container.segments),
        metadata_bytes={key: len(value) for key, value in metadata.items() if value},
        total_bytes=len(data),
        bpp=8 * len(data) / (container.width * container.height),
        complete=bool(container.segments) and not container.lost,
    )


class _Encoding:
    """A picture on its way into a file."""

    def __init__(
        self, network: Network, refinement: RefinementInfo | None, index: int, picture: Picture
    ) -> None:
        self.picture = picture
        self.reconstruction = np.empty_like(picture.pixels)
        self.segments: dict[int, Segment] = {}
        self._network = network
        self._refinement = refinement
        self._index = index
        self._config = network.description.config
        height, width, _ = picture.pixels.shape
        self._tile_rows = tile_rows(height, width, self._config.block_size)

    def tiles(self, number: int) -> list[Tile]:
        height, width, _ = self.picture.pixels.shape
        return cut(number, height, width, self._config, self._tile_rows)

    def blocks(self, tile: Tile) -> Pixels:
        size = self._config.block_size
        return split_blocks(self.picture.pixels[tile.pixel_rows(size)], size)

    def finish(self) -> Compressed:
        strength = self._refine() if self._refinement else 0
        picture, pixels = self.picture, self.reconstruction
        weights_id = self._network.description.id
        if self._refinement and strength:
            weights_id = self._refinement.id
        container = Container(
            width=pixels.shape[1],
            height=pixels.shape[0],
            grey=picture.grey,
            quality_eighths=round(MIN_QUALITY * QUALITY_STEPS) + self._index,
            tile_block_rows=self._tile_rows,
            weights_id=weights_id,
            strength=strength,
            pixels_crc=zlib.crc32(pixels.data),
            segments=tuple(self.segments[tile] for tile in sorted(self.segments)),
            alpha=picture.alpha,
            icc=picture.icc,
            exif=picture.exif,
            xmp=picture.xmp,
        )
        quality = container.quality_eighths / QUALITY_STEPS
        return Compressed(pack_container(container), pixels, quality)

    def _refine(self) -> int:
        """Refines the reconstruction at the strength that suits the picture, and returns that."""
        assert self._refinement is not None
        refinement = refinement_files.load(self._refinement, self._network.integer.device)
        found = {0: self.reconstruction}
        found |= {strength: np.empty_like(self.reconstruction) for strength in STRENGTHS}
        for tile in self.tiles(0):
            rows = tile.pixel_rows(self._config.block_size)
            tiles = refine_tile(refinement, self._index, tile, self.reconstruction[rows], STRENGTHS)
            for strength, refined in zip(STRENGTHS, tiles, strict=True):
                found[strength][rows] = _grey(refined) if self.picture.grey else refined
        best = min(found, key=lambda each: squared_error(self.picture.pixels, found[each]))
        self.reconstruction = found[best]
        return best


def _encode(
    network: Network, index: int, jobs: Sequence[_Encoding], tiles: Sequence[Tile], *, search: bool
) -> Iterator[int]:
    """Codes tiles in common fronts; yields the work done: 1 for a block, ``WORK`` for a search."""
    grids = tuple(tile.grid for tile in tiles)
    order = coding_order(grids)
    blocks = np.concatenate([jobs[tile.picture].blocks(tile) for tile in tiles])
    mirror(blocks, order.mirrors, network.description.config.block_size)
    writers = [SegmentWriter(network.tables, tile.number) for tile in tiles]
    sink = writers[0] if len(tiles) == 1 else TogetherWriter(writers, order.parts)
    exact, device = network.integer.at_quality(index), network.integer.device
    writer: Exchange
    if search:
        model, searches = on_idle_cores(exact, device, heavy=True), []
        for tile, part in zip(tiles, _parts(blocks, tiles), strict=True):
            searches.append(SymbolSearch(model, network, index, tile.grid, part))
            yield from (WORK * tried for tried in searches[-1])
        symbols = torch.cat([each.symbols for each in searches]).to(device)
        writer = SymbolWriter(sink, symbols)
    else:
        writer = LatentWriter(network, index, sink, blocks)
    for front, state in code_grids(on_idle_cores(exact, device), grids, writer):
        blocks[front] = _values(state, blocks.shape[1])  # coded, so not needed any more
        yield len(front)
    mirror(blocks, order.mirrors, network.description.config.block_size)
    _merge(blocks, tiles, [(job.reconstruction, job.picture.grey) for job in jobs], network)
    for tile, segment in zip(tiles, writers, strict=True):
        jobs[tile.picture].segments[tile.number] = segment.segment()


class _Decoding:
    """A parsed file about to be decoded: everything is checked that can be before the start."""

    def __init__(self, container: Container, device: str, partial: bool) -> None:
        self.container = container
        self.partial = partial
        self.network = _load(_weights_of(container), device)
        self._refinement: Refinement | None = None
        if container.strength:
            info = refinement_files.by_id(container.weights_id)
            self._refinement = refinement_files.load(info, self.network.integer.device)
        self.quality_index = container.quality_eighths - round(MIN_QUALITY * QUALITY_STEPS)
        config = self.network.description.config
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
            self.network.description.config,
            container.tile_block_rows,
        )

    def refine(self, tile: Tile, here: NDArray[np.bool_]) -> None:
        """Refines the pixels of a tile of which the blocks ``here`` (n,) are decoded."""
        if self._refinement is None:
            return
        rows = self.pixels[tile.pixel_rows(self.block_size)]
        strengths = [self.container.strength]
        (refined,) = refine_tile(self._refinement, self.quality_index, tile, rows, strengths, here)
        rows[:] = _grey(refined) if self.container.grey else refined

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
        notices: list[Notice] = []
        lost = [_PARTS[kind] for kind in container.lost if kind in _PARTS]
        if lost:
            text = f"The file is damaged: {', '.join(lost)} could not be read."
            notices.append(Notice(NoticeKind.INCOMPLETE, text))
        if self.missing:
            blocks = sum(tile.blocks for tile in self.tiles(0))
            share = 100 * (blocks - self.missing) // blocks
            text = f"The file is incomplete: {share} % of the picture could be decoded."
            notices.append(Notice(NoticeKind.INCOMPLETE, text))
        elif zlib.crc32(self.pixels.data) != container.pixels_crc:
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
            notices=tuple(notices),
        )


@dataclass(frozen=True)
class _Decoded:
    """A front's blocks: raster indexes (n,) in their pictures, values (n, 3B²).

    These are mirrored as ``mirrors`` (n,) say. ``bits`` counts what each block took, as long as
    the front is the last one.
    """

    indexes: NDArray[np.int64]
    values: Pixels
    mirrors: NDArray[np.int64]
    bits: Callable[[], NDArray[np.float32]]


def _decode(jobs: Sequence[_Decoding], tiles: Sequence[Tile]) -> Iterator[_Decoded]:
    """Decodes tiles, those of one model and quality in common fronts."""
    for kind in dict.fromkeys(_kind(job) for job in jobs):
        chosen = [tile for tile in tiles if _kind(jobs[tile.picture]) == kind]
        # A tile that ends early must not end others.
        limit = 1 if any(job.partial for job in jobs) else GROUP_BLOCKS
        for part in group(chosen, limit):
            yield from _decode_group(jobs, part)


def _kind(job: _Decoding) -> tuple[bytes, int]:
    return job.network.description.id, job.quality_index


def _decode_group(jobs: Sequence[_Decoding], tiles: Sequence[Tile]) -> Iterator[_Decoded]:
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
            values = _values(state, blocks.shape[1])
            blocks[front] = values
            here[front] = True
            yield _Decoded(indexes[front], values, order.mirrors[front], reader.bits)
    except CorruptDataError:
        if not first.partial:
            raise
    mirror(blocks, order.mirrors, first.block_size)
    _merge(blocks, tiles, [(job.pixels, job.container.grey) for job in jobs], network)
    for tile, part in zip(tiles, _parts(here, tiles), strict=True):
        jobs[tile.picture].refine(tile, part)
    first.missing += int((~here).sum())  # none, but where a partial file ends


class _Follower:
    """Reports progress and stops the job when the caller wants it."""

    def __init__(
        self,
        stage: str,
        tiles: Sequence[Tile],
        progress: ReportProgress | None,
        cancelled: IsCancelled | None,
        work: int = 1,  # of a block
    ) -> None:
        self._done = 0
        self._stage = stage
        self._work = work
        self._total = sum(tile.blocks for tile in tiles)
        self._progress = progress
        self._cancelled = cancelled

    def __call__(self, work: int) -> None:
        self._done += work
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if self._progress is not None:
            self._progress(Progress(self._stage, self._done // self._work, self._total))


def _merge(
    blocks: Pixels,
    tiles: Sequence[Tile],
    canvases: Sequence[tuple[Pixels, bool]],
    network: Network,
) -> None:
    """Puts the blocks of tiles into their pictures, of which some are grey."""
    size = network.description.config.block_size
    for tile, part in zip(tiles, _parts(blocks, tiles), strict=True):
        pixels, grey = canvases[tile.picture]
        rows = pixels[tile.pixel_rows(size)]
        height, width, _ = rows.shape
        rows[:] = merge_blocks(_grey(part) if grey else part, height, width, size)


def _parts(blocks: NDArray[ValueT], tiles: Sequence[Tile]) -> list[NDArray[ValueT]]:
    """What belongs to the blocks of each tile, of those of all."""
    return np.split(blocks, np.cumsum([tile.blocks for tile in tiles])[:-1])


def _values(state: torch.Tensor, pixels: int) -> Pixels:
    """8-bit values (n, 3B²) of blocks' state, in which they are less by 128."""
    return state.cpu().numpy()[:, :pixels].view(np.uint8) ^ np.uint8(128)


def _grey(values: Pixels) -> Pixels:
    """Blocks (n, 3B²) with the mean of the colours in place of each."""
    colours = values.reshape(len(values), -1, 3)
    mean = (colours.astype(np.int16).sum(axis=2, keepdims=True) + 1) // 3
    return np.broadcast_to(mean, colours.shape).reshape(values.shape).astype(np.uint8)


def _weights_of(container: Container) -> weights_files.Description:
    """The weights that a file was coded with."""
    identity = container.weights_id
    if container.strength:
        identity = refinement_files.by_id(identity).weights_id
    return weights_files.by_id(identity)


def _load(description: weights_files.Description, device: str) -> Network:
    return weights_files.load(description, choose_device(device))
