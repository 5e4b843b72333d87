"""How a decoded picture looks beside its original: measures other than PSNR and MS-SSIM, by name.

Two of them need something that is not always there: the package ``ssimulacra2``, and the program
``butteraugli_main`` of libjxl (Debian's libjxl-devtools).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.errors import LbbicError
from lbbic_engine.measure.ssimulacra2 import require_package, ssimulacra2

Pixels = NDArray[np.uint8]

BLOCK = 8  # pixels, side of the squares that seams are looked for between
FOLD = 16  # pixels, side of what a colour is averaged over
_BUTTERAUGLI = "butteraugli_main"
_RGB_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
_LUMA = np.array([0.299, 0.587, 0.114])


def butteraugli(original: Pixels, decoded: Pixels) -> float:
    """The 3-norm of Butteraugli's map of differences: 0 for none."""
    with TemporaryDirectory(prefix="lbbic-") as folder:
        paths = [Path(folder, name) for name in ("original.png", "decoded.png")]
        for path, pixels in zip(paths, (original, decoded), strict=True):
            Image.fromarray(pixels).save(path)
        program = shutil.which(_BUTTERAUGLI) or _BUTTERAUGLI
        run = subprocess.run([program, *paths], capture_output=True, text=True, check=False)
    found = re.search(r"3-norm: (\S+)", run.stdout)
    if run.returncode or not found:
        raise LbbicError("Butteraugli failed", run.stderr.strip() or run.stdout.strip())
    return float(found[1])


def seam_ratio(original: Pixels, decoded: Pixels) -> float:
    """Steps of luma over the borders of blocks, against those inside; 1 for the original's."""
    first, second = _step_ratio(original), _step_ratio(decoded)
    return second / first


def _step_ratio(pixels: Pixels) -> float:
    luma = pixels @ _LUMA
    borders, inside = 0.0, 0.0
    for rows in (luma, luma.T):
        steps = np.abs(np.diff(rows, axis=0)).mean(axis=1)
        at_border = np.arange(1, len(rows)) % BLOCK == 0
        borders += float(steps[at_border].mean()) if at_border.any() else 0.0
        inside += float(steps[~at_border].mean()) if len(steps) else 0.0
    return (borders + 1e-6) / (inside + 1e-6)


def colour_error(original: Pixels, decoded: Pixels) -> float:
    """Mean ΔE (CIE 1976) of colours averaged over squares of ``FOLD`` pixels: what drifts."""
    means = []
    for pixels in (original, decoded):
        height, width, _ = pixels.shape
        size = max(1, width // FOLD), max(1, height // FOLD)
        small = Image.fromarray(pixels).resize(size, Image.Resampling.BOX)
        means.append(_lab(np.asarray(small)))
    return float(np.sqrt(np.square(means[0] - means[1]).sum(axis=2)).mean())


def _lab(pixels: Pixels) -> NDArray[np.float64]:
    """CIELAB (D65) of sRGB pixels (height, width, 3)."""
    values = pixels / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _RGB_TO_XYZ.T / (_RGB_TO_XYZ.sum(axis=1))
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, 2, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=2)


def _require_butteraugli() -> None:
    if shutil.which(_BUTTERAUGLI) is None:
        raise LbbicError(
            f"{_BUTTERAUGLI} is not installed", "It is part of libjxl (Debian: libjxl-devtools)."
        )


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Measure:
    """``sign`` is 1 where more is better, -1 where less is, 0 where it makes no curve.

    ``low`` and ``high`` bound the range in which curves are compared.
    """

    heading: str
    compute: Callable[[Pixels, Pixels], float]
    require: Callable[[], object]  # LbbicError where it cannot be computed here
    sign: int
    low: float = -np.inf
    high: float = np.inf


MEASURES = {
    "ssimulacra2": Measure("SSIMULACRA 2", ssimulacra2, require_package, 1, 30, 85),
    "butteraugli": Measure("Butteraugli", butteraugli, _require_butteraugli, -1),
    "seams": Measure("seams", seam_ratio, _nothing, 0),
    "colour": Measure("colour ΔE", colour_error, _nothing, 0),
}
