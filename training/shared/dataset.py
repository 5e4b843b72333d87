"""Training pictures: a folder read into memory, crops drawn from it. No networks."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from lbbic_engine.pictures.find import READABLE_FORMATS, pillow_suffixes

HELD_OUT_EVERY = 40
MAX_ENLARGEMENT = 2.0
MAX_GRAIN = 5.0  # of 255, before enlarging

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Dataset:
    """Pictures (H, W, 3) to train on, uint8, and others that are only measured on."""

    pictures: Sequence[Tensor]
    held_out: Sequence[Pixels]


def load(folder: Path, min_side: int) -> Dataset:
    """Read every picture below ``folder`` whose sides are at least ``min_side``.

    Every 40th of them, in the order of their names, is held out. ValueError if none is left.
    """
    with ThreadPoolExecutor(2) as pool:
        read_all = pool.map(read, picture_paths(folder))
        large = [p for p in read_all if min(p.shape[:2]) >= min_side]
    if len(large) < 2:
        raise ValueError(
            f"{folder}: at least two pictures of {min_side} pixels or more per side are needed"
        )
    held_out = large[::HELD_OUT_EVERY]
    pictures = [torch.from_numpy(p) for i, p in enumerate(large) if i % HELD_OUT_EVERY]
    return Dataset(pictures, held_out)


def picture_paths(folder: Path) -> list[Path]:
    """The pictures below a folder, in the order of their names.

    Raises OSError if it cannot be read, ValueError if there are none.
    """
    next(folder.iterdir(), None)  # rglob finds nothing in a folder that does not exist
    suffixes = pillow_suffixes()
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes)
    if not paths:
        raise ValueError(f"{folder}: there is no picture in it")
    return paths


def read(path: Path) -> Pixels:
    """A picture (H, W, 3)."""
    with Image.open(path, formats=READABLE_FORMATS) as image:
        return np.array(image.convert("RGB"))


def draw_crops(
    pictures: Sequence[Tensor],
    count: int,
    side: int,
    random: np.random.Generator,
    soft_share: float = 0.0,
) -> Tensor:
    """Crops (count, side, side, 3), each place of each picture equally likely, mirrored and turned.

    A ``soft_share`` of them is enlarged up to two times, with grain, since pictures shrunk for a
    data set are sharper and cleaner than those of a camera. Crops are on the device of the
    pictures; the grain is drawn by torch.
    """
    areas = np.array([p.shape[0] * p.shape[1] for p in pictures], dtype=float)
    crops = []
    for index in random.choice(len(pictures), count, p=areas / areas.sum()):
        soft = soft_share > 0 and random.random() < soft_share
        cut = round(side / random.uniform(1, MAX_ENLARGEMENT)) if soft else side
        height, width, _ = pictures[index].shape
        top, left = random.integers(height - cut + 1), random.integers(width - cut + 1)
        crop = pictures[index][top : top + cut, left : left + cut]
        if soft:
            crop = _enlarge(crop, side, random.uniform(0, MAX_GRAIN))
        crop = crop.flip([axis for axis in (0, 1) if random.integers(2)])
        crops.append(crop.transpose(0, 1) if random.integers(2) else crop)
    return torch.stack(crops)


def _enlarge(crop: Tensor, side: int, grain: float) -> Tensor:
    """A crop (h, w, 3) with noise of the deviation ``grain``, then enlarged."""
    noisy = (crop.float() + grain * torch.randn(crop.shape, device=crop.device)).movedim(-1, 0)
    larger = functional.interpolate(noisy[None], (side, side), mode="bicubic")[0].movedim(0, -1)
    return larger.round().clamp(0, 255).to(torch.uint8)


def centre_crops(pictures: Sequence[Pixels], count: int, height: int, width: int) -> list[Pixels]:
    """Crops (height, width, 3) from the middle of the first pictures that are large enough."""
    crops = []
    for picture in pictures:
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        if min(top, left) >= 0:
            crops.append(picture[top : top + height, left : left + width])
    return crops[:count]
