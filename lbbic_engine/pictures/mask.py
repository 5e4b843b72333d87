"""Reads a mask: a grey picture whose brightness sets the quality of another one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.pictures.files.opening import Source
from lbbic_engine.pictures.read import load_picture

SPAN = 2.0  # how much higher the quality is where the mask is white, and lower where it is black


def read_mask(source: Source) -> NDArray[np.float64]:
    """Return offsets (height, width) of the quality.

    They range from -``SPAN`` where the mask is black to ``SPAN`` where it is white, and are 0 where
    it is transparent. Raises as ``load_picture``.
    """
    mask = load_picture(source)
    offsets: NDArray[np.float64] = SPAN * (mask.pixels.mean(axis=2) / 127.5 - 1)
    return offsets if mask.alpha is None else offsets * (mask.alpha / 255)
