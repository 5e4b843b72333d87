"""What each ``lbbic`` command does: calls the engine and prints. Arguments come from ``cli``.

A batch goes on after a bad file and says so at the end. Results go to standard output, one line
or JSON object a file; errors, notices and progress to standard error.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from lbbic_engine.cli import tables
from lbbic_engine.cli.console import FAILURES, ShowProgress, complain, progress_bar, reason
from lbbic_engine.cli.files import Job, list_jobs, plan_jobs
from lbbic_engine.config import DEFAULT_WEIGHTS, EFFORTS
from lbbic_engine.errors import CorruptDataError, LbbicError
from lbbic_engine.pictures.atomic import make_folder, refuse_existing
from lbbic_engine.pictures.find import LBBIC_SUFFIXES, find_files, name_within, picture_suffixes

if TYPE_CHECKING:
    from lbbic_engine.codec import Compressed
    from lbbic_engine.measure.evaluate import Measurement
    from lbbic_engine.pictures.picture import Picture

DEMO_QUALITY = 4.0

Row = dict[str, Any]


def compress(args: Namespace) -> int:
    """Write an .lbb file for each picture."""
    _check_options(args.device, args.weights)
    jobs = plan_jobs(args.inputs, args.output, picture_suffixes(), ".lbb")
    rows = _run_batch(jobs, args, _compress_one, _compress_line)
    if rows and not args.json:
        before = sum(row["original_bytes"] for row in rows)
        after = sum(row["bytes"] for row in rows)
        seconds = sum(row["seconds"] for row in rows)
        print(f"{tables.count(len(rows), 'file')}: {_saving(before, after)}, {seconds:.1f} s")
    return _verdict(jobs, rows)


def decompress(args: Namespace) -> int:
    """Write a picture for each .lbb file."""
    _check_options(args.device)
    jobs = plan_jobs(args.inputs, args.output, LBBIC_SUFFIXES, ".png")
    rows = _run_batch(jobs, args, _decompress_one, _decompress_line)
    if rows and not args.json:
        print(f"{tables.count(len(rows), 'file')}, {sum(row['seconds'] for row in rows):.1f} s")
    return _verdict(jobs, rows)


def info(args: Namespace) -> int:
    """Print what is in each .lbb file."""
    jobs = list_jobs(args.inputs, LBBIC_SUFFIXES)
    return _verdict(jobs, _run_batch(jobs, args, _info_one, _info_lines))


def evaluate(args: Namespace) -> int:
    """Measure a folder's pictures at several qualities; print and write what came out."""
    from lbbic_engine.measure import evaluate
    from lbbic_engine.pictures import atomic

    for path in filter(None, (args.json, args.plot)):
        refuse_existing(path, overwrite=args.overwrite)
        make_folder(path.parent)
    if args.plot:
        tables.require_matplotlib()
    if args.details and not args.keep:
        raise LbbicError("Nowhere to write", "--details needs --keep DIR.")
    models = evaluate.plan_models(args.weights, args.qualities)
    anchors = [evaluate.load_anchor(path) for path in args.anchor]
    files = find_files(args.folder, picture_suffixes())
    if not files:
        raise LbbicError("Nothing to do", f"There is no picture in {args.folder}.")
    names = [name_within(file, args.folder).as_posix() for file in files]
    rows = _measure(files, names, models, args)
    if not rows:
        return _measured_verdict(len(files), rows)

    means = evaluate.averages(rows)
    place = args.folder.resolve().name
    pictures = tables.count(means[0].pictures, "picture")
    how = f"weights {', '.join(args.weights)}, effort {args.effort}"
    source = f"lbbic {version()}, {how}, {pictures} of {place}"
    name = "lbbic" if args.weights == [DEFAULT_WEIGHTS] else ", ".join(args.weights)
    if args.effort != EFFORTS[0]:
        name += f", {args.effort}"
    if not args.refine:
        name += ", not refined"
    curve = evaluate.mean_curve(means, name, source)
    comparisons = [evaluate.compare(curve, anchor) for anchor in anchors]
    print(tables.evaluation_table(rows, means))
    if comparisons:
        print(f"\n{tables.comparison_table(comparisons)}")
    if args.json:
        document = tables.evaluation_document(curve, rows, means, comparisons)
        text = tables.json_text(document, indent=1)
        atomic.write_atomically(args.json, text.encode(), overwrite=args.overwrite)
    if args.plot:
        plot = tables.plot_curves(curve, anchors, args.plot.suffix)
        atomic.write_atomically(args.plot, plot, overwrite=args.overwrite)
    return _measured_verdict(len(files), rows)


