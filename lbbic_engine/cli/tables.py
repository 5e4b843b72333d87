"""Output of measurements: tables, JSON, a plot."""

from __future__ import annotations

import importlib
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from lbbic_engine.cli.console import escaped
from lbbic_engine.errors import LbbicError
from lbbic_engine.resources import install_hint

if TYPE_CHECKING:
    from lbbic_engine.measure.evaluate import (
        Average,
        Band,
        Comparison,
        Evaluated,
        EvaluatedPicture,
    )
    from lbbic_engine.measure.rate_distortion import Curve

EVALUATION_HEADINGS = (
    "picture",
    "q",
    "bytes",
    "bpp",
    "PSNR dB",
    "MS-SSIM",
    "encode s",
    "decode s",
    "exact",
)
DEMO_HEADINGS = ("file", "before", "after", "saved %", "bpp", "PSNR dB", "encode s", "decode s")


def info_facts(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return names and values of ``codec.read_info`` for display."""
    kind = "grey" if info["grey"] else "colour"
    transparency = " with transparency" if info["has_alpha"] else ""
    metadata = (f"{name.upper()} {size} bytes" for name, size in info["metadata_bytes"].items())
    known = "" if info["weights_installed"] else ", not installed: the file cannot be decoded here"
    mapped = ", varied by a map" if info["has_quality_map"] else ""
    if info["exact"]:
        quality, model = "exact: every pixel as it was", "none needed"
    else:
        quality, model = f"{info['quality']:g}{mapped}", f"{info['weights']}{known}"
    return [
        ("picture", f"{info['width']} x {info['height']} pixels, {kind}{transparency}"),
        ("quality", quality),
        ("size", f"{info['total_bytes']} bytes, {info['bpp']:.4f} bits per pixel"),
        ("payload", f"{info['payload_bytes']} bytes"),
        ("metadata", ", ".join(metadata) or "none"),
        ("model", model),
        (
            "refinement",
            f"{100 * info['refinement']:.0f} % of full strength" if info["refinement"] else "none",
        ),
        ("layout", count(info["tiles"], "tile")),
        ("format", f"version {info['version']}"),
        ("complete", "yes" if info["complete"] else "no, a part is missing or damaged"),
    ]


def count(number: int, noun: str) -> str:
    """Return ``number`` and ``noun`` in the singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns, the first to the left and the others to the right."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    )


def evaluation_table(rows: Sequence[EvaluatedPicture], means: Sequence[Average]) -> str:
    """Return a line per picture and quality, and below them the means."""
    lines = [
        (escaped(row.picture), f"{row.quality:g}", str(row.bytes), *_columns(row)) for row in rows
    ] + [(f"mean of {row.pictures}", f"{row.quality:g}", "", *_columns(row)) for row in means]
    from lbbic_engine.measure.appearance import MEASURES

    extra = [MEASURES[name].heading for name in means[0].scores]
    return text_table((*EVALUATION_HEADINGS, *extra), lines)


def _columns(row: Evaluated) -> tuple[str, ...]:
    return (
        f"{row.bpp:.4f}",
        f"{row.psnr:.3f}",
        "" if row.ms_ssim is None else f"{row.ms_ssim:.5f}",
        f"{row.encode_seconds:.2f}",
        f"{row.decode_seconds:.2f}",
        "yes" if row.exact else "NO",
        *(f"{score:.3f}" for score in row.scores.values()),
    )


def comparison_table(comparisons: Sequence[Comparison]) -> str:
    """Return BD-rates in per cent: a line per anchor, a column per band of dB."""
    names = [band.name for band in (*comparisons[0].bands, *comparisons[0].by_measure)]
    lines = [
        (
            escaped(row.anchor),
            _range(row.overall),
            *(_signed(band.bd_rate) for band in (row.overall, *row.bands, *row.by_measure)),
        )
        for row in comparisons
    ]
    return text_table(("BD-rate % against", "range dB", "whole range", *names), lines)


def _range(band: Band) -> str:
    return "-" if band.bd_rate is None else f"{band.low:.2f}-{band.high:.2f}"


def _signed(per_cent: float | None) -> str:
    return "-" if per_cent is None else f"{per_cent:+.2f}"


def demo_table(rows: Sequence[EvaluatedPicture]) -> str:
    """Return a line per picture: its size before and after, and what that cost."""
    return text_table(
        DEMO_HEADINGS,
        [
            (
                escaped(row.picture),
                str(row.original_bytes),
                str(row.bytes),
                "larger"
                if row.bytes > row.original_bytes
                else f"{saving_per_cent(row.original_bytes, row.bytes):.1f}",
                f"{row.bpp:.3f}",
                f"{row.psnr:.2f}",
                f"{row.encode_seconds:.2f}",
                f"{row.decode_seconds:.2f}",
            )
            for row in rows
        ],
    )


def saving(before: int, after: int) -> str:
    """Return the sizes and the saving in per cent, or that the file is larger."""
    if after > before:
        return f"{before} -> {after} bytes (larger than the original)"
    return f"{before} -> {after} bytes ({saving_per_cent(before, after):.1f} % saved)"


def saving_per_cent(before: int, after: int) -> float:
    """Return how much smaller ``after`` is; negative when it is larger."""
    return 100 * (1 - after / before) if before else 0.0


def json_text(value: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return strict JSON: numbers that are not finite (the PSNR of equal pictures) become null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False, default=str)


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value


def evaluation_document(
    curve: Curve,
    rows: Sequence[EvaluatedPicture],
    means: Sequence[Average],
    comparisons: Sequence[Comparison],
) -> dict[str, Any]:
    """Return all figures of an evaluation.

    The first four keys make it usable as an anchor, the next two are those of CompressAI's format.
    """
    from lbbic_engine.measure.rate_distortion import compressai_document

    return {
        "name": curve.name,
        "source": curve.source,
        "bpp": list(curve.bpp),
        "psnr": list(curve.psnr),
        "scores": {name: list(values) for name, values in curve.scores.items()},
        **compressai_document(curve.name, curve.source, means),
        "weights": sorted({row.weights for row in rows}),
        "qualities": [asdict(row) for row in means],
        "pictures": [asdict(row) for row in rows],
        "bd_rate": [asdict(row) for row in comparisons],
    }


def require_matplotlib() -> Any:
    """Return matplotlib's Figure class, which needs no window. LbbicError when it is missing."""
    try:
        return importlib.import_module("matplotlib.figure").Figure
    except ImportError:
        raise LbbicError(
            "matplotlib is not installed",
            f"{install_hint('lbbic[plot]')} Or leave out --plot.",
        ) from None


def plot_curves(curve: Curve, anchors: Sequence[Curve], suffix: str) -> bytes:
    """Return a plot of PSNR over bits per pixel in the format of ``suffix`` (.png, .svg, .pdf)."""
    from lbbic_engine.measure.appearance import MEASURES

    names = [name for name in curve.scores if MEASURES[name].sign]
    figure = require_matplotlib()(figsize=(8 * (1 + len(names)), 6), layout="constrained")
    panels = figure.subplots(1, 1 + len(names), squeeze=False)[0]
    _plot(panels[0], "RGB PSNR [dB]", curve, anchors, attrgetter("psnr"))
    if curve.psnr:  # anchors may span a much larger range
        panels[0].set(ylim=(min(curve.psnr) - 2, max(curve.psnr) + 2))
    for axes, name in zip(panels[1:], names, strict=True):
        _plot(axes, MEASURES[name].heading, curve, anchors, partial(_scores, name))
    image = io.BytesIO()
    figure.savefig(image, format=suffix.removeprefix("."), dpi=150)
    return image.getvalue()


def _scores(name: str, curve: Curve) -> Sequence[float]:
    return curve.scores.get(name, ())


def _plot(
    axes: Any,
    heading: str,
    curve: Curve,
    anchors: Sequence[Curve],
    values: Callable[[Curve], Sequence[float]],
) -> None:
    for anchor in anchors:
        if values(anchor):
            axes.plot(anchor.bpp, values(anchor), label=anchor.name, linewidth=1)
    axes.plot(curve.bpp, values(curve), "o-", label=curve.name, color="black", linewidth=2)
    axes.set(xlabel="bits per pixel", ylabel=heading, title=curve.source)
    if curve.bpp:  # anchors may span a much larger range
        axes.set(xlim=(0, 1.2 * max(curve.bpp)))
    axes.grid(alpha=0.3)
    axes.legend()
