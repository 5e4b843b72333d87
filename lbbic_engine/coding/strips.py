"""Codes the tiles of a large picture in workers, as separate pictures, strips.

The bytes and pixels of a strip are those that coding the whole picture would produce. A decoder's
strip has as many tiles as a worker's share, which have common fronts. An encoder's has two at most:
more would take too much memory, for the reconstructions of each strength.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from lbbic_engine.bitstream.chunks import Segment
from lbbic_engine.bitstream.container import Container
from lbbic_engine.bitstream.quality_map import BlockIndexes
from lbbic_engine.coding.decode_job import DecodeJob
from lbbic_engine.coding.decoder import decode_tiles, groups
from lbbic_engine.coding.encoder import Candidates, EncodeJob, encode_tiles
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
from lbbic_engine.layout.tiles import Tile, share
from lbbic_engine.networks import weights as weights_files
from lbbic_engine.networks.refinement_files import RefinementInfo
from lbbic_engine.networks.weights import WeightsInfo
from lbbic_engine.parallel.memory import release_freed
from lbbic_engine.parallel.pool import Report, WorkerPool
from lbbic_engine.parallel.run import Reported, Task, follow, run
from lbbic_engine.pictures.picture import Picture

MOST_ENCODED = 2  # tiles in common fronts: a worker's memory

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
class _Strip:
    number: int
    tiles: list[Tile]

    @property
    def blocks(self) -> int:
        return sum(tile.blocks for tile in self.tiles)


@dataclass(frozen=True)
class _PlainStrip(_Strip):
    pixels: Pixels
    grey: bool
    indexes: BlockIndexes | None
    rows_each: int  # of blocks in a tile
    settings: EncoderSettings


@dataclass(frozen=True)
class _CodedStrip(_Strip):
    container: Container  # of a file that holds nothing else


def encode_strips(
    job: EncodeJob,
    settings: EncoderSettings,
    executor: Executor,
    progress: ReportProgress | None,
    cancelled: IsCancelled | None,
) -> None:
    """Encode all tiles of a picture in workers. Raises what the workers raise."""
    strips = [
        _PlainStrip(
            number,
            part,
            job.strip(part),
            job.picture.grey,
            job.indexes(part),
            job.tile_rows,
            settings,
        )
        for number, part in enumerate(_shared(job.tiles(0), executor, MOST_ENCODED))
    ]
    for strip, coded in _by_workers(_encode, strips, executor, "Encoding", progress, cancelled):
        for tile, (segment, candidates) in zip(strip.tiles, coded, strict=True):
            job.take(tile, segment, candidates)


def decode_strips(
    job: DecodeJob,
    executor: Executor,
    progress: ReportProgress | None,
    cancelled: IsCancelled | None,
) -> None:
    """Decode all tiles of a complete file in workers. Raises what the workers raise."""
    strips = _coded_strips(job, executor)
    ahead: dict[int, Pixels] = {}  # strips that arrived early: the canvas fills from the top
    number = 0  # of the strip to be placed next
    for strip, pixels in _by_workers(_decode, strips, executor, "Decoding", progress, cancelled):
        ahead[strip.number] = pixels
        while number in ahead:
            first = strips[number].tiles[0]
            job.canvas.take(first.top * job.block_size, job.corrected(first, ahead.pop(number)))
            number += 1


def fronts_of_strips(
    job: DecodeJob, executor: Executor, cancelled: IsCancelled | None
) -> Iterator[Front]:
    """Yield the fronts of a complete file, strips side by side, as workers send them.

    What a worker has decoded since its last report is one front; in an Executor without reports,
    that is a strip. Each block is sent once. Raises what the workers raise.
    """
    tasks = [Task(strip, seconds=0) for strip in _coded_strips(job, executor)]
    begun: dict[int, DecodedRows] = {}
    ended: set[int] = set()
    number = 0  # of the strip to be placed next: the canvas fills from the top
    with closing(follow(_decode_fronts, tasks, executor, cancelled=cancelled)) as events:
        for event in events:
            strip = event.content
            if isinstance(event, Reported):
                fronts = event.value
            elif event.error is not None:
                raise event.error
            else:
                fronts = event.result
                ended.add(strip.number)
            if strip.number not in begun:
                begun[strip.number] = DecodedRows(job, strip.tiles)
            if fronts:
                yield begun[strip.number].add(in_picture(joined(fronts), strip.tiles[0]))
            while number in ended:
                begun.pop(number).place()
                number += 1


def _coded_strips(job: DecodeJob, executor: Executor) -> list[_CodedStrip]:
    tiles = job.tiles(0)
    return [
        _CodedStrip(number, part, job.strip(part))
        for number, part in enumerate(_shared(tiles, executor, len(tiles)))
    ]


def _shared(tiles: Sequence[Tile], executor: Executor, most: int) -> list[list[Tile]]:
    """Groups of at most so many tiles, or single ones where the number of workers is not known."""
    workers = executor.size if isinstance(executor, WorkerPool) else len(tiles)
    return share(tiles, workers, most)


def _by_workers(
    work: Callable[[S, Report], R],
    strips: Sequence[S],
    executor: Executor,
    stage: str,
    progress: ReportProgress | None,
    cancelled: IsCancelled | None,
) -> Iterator[tuple[S, R]]:
    """Yield each strip with what ``work`` made of it, in the order in which they end."""
    tasks = [Task(strip, seconds=0) for strip in strips]
    done = [0] * len(strips)  # blocks
    total = sum(strip.blocks for strip in strips)

    def update(strip: S, blocks: int) -> None:
        done[strip.number] = blocks
        if progress is not None:
            progress(Progress(stage, sum(done), total))

    def forward(strip: S, report: Progress) -> None:
        update(strip, report.done)

    for outcome in run(work, tasks, executor=executor, report=forward, cancelled=cancelled):
        if outcome.error is not None:
            raise outcome.error
        assert outcome.result is not None
        update(outcome.content, outcome.content.blocks)
        yield outcome.content, outcome.result


@device_failures()
def _encode(strip: _PlainStrip, report: Report) -> list[tuple[Segment, Candidates]]:
    """Return the bytes of each tile, and its reconstruction for each strength of the refinement."""
    release_freed()
    settings = strip.settings
    with CodingThread(fixed=True) as thread:
        network = weights_files.load(settings.weights, "cpu")
        picture = Picture(strip.pixels, grey=strip.grey)
        job = EncodeJob(
            network,
            settings.refinement,
            settings.index,
            picture,
            indexes=strip.indexes,
            rows_each=strip.rows_each,
        )
        tiles = job.tiles(0)
        advance = ProgressReporter(
            "Encoding", tiles, report, None, work=work_of_a_block(settings.search)
        )
        for work in thread.each(encode_tiles(network, [job], tiles, search=settings.search)):
            advance(work)
        return [
            (job.segments[tile.number], thread.run(partial(job.candidates, tile))) for tile in tiles
        ]


@device_failures()
def _decode(strip: _CodedStrip, report: Report) -> Pixels:
    release_freed()
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
    release_freed()
    waiting: list[Front] = []
    with CodingThread(fixed=True) as thread:
        job = DecodeJob(strip.container, "cpu")
        for tiles in groups([job], job.tiles(0)):
            for front in thread.each(uncorrected_fronts(job, tiles)):
                waiting.append(front)
                if report(waiting):
                    waiting = []
    return waiting
