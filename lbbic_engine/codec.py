"""Encodes pictures to bytes and decodes them. The steps:

    compress              cut → split_blocks → flip_blocks → code_grids(BlockChoice) → refine →
                          correct → pack_container (not fast: SymbolSearch, then SymbolWriter)
    decode_progressively  parse_container → code_grids(LatentReader) → fronts of blocks
    decompress            the same, then flip_blocks → merge_blocks → refine → correct

Encoder (``coding.encoder``) and decoder (``coding.decoder``) run the same loop (``code_grids`` of
``coding.block_loop``) and the same exact networks; they differ in where a front's symbols come from
(``coding.latents``). Pictures of a batch, and tiles of a picture, share fronts (``layout.tiles``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.bitstream.container import MAX_PIXELS, parse_container, read_outline
from lbbic_engine.bitstream.exact import LAYOUT
from lbbic_engine.bitstream.quality_map import BlockIndexes, spread, to_indexes
from lbbic_engine.coding.assemble import NOTHING, Region
from lbbic_engine.coding.decode_job import DecodeJob, weights_of
from lbbic_engine.coding.decoder import decode_tiles
from lbbic_engine.coding.encoder import EncodeJob, encode_tiles
from lbbic_engine.coding.fronts import decoded_fronts
from lbbic_engine.coding.masking import SLOW_ERRORS, visual_offsets
from lbbic_engine.coding.refining.tile_refiner import STRENGTHS
from lbbic_engine.coding.results import (
    Compressed,
    Front,
    Info,
    IsCancelled,
    Pixels,
    ProgressReporter,
    ReportProgress,
    raise_if_cancelled,
)
from lbbic_engine.coding.search.candidates import SEARCHES, work_of_a_block
from lbbic_engine.coding.strips import (
    EncoderSettings,
    decode_strips,
    encode_strips,
    fronts_of_strips,
)
from lbbic_engine.config import EFFORTS, TUNES, Config, ModelConfig, quality_index
from lbbic_engine.devices import CodingThread, choose_device, device_failures
from lbbic_engine.errors import LbbicError, UnknownWeightsError
from lbbic_engine.layout.blocks import grid
from lbbic_engine.layout.tiles import GROUP_BLOCKS, group, tile_count
from lbbic_engine.networks import refinement_files
from lbbic_engine.networks import weights as weights_files
from lbbic_engine.networks.weights import DEFAULT
from lbbic_engine.pictures.picture import Picture

QualityMap = NDArray[np.floating] | NDArray[np.integer]


def compress(
    picture: Picture,
    quality: float | None = None,
    *,
    device: str = "auto",
    weights: str = DEFAULT,
    effort: str = EFFORTS[0],
    refine: bool = True,
    exact: bool = True,
    quality_map: QualityMap | None = None,
    tune: str = TUNES[0],
    executor: Executor | None = None,
    progress: ReportProgress | None = None,
    cancelled: IsCancelled | None = None,
) -> Compressed:
    """Compress a picture at a quality from 1 to 8, rounded to 1/8; None is the model's default.

    ``weights`` names the model, ``device`` is auto, cpu or cuda. ``effort`` is fast, or balanced or
    thorough (``symbol_search``): smaller files of the production model in three and in 11 to 31
    times the time.
    ``refine`` allows the decoder's refinement (``coding.refining``) if it improves the picture, and
    the correction of slow errors (``layout.coarse``) if it is worth its bytes.
    ``exact`` allows lossless storage if that takes no more bytes, as for many drawings
    (``bitstream.exact``). ``quality_map`` (h, w), of any size, is stretched over the picture; its
    values are added to the quality, which stays within 1 to 8. ``tune`` is psnr, or visual: more
    quality where errors are seen, less where texture hides them, and truer colours of large areas
    (``coding.masking``). The tiles of a large picture are coded by the workers of ``executor``, on
    their CPUs.
    Raises ValueError for a quality out of range, an unknown effort or tune, and what is no map;
    LbbicError for a quality that the model does not support, if the device fails or if memory is
    short; UnknownWeightsError;
    Cancelled once ``cancelled`` returns True (called for every front, several at a time).
    """
    (compressed,) = compress_batch(
        [picture],
        quality,
        device=device,
        weights=weights,
        effort=effort,
        refine=refine,
        exact=exact,
        quality_maps=None if quality_map is None else [quality_map],
        tune=tune,
        executor=executor,
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
    exact: bool = True,
    quality_maps: Sequence[QualityMap | None] | None = None,
    tune: str = TUNES[0],
    executor: Executor | None = None,
    progress: ReportProgress | None = None,
    cancelled: IsCancelled | None = None,
) -> list[Compressed]:
    """Compress pictures in common fronts, which is faster for small ones; see ``compress``."""
    raise_if_cancelled(cancelled)
    with CodingThread() as thread:
        if effort not in EFFORTS:
            raise ValueError(f"effort must be one of {', '.join(EFFORTS)}, not {effort}")
        if tune not in TUNES:
            raise ValueError(f"tune must be {' or '.join(TUNES)}, not {tune}")
        for picture in pictures:
            if not isinstance(picture, Picture):
                kind = type(picture).__name__
                raise TypeError(f"a Picture is compressed, as load_picture returns, not {kind}")
        index = None if quality is None else quality_index(quality)
        network = weights_files.load(weights_files.by_name(weights), choose_device(device))
        config = network.info.config
        if index is None:
            index = quality_index(config.default_quality)
        if not config.offers(index):
            raise LbbicError(
                "Quality not available",
                f"The model {weights} has only quality {config.default_quality:g}.",
            )
        refinement = refinement_files.of_weights(network.info.id) if refine else None
        maps = quality_maps or [None] * len(pictures)
        jobs = [
            EncodeJob(
                network,
                refinement,
                index,
                picture,
                exact=exact,
                indexes=_indexes(config, index, picture, own_map, tune),
                slow_errors=1.0 if tune == TUNES[0] else SLOW_ERRORS,
            )
            for picture, own_map in zip(pictures, maps, strict=True)
        ]
        tiles = [tile for i, job in enumerate(jobs) for tile in job.tiles(i)]
        search = SEARCHES.get(effort) if isinstance(config, ModelConfig) else None
        if executor is not None:
            settings = EncoderSettings(network.info, refinement, index, search)
            for job in jobs:
                encode_strips(job, settings, executor, progress, cancelled)
            return [job.finish() for job in jobs]
        advance = ProgressReporter(
            "Encoding", tiles, progress, cancelled, work=work_of_a_block(search)
        )
        for part in group(tiles, GROUP_BLOCKS[network.integer.device]):
            for work in thread.each(encode_tiles(network, jobs, part, search=search)):
                advance(work)
        return [thread.run(job.finish) for job in jobs]


def _indexes(
    config: Config, index: int, picture: Picture, quality_map: QualityMap | None, tune: str
) -> BlockIndexes | None:
    """Quality indexes of a picture's blocks (rows, columns), if they differ from ``index``."""
    if quality_map is None and tune == TUNES[0]:
        return None
    if not isinstance(config, ModelConfig):
        raise LbbicError("Quality not available", "This model has one quality for all blocks.")
    height, width, _ = picture.pixels.shape
    rows, columns = grid(height, width, config.block_size)
    offsets = np.zeros((rows, columns))
    if quality_map is not None:
        offsets += spread(quality_map, rows, columns)
    if tune != TUNES[0]:
        offsets += visual_offsets(picture.pixels, config.block_size)
    indexes = to_indexes(offsets, index)
    return None if (indexes == index).all() else indexes


