"""Codes the tiles of a large picture in workers, each as a separate picture, a strip.

The bytes and pixels of a strip are those that coding the whole picture would produce.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from lbbic_engine.bitstream.chunks import Segment
from lbbic_engine.bitstream.container import Container
from lbbic_engine.bitstream.quality_map import BlockIndexes
from lbbic_engine.coding.decoder import DecodeJob, decode_tiles, groups
from lbbic_engine.coding.encoder import EncodeJob, Reconstructions, encode_tiles
from lbbic_engine.coding.fronts import DecodedRows, in_picture, joined, uncorrected_fronts
from lbbic_engine.coding.results import (
    Front,
    IsCancelled,
    Pixels,
    Progress,
    ProgressReporter,
    ReportProgress,
)
from lbbic_engine.coding.search.candidates import SearchSettings, work_of_a_block
from lbbic_engine.devices import CodingThread, device_failures
from lbbic_engine.layout.tiles import Tile
from lbbic_engine.networks import weights as weights_files
from lbbic_engine.networks.refinement_files import RefinementInfo
from lbbic_engine.networks.weights import WeightsInfo
from lbbic_engine.parallel.pool import Report
from lbbic_engine.parallel.run import Reported, Task, follow, run
from lbbic_engine.pictures.picture import Picture

S = TypeVar("S", "_PlainStrip", "_CodedStrip")
R = TypeVar("R")


@dataclass(frozen=True)
class EncoderSettings:
    """How strips are encoded, after a search for symbols or without."""

    weights: WeightsInfo
    refinement: RefinementInfo | None
    index: int
    search: SearchSettings | None


@dataclass(frozen=True)
class _PlainStrip:
    tile: Tile
    pixels: Pixels
    grey: bool
    indexes: BlockIndexes | None
    settings: EncoderSettings


@dataclass(frozen=True)
class _CodedStrip:
    tile: Tile
    container: Container  # of a file that holds nothing else


def encode_strips(
    job: EncodeJob,
    settings: EncoderSettings,
    executor: Executor,
    progress: ReportProgress | None,
    cancelled: IsCancelled | None,
) -> None:
    """Encode all tiles of a picture in workers. Raises what the workers raise."""
    tiles = job.tiles(0)
    strips = [
        _PlainStrip(tile, job.strip(tile), job.picture.grey, job.indexes(tile), settings)
        for tile in tiles
    ]
    update = _StripProgress("Encoding", tiles, progress)
    for strip, (segment, candidates) in _by_workers(_encode, strips, executor, update, cancelled):
        job.take(strip.tile, segment, candidates)


def decode_strips(
    job: DecodeJob,
    executor: Executor,
    progress: ReportProgress | None,
    cancelled: IsCancelled | None,
) -> None:
    """Decode all tiles of a complete file in workers. Raises what the workers raise."""
    tiles = job.tiles(0)
    strips = [_CodedStrip(tile, job.strip(tile)) for tile in tiles]
    update = _StripProgress("Decoding", tiles, progress)
    ahead: dict[int, Pixels] = {}  # tiles that arrived early: the canvas fills from the top
    rest = iter(tiles)
    tile = next(rest)
    for strip, pixels in _by_workers(_decode, strips, executor, update, cancelled):
        ahead[strip.tile.number] = pixels
        while tile.number in ahead:
            corrected = job.corrected(tile, ahead.pop(tile.number))
            job.canvas.take(tile.top * job.block_size, corrected)
            tile = next(rest, tile)


def fronts_of_strips(
    job: DecodeJob, executor: Executor, cancelled: IsCancelled | None
) -> Iterator[Front]:
    """Yield the fronts of a complete file, tiles side by side, as workers send them.

    What a worker has decoded since its last report is one front; in an Executor without reports,
    that is a tile. Each block is sent once. Raises what the workers raise.
    """
    tiles = job.tiles(0)
    tasks = [Task(_CodedStrip(tile, job.strip(tile)), seconds=0) for tile in tiles]
    begun: dict[int, DecodedRows] = {}
    ended: set[int] = set()
    number = 0  # of the tile to be placed next: the canvas fills from the top
    with closing(follow(_decode_fronts, tasks, executor, cancelled=cancelled)) as events:
        for event in events:
            tile = event.content.tile
            if isinstance(event, Reported):
                fronts = event.value
            elif event.error is not None:
                raise event.error
            else:
                fronts = event.result
                ended.add(tile.number)
            if tile.number not in begun:
                begun[tile.number] = DecodedRows(job, [tile])
            if fronts:
                yield begun[tile.number].add(in_picture(joined(fronts), tile))
            while number in ended:
                begun.pop(number).place()
                number += 1


class _StripProgress:
    """Adds up the progress that workers report for their strips."""

    def __init__(self, stage: str, tiles: Sequence[Tile], progress: ReportProgress | None) -> None:
        self._stage, self._progress = stage, progress
        self._done = {tile.number: 0.0 for tile in tiles}
        self._total = sum(tile.blocks for tile in tiles)

    def __call__(self, tile: Tile, share: float) -> None:
        self._done[tile.number] = share * tile.blocks
        if self._progress is not None:
            done = int(sum(self._done.values()))
            self._progress(Progress(self._stage, done, self._total))


def _by_workers(
    work: Callable[[S, Report], R],
    strips: Sequence[S],
    executor: Executor,
    update: _StripProgress,
    cancelled: IsCancelled | None,
) -> Iterator[tuple[S, R]]:
    tasks = [Task(strip, seconds=0) for strip in strips]

    def forward(strip: S, progress: Progress) -> None:
        update(strip.tile, progress.done / progress.total)

    for outcome in run(work, tasks, executor=executor, report=forward, cancelled=cancelled):
        if outcome.error is not None:
            raise outcome.error
        assert outcome.result is not None
        update(outcome.content.tile, 1.0)
        yield outcome.content, outcome.result


@device_failures()
def _encode(strip: _PlainStrip, report: Report) -> tuple[Segment, Reconstructions]:
    """Return the strip's bytes, and its reconstruction for each strength of the refinement."""
    settings = strip.settings
    with CodingThread(fixed=True) as thread:
        network = weights_files.load(settings.weights, "cpu")
        picture = Picture(strip.pixels, grey=strip.grey)
        job = EncodeJob(
            network, settings.refinement, settings.index, picture, indexes=strip.indexes
        )
        (tile,) = tiles = job.tiles(0)
        advance = ProgressReporter(
            "Encoding", tiles, report, None, work=work_of_a_block(settings.search)
        )
        for work in thread.each(encode_tiles(network, [job], tiles, search=settings.search)):
            advance(work)
        return job.segments[tile.number], thread.run(job.candidates)


@device_failures()
def _decode(strip: _CodedStrip, report: Report) -> Pixels:
    with CodingThread(fixed=True) as thread:
        job = DecodeJob(strip.container, "cpu")
        tiles = job.tiles(0)
        advance = ProgressReporter("Decoding", tiles, report, None)
        for front in thread.each(decode_tiles([job], tiles)):
            advance(len(front.places))
        return job.canvas.pixels


@device_failures()
def _decode_fronts(strip: _CodedStrip, report: Report) -> list[Front]:
    """Report fronts as they are decoded; return those that were not passed on."""
    waiting: list[Front] = []
    with CodingThread(fixed=True) as thread:
        job = DecodeJob(strip.container, "cpu")
        for tiles in groups([job], job.tiles(0)):
            for front in thread.each(uncorrected_fronts(job, tiles)):
                waiting.append(front)
                if report(waiting):
                    waiting = []
    return waiting
