"""Plans which files a command reads and writes. Does not open them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lbbic_engine.cli.streams import STANDARD
from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures.find import (
    LBBIC_SUFFIXES,
    FileListing,
    find_files,
    is_folder,
    name_within,
)
from lbbic_engine.pictures.naming import name_apart


@dataclass(frozen=True)
class Job:
    """One input and its output; None is standard input or standard output."""

    input: Path | None
    output: Path | None = None
    problem: LbbicError | OSError | None = None  # why the job cannot be done


@dataclass(frozen=True)
class Plan:
    """The jobs of a command."""

    jobs: list[Job]
    to_standard_output: bool = False
    others: Counter[str] = field(default_factory=Counter)  # skipped files by kind


def plan_jobs(
    inputs: Sequence[str],
    out: str | None,
    suffixes: frozenset[str],
    new_suffix: str,
    allowed: Sequence[str] = (),
) -> Plan:
    """Return a job for each file in ``inputs``, each with its own output, never an input.

    ``out`` is a folder, or a file if there is one input; without it, results are written next to
    their inputs. Subfolders are kept. LbbicError if ``out`` cannot hold the results, or names a
    file that does not end with one of ``allowed``, if these are given.
    """
    if STANDARD in (*inputs, out):
        return _plan_stream(inputs, out, allowed)
    places = [Path(place) for place in inputs]
    if out is not None and _names_a_file(out):
        if len(places) > 1 or is_folder(places[0]):
            reason = "is a file" if Path(out).exists() else "looks like the name of a file"
            raise LbbicError(
                "Not a folder",
                f"{out} {reason}; several results need a folder, whose name may end with /.",
            )
        return Plan([_checked(places[0], _output_file(out, allowed))])
    listings = _find(places, suffixes)
    failed = [job for place, listing in listings for job in _failures(place, listing, suffixes)]
    wanted: dict[tuple[str, Path], Path] = {}  # inputs given twice are coded once
    for place, listing in listings:
        for file in listing.files:
            suffix = file.suffix.lower()
            if out is None and suffix in (allowed or (new_suffix,)):
                problem = LbbicError("Nothing to do", f"The file already ends with {suffix}.")
                failed.append(Job(file, problem=problem))
            else:
                output = file if out is None else Path(out) / name_within(file, place)
                wanted[os.path.realpath(file), output.with_suffix(new_suffix)] = file
    found = [file for _, listing in listings for file in listing.files]
    outputs = name_apart([output for _, output in wanted], apart_from=found)
    jobs = [_checked(file, output) for file, output in zip(wanted.values(), outputs, strict=True)]
    return Plan([*failed, *jobs], others=_others(listings))


def list_jobs(inputs: Sequence[str], suffixes: frozenset[str]) -> Plan:
    """Return a job without any output for each file in ``inputs``."""
    streams = [Job(None) for place in inputs if place == STANDARD][:1]
    listings = _find((Path(place) for place in inputs if place != STANDARD), suffixes)
    failed = [job for place, listing in listings for job in _failures(place, listing, suffixes)]
    jobs = [Job(file) for _, listing in listings for file in listing.files]
    return Plan([*streams, *failed, *jobs], others=_others(listings))


def _plan_stream(inputs: Sequence[str], out: str | None, allowed: Sequence[str]) -> Plan:
    """One file through standard input, standard output, or both."""
    place = None if inputs[0] == STANDARD else Path(inputs[0])
    if len(inputs) > 1 or (place and is_folder(place)):
        raise LbbicError("Too many inputs", f"{STANDARD} cannot be combined with other inputs.")
    if out is None or out == STANDARD:
        return Plan([Job(place, None)], to_standard_output=True)
    if not _names_a_file(out):
        raise LbbicError(
            "Not a file", f"{out} is a folder, but standard input has no name; give a file name."
        )
    return Plan([Job(place, _output_file(out, allowed))])


def _output_file(out: str, allowed: Sequence[str]) -> Path:
    if allowed and Path(out).suffix.lower() not in allowed:
        endings = " or ".join(allowed)
        detail = f"{out} does not end with {endings}; end the name of a new folder with /."
        raise LbbicError("Wrong name", detail)
    return Path(out)


def _names_a_file(out: str) -> bool:
    path = Path(out)
    if path.exists():
        return not path.is_dir()
    return bool(path.suffix) and not out.endswith(("/", os.sep))


def _find(places: Iterable[Path], suffixes: frozenset[str]) -> list[tuple[Path, FileListing]]:
    return [(place, find_files(place, suffixes)) for place in places]


def _others(listings: Iterable[tuple[Path, FileListing]]) -> Counter[str]:
    return sum((listing.others for _, listing in listings), Counter())


def _failures(place: Path, listing: FileListing, suffixes: frozenset[str]) -> Iterator[Job]:
    for error in listing.unreadable:
        yield Job(Path(error.filename), problem=error)
    if not listing.files and not listing.unreadable:
        what = ".lbb file" if suffixes == LBBIC_SUFFIXES else "picture"
        yield Job(place, problem=LbbicError("Nothing to do", f"The folder contains no {what}."))


def _checked(file: Path, output: Path) -> Job:
    problem = None
    with suppress(OSError):  # the output does not exist yet, or a missing input will be reported
        if file.samefile(output):
            problem = LbbicError("Output and input are the same", "Choose another output with -o.")
    return Job(file, output, problem)
