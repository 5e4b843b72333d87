"""Many files at a time: pictures to .lbb files and back, on all cores.

Workers read and code; files are written here, so that a worker which is killed leaves nothing
behind. Small pictures are coded together, the first few in smaller groups: results come early.
"""

from __future__ import annotations

import os
import stat
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lbbic_engine.batch.directions import CodedFile, Content, Decoding, Encoding
from lbbic_engine.errors import Cancelled
from lbbic_engine.parallel.pool import Report, WorkerDied, WorkerPool
from lbbic_engine.parallel.run import (
    IsCancelled,
    Outcome,
    Task,
    max_workers,
    run,
    useful_workers,
)
from lbbic_engine.pictures import atomic

if TYPE_CHECKING:
    from lbbic_engine.coding.results import Progress

SMALL_PIXELS = 1 << 18  # of a picture that gains by being coded with others
GROUP_PIXELS = 1 << 20  # of such pictures together
BYTES_PER_PIXEL = 20  # that a picture takes while it is coded

Direction = Encoding | Decoding
ReportProgress = Callable[[int, "Progress"], None]


@dataclass(frozen=True)
class FileResult:
    """What became of the file at ``index`` of a batch: it is ``coded``, or there is an error."""

    index: int
    coded: CodedFile | None = None
    error: Exception | None = None


def code_files(
    files: Iterable[tuple[Content, Path | None]],
    direction: Direction,
    *,
    overwrite: bool = False,
    keep_dates: bool = False,
    executor: Executor | None = None,
    jobs: int | None = None,
    progress: ReportProgress | None = None,
    cancelled: IsCancelled | None = None,
) -> Generator[FileResult, None, None]:
    """Code files, given as (input, output), and yield a result as soon as each is written.

    An input is a path or a file's bytes; an output of None is written by nobody, its bytes are in
    the result. ``overwrite`` and ``keep_dates`` as ``write_atomically``.
    ``executor`` None: on at most ``jobs`` cores (None: all), by processes where that is worth their
    start. Workers of any other Executor must see the inputs by the same names. ``progress`` gets a
    file's index and how far it is, but for small ones that are coded together. Closing the iterator
    ends all work; Cancelled, soon after ``cancelled`` returns True. What goes wrong with one file
    is in its result; if that was the death of a worker, the file has been tried once more, alone.
    """

    def forward(group: _Group, value: Progress) -> None:
        if progress is not None and len(group.files) == 1:
            progress(group.files[0].index, value)

    if direction.device == "cuda":
        jobs = 1  # several would only share the GPU
    to_retry: list[_File] = []
    files = list(files)
    tasks = _tasks(files, direction, overwrite)
    with ExitStack() as stack:
        work = _code
        if executor is None and (workers := _workers_for_tiles(files, direction, jobs)) > 1:
            others = workers - 1
            pool = stack.enter_context(WorkerPool(others, helped=True))
            for _ in range(others):
                pool.submit(int)  # it gets ready while the picture is read
            work, jobs = partial(_code, cancelled=cancelled, executor=pool), 1
        for outcome in run(
            work, tasks, executor=executor, jobs=jobs, report=forward, cancelled=cancelled
        ):
            if isinstance(_error_of(outcome), WorkerDied):
                to_retry += outcome.content.files
            else:
                yield from _write(outcome, keep_dates)
    if to_retry:
        singles = (_task([file], 0, direction, overwrite) for file in to_retry)
        with WorkerPool(1) as pool:
            for outcome in run(_code, singles, executor=pool, cancelled=cancelled):
                yield from _write(outcome, keep_dates)


@dataclass(frozen=True)
class _File:
    """A file of a batch; ``facts`` are its permissions and dates, if it has any."""

    index: int
    input: Content
    output: Path | None
    facts: os.stat_result | None


@dataclass(frozen=True)
class _Group:
    """Files that are coded together: what a worker gets."""

    files: tuple[_File, ...]
    direction: Direction
    overwrite: bool


_Outcome = Outcome[_Group, list[FileResult]]


