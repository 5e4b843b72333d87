"""``lbbic compress``, ``decompress`` and ``info``: one file after the other.

A batch goes on after a bad file and says so at the end. Results go to standard output, one line
or JSON object a file; errors, notices and progress to standard error.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TextIO

from lbbic_engine.cli import tables
from lbbic_engine.cli.console import (
    FAILURES,
    ShowProgress,
    complain,
    escaped,
    failure_verdict,
    progress_bar,
    reason,
    say_others,
)
from lbbic_engine.cli.files import Job, Plan, list_jobs, plan_jobs
from lbbic_engine.cli.streams import (
    facts_of,
    name_of,
    read_bytes,
    refuse_output,
    write_bytes,
    write_picture,
)
from lbbic_engine.errors import CorruptDataError, LbbicError
from lbbic_engine.pictures.find import LBBIC_SUFFIXES, picture_suffixes

if TYPE_CHECKING:
    from lbbic_engine.codec import Compressed
    from lbbic_engine.pictures.picture import Picture

Row = dict[str, Any]


def compress(args: Namespace) -> int:
    """Write an .lbb file for each picture."""
    _check_options(args.device, args.weights)
    plan = plan_jobs(args.inputs, args.output, picture_suffixes(), ".lbb")
    rows = _run_batch(plan, args, _compress_one, _compress_line)
    if rows and not args.json:
        before = sum(row["original_bytes"] for row in rows)
        after = sum(row["bytes" if row["output"] else "original_bytes"] for row in rows)
        seconds = sum(row["seconds"] for row in rows)
        summary = (
            f"{tables.count(len(rows), 'file')}: {tables.saving(before, after)}, {seconds:.1f} s"
        )
        print(summary, file=_words_go_to(plan))
    return _verdict(plan, rows)


def decompress(args: Namespace) -> int:
    """Write a picture for each .lbb file."""
    _check_options(args.device)
    plan = plan_jobs(args.inputs, args.output, LBBIC_SUFFIXES, ".png")
    rows = _run_batch(plan, args, _decompress_one, _decompress_line)
    if rows and not args.json:
        seconds = sum(row["seconds"] for row in rows)
        print(f"{tables.count(len(rows), 'file')}, {seconds:.1f} s", file=_words_go_to(plan))
    return _verdict(plan, rows)


def info(args: Namespace) -> int:
    """Print what is in each .lbb file."""
    plan = list_jobs(args.inputs, LBBIC_SUFFIXES)
    return _verdict(plan, _run_batch(plan, args, _info_one, _info_lines))


def _run_batch(
    plan: Plan,
    args: Namespace,
    work: Callable[[Job, Namespace, ShowProgress], Row],
    line: Callable[[Row], str],
) -> list[Row]:
    rows = []
    say = partial(print, file=_words_go_to(plan), flush=True)
    for number, job in enumerate(plan.jobs, 1):
        name = name_of(job.input)
        label = escaped(Path(name).name)
        try:
            if job.problem:
                raise job.problem
            with progress_bar(f"{number}/{len(plan.jobs)} {label}") as progress:
                row = {"input": name, **work(job, args, progress)}
        except BrokenPipeError:  # nobody reads standard output any more
            raise
        except FAILURES as error:
            message = reason(error, job.input)
            complain(f"{escaped(name)}: {message}")
            if args.json:
                say(tables.json_text({"input": name, "error": message}))
            continue
        for notice in row.get("notices", ()):
            complain(f"{escaped(name)}: note: {notice}")
        say(tables.json_text(row) if args.json else line(row))
        rows.append(row)
    say_others(plan.others)
    return rows


def _words_go_to(plan: Plan) -> TextIO:
    return sys.stderr if plan.to_standard_output else sys.stdout


def _verdict(plan: Plan, rows: list[Row]) -> int:
    return failure_verdict(len(plan.jobs) - len(rows), len(plan.jobs))


def _check_options(device: str, weights: str | None = None) -> None:
    """Raise once, before a batch, what would fail for each of its files."""
    from lbbic_engine.devices import choose_device
    from lbbic_engine.networks.weights import by_name

    choose_device(device)
    if weights is not None:
        by_name(weights)


def _compress_one(job: Job, args: Namespace, progress: ShowProgress) -> Row:
    from lbbic_engine.measure import metrics
    from lbbic_engine.pictures import read
    from lbbic_engine.pictures.strip import strip

    original = facts_of(job.input)
    refuse_output(job.output, args)
    data = b"" if job.input else read_bytes(job.input)
    original_bytes = original.st_size if original else len(data)
    picture = strip(read.load_picture(job.input or BytesIO(data)), args.strip)
    started = perf_counter()
    quality, compressed = _encode(picture, args, progress)
    seconds = perf_counter() - started
    is_kept = args.skip_larger and len(compressed.data) >= original_bytes
    if not is_kept:
        write_bytes(job.output, compressed.data, args, original)
    height, width = picture.pixels.shape[:2]
    return {
        "output": None if is_kept else name_of(job.output),
        "bytes": len(compressed.data),
        "bpp": 8 * len(compressed.data) / (width * height),
        "psnr": metrics.psnr(picture.pixels, compressed.reconstruction),
        "seconds": seconds,
        "quality": quality,
        "width": width,
        "height": height,
        "original_bytes": original_bytes,
        "notices": [notice.text for notice in picture.notices],
    }


def _encode(picture: Picture, args: Namespace, progress: ShowProgress) -> tuple[float, Compressed]:
    from lbbic_engine import codec
    from lbbic_engine.measure import target_search

    max_bytes = args.target_bytes
    if args.target_bpp:
        max_bytes = target_search.bytes_for_bpp(picture, args.target_bpp)
    if max_bytes is None and args.target_psnr is None:
        compressed = codec.compress(
            picture,
            args.quality,
            device=args.device,
            weights=args.weights,
            effort=args.effort,
            refine=args.refine,
            progress=progress,
        )
        return compressed.quality, compressed
    return target_search.search_quality(
        picture,
        max_bytes=max_bytes,
        min_psnr=args.target_psnr,
        device=args.device,
        weights=args.weights,
        effort=args.effort,
        refine=args.refine,
        progress=progress,
    )


def _compress_line(row: Row) -> str:
    saving = tables.saving(row["original_bytes"], row["bytes"])
    if row["output"] is None:
        return f"{escaped(row['input'])}: kept as it is, it would not become smaller: {saving}"
    return (
        f"{_way(row)}: {saving}, "
        f"{row['bpp']:.3f} bpp, {row['psnr']:.2f} dB, quality {row['quality']:g}, "
        f"{row['seconds']:.1f} s"
    )


def _decompress_one(job: Job, args: Namespace, progress: ShowProgress) -> Row:
    from lbbic_engine import codec
    from lbbic_engine.pictures.formats import format_for

    original = facts_of(job.input)
    refuse_output(job.output, args)
    data = read_bytes(job.input)
    started = perf_counter()
    try:
        if job.output is not None:
            info = codec.read_info(data)
            format_for(job.output, info.width, info.height)  # before work is spent on it
        picture = codec.decompress(
            data, device=args.device, partial=args.partial, progress=progress
        )
    except CorruptDataError as error:
        raise error if args.partial else _with_hint(error, data) from None
    seconds = perf_counter() - started
    written = write_picture(job.output, picture, args, original)
    height, width = picture.pixels.shape[:2]
    return {
        "output": name_of(job.output),
        "bytes": len(data),
        "bpp": 8 * len(data) / (width * height),
        "seconds": seconds,
        "width": width,
        "height": height,
        "notices": [notice.text for notice in (*picture.notices, *written)],
    }


def _with_hint(error: CorruptDataError, data: bytes) -> CorruptDataError:
    """Add that ``--partial`` may help, unless not even the header can be read."""
    from lbbic_engine import codec

    with suppress(LbbicError):
        codec.read_info(data)
        hint = "With --partial you get what is left of the picture."
        return CorruptDataError(error.title, f"{error.detail} {hint}")
    return error


def _decompress_line(row: Row) -> str:
    size = f"{row['width']} x {row['height']}"
    return f"{_way(row)}: {size} pixels, {row['seconds']:.1f} s"


def _way(row: Row) -> str:
    return f"{escaped(row['input'])} -> {escaped(row['output'])}"


def _info_one(job: Job, _args: Namespace, _progress: ShowProgress) -> Row:
    from lbbic_engine import codec

    facts = asdict(codec.read_info(read_bytes(job.input)))
    return {"bytes": facts["total_bytes"], **facts}


def _info_lines(row: Row) -> str:
    lines = [f"  {name:8}  {value}" for name, value in tables.info_facts(row)]
    return "\n".join([f"{escaped(row['input'])}:", *lines])
