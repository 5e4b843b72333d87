"""How good a picture is and how one codec stands against another: PSNR, MS-SSIM, BD-rate.

Pictures are 8-bit arrays as a user gets them, never a codec's unrounded floats. The surprise:
MS-SSIM averages a padding zero into the halved scales at odd sizes, because the implementations
that published figures come from do so. Pictures are worked on in strips: the memory stays small.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lbbic_engine.errors import LbbicError

Picture = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float64]
_Plane = Picture | _Floats

MS_SSIM_SMALLEST_SIDE_PX = 176  # five scales with an 11-tap window: 11 · 2⁴
_MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli, Bovik 2003
_WINDOW_TAPS, _WINDOW_SIGMA = 11, 1.5
_STRIP_ROWS = 64
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(a: Picture, b: Picture) -> float:
    """Return the PSNR in dB of two 8-bit pictures of one shape; infinite where they are equal."""
    _check_same_shape(a, b)
    squares = 0
    for rows in _strips(len(a)):
        error = np.subtract(a[rows], b[rows], dtype=np.int16)
        squares += int(np.square(error, dtype=np.int32).sum(dtype=np.int64))
    mse = squares / a.size
    return math.inf if mse == 0 else 10 * math.log10(255**2 / mse)


def ms_ssim(a: Picture, b: Picture) -> float | None:
    """Return the mean MS-SSIM of the colours of two (height, width, 3) pictures.

    None where the smaller side is below 176 pixels: the fifth scale would not hold the window.
    """
    _check_same_shape(a, b)
    if min(a.shape[:2]) < MS_SSIM_SMALLEST_SIDE_PX:
        return None

    colours = zip(np.moveaxis(a, 2, 0), np.moveaxis(b, 2, 0), strict=True)
    return float(np.mean([_ms_ssim_of_plane(x, y) for x, y in colours]))


@dataclass(frozen=True)
class Curve:
    """A rate–distortion curve: mean bits per pixel against mean RGB PSNR in dB."""

    name: str
    source: str
    bpp: tuple[float, ...]
    psnr: tuple[float, ...]

    def save(self, path: Path | str) -> None:
        """Write the curve as JSON, in the format that `load_curve` reads."""
        Path(path).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Results:
    """What CompressAI's evaluation writes: means over pictures, one value a quality.

    ``ms_ssim`` is empty where some picture is too small to have one.
    """

    name: str
    description: str
    bpp: tuple[float, ...]
    psnr: tuple[float, ...]
    ms_ssim: tuple[float, ...]
    encoding_time: tuple[float, ...]
    decoding_time: tuple[float, ...]

    def document(self) -> dict[str, object]:
        """The JSON document in CompressAI's format."""
        results = {
            "bpp": self.bpp,
            "psnr-rgb": self.psnr,
            "ms-ssim-rgb": self.ms_ssim,
            "encoding_time": self.encoding_time,
            "decoding_time": self.decoding_time,
        }
        found = {name: list(values) for name, values in results.items() if values}
        return {"name": self.name, "description": self.description, "results": found}


def load_curve(path: Path | str) -> Curve:
    """Read a curve from JSON: an object with `name`, `source` and equally long `bpp`, `psnr`.

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
        return Curve(str(fields["name"]), str(fields["source"]), bpp, psnr_db)
    except (OSError, ValueError, KeyError, TypeError) as error:
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


def _check_same_shape(a: Picture, b: Picture) -> None:
    if a.shape != b.shape:
        raise ValueError(f"pictures of different shape: {a.shape} and {b.shape}")


def _strips(height: int, overlap: int = 0) -> Iterator[slice]:
    """Yield the rows of a picture in strips that have ``overlap`` rows in common."""
    for top in range(0, height - overlap, _STRIP_ROWS):
        yield slice(top, min(top + _STRIP_ROWS + overlap, height))


def _ms_ssim_of_plane(a: Picture, b: Picture) -> float:
    """Return the MS-SSIM of one colour, (height, width)."""
    x: _Plane = a
    y: _Plane = b
    product = 1.0
    for scale, weight in enumerate(_MS_SSIM_WEIGHTS):
        if scale:
            x, y = _halve(x), _halve(y)
        similarity = _similarity(x, y, whole=scale == len(_MS_SSIM_WEIGHTS) - 1)
        product *= max(similarity, 0.0) ** weight
    return product


def _halve(x: _Plane) -> _Floats:
    """Average 2×2 pixels; odd sides get a zero before and after."""
    even: npt.NDArray[Any] = np.pad(x, [(side % 2, side % 2) for side in x.shape])
    even = even[: even.shape[0] // 2 * 2, : even.shape[1] // 2 * 2]
    sums = even[::2, ::2].astype(np.float64)
    for part in (even[1::2, ::2], even[::2, 1::2], even[1::2, 1::2]):
        sums += part
    return sums / 4


def _similarity(x: _Plane, y: _Plane, *, whole: bool) -> float:
    """Return the mean of SSIM's contrast–structure map, times luminance for the ``whole``."""
    height, width = (side - _WINDOW_TAPS + 1 for side in x.shape)
    total = 0.0
    for rows in _strips(len(x), _WINDOW_TAPS - 1):
        luminance, structure = _ssim_terms(x[rows].astype(np.float64), y[rows].astype(np.float64))
        total += float(np.sum(luminance * structure if whole else structure))
    return float(total / (height * width))


def _ssim_terms(x: _Floats, y: _Floats) -> tuple[_Floats, _Floats]:
    """Return SSIM's luminance and contrast–structure maps."""
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x * mean_x
    variance_y = _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x * mean_x + mean_y * mean_y + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return luminance, structure


def _blur(x: _Floats) -> _Floats:
    """Filter with the Gaussian window, columns then rows, where it lies wholly inside."""
    half = _WINDOW_TAPS // 2
    window = np.exp(-((np.arange(_WINDOW_TAPS) - half) ** 2) / (2 * _WINDOW_SIGMA**2))
    window /= window.sum()
    for _ in range(2):  # columns, then rows: the picture is turned each time
        count = len(x) - _WINDOW_TAPS + 1
        blurred = window[half] * x[half : half + count]
        for tap in range(half):  # the window is symmetric
            last = _WINDOW_TAPS - 1 - tap
            blurred += window[tap] * (x[tap : tap + count] + x[last : last + count])
        x = blurred.T
    return x


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
