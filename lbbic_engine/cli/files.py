"""Which files a command works on, and where their results go. Opens no picture."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures.find import find_files, name_within


@dataclass(frozen=True)
class Job:
    """One input and where its result goes; ``problem`` says why it cannot be done."""

    input: Path
    output: Path
    problem: LbbicError | None = None


def plan_jobs(
    inputs: Sequence[str], out: str | None, suffixes: frozenset[str], new_suffix: str
) -> list[Job]:
    """Return a job for each file in ``inputs``; those whose output is taken have a problem.

    ``out`` is a folder, or a file when there is one input; without it, results lie beside their
    inputs. A folder's own folders are kept. LbbicError when ``out`` cannot hold the results.
    """
    places = [Path(place) for place in inputs]
    if out is not None and _names_a_file(out):
        if len(places) > 1 or places[0].is_dir():
            raise LbbicError("Not a folder", f"{out} cannot hold the results of several inputs.")
        if new_suffix == ".lbb" and Path(out).suffix.lower() != new_suffix:
            detail = f"{out} does not end with .lbb; a new folder is given with a / at the end."
            raise LbbicError("Wrong name", detail)
        return list(_without_clashes([Job(places[0], Path(out))]))
    folder = None if out is None else Path(out)
    return list(_without_clashes(_jobs(places, folder, suffixes, new_suffix)))


def list_jobs(inputs: Sequence[str], suffixes: frozenset[str]) -> list[Job]:
    """Return a job without any output for each file in ``inputs``."""
    return [job for place in inputs for job in _jobs_at(Path(place), suffixes)]


def _names_a_file(out: str) -> bool:
    path = Path(out)
    if path.exists():
        return not path.is_dir()
    return bool(path.suffix) and not out.endswith(("/", os.sep))


def _jobs(
    places: Iterable[Path], folder: Path | None, suffixes: frozenset[str], new_suffix: str
) -> Iterator[Job]:
    for place in places:
        for job in _jobs_at(place, suffixes):
            if job.problem:
                yield job
            elif folder is not None:
                output = folder / name_within(job.input, place)
                yield replace(job, output=output.with_suffix(new_suffix))
            elif job.input.suffix.lower() == new_suffix:
                problem = LbbicError("Nothing to do", f"The file ends with {new_suffix} already.")
                yield replace(job, problem=problem)
            else:
                yield replace(job, output=job.input.with_suffix(new_suffix))


def _jobs_at(place: Path, suffixes: frozenset[str]) -> list[Job]:
    """Return jobs whose output is their input yet, or one with a problem."""
    if files := find_files(place, suffixes):
        return [Job(file, file) for file in files]
    detail = f"The folder holds no file that ends with {', '.join(sorted(suffixes))}."
    return [Job(place, place, LbbicError("Nothing to do", detail))]


def _without_clashes(jobs: Iterable[Job]) -> Iterator[Job]:
    taken: dict[str, Job] = {}
    for job in jobs:
        if job.problem:
            yield job
            continue
        first = taken.setdefault(_key(job.output), job)
        if _key(job.input) == _key(job.output):
            yield replace(job, problem=LbbicError("Output is the input", "Choose another with -o."))
        elif first is job:
            yield job
        elif first.input != job.input:
            detail = f"{job.output} is the output of {first.input} already."
            yield replace(job, problem=LbbicError("Two inputs, one output", detail))


def _key(path: Path) -> str:
    """Return one string for all spellings of a path, on file systems that ignore case too."""
    absolute = str(path.resolve())
    return absolute.casefold() if sys.platform in ("win32", "darwin") else absolute
