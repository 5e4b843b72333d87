"""Rate and distortion: measurements, curves, and BD-rates between codecs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt

from lbbic_engine.errors import LbbicError

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """Bits per pixel and PSNR in dB."""

    bpp: float
    psnr: float

    def cost(self, lmbda: float) -> float:
        """R + λD, D on the 0…1 range."""
        return float(self.bpp + lmbda * 10 ** (-self.psnr / 10))


@dataclass(frozen=True, kw_only=True)
class Measurement(Point):
    """Rate, distortion and times of a codec on one picture, or means of them."""

    ms_ssim: float | None
    encode_seconds: float
    decode_seconds: float


def mean(rows: Sequence[Measurement]) -> Measurement:
    """The means; ``ms_ssim`` only if each row has one."""
    similarities = [row.ms_ssim for row in rows if row.ms_ssim is not None]
    return Measurement(
        bpp=fmean(row.bpp for row in rows),
        psnr=fmean(row.psnr for row in rows),
        ms_ssim=fmean(similarities) if len(similarities) == len(rows) else None,
        encode_seconds=fmean(row.encode_seconds for row in rows),
        decode_seconds=fmean(row.decode_seconds for row in rows),
    )


@dataclass(frozen=True)
class Curve:
    """A rate–distortion curve: mean bits per pixel against mean RGB PSNR in dB.

    ``scores`` by other measures (``appearance``), at the same points.
    """

    name: str
    source: str
    bpp: tuple[float, ...]
    psnr: tuple[float, ...]
    scores: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def save(self, path: Path | str) -> None:
        """Write the curve as JSON, in the format that `load_curve` reads."""
        Path(path).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def compressai_document(
    name: str, description: str, means: Sequence[Measurement]
) -> dict[str, object]:
    """The format of CompressAI's evaluation: means over pictures, one value per quality.

    MS-SSIM is omitted if a picture is too small for it.
    """
    results: dict[str, list[float]] = {
        "bpp": [row.bpp for row in means],
        "psnr-rgb": [row.psnr for row in means],
        "ms-ssim-rgb": [row.ms_ssim for row in means if row.ms_ssim is not None],
        "encoding_time": [row.encode_seconds for row in means],
        "decoding_time": [row.decode_seconds for row in means],
    }
    whole = {key: values for key, values in results.items() if len(values) == len(means)}
    return {"name": name, "description": description, "results": whole}


def load_curve(path: Path | str) -> Curve:
    """Read a curve from JSON: an object with `name`, `source` and equally long `bpp`, `psnr`.

    It may have `scores`, lists of the same length by measure.

    Or from CompressAI's format: `name`, `description`, and `results` with `bpp` and `psnr-rgb`
    (in its older files, `psnr`).
    """
    try:
        fields = json.loads(Path(path).read_text(encoding="utf-8"))
        if "bpp" not in fields and "results" in fields:
            results = fields["results"]
            psnr = results["psnr-rgb"] if "psnr-rgb" in results else results["psnr"]
            fields = {
                "name": fields.get("name", Path(path).stem),
                "source": fields.get("description", ""),
                "bpp": results["bpp"],
                "psnr": psnr,
            }
        bpp, psnr_db = (tuple(float(value) for value in fields[key]) for key in ("bpp", "psnr"))
        if len(bpp) != len(psnr_db):
            raise ValueError("bpp and psnr differ in length")
        scores = {
            str(name): tuple(map(float, values))
            for name, values in fields.get("scores", {}).items()
        }
        if any(len(values) != len(bpp) for values in scores.values()):
            raise ValueError("bpp and scores differ in length")
        return Curve(str(fields["name"]), str(fields["source"]), bpp, psnr_db, scores)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LbbicError("Not a rate–distortion curve", f"{path}: {error}") from error


def bd_rate(
    anchor_bpp: npt.ArrayLike,
    anchor_psnr: npt.ArrayLike,
    bpp: npt.ArrayLike,
    psnr: npt.ArrayLike,
    low: float | None = None,
    high: float | None = None,
) -> float:
    """Return by how many per cent the rate differs from the anchor's at equal PSNR.

    The log-rate is interpolated over PSNR by PCHIP and averaged over the PSNR range that both
    curves span, narrowed to `low`…`high` dB where given. Negative: less rate than the anchor.
    """
    anchor = _LogRate(anchor_bpp, anchor_psnr)
    ours = _LogRate(bpp, psnr)
    start = max(anchor.knots[0], ours.knots[0], -math.inf if low is None else low)
    end = min(anchor.knots[-1], ours.knots[-1], math.inf if high is None else high)
    if start >= end:
        raise ValueError("the two curves share no PSNR range")
    return math.expm1(ours.mean(start, end) - anchor.mean(start, end)) * 100


class _LogRate:
    """The natural logarithm of the rate as a PCHIP over PSNR (Fritsch and Butland 1984)."""

    def __init__(self, bpp: npt.ArrayLike, psnr: npt.ArrayLike) -> None:
        rate, quality = np.asarray(bpp, np.float64), np.asarray(psnr, np.float64)
        if rate.ndim != 1 or rate.shape != quality.shape or len(rate) < 2:
            raise ValueError("a curve is two equally long lists of at least two values")
        if not (np.isfinite(rate) & np.isfinite(quality) & (rate > 0)).all():
            raise ValueError("rates are positive and all values of a curve finite")
        order = np.argsort(quality)
        self.knots, self.values = quality[order], np.log(rate[order])
        if not (np.diff(self.knots) > 0).all():
            raise ValueError("two points of a curve have the same PSNR")
        self.slopes = _pchip_slopes(self.knots, self.values)

    def mean(self, start: float, end: float) -> float:
        """Return the mean over [start, end]; Simpson's rule is exact for each cubic piece."""
        inside = self.knots[(self.knots > start) & (self.knots < end)]
        borders = np.concatenate(([start], inside, [end]))
        left, right = borders[:-1], borders[1:]
        sums = self.at(left) + 4 * self.at((left + right) / 2) + self.at(right)
        return float(np.sum(sums * (right - left)) / 6 / (end - start))

    def at(self, psnr: _Floats) -> _Floats:
        """Evaluate the cubic Hermite pieces."""
        piece = np.clip(np.searchsorted(self.knots, psnr, "right") - 1, 0, len(self.knots) - 2)
        width = self.knots[piece + 1] - self.knots[piece]
        t = (psnr - self.knots[piece]) / width
        from_left = (1 + 2 * t) * self.values[piece] + t * width * self.slopes[piece]
        from_right = (3 - 2 * t) * self.values[piece + 1] - (1 - t) * width * self.slopes[piece + 1]
        result: _Floats = (1 - t) ** 2 * from_left + t**2 * from_right
        return result


def _pchip_slopes(x: _Floats, y: _Floats) -> _Floats:
    """Return the slopes at the knots: weighted harmonic means of the neighbouring secants."""
    width = np.diff(x)
    secant = np.diff(y) / width
    if len(x) == 2:
        return np.repeat(secant, 2)
    slopes = np.zeros_like(x)
    for k in range(1, len(x) - 1):
        if secant[k - 1] * secant[k] > 0:  # else a turning point: slope 0
            weights = width[k - 1] + 2 * width[k], 2 * width[k - 1] + width[k]
            slopes[k] = sum(weights) / (weights[0] / secant[k - 1] + weights[1] / secant[k])
    slopes[0] = _end_slope(width[0], width[1], secant[0], secant[1])
    slopes[-1] = _end_slope(width[-1], width[-2], secant[-1], secant[-2])
    return slopes


def _end_slope(near: float, far: float, near_secant: float, far_secant: float) -> float:
    """Return the three-point estimate at an end, limited so that the curve stays monotone."""
    slope = ((2 * near + far) * near_secant - near * far_secant) / (near + far)
    if slope * near_secant <= 0:
        return 0.0
    if near_secant * far_secant <= 0 and abs(slope) > 3 * abs(near_secant):
        return 3 * near_secant
    return slope
