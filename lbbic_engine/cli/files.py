"""Which files a command reads, and where the results go. Decides all names, reads no file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures.find import LBBIC_SUFFIXES, Found, find_files, is_folder, name_within
from lbbic_engine.pictures.naming import name_apart


@dataclass(frozen=True)
class Job:
    """One input and where its result goes; ``problem`` says why it cannot be done."""

    input: Path
    output: Path
    problem: LbbicError | OSError | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be done, and how many files of which kinds were found but not taken."""

    jobs: list[Job]
    others: Counter[str] = field(default_factory=Counter)


def plan_jobs(
    inputs: Sequence[str], out: str | None, suffixes: frozenset[str], new_suffix: str
) -> Plan:
    """Return a job for each file in ``inputs``, each with an output of its own.

    ``out`` is a folder, or a file when there is one input; without it, results lie beside their
    inputs. A folder's own folders are kept. LbbicError when ``out`` cannot hold the results.
    """
    places = [Path(place) for place in inputs]
    if out is not None and _names_a_file(out):
        if len(places) > 1 or is_folder(places[0]):
            raise LbbicError("Not a folder", f"{out} cannot hold the results of several inputs.")
        if new_suffix == ".lbb" and Path(out).suffix.lower() != new_suffix:
            detail = f"{out} does not end with .lbb; a new folder is given with a / at the end."
            raise LbbicError("Wrong name", detail)
        return Plan(_name_apart([Job(places[0], Path(out))]))
    found = _find(places, suffixes)
    folder = None if out is None else Path(out)
    jobs = [
        _with_output(job, place, folder, new_suffix)
        for place, at in found
        for job in _jobs(place, at, suffixes)
    ]
    return Plan(_name_apart(jobs), _others(found))


def list_jobs(inputs: Sequence[str], suffixes: frozenset[str]) -> Plan:
    """Return a job without any output for each file in ``inputs``."""
    found = _find(map(Path, inputs), suffixes)
    return Plan([job for place, at in found for job in _jobs(place, at, suffixes)], _others(found))


def _names_a_file(out: str) -> bool:
    path = Path(out)
    if path.exists():
        return not path.is_dir()
    return bool(path.suffix) and not out.endswith(("/", os.sep))


def _find(places: Iterable[Path], suffixes: frozenset[str]) -> list[tuple[Path, Found]]:
    return [(place, find_files(place, suffixes)) for place in places]


def _others(found: Iterable[tuple[Path, Found]]) -> Counter[str]:
    return sum((at.others for _, at in found), Counter())


def _jobs(place: Path, found: Found, suffixes: frozenset[str]) -> Iterator[Job]:
    """Yield jobs whose output is their input yet, and those for what cannot be read."""
    for error in found.unreadable:
        folder = Path(error.filename)
        yield Job(folder, folder, error)
    for file in found.files:
        yield Job(file, file)
    if not found.files and not found.unreadable:
        what = ".lbb file" if suffixes == LBBIC_SUFFIXES else "picture"
        yield Job(place, place, LbbicError("Nothing to do", f"The folder holds no {what}."))


def _with_output(job: Job, place: Path, folder: Path | None, new_suffix: str) -> Job:
    if job.problem:
        return job
    if folder is not None:
        output = folder / name_within(job.input, place)
        return replace(job, output=output.with_suffix(new_suffix))
    if job.input.suffix.lower() == new_suffix:
        problem = LbbicError("Nothing to do", f"The file ends with {new_suffix} already.")
        return replace(job, problem=problem)
    return replace(job, output=job.input.with_suffix(new_suffix))


def _name_apart(jobs: Iterable[Job]) -> list[Job]:
    """Give no output twice, and do nothing twice."""
    once = list({(os.path.realpath(job.input), job.output): job for job in jobs}.values())
    outputs = iter(name_apart([job.output for job in once if not job.problem]))
    return [job if job.problem else _checked(replace(job, output=next(outputs))) for job in once]


def _checked(job: Job) -> Job:
    try:
        if not job.input.samefile(job.output):
            return job
    except OSError:  # there is no such output yet, or no such input, as will be seen
        return job
    return replace(job, problem=LbbicError("Output is the input", "Choose another with -o."))
