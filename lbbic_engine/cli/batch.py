"""The commands for many files: ``lbbic compress``, ``decompress`` and ``info``.

A batch continues after a file that fails, and reports the failures at the end. Results go to
standard output, one line or JSON object per file; errors, notices and progress to standard error.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TextIO

from lbbic_engine.cli import tables
from lbbic_engine.cli.console import (
    FAILURES,
    complain,
    escaped,
    failure_verdict,
    progress_bar,
    reason,
    report_skipped,
)
from lbbic_engine.cli.files import Job, Plan, list_jobs, plan_jobs
from lbbic_engine.cli.streams import name_of, read_bytes, refuse_terminal, to_standard_output
from lbbic_engine.config import DEFAULT_WEIGHTS, EFFORTS, OTHER_FORMATS, TUNES
from lbbic_engine.devices import choose_device
from lbbic_engine.errors import (
    CorruptDataError,
    LbbicError,
    UnknownWeightsError,
    UnrecoverableDataError,
)
from lbbic_engine.pictures.find import LBBIC_SUFFIXES, picture_suffixes

if TYPE_CHECKING:
    from lbbic_engine.batch.directions import CodedFile, Content
    from lbbic_engine.batch.files import Direction

Row = dict[str, Any]
Outcomes = Iterator[tuple[Job, Row | Exception]]


def compress(args: Namespace) -> int:
    """Write an .lbb file, or one of another format, for each picture."""
    from lbbic_engine.batch.conversion import Conversion
    from lbbic_engine.batch.directions import Encoding

    _check_format(args)
    endings = OTHER_FORMATS.get(args.format, (".lbb",))
    plan = plan_jobs(args.inputs, args.output, picture_suffixes(), endings[0], endings)
    plan = _remaining(plan, args)
    if args.mask and len(plan.jobs) > 1:
        raise LbbicError("One mask, several pictures", "Give --mask with one picture only.")
    encoding = Encoding(
        quality=args.quality,
        max_bytes=args.target_bytes,
        max_bpp=args.target_bpp,
        min_psnr=args.target_psnr,
        weights=args.weights,
        effort=args.effort,
        refine=args.refine,
        exact=args.exact,
        preview=args.preview,
        mask=args.mask and _content(args.mask),
        tune=args.tune,
        device=args.device,
        longest_side=args.longest_side,
        strip=tuple(args.strip),
        skip_larger=args.skip_larger,
    )
    direction: Direction = encoding
    if args.format != "lbb":
        direction = Conversion(encoding, args.format, args.format_quality)
    started = perf_counter()
    rows = _report(plan, args, _code(plan, args, direction, _compress_row), _compress_line)
    if rows and not args.json:
        before = sum(row["original_bytes"] for row in rows)
        after = sum(row["bytes" if row["output"] else "original_bytes"] for row in rows)
        seconds = perf_counter() - started
        summary = (
            f"{tables.count(len(rows), 'file')}: {tables.saving(before, after)}, {seconds:.1f} s"
        )
        print(summary, file=_text_stream(plan))
    return _verdict(plan, rows)


def _check_format(args: Namespace) -> None:
    """LbbicError for options that are of no use with the format."""
    if args.format == "lbb":
        if args.format_quality is not None:
            raise LbbicError("No other format", "--format-quality needs --format.")
        return
    only_lbb = {
        "--target-bytes": args.target_bytes,
        "--target-bpp": args.target_bpp,
        "--target-psnr": args.target_psnr,
        "--mask": args.mask,
        "--preview": args.preview,
        "--no-exact": not args.exact,
    }
    for option, value in only_lbb.items():
        if value:
            raise LbbicError("Another format", f"{option} is for .lbb files only.")
    if args.format_quality is None:
        return
    if args.quality is not None:
        raise LbbicError("Two qualities", "Give either --quality or --format-quality.")
    for_same_look = {
        "--weights": args.weights != DEFAULT_WEIGHTS,
        "--effort": args.effort != EFFORTS[0],
        "--tune": args.tune != TUNES[0],
        "--no-refine": not args.refine,
    }
    for option, value in for_same_look.items():
        if value:
            raise LbbicError("Another format", f"{option} is of no use with --format-quality.")


def decompress(args: Namespace) -> int:
    """Write a picture for each .lbb file."""
    from lbbic_engine.batch.directions import Decoding

    plan = _remaining(plan_jobs(args.inputs, args.output, LBBIC_SUFFIXES, ".png"), args)
    decoding = Decoding(partial=args.partial, device=args.device)
    started = perf_counter()
    rows = _report(plan, args, _code(plan, args, decoding, _decompress_row), _decompress_line)
    if rows and not args.json:
        seconds = perf_counter() - started
        print(f"{tables.count(len(rows), 'file')}, {seconds:.1f} s", file=_text_stream(plan))
    return _verdict(plan, rows)


def thumbnail(args: Namespace) -> int:
    """Write a small PNG of an .lbb file, from its preview or its EXIF thumbnail if it has one."""
    from io import BytesIO

    from lbbic_engine.pictures.atomic import check_output, write_atomically
    from lbbic_engine.previews import thumbnail

    check_output(args.output, overwrite=True)
    _refuse_other_kinds(args.output)
    file = BytesIO()
    thumbnail(args.input.read_bytes(), args.size).save(file, "PNG")
    write_atomically(args.output, file.getvalue(), overwrite=True, like=args.input.stat())
    return 0


def _refuse_other_kinds(path: Path) -> None:
    """LbbicError if a file is neither empty, as those that file managers make, nor a PNG."""
    from lbbic_engine.pictures.files.png import SIGNATURE

    if path.is_file():
        with path.open("rb") as file:
            start = file.read(len(SIGNATURE))
        if start not in (b"", SIGNATURE):
            raise LbbicError("Another file", f"{path} is not a PNG, so it is not replaced.")


def info(args: Namespace) -> int:
    """Print what is in each .lbb file."""
    plan = list_jobs(args.inputs, LBBIC_SUFFIXES)
    return _verdict(plan, _report(plan, args, map(_inform, plan.jobs), _info_lines))


def _remaining(plan: Plan, args: Namespace) -> Plan:
    """Remove the jobs whose results exist from a plan, with --skip-existing."""
    if not args.skip_existing:
        return plan
    jobs = [job for job in plan.jobs if job.problem or not (job.output and job.output.is_file())]
    if len(jobs) < len(plan.jobs):
        complain(f"skipped, already done: {tables.count(len(plan.jobs) - len(jobs), 'file')}")
    return replace(plan, jobs=jobs)


def _report(
    plan: Plan,
    args: Namespace,
    outcomes: Iterable[tuple[Job, Row | Exception]],
    line: Callable[[Row], str],
) -> list[Row]:
    """Report each job when it ends; return the rows of those that succeeded."""
    rows = []
    say = partial(print, file=_text_stream(plan), flush=True)
    for job, outcome in outcomes:
        name = name_of(job.input)
        if isinstance(outcome, Exception):
            message = reason(outcome, job.input)
            complain(f"{escaped(name)}: {message}")
            if args.json:
                say(tables.json_text({"input": name, "error": message}))
            continue
        row = {"input": name, **outcome}
        for notice in row.get("notices", ()):
            complain(f"{escaped(name)}: note: {notice}")
        say(tables.json_text(row) if args.json else line(row))
        rows.append(row)
    report_skipped(plan.others)
    return rows


def _text_stream(plan: Plan) -> TextIO:
    return sys.stderr if plan.to_standard_output else sys.stdout


def _verdict(plan: Plan, rows: list[Row]) -> int:
    return failure_verdict(len(plan.jobs) - len(rows), len(plan.jobs))


def _code(
    plan: Plan, args: Namespace, direction: Direction, to_row: Callable[[Job, CodedFile], Row]
) -> Outcomes:
    """Yield each job with its row or its error when it ends."""
    from lbbic_engine.batch.files import code_files

    choose_device(args.device)  # fails at once rather than for each file
    ready: list[tuple[Job, Content]] = []
    for job in plan.jobs:
        try:
            ready.append((job, _open(job)))
        except FAILURES as error:
            yield job, error
    with progress_bar([name_of(job.input) for job, _ in ready]) as bar:
        results = code_files(
            [(content, job.output) for job, content in ready],
            direction,
            overwrite=args.overwrite,
            keep_dates=args.keep_dates,
            jobs=args.jobs,
            progress=bar.show if bar else None,
        )
        with closing(results):
            for result in results:
                if bar:
                    bar.finish(result.index)
                job, content = ready[result.index]
                if result.coded is None:
                    yield job, _explained(result.error, content, direction)
                    continue
                if job.output is None:
                    to_standard_output(result.coded.data)
                yield job, to_row(job, result.coded)


def _open(job: Job) -> Content:
    """Return the input of a job, read from standard input if need be; raise the job's problem."""
    if job.problem:
        raise job.problem
    if job.output is None:
        refuse_terminal()
    return read_bytes(None) if job.input is None else _content(job.input)