def decompress(
    data: bytes,
    *,
    device: str = "auto",
    partial: bool = False,
    max_pixels: int = MAX_PIXELS,
    executor: Executor | None = None,
    progress: ReportProgress | None = None,
    cancelled: IsCancelled | None = None,
) -> Picture:
    """Decompress a file. With ``partial``, missing blocks are grey, with a notice, unless all are.

    The tiles of a large picture are decoded by the workers of ``executor``, except with
    ``partial``.

    Raises NotLbbicError, UnsupportedVersionError, CorruptDataError (the file is truncated or
    damaged, or the pixels fail their checksum), UnknownWeightsError, Cancelled; LbbicError as
    ``compress`` does. Even a tiny file can contain a large picture, with 3 bytes a pixel in memory:
    more than ``max_pixels``, by default the 2²⁸ of the format, raise TooLargeError before any work.
    """
    (picture,) = decompress_batch(
        [data],
        device=device,
        partial=partial,
        max_pixels=max_pixels,
        executor=executor,
        progress=progress,
        cancelled=cancelled,
    )
    return picture


@device_failures()
def decompress_batch(
    files: Sequence[bytes],
    *,
    device: str = "auto",
    partial: bool = False,
    max_pixels: int = MAX_PIXELS,
    executor: Executor | None = None,
    progress: ReportProgress | None = None,
    cancelled: IsCancelled | None = None,
) -> list[Picture]:
    """Decompress files, those of the same quality in common fronts; see ``decompress``."""
    raise_if_cancelled(cancelled)
    containers = [parse_container(data, partial=partial, max_pixels=max_pixels) for data in files]
    with CodingThread() as thread:
        jobs = [DecodeJob(container, device, partial=partial) for container in containers]
        tiles = [tile for i, job in enumerate(jobs) for tile in job.tiles(i)]
        if executor is not None and not partial:
            for job in jobs:
                decode_strips(job, executor, progress, cancelled)
            return [job.finish() for job in jobs]
        advance = ProgressReporter("Decoding", tiles, progress, cancelled)
        for front in thread.each(decode_tiles(jobs, tiles)):
            advance(len(front.places))
        return [job.finish() for job in jobs]