def bench(args: Namespace) -> int:
    """Measure codecs side by side; tables, plots and a page go into a folder."""
    from lbbic_engine.bench import page
    from lbbic_engine.bench import suite as suite

    pictures = find_files(args.folder, picture_suffixes())
    if not pictures:
        raise LbbicError("No pictures", f"There are none in {args.folder}.")
    results = suite.run(pictures, args.codecs.split(","), args.out, complain)
    if not results:
        return 2
    page.write(results, pictures, args.out)
    print(suite.markdown(results), end="")
    print(f"See {args.out / 'index.html'}.")
    return 0


def demo(args: Namespace) -> int:
    """Code the bundled sample pictures and check that they come back pixel for pixel."""
    from importlib.resources import as_file, files

    with ExitStack() as stack:
        samples = [
            stack.enter_context(as_file(item))
            for item in sorted(files("resources").joinpath("samples").iterdir(), key=str)
            if Path(item.name).suffix.lower() in picture_suffixes()
        ]
        rows = _measure(
            samples, [path.name for path in samples], [(args.weights, [DEMO_QUALITY])], args
        )
    if not samples:
        raise LbbicError("No sample pictures", "The installation is incomplete.")
    print(tables.demo_table(rows))
    code = _measured_verdict(len(samples), rows)
    if code == 0:
        print("Every decoded picture is what the encoder saw, pixel for pixel.")
    return code


def version() -> str:
    """Return the installed version."""
    from importlib import metadata

    try:
        return metadata.version("lbbic")
    except metadata.PackageNotFoundError:
        return "(not installed)"


# The batch: one job after the other, whatever happens to each.


def _run_batch(
    jobs: Sequence[Job],
    args: Namespace,
    work: Callable[[Job, Namespace, ShowProgress], Row],
    line: Callable[[Row], str],
) -> list[Row]:
    rows = []
    for number, job in enumerate(jobs, 1):
        try:
            if job.problem:
                raise job.problem
            with progress_bar(f"{number}/{len(jobs)} {job.input.name}") as progress:
                row = {"input": str(job.input), **work(job, args, progress)}
        except FAILURES as error:
            message = reason(error, job.input)
            complain(f"{job.input}: {message}")
            if args.json:
                print(tables.json_text({"input": str(job.input), "error": message}), flush=True)
            continue
        for notice in row.get("notices", ()):
            complain(f"{job.input}: note: {notice}")
        print(tables.json_text(row) if args.json else line(row), flush=True)
        rows.append(row)
    return rows


def _check_options(device: str, weights: str | None = None) -> None:
    """Raise once, before a batch, what would fail for each of its files."""
    from lbbic_engine.devices import choose_device
    from lbbic_engine.networks.weights import by_name

    choose_device(device)
    if weights is not None:
        by_name(weights)


def _verdict(jobs: Sequence[Job], rows: Sequence[Row]) -> int:
    return _failure_verdict(len(jobs) - len(rows), len(jobs))


def _failure_verdict(failed: int, total: int) -> int:
    if failed:
        complain(f"{failed} of {total} failed")
    return 2 if failed else 0