def _workers_for_tiles(
    files: Sequence[tuple[Content, Path | None]], direction: Direction, jobs: int | None
) -> int:
    """How many workers the tiles of large pictures are worth, if these are too few for all cores,
    this process included.

    Those are coded one picture after the other; 1: they are not.
    """
    most = max_workers(jobs)
    if len(files) >= most or not direction.has_whole_tiles:
        return 1
    from lbbic_engine.layout.tiles import TILE_PIXELS

    counts = [
        _count_pixels(direction, _File(0, content, None, _facts(content))) for content, _ in files
    ]
    largest = max(counts, default=0)
    if largest <= 2 * TILE_PIXELS:  # it is one tile
        return 1
    seconds = direction.seconds_per_megapixel * largest / 1e6
    return useful_workers(seconds, min(most, round(largest / TILE_PIXELS)))


def _error_of(outcome: _Outcome) -> Exception | None:
    return outcome.result[0].error if outcome.result else outcome.error


def _tasks(
    files: Iterable[tuple[Content, Path | None]], direction: Direction, overwrite: bool
) -> Iterator[Task[_Group]]:
    """Groups of small pictures, each of twice as many as the one before at first; others alone."""
    waiting: list[_File] = []
    total, most = 0, 1
    for index, (content, output) in enumerate(files):
        file = _File(index, content, output, _facts(content))
        pixels = _count_pixels(direction, file)
        if not (direction.gains_by_groups and 0 < pixels <= SMALL_PIXELS):
            yield _task([file], pixels, direction, overwrite)
            continue
        if waiting and (len(waiting) == most or total + pixels > GROUP_PIXELS):
            yield _task(waiting, total, direction, overwrite)
            waiting, total, most = [], 0, 2 * most
        waiting.append(file)
        total += pixels
    if waiting:
        yield _task(waiting, total, direction, overwrite)


def _task(
    files: Sequence[_File], pixels: int, direction: Direction, overwrite: bool
) -> Task[_Group]:
    seconds = direction.seconds_per_megapixel * pixels / 1e6
    return Task(_Group(tuple(files), direction, overwrite), seconds, BYTES_PER_PIXEL * pixels)


def _facts(content: Content) -> os.stat_result | None:
    if isinstance(content, Path):
        with suppress(OSError):
            return content.stat()
    return None


def _count_pixels(direction: Direction, file: _File) -> int:
    """0 where they cannot be counted; a worker will say what is wrong with the file."""
    with suppress(Exception):
        if file.facts is None or stat.S_ISREG(file.facts.st_mode):
            return direction.count_pixels(file.input)
    return 0


def _code(
    group: _Group,
    report: Report,
    cancelled: IsCancelled | None = None,
    executor: Executor | None = None,
) -> list[FileResult]:
    """What a worker does. Where files fail together, each is tried alone."""
    try:
        for file in group.files:
            if file.output is not None:
                atomic.refuse_existing(file.output, overwrite=group.overwrite)
        places = [(file.input, file.output) for file in group.files]
        coded = group.direction.code(places, report, cancelled, executor)
    except Cancelled:
        raise
    except Exception as error:
        if len(group.files) == 1:
            error.add_note(traceback.format_exc())  # which gets lost on the way
            return [FileResult(group.files[0].index, error=error)]
        singles = (replace(group, files=(file,)) for file in group.files)
        return [
            result for single in singles for result in _code(single, report, cancelled, executor)
        ]
    return [
        FileResult(file.index, coded=each) for file, each in zip(group.files, coded, strict=True)
    ]


def _write(outcome: _Outcome, keep_dates: bool) -> Iterator[FileResult]:
    """Write what a worker made and tell of each file."""
    group = outcome.content
    results = outcome.result or [
        FileResult(file.index, error=outcome.error) for file in group.files
    ]
    for file, result in zip(group.files, results, strict=True):
        if file.output is None or result.coded is None or result.coded.is_kept:
            yield result
            continue
        try:
            atomic.make_folder(file.output.parent)
            atomic.write_atomically(
                file.output,
                result.coded.data,
                overwrite=group.overwrite,
                like=file.facts,
                keep_date=keep_dates,
            )
            written = replace(result.coded, data=b"")
        except Exception as error:
            yield replace(result, coded=None, error=error)
        else:
            yield replace(result, coded=written)
