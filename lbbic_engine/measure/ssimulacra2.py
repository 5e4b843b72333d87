"""SSIMULACRA 2: how good a picture looks beside its original, from 100 (no difference) downwards.

30 is low, 50 medium, 70 high, 90 visually lossless. The steps are those of the package
``ssimulacra2``, which is optional; its blur is replaced by the reference's (libjxl), from which
scipy's differs enough to move a score by a point: taps of Charalampidis' truncated cosines
("Recursive implementation of the Gaussian filter using truncated cosine functions", 2016), zeros
around the picture.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.errors import Cancelled, LbbicError
from lbbic_engine.resources import install_hint

_SIGMA = 1.5
MIN_SIDE = 8  # pixels, of a scale


def ssimulacra2(
    original: NDArray[np.uint8],
    decoded: NDArray[np.uint8],
    cancelled: Callable[[], bool] | None = None,
) -> float:
    """The score of a picture (height, width, 3); LbbicError where the package is missing.

    Cancelled once ``cancelled`` returns True, which is asked several times for each scale.
    """

    def blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
        if cancelled is not None and cancelled():
            raise Cancelled
        return _blur(image)

    steps = require_package()
    linear = [steps.srgb_to_linear(pixels) for pixels in (original, decoded)]
    score = steps.Msssim()
    for _ in range(steps.kNumScales):
        if min(linear[0].shape[:2]) < MIN_SIDE:
            break
        # The package turns the picture here; its own blur is not the same in both directions.
        one, other = (steps.make_positive_xyb(steps.linear_rgb_to_xyb(each)) for each in linear)
        mean_one, mean_other = blur(one), blur(other)
        moments = (blur(a * b) for a, b in ((one, one), (other, other), (one, other)))
        scale = steps.MsssimScale()
        scale.avg_ssim = steps.ssim_map(mean_one, mean_other, *moments)
        scale.avg_edgediff = steps.edge_diff_map(one, mean_one, other, mean_other)
        score.scales.append(scale)
        linear = [steps.downsample(each, 2, 2) for each in linear]
    return float(score.score())


def is_installed() -> bool:
    """Whether the package is there; it is not imported."""
    return find_spec("ssimulacra2") is not None


def require_package() -> Any:
    """The package's module of steps; LbbicError where it is missing."""
    try:
        return importlib.import_module("ssimulacra2.ssimulacra2")
    except ImportError:
        raise LbbicError("ssimulacra2 is not installed", install_hint("ssimulacra2")) from None


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    taps = _taps()
    radius = len(taps) // 2
    for axis in (0, 1):
        rows = np.moveaxis(image, axis, 0)
        padded = np.pad(rows, ((radius, radius), (0, 0), (0, 0)))
        count = len(rows)
        blurred = taps[radius] * rows
        for tap in range(radius):
            last = 2 * radius - tap
            blurred += taps[tap] * (padded[tap : tap + count] + padded[last : last + count])
        image = np.moveaxis(blurred, 0, axis)
    return image


@cache
def _taps() -> tuple[float, ...]:
    """The Gaussian as a sum of three cosines, cut off at the reference's radius."""
    radius = round(3.2795 * _SIGMA + 0.2546)
    omega = np.array([1, 3, 5]) * math.pi / (2 * radius)
    p = np.array([1, -1, 1]) / np.tan(omega / 2)
    r = p**2 * np.array([1, -1, 1]) / np.sin(omega)
    rho = np.exp(-(_SIGMA**2) / 2 * omega**2) / radius
    d_13, d_35, d_51 = (p[i] * r[j] - r[i] * p[j] for i, j in ((0, 1), (1, 2), (2, 0)))
    zeta = np.array([d_35 / d_13, d_51 / d_13, 1])
    beta = np.linalg.solve(np.stack([p, r, zeta]), [1, radius**2 - _SIGMA**2, float(zeta @ rho)])
    distances = np.abs(np.arange(-radius, radius + 1))
    return tuple((np.cos(np.outer(distances, omega)) @ beta).tolist())
