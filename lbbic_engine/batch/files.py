"""Codes many files, pictures to .lbb files, back, or to other formats, on all cores.

Workers read and code. Files are written by this process, so that a worker that is killed leaves
nothing behind. Small pictures are coded in groups; the first groups are small, for early results.
"""

from __future__ import annotations

import math
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

from lbbic_engine.batch.conversion import Conversion
from lbbic_engine.batch.directions import CodedFile, Content, Decoding, Encoding
from lbbic_engine.batch.tiles import pool_for_tiles
from lbbic_engine.errors import Cancelled
from lbbic_engine.parallel.pool import Report, WorkerDied, WorkerPool
from lbbic_engine.parallel.run import (
    IsCancelled,
    Outcome,
    Task,
    max_workers,
    run,
)
from lbbic_engine.pictures import atomic

if TYPE_CHECKING:
    from lbbic_engine.coding.results import Progress

SMALL_PIXELS = 1 << 18  # pictures up to this size are coded in groups
GROUP_PIXELS = 1 << 20  # in a group
GPU_GROUP_PIXELS = 1 << 24  # of pictures of any size: as many as share fronts on a GPU
BYTES_PER_PIXEL = 20  # of memory, while a picture is coded

Direction = Encoding | Decoding | Conversion
ReportProgress = Callable[[int, "Progress"], None]


@dataclass(frozen=True)
class FileResult:
    """The result of the file at ``index`` of a batch, or its error."""

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
    """Code files, given as pairs (input, output), and yield each result as soon as it is written.

    An input is a path or a file's bytes. With an output of None, nothing is written and the result
    contains the bytes. ``overwrite`` and ``keep_dates`` are those of ``write_atomically``.
    Without ``executor``, at most ``jobs`` cores are used (None: all), with processes if these are
    worth starting. Workers of another Executor must be able to read the inputs' paths.
    ``progress`` receives a file's index and progress, except for files coded in groups.
    Closing the iterator ends all work. Raises Cancelled soon after ``cancelled`` returns True. The
    failure of a file is part of its result; if its worker died, the file is retried once, alone.
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
        if executor is None and (pool := _pool_for_tiles(files, direction, jobs)):
            stack.enter_context(pool)
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
    """A file of a batch; ``facts`` are its permissions and dates, if known."""

    index: int
    input: Content
    output: Path | None
    facts: os.stat_result | None


@dataclass(frozen=True)
class _Group:
    """Files that a worker codes together."""

    files: tuple[_File, ...]
    direction: Direction
    overwrite: bool


_Outcome = Outcome[_Group, list[FileResult]]


def _pool_for_tiles(
    files: Sequence[tuple[Content, Path | None]], direction: Direction, jobs: int | None
) -> WorkerPool | None:
    """A pool for the tiles of large pictures, if there are too few files for all cores.

    Then pictures are coded one after another, each by all workers.
    """
    if len(files) >= max_workers(jobs) or not direction.has_whole_tiles:
        return None
    counts = [
        _count_pixels(direction, _File(0, content, None, _facts(content))) for content, _ in files
    ]
    largest = max(counts, default=0)
    return pool_for_tiles(largest, direction.seconds_per_megapixel * largest / 1e6, jobs)


def _error_of(outcome: _Outcome) -> Exception | None:
    return outcome.result[0].error if outcome.result else outcome.error


def _tasks(
    files: Iterable[tuple[Content, Path | None]], direction: Direction, overwrite: bool
) -> Iterator[Task[_Group]]:
    """Yield groups of small pictures, which double in size at first, and single larger ones.

    On a GPU, groups are as large as they may be: it takes hardly longer for them.
    """
    waiting: list[_File] = []
    on_gpu = direction.device == "cuda"
    largest, limit = (GPU_GROUP_PIXELS,) * 2 if on_gpu else (SMALL_PIXELS, GROUP_PIXELS)
    total, most = 0, math.inf if on_gpu else 1
    for index, (content, output) in enumerate(files):
        file = _File(index, content, output, _facts(content))
        pixels = _count_pixels(direction, file)
        if not (direction.gains_by_groups and 0 < pixels <= largest):
            yield _task([file], pixels, direction, overwrite)
            continue
        if waiting and (len(waiting) == most or total + pixels > limit):
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
    """Number of pixels, or 0 if unknown; a worker will report what is wrong with the file."""
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
    """Code a group in a worker; if it fails, code each file alone."""
    try:
        for file in group.files:
            if file.output is not None:
                atomic.check_output(file.output, overwrite=group.overwrite)
        places = [(file.input, file.output) for file in group.files]
        coded = group.direction.code(places, report, cancelled, executor)
    except Cancelled:
        raise
    except Exception as error:
        if len(group.files) == 1:
            error.add_note(traceback.format_exc())  # pickling would lose it
            return [FileResult(group.files[0].index, error=error)]
        singles = (replace(group, files=(file,)) for file in group.files)
        return [
            result for single in singles for result in _code(single, report, cancelled, executor)
        ]
    return [
        FileResult(file.index, coded=each) for file, each in zip(group.files, coded, strict=True)
    ]


def _write(outcome: _Outcome, keep_dates: bool) -> Iterator[FileResult]:
    """Write the outputs of a group and yield the results."""
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
