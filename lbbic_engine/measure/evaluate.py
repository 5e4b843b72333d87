"""Rate, distortion and time of the codec, measured on files that are written and read back.

Bits per pixel count whole files, PSNR compares 8-bit pictures, and times exclude reading pictures
and weights. Curves are means over pictures, PSNR in dB included.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from time import perf_counter

import numpy as np
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.config import DEFAULT_WEIGHTS, EFFORTS, TUNES, quality_index
from lbbic_engine.errors import LbbicError
from lbbic_engine.measure import block_maps, metrics, rate_distortion
from lbbic_engine.measure.appearance import MEASURES
from lbbic_engine.measure.rate_distortion import Curve, Measurement
from lbbic_engine.networks.weights import by_name
from lbbic_engine.pictures import atomic, read, write
from lbbic_engine.pictures.atomic import check_output, make_folder

RATE_POINTS = tuple(float(quality) for quality in range(1, 9))
BAND_LIMITS_DB = (27.0, 30.0, 33.0, 36.0, 39.0, 41.0)


@dataclass(frozen=True, kw_only=True)
class Evaluated(Measurement):
    """A measurement at one quality."""

    quality: float
    exact: bool  # the decoded pixels equal the encoder's
    scores: dict[str, float]  # by the measures of ``appearance`` that were asked for


@dataclass(frozen=True, kw_only=True)
class EvaluatedPicture(Evaluated):
    """The measurement of one picture."""

    picture: str
    width: int
    height: int
    original_bytes: int
    bytes: int
    weights: str


@dataclass(frozen=True, kw_only=True)
class Average(Evaluated):
    """The means over all pictures; ``ms_ssim`` only if each picture has one."""

    pictures: int


@dataclass(frozen=True)
class Band:
    """BD-rate in per cent from ``low`` to ``high`` dB; None if it cannot be computed."""

    name: str
    low: float
    high: float
    bd_rate: float | None


@dataclass(frozen=True)
class Comparison:
    """BD-rates of a curve against an anchor: over the common range, and in bands of it."""

    anchor: str
    source: str
    overall: Band
    bands: tuple[Band, ...]
    by_measure: tuple[Band, ...]  # of ``appearance``; the range is the measure's


def warm_up(device: str = "auto", weights: str = DEFAULT_WEIGHTS) -> None:
    """Load the weights and initialise the device, so that measurements do not include that."""
    tiny = read.load_picture(Image.new("RGB", (16, 16)))
    codec.decompress(codec.compress(tiny, device=device, weights=weights).data, device=device)


def measure(
    source: Path,
    name: str,
    qualities: Sequence[float],
    folder: Path,
    *,
    device: str = "auto",
    weights: str = DEFAULT_WEIGHTS,
    effort: str = EFFORTS[0],
    refine: bool = True,
    tune: str = TUNES[0],
    measures: Sequence[str] = (),
    details: bool = False,
    overwrite: bool = False,
) -> Iterator[EvaluatedPicture]:
    """Yield a measurement for each quality; the files are ``folder``/q*/``name``.lbb.

    With ``details``, the decoded picture (.png) and maps of its blocks (.blocks.csv, .blocks.png)
    are written beside them.
    LbbicError or OSError when the picture cannot be read, coded or written.
    """
    picture = read.load_picture(source)
    original = source.stat()
    height, width = picture.pixels.shape[:2]
    for quality in qualities:
        path = folder / f"q{quality:g}" / f"{name}.lbb"
        check_output(path, overwrite=overwrite)
        started = perf_counter()
        compressed = codec.compress(
            picture,
            quality,
            device=device,
            weights=weights,
            effort=effort,
            refine=refine,
            exact=False,  # a curve is that of the codec
            tune=tune,
        )
        encode_seconds = perf_counter() - started
        make_folder(path.parent)
        atomic.write_atomically(path, compressed.data, overwrite=overwrite, like=original)
        data = path.read_bytes()
        started = perf_counter()
        picture_back = codec.decompress(data, device=device)
        decode_seconds = perf_counter() - started
        decoded = picture_back.pixels
        if details:
            write.save_image(
                picture_back, path.with_suffix(".png"), overwrite=overwrite, like=original
            )
            maps = block_maps.block_maps(data, picture.pixels, device=device)
            for suffix, content in ((".blocks.csv", maps.csv()), (".blocks.png", maps.png())):
                atomic.write_atomically(
                    path.with_suffix(suffix), content, overwrite=overwrite, like=original
                )
        yield EvaluatedPicture(
            picture=name,
            quality=quality,
            width=width,
            height=height,
            original_bytes=original.st_size,
            bytes=len(data),
            bpp=8 * len(data) / (width * height),
            psnr=metrics.psnr(picture.pixels, decoded),
            ms_ssim=metrics.ms_ssim(picture.pixels, decoded),
            encode_seconds=encode_seconds,
            decode_seconds=decode_seconds,
            exact=np.array_equal(decoded, compressed.reconstruction),
            scores={name: MEASURES[name].compute(picture.pixels, decoded) for name in measures},
            weights=codec.read_info(data).weights,
        )


def plan_models(
    names: Sequence[str], qualities: Sequence[float] | None
) -> list[tuple[str, list[float]]]:
    """Assign each quality to the model that supports it.

    Without ``qualities``, all rate points are measured, or the only quality of a model. LbbicError
    for a model without any of the qualities, or two models for the same one.
    """
    planned: list[tuple[str, list[float]]] = []
    for name in names:
        config = by_name(name).config
        wanted = RATE_POINTS if qualities is None else qualities
        offered = [q for q in wanted if config.offers(quality_index(q))]
        if qualities is None and not offered:
            offered = [config.default_quality]
        if not offered:
            raise LbbicError(
                "Quality not available", f"{name} has none of the requested qualities."
            )
        if twice := {q for _, others in planned for q in others} & set(offered):
            raise LbbicError(
                "Two models for one quality",
                f"{name} is not the only one for quality {min(twice):g}.",
            )
        planned.append((name, offered))
    return planned


def averages(measurements: Sequence[EvaluatedPicture]) -> list[Average]:
    """Return the averages, lowest quality first."""
    qualities = sorted({row.quality for row in measurements})
    return [_average([row for row in measurements if row.quality == q]) for q in qualities]


def _average(rows: Sequence[EvaluatedPicture]) -> Average:
    return Average(
        **vars(rate_distortion.mean(rows)),
        quality=rows[0].quality,
        exact=all(row.exact for row in rows),
        scores={name: fmean(row.scores[name] for row in rows) for name in rows[0].scores},
        pictures=len(rows),
    )


def mean_curve(rows: Sequence[Average], name: str, source: str) -> Curve:
    """Return the rate–distortion curve through ``rows``, without lossless points."""
    lossy = [row for row in rows if math.isfinite(row.psnr)]
    return rate_distortion.Curve(
        name=name,
        source=source,
        bpp=tuple(row.bpp for row in lossy),
        psnr=tuple(row.psnr for row in lossy),
        scores={
            name: tuple(row.scores[name] for row in lossy)
            for name in (rows[0].scores if rows else ())
        },
    )


def load_anchor(path: Path) -> Curve:
    """Return the curve in ``path``; LbbicError if no BD-rate can be computed against it.

    OSError if the file cannot be opened.
    """
    path.open().close()
    anchor = rate_distortion.load_curve(path)
    try:
        rate_distortion.bd_rate(anchor.bpp, anchor.psnr, anchor.bpp, anchor.psnr)
    except ValueError as error:
        raise LbbicError("Not a rate–distortion curve", f"{path}: {error}") from error
    return anchor


def compare(curve: Curve, anchor: Curve) -> Comparison:
    """Return the BD-rate of ``curve`` against ``anchor``: negative where it needs fewer bits.

    Bands are cut to the range that both curves have.
    """
    low = max(min(each.psnr, default=math.inf) for each in (curve, anchor))
    high = min(max(each.psnr, default=-math.inf) for each in (curve, anchor))

    def band(name: str, start: float, stop: float) -> Band:
        bd_rate = None
        if start < stop:
            with suppress(ValueError):  # two qualities of one PSNR
                bd_rate = rate_distortion.bd_rate(
                    anchor.bpp, anchor.psnr, curve.bpp, curve.psnr, start, stop
                )
        return Band(name, start, stop, bd_rate)

    bands = tuple(
        band(f"{start:g}-{stop:g}", max(low, start), min(high, stop))
        for start, stop in pairwise(BAND_LIMITS_DB)
    )
    by_measure = tuple(
        _by_measure(name, curve, anchor) for name in curve.scores if MEASURES[name].sign
    )
    return Comparison(anchor.name, anchor.source, band("all", low, high), bands, by_measure)


def _by_measure(name: str, curve: Curve, anchor: Curve) -> Band:
    """The BD-rate at equal scores, in the measure's range; None where the anchor has no scores."""
    measure, scores = MEASURES[name], anchor.scores.get(name, ())
    ours, theirs = ([measure.sign * each for each in s] for s in (curve.scores[name], scores))
    low = max(min(ours, default=math.inf), min(theirs, default=math.inf), measure.low)
    high = min(max(ours, default=-math.inf), max(theirs, default=-math.inf), measure.high)
    bd_rate = None
    if low < high:
        with suppress(ValueError):
            bd_rate = rate_distortion.bd_rate(anchor.bpp, theirs, curve.bpp, ours, low, high)
    low, high = sorted((measure.sign * low, measure.sign * high))
    return Band(measure.heading, low, high, bd_rate)
