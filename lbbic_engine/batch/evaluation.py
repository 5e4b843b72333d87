"""Measures pictures at several qualities, on all cores."""

from __future__ import annotations

import traceback
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lbbic_engine.batch.directions import DECODE_SECONDS, Encoding
from lbbic_engine.batch.files import BYTES_PER_PIXEL, ReportProgress
from lbbic_engine.config import EFFORTS, TUNES
from lbbic_engine.errors import Cancelled
from lbbic_engine.parallel.pool import Report
from lbbic_engine.parallel.run import Task, run

if TYPE_CHECKING:
    from lbbic_engine.coding.results import Progress
    from lbbic_engine.measure.evaluate import EvaluatedPicture


@dataclass(frozen=True)
class Evaluation:
    """The settings of an evaluation; see ``measure.evaluate.measure``."""

    models: Sequence[tuple[str, Sequence[float]]]
    folder: Path
    device: str = "auto"
    effort: str = EFFORTS[0]
    refine: bool = True
    tune: str = TUNES[0]
    measures: tuple[str, ...] = ()
    details: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class PictureResult:
    """The rows of the picture at ``index``, one per model and quality, or its error."""

    index: int
    rows: tuple[EvaluatedPicture, ...] = ()
    error: Exception | None = None


def evaluate_pictures(
    pictures: Sequence[tuple[Path, str]],
    evaluation: Evaluation,
    *,
    executor: Executor | None = None,
    jobs: int | None = None,
    progress: ReportProgress | None = None,
) -> Generator[PictureResult, None, None]:
    """Measure pictures, given with the names of their files, and yield each one's result in turn.

    All else as ``code_files``. With several jobs, seconds are those of a core whose neighbours are
    busy.
    """

    def forward(work: _Work, value: Progress) -> None:
        if progress is not None:
            progress(work.index, value)

    if evaluation.device == "cuda":
        jobs = 1
    tasks = _tasks(pictures, evaluation)
    for outcome in run(_evaluate, tasks, executor=executor, jobs=jobs, report=forward):
        yield outcome.result or PictureResult(outcome.content.index, error=outcome.error)


@dataclass(frozen=True)
class _Work:
    index: int
    path: Path
    name: str
    evaluation: Evaluation

    @property
    def total(self) -> int:
        return sum(len(qualities) for _, qualities in self.evaluation.models)


def _tasks(pictures: Sequence[tuple[Path, str]], evaluation: Evaluation) -> Iterator[Task[_Work]]:
    encoding = Encoding(effort=evaluation.effort)
    seconds = encoding.seconds_per_megapixel + DECODE_SECONDS
    for index, (path, name) in enumerate(pictures):
        pixels = 0
        with suppress(Exception):  # a worker will say what is wrong with it
            pixels = encoding.count_pixels(path)
        work = _Work(index, path, name, evaluation)
        yield Task(work, work.total * seconds * pixels / 1e6, BYTES_PER_PIXEL * pixels)


def _evaluate(work: _Work, report: Report) -> PictureResult:
    """Measure a picture in a worker."""
    from lbbic_engine.coding.results import Progress
    from lbbic_engine.measure.evaluate import measure

    evaluation, rows = work.evaluation, []
    try:
        for weights, qualities in evaluation.models:
            _warm_up(evaluation.device, weights)
            for row in measure(
                work.path,
                work.name,
                qualities,
                evaluation.folder,
                device=evaluation.device,
                weights=weights,
                effort=evaluation.effort,
                refine=evaluation.refine,
                tune=evaluation.tune,
                measures=evaluation.measures,
                details=evaluation.details,
                overwrite=evaluation.overwrite,
            ):
                rows.append(row)
                report(Progress("Measuring", len(rows), work.total))
    except Cancelled:
        raise
    except Exception as error:
        error.add_note(traceback.format_exc())  # pickling would lose it
        return PictureResult(work.index, error=error)
    return PictureResult(work.index, tuple(rows))


@cache
def _warm_up(device: str, weights: str) -> None:
    """Warm up once per process."""
    from lbbic_engine.measure.evaluate import warm_up

    warm_up(device, weights)
