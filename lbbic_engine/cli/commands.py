"""The commands that measure: ``lbbic eval``, ``bench`` and ``demo``.

They continue after a picture that fails. Tables go to standard output; errors, notices and progress
to standard error.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

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
from lbbic_engine.config import DEFAULT_WEIGHTS, EFFORTS, TUNES
from lbbic_engine.devices import choose_device
from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures.atomic import check_output, make_folder
from lbbic_engine.pictures.find import FileListing, find_files, name_within, picture_suffixes
from lbbic_engine.resources import sample_pictures

if TYPE_CHECKING:
    from lbbic_engine.measure.evaluate import EvaluatedPicture

DEMO_QUALITY = 4.0


def evaluate(args: Namespace) -> int:
    """Measure a folder's pictures at several qualities; print and write the results."""
    from lbbic_engine.measure import evaluate
    from lbbic_engine.measure.appearance import MEASURES
    from lbbic_engine.pictures import atomic

    for path in filter(None, (args.json, args.plot)):
        check_output(path, overwrite=args.overwrite)
        make_folder(path.parent)
    if args.plot:
        tables.require_matplotlib()
    if args.details and not args.keep:
        raise LbbicError("Nowhere to write", "--details needs --keep DIR.")
    for name in args.metrics:
        MEASURES[name].require()
    models = evaluate.plan_models(args.weights, args.qualities)
    anchors = [evaluate.load_anchor(path) for path in args.anchor]
    listing = _find_pictures(args.folder)
    total = len(listing.files) + len(listing.unreadable)
    names = [name_within(file, args.folder).as_posix() for file in listing.files]
    rows = _measure(listing.files, names, models, args)
    if not rows:
        return _measured_verdict(total, rows)

    means = evaluate.averages(rows)
    place = args.folder.resolve().name
    pictures = tables.count(means[0].pictures, "picture")
    how = f"weights {', '.join(args.weights)}, effort {args.effort}"
    source = f"lbbic {version()}, {how}, {pictures} of {place}"
    name = "lbbic" if args.weights == [DEFAULT_WEIGHTS] else ", ".join(args.weights)
    if args.effort != EFFORTS[0]:
        name += f", {args.effort}"
    if args.tune != TUNES[0]:
        name += f", {args.tune}"
    if not args.refine:
        name += ", not refined"
    curve = evaluate.mean_curve(means, name, source)
    comparisons = [evaluate.compare(curve, anchor) for anchor in anchors]
    print(tables.evaluation_table(rows, means))
    if comparisons:
        print(f"\n{tables.comparison_table(comparisons)}")
    for each in comparisons:
        if each.overall.bd_rate is None:
            complain(f"no BD-rate against {each.anchor}: two points in a common range are needed")
    if args.json:
        document = tables.evaluation_document(curve, rows, means, comparisons)
        text = tables.json_text(document, indent=1)
        atomic.write_atomically(args.json, text.encode(), overwrite=args.overwrite)
    if args.plot:
        plot = tables.plot_curves(curve, anchors, args.plot.suffix)
        atomic.write_atomically(args.plot, plot, overwrite=args.overwrite)
    return _measured_verdict(total, rows)


def bench(args: Namespace) -> int:
    """Compare codecs; write tables, plots and an HTML page to a folder."""
    from lbbic_engine.bench import page, suite

    listing = _find_pictures(args.folder)
    pictures = list(listing.files)
    if not page.can_plot():
        complain("no plots: matplotlib is not installed")
    codecs = args.codecs.split(",")
    results = suite.run(pictures, codecs, args.out, complain)
    if not results:
        return 2
    page.write(results, pictures, args.out)
    print(suite.markdown(results), end="")
    print(f"See {escaped(args.out / 'index.html')}.")
    left_out = set(codecs) - {result.codec for result in results}
    return 2 if listing.unreadable or left_out else 0


def demo(args: Namespace) -> int:
    """Code the bundled sample pictures and check the decoded pixels."""
    samples = sample_pictures()
    names = [path.name for path in samples]
    rows = _measure(samples, names, [(args.weights, [DEMO_QUALITY])], args)
    if not samples:
        raise LbbicError("No sample pictures", "The installation is incomplete.")
    if rows:
        print(tables.demo_table(rows))
    code = _measured_verdict(len(samples), rows)
    if code == 0:
        print("Every decoded picture matches the encoder's, pixel for pixel.")
    return code


def version() -> str:
    """Return the installed version."""
    from importlib import metadata

    try:
        return metadata.version("lbbic")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _find_pictures(folder: Path) -> FileListing:
    """Return the pictures in a folder; report files that are skipped."""
    listing = find_files(folder, picture_suffixes())
    for error in listing.unreadable:
        complain(f"{escaped(error.filename)}: {error.strerror}")
    report_skipped(listing.others)
    if not listing.files:
        raise LbbicError("Nothing to do", f"There is no picture in {folder}.")
    return listing


def _measure(
    files: Sequence[Path],
    names: Sequence[str],
    models: Sequence[tuple[str, Sequence[float]]],
    args: Namespace,
) -> list[EvaluatedPicture]:
    """Return the measurements of the pictures that succeed with every model and quality."""
    from lbbic_engine.batch.evaluation import Evaluation, evaluate_pictures
    from lbbic_engine.networks.weights import by_name

    choose_device(args.device)  # fails at once rather than for each picture, like unknown weights
    for weights, _ in models:
        by_name(weights)
    measured: dict[int, tuple[EvaluatedPicture, ...]] = {}
    with (
        nullcontext(args.keep) if args.keep else TemporaryDirectory(prefix="lbbic-") as folder,
        progress_bar(names) as bar,
    ):
        evaluation = Evaluation(
            models=models,
            folder=Path(folder),
            device=args.device,
            effort=args.effort,
            refine=args.refine,
            tune=args.tune,
            measures=args.metrics,
            details=args.details,
            overwrite=args.overwrite,
        )
        results = evaluate_pictures(
            list(zip(files, names, strict=True)),
            evaluation,
            jobs=args.jobs,
            progress=bar.show if bar else None,
        )
        with closing(results):
            for result in results:
                if bar:
                    bar.finish(result.index)
                if result.error is None:
                    measured[result.index] = result.rows
                elif isinstance(result.error, FAILURES):
                    file = files[result.index]
                    complain(f"{escaped(file)}: {reason(result.error, file)}")
                else:
                    raise result.error
    return [row for index in sorted(measured) for row in measured[index]]


def _measured_verdict(total: int, rows: Sequence[EvaluatedPicture]) -> int:
    different = [row for row in rows if not row.exact]
    for row in different:
        complain(
            f"{escaped(row.picture)}: decoded pixels differ from the encoder's, q {row.quality:g}"
        )
    failed = total - len({row.picture for row in rows})
    return failure_verdict(failed, total) or int(bool(different))