@device_failures()
def decompress_region(
    data: bytes, left: int, top: int, width: int, height: int, *, device: str = "auto"
) -> Pixels:
    """Return a region (height, width, 3) of a picture, decoding only the tiles that contain it.

    Memory is needed for the region and for one tile. ValueError if the region is not inside the
    picture; otherwise raises as ``decompress``. The checksum, that of the whole picture, is not
    checked.
    """
    whole, _ = read_outline(data)
    if min(left, top) < 0 or min(width, height) < 1:
        raise ValueError("a region must begin inside the picture and must not be empty")
    if left + width > whole.width or top + height > whole.height:
        raise ValueError(f"the region extends beyond {whole.width} × {whole.height} pixels")
    with CodingThread() as thread:
        job = DecodeJob(whole, device, region=Region(left, top, width, height))
        size = job.block_size
        tiles = [
            tile
            for tile in job.tiles(0)
            if tile.pixel_rows(size).start < top + height and tile.pixel_rows(size).stop > top
        ]
        for _ in thread.each(decode_tiles([job], tiles)):
            pass
    return job.canvas.pixels


def decode_progressively(
    data: bytes,
    *,
    device: str = "auto",
    partial: bool = False,
    max_pixels: int = MAX_PIXELS,
    executor: Executor | None = None,
    cancelled: IsCancelled | None = None,
) -> Iterator[Front]:
    """Yield the fronts of a file as they are decoded.

    In a refined file, blocks are yielded once their neighbours are decoded. The tiles of a large
    picture are decoded by the workers of ``executor``, except with ``partial``: several at a time,
    and what a worker has decoded in some 50 ms is one front. Workers of an Executor other than
    ``WorkerPool`` yield a whole tile at once. Raises as ``decompress`` does, but does not
    decompress transparency. The checksum is checked after the last front.
    """
    container, _ = read_outline(data, partial=partial, max_pixels=max_pixels)
    with device_failures(), CodingThread() as thread:
        job = DecodeJob(container, device, partial=partial, region=NOTHING)
        if executor is not None and not partial:
            yield from fronts_of_strips(job, executor, cancelled)
        else:
            for front in thread.each(decoded_fronts(job)):
                raise_if_cancelled(cancelled)
                yield front
        job.finish()


def read_info(data: bytes) -> Info:
    """Return facts about a file, which may be incomplete, without decoding it.

    The time depends on the length of the file, not on the size of the picture.
    """
    container, has_alpha = read_outline(data, partial=True)
    there = len({segment.tile for segment in container.segments})
    name, installed = "", True
    config: Config = LAYOUT
    try:
        if not container.exact:
            info = weights_of(container)
            name, config = info.name, info.config
        tiles = tile_count(container.height, config, container.tile_block_rows)
    except UnknownWeightsError:
        name, installed = container.weights_id.hex(), False
        tiles = max(there, 1)  # for lack of the model's block size
    metadata = {"icc": container.icc, "exif": container.exif, "xmp": container.xmp}
    return Info(
        version=".".join(map(str, container.version)),
        width=container.width,
        height=container.height,
        grey=container.grey,
        has_alpha=has_alpha,
        quality=container.quality,
        exact=container.exact,
        has_quality_map=container.quality_map is not None,
        weights=name,
        weights_installed=installed,
        refinement=container.strength / STRENGTHS[-1],
        tiles=there,
        payload_bytes=sum(len(segment.stream) for segment in container.segments),
        metadata_bytes={key: len(value) for key, value in metadata.items() if value},
        total_bytes=len(data),
        bpp=8 * len(data) / (container.width * container.height),
        complete=there == tiles and not container.lost,
    )