def _compress_one(job: Job, args: Namespace, progress: ShowProgress) -> Row:
    from lbbic_engine.measure import metrics
    from lbbic_engine.pictures import atomic, read

    original_bytes = job.input.stat().st_size
    refuse_existing(job.output, overwrite=args.overwrite)
    picture = read.load_picture(job.input)
    started = perf_counter()
    quality, compressed = _encode(picture, args, progress)
    seconds = perf_counter() - started
    make_folder(job.output.parent)
    atomic.write_atomically(job.output, compressed.data, overwrite=args.overwrite)
    height, width = picture.pixels.shape[:2]
    return {
        "output": str(job.output),
        "bytes": len(compressed.data),
        "bpp": 8 * len(compressed.data) / (width * height),
        "psnr": metrics.psnr(picture.pixels, compressed.reconstruction),
        "seconds": seconds,
        "quality": quality,
        "width": width,
        "height": height,
        "original_bytes": original_bytes,
        "notices": picture.notices,
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
    return (
        f"{row['input']} -> {row['output']}: {_saving(row['original_bytes'], row['bytes'])}, "
        f"{row['bpp']:.3f} bpp, {row['psnr']:.2f} dB, quality {row['quality']:g}, "
        f"{row['seconds']:.1f} s"
    )


def _saving(before: int, after: int) -> str:
    return f"{before} -> {after} bytes ({tables.saving_per_cent(before, after):.1f} % saved)"


def _decompress_one(job: Job, args: Namespace, progress: ShowProgress) -> Row:
    from lbbic_engine import codec
    from lbbic_engine.pictures import write

    data = job.input.read_bytes()
    refuse_existing(job.output, overwrite=args.overwrite)
    started = perf_counter()
    try:
        picture = codec.decompress(
            data, device=args.device, partial=args.partial, progress=progress
        )
    except CorruptDataError as error:
        raise error if args.partial else _with_hint(error, data) from None
    seconds = perf_counter() - started
    make_folder(job.output.parent)
    write.save_image(picture, job.output, overwrite=args.overwrite)
    height, width = picture.pixels.shape[:2]
    return {
        "output": str(job.output),
        "bytes": len(data),
        "bpp": 8 * len(data) / (width * height),
        "seconds": seconds,
        "width": width,
        "height": height,
        "notices": picture.notices,
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
    return f"{row['input']} -> {row['output']}: {size} pixels, {row['seconds']:.1f} s"


def _info_one(job: Job, _args: Namespace, _progress: ShowProgress) -> Row:
    from lbbic_engine import codec

    facts = asdict(codec.read_info(job.input.read_bytes()))
    return {"bytes": facts["total_bytes"], **facts}


def _info_lines(row: Row) -> str:
    lines = [f"  {name:8}  {value}" for name, value in tables.info_facts(row)]
    return "\n".join([f"{row['input']}:", *lines])


def _measure(
    files: Sequence[Path],
    names: Sequence[str],
    models: Sequence[tuple[str, Sequence[float]]],
    args: Namespace,
) -> list[Measurement]:
    """Return the measurements of those pictures that go well with every model and quality."""
    from tqdm import tqdm

    from lbbic_engine.measure import evaluate

    rows: list[Measurement] = []
    with (
        nullcontext(args.keep) if args.keep else TemporaryDirectory(prefix="lbbic-") as folder,
        tqdm(total=len(files) * sum(len(q) for _, q in models), leave=False, disable=None) as bar,
    ):
        options = {
            "device": args.device,
            "effort": args.effort,
            "refine": args.refine,
            "overwrite": args.overwrite,
            "details": args.details,
        }
        for weights, _ in models:
            evaluate.warm_up(args.device, weights)
        for file, name in zip(files, names, strict=True):
            measured = []
            try:
                for weights, qualities in models:
                    options["weights"] = weights
                    for row in evaluate.measure(file, name, qualities, Path(folder), **options):
                        measured.append(row)
                        bar.update()
            except FAILURES as error:
                bar.clear()
                complain(f"{file}: {reason(error, file)}")
            else:
                rows += measured
    return rows


def _measured_verdict(total: int, rows: Sequence[Measurement]) -> int:
    different = [row for row in rows if not row.exact]
    for row in different:
        complain(f"{row.picture}: decoded pixels differ from the encoder's, q {row.quality:g}")
    failed = total - len({row.picture for row in rows})
    return _failure_verdict(failed, total) or int(bool(different))
