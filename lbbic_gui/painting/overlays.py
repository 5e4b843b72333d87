"""Maps over the picture: each block's bits, error and decoding order; and their colours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from lbbic_gui.jobs.messages import Coded, Pixels
from lbbic_gui.style.text import tr

# Anchors of viridis: perceptually uniform, and safe for colour-blind eyes.
_ANCHORS = (
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
)


class Overlay(Enum):
    """The overlays on the picture."""

    NONE = "none"
    GRID = "grid"
    BITS = "bits"
    ERROR = "error"
    ORDER = "order"

    def title(self) -> str:
        return {
            Overlay.NONE: tr("None"),
            Overlay.GRID: tr("Grid"),
            Overlay.BITS: tr("Bits"),
            Overlay.ERROR: tr("Error"),
            Overlay.ORDER: tr("Decode order"),
        }[self]


@dataclass(frozen=True)
class Map:
    """A map to paint, one pixel per block, and what its darkest and lightest colours mean.

    ``words`` are for one value, to be formatted.
    """

    values: NDArray[np.float32]
    image: QImage
    low: str
    high: str
    unit: str
    words: str

    def value_at(self, row: int, column: int) -> str:
        return self.words.format(self.values[row, column])


def _colour_table() -> Pixels:
    """The 256 colours (256, 4), BGRX."""
    anchors = np.array(_ANCHORS, np.float64)
    places = np.linspace(0, len(anchors) - 1, 256)
    columns = [np.interp(places, range(len(anchors)), anchors[:, k]) for k in (2, 1, 0)]
    return np.stack([*columns, np.full(256, 255.0)], axis=1).astype(np.uint8)


TABLE = _colour_table()


def make_map(overlay: Overlay, coded: Coded) -> Map | None:
    """The map of an overlay; None if it has none (none, grid, no original to compare with)."""
    picture = coded.picture
    match overlay:
        case Overlay.BITS:
            return _map(picture.bits, tr("bits per block"), tr("{:.1f} bits"))
        case Overlay.ERROR if coded.errors is not None:
            return _map(coded.errors, tr("MSE"), tr("MSE {:.2f}"))
        case Overlay.ORDER:
            steps, words = picture.order.astype(np.float32) + 1, tr("decoded in step {:.0f}")
            return _map(steps, tr("step"), words, whole=True)
    return None


def _map(values: NDArray[np.float32], unit: str, words: str, *, whole: bool = False) -> Map:
    low, high = float(values.min()), float(values.max())
    if not whole:  # a few extreme blocks must not darken all others
        low, high = 0.0, max(float(np.quantile(values, 0.995)), 1e-6)
    levels = ((values - low) * (255 / max(high - low, 1e-6))).clip(0, 255).astype(np.uint8)
    pixels = np.ascontiguousarray(TABLE[levels])
    height, width = values.shape
    format_ = QImage.Format.Format_RGB32
    image = QImage(pixels.data, width, height, 4 * width, format_).copy()
    top = f"{high:.0f}" if whole else f"≥ {high:.3g}"
    return Map(values, image, f"{low:.0f}", top, unit, words)


def difference(original: Pixels, result: Pixels, gain: int) -> Pixels:
    """The largest difference of a pixel's colours times ``gain``, as colours of the table."""
    apart = np.maximum(original, result)
    apart -= np.minimum(original, result)
    blue, green, red, _ = np.moveaxis(apart, 2, 0)
    # whole pixels of one table for this gain: ten times as fast as byte by byte
    colours = TABLE[np.minimum(np.arange(256) * gain, 255)].view(np.uint32)[:, 0]
    levels = np.maximum(np.maximum(blue, green), red)
    pixels: Pixels = colours[levels].view(np.uint8).reshape(*levels.shape, 4)
    return pixels