def _content(path: Path) -> Content:
    """The bytes of a pipe that only this process has, as that of ``<(COMMAND)``, or the path."""
    is_own = os.path.realpath(path).startswith(("/dev/fd/", "/proc/"))
    return path.read_bytes() if is_own and path.is_fifo() else path


def _explained(error: Exception | None, content: Content, direction: Direction) -> Exception:
    """Return the error to report for a file; raise errors that are not specific to the file."""
    from lbbic_engine.batch.directions import Decoding

    assert error is not None
    of_all = isinstance(error, UnknownWeightsError) and not isinstance(direction, Decoding)
    if of_all or not isinstance(error, FAILURES):
        raise error
    is_whole = isinstance(direction, Decoding) and not direction.partial
    is_recoverable = not isinstance(error, UnrecoverableDataError)
    if isinstance(error, CorruptDataError) and is_whole and is_recoverable:
        return _with_hint(error, content)
    return error


def _with_hint(error: CorruptDataError, content: Content) -> CorruptDataError:
    """Add that ``--partial`` may help, unless the header or every stream is unreadable."""
    from lbbic_engine.bitstream.container import read_outline

    if isinstance(content, Path) and not content.is_file():
        return error  # a pipe, which cannot be read again
    with suppress(LbbicError, OSError):
        data = content if isinstance(content, bytes) else content.read_bytes()
        container, _ = read_outline(data, partial=True)
        if container.segments:
            hint = "Use --partial to get what is left of the picture."
            return CorruptDataError(error.title, f"{error.detail} {hint}")
    return error


