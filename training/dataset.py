"""Training pictures: a folder read into memory, crops drawn from it. No networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SUFFIXES = {".png", ".avif", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}
HELD_OUT_EVERY = 40

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Dataset:
    """Pictures (H, W, 3) to train on, and others that are only measured on."""

    pictures: Sequence[Pixels]
    held_out: Sequence[Pixels]


def load(folder: Path, min_side: int) -> Dataset:
    """Reads every picture below ``folder`` whose sides are at least ``min_side``.

    Every 40th of them, in the order of their names, is held out. ValueError if none is left.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    with ThreadPoolExecutor(2) as pool:
        found = [p for p in pool.map(_read, paths) if min(p.shape[:2]) >= min_side]
    if len(found) < 2:
        raise ValueError(f"{folder}: at least two pictures of {min_side} pixels a side are needed")
    held_out = found[::HELD_OUT_EVERY]
    return Dataset([p for i, p in enumerate(found) if i % HELD_OUT_EVERY], held_out)


def _read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


class Place(NamedTuple):
    """Where a crop is cut, and whether it is mirrored, then turned (rows for columns)."""

    picture: int
    rows: slice
    columns: slice
    mirrored: bool
    turned: bool


def draw_places(
    sizes: Sequence[tuple[int, ...]], count: int, side: int, random: np.random.Generator
) -> Iterator[Place]:
    """Places of square crops in pictures of (height, width), each of them equally likely."""
    areas = np.array([height * width for height, width in sizes], dtype=float)
    for index in random.choice(len(sizes), count, p=areas / areas.sum()):
        height, width = sizes[index]
        top, left = random.integers(height - side + 1), random.integers(width - side + 1)
        rows, columns = slice(top, top + side), slice(left, left + side)
        yield Place(index, rows, columns, bool(random.integers(2)), bool(random.integers(2)))


def draw_crops(
    pictures: Sequence[Pixels], count: int, side: int, random: np.random.Generator
) -> Iterator[Pixels]:
    """Crops (side, side, 3) of ``draw_places``."""
    for place in draw_places([p.shape[:2] for p in pictures], count, side, random):
        crop = pictures[place.picture][place.rows, place.columns]
        crop = crop[:, ::-1] if place.mirrored else crop
        yield crop.transpose(1, 0, 2) if place.turned else crop


def centre_crops(pictures: Sequence[Pixels], count: int, height: int, width: int) -> list[Pixels]:
    """Crops (height, width, 3) from the middle of the first pictures that are large enough."""
    crops = []
    for picture in pictures:
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        if min(top, left) >= 0:
            crops.append(picture[top : top + height, left : left + width])
    return crops[:count]
