"""Measures of picture quality: PSNR and MS-SSIM.

Both compare 8-bit pictures, never unrounded floats. Like the implementations behind published
figures, MS-SSIM pads odd sizes with zeros when it halves the resolution. Pictures are processed in
strips to save memory.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

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
    """Filter with the Gaussian window, columns then rows, where it fits completely."""
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