def _compress_row(job: Job, coded: CodedFile) -> Row:
    return {
        "output": None if coded.is_kept else name_of(job.output),
        "bytes": coded.output_bytes,
        "bpp": 8 * coded.output_bytes / (coded.width * coded.height),
        "psnr": coded.psnr,
        "seconds": coded.seconds,
        "quality": coded.quality,
        "exact": coded.exact,
        "width": coded.width,
        "height": coded.height,
        "original_bytes": coded.input_bytes,
        "notices": [notice.text for notice in coded.notices],
    }


def _compress_line(row: Row) -> str:
    saving = tables.saving(row["original_bytes"], row["bytes"])
    if row["output"] is None:
        return f"{escaped(row['input'])}: not written, as it would not be smaller: {saving}"
    quality = f"quality {row['quality']:g}"
    if row["exact"]:
        quality = "a drawing, stored exactly"
    elif row["psnr"] is not None:
        quality = f"{row['psnr']:.2f} dB, {quality}"
    return f"{_from_to(row)}: {saving}, {row['bpp']:.3f} bpp, {quality}, {row['seconds']:.1f} s"


def _decompress_row(job: Job, coded: CodedFile) -> Row:
    return {
        "output": name_of(job.output),
        "bytes": coded.input_bytes,
        "bpp": 8 * coded.input_bytes / (coded.width * coded.height),
        "seconds": coded.seconds,
        "width": coded.width,
        "height": coded.height,
        "notices": [notice.text for notice in coded.notices],
    }


def _decompress_line(row: Row) -> str:
    size = f"{row['width']} x {row['height']}"
    return f"{_from_to(row)}: {size} pixels, {row['seconds']:.1f} s"


def _from_to(row: Row) -> str:
    return f"{escaped(row['input'])} -> {escaped(row['output'])}"


def _inform(job: Job) -> tuple[Job, Row | Exception]:
    from lbbic_engine import codec

    try:
        if job.problem:
            raise job.problem
        facts = asdict(codec.read_info(read_bytes(job.input)))
    except FAILURES as error:
        return job, error
    return job, {"bytes": facts["total_bytes"], **facts}


def _info_lines(row: Row) -> str:
    lines = [f"  {name:10}  {value}" for name, value in tables.info_facts(row)]
    return "\n".join([f"{escaped(row['input'])}:", *lines])
