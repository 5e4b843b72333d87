"""A picture that says where another is to be better: what people paint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.pictures.read import load_picture

SPAN = 2.0  # by how much the quality of white is higher, that of black lower


def read_mask(path: Path) -> NDArray[np.float64]:
    """Offsets (height, width) of the quality: from ``SPAN`` where the picture is white to its
    negative where it is black, 0 in the middle. Raises as ``load_picture``.
    """
    grey: NDArray[np.float64] = load_picture(path).pixels.mean(axis=2)
    return SPAN * (grey / 127.5 - 1)
