"""Compares models of different block sizes area by area.

Each model codes the whole picture; a codec that mixed block sizes would have different contexts at
their borders. Areas are squares of the size of the largest block. Their cost is bits plus λ times
squared error, with the λ of the requested quality for all models.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.config import lmbda, quality_index
from lbbic_engine.errors import LbbicError
from lbbic_engine.measure.block_maps import BlockMaps, block_maps
from lbbic_engine.networks import weights
from lbbic_engine.pictures.read import load_picture

# The winners' tints, in the order of the models (Okabe and Ito's palette).
TINTS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167))
TINT_SHARE = 0.45


@dataclass(frozen=True)
class Contest:
    """The costs of all areas with each model."""

    models: list[str]
    block_sizes: list[int]
    qualities: list[float]
    place_px: int  # side of an area
    lmbda: float
    bits: NDArray[np.float64]  # (models, rows, columns)
    cost: NDArray[np.float64]  # (models, rows, columns), in bits
    pixels: int  # of the picture

    @property
    def winner(self) -> NDArray[np.int64]:
        """The number of the cheapest model of each place (rows, columns)."""
        return self.cost.argmin(axis=0)

    def __str__(self) -> str:
        lines = ["model                 block  quality     bpp   R + λD  wins"]
        for i, name in enumerate(self.models):
            bpp, cost = self.bits[i].sum() / self.pixels, self.cost[i].sum() / self.pixels
            lines.append(
                f"{name:20}  {self.block_sizes[i]:5d}  {self.qualities[i]:7g}  {bpp:6.4f}  "
                f"{cost:7.4f}  {100 * (self.winner == i).mean():3.0f} %"
            )
        best = self.cost.min(axis=0).sum() / self.pixels
        alone = self.cost.sum(axis=(1, 2)).min() / self.pixels
        lines.append(f"each place by its best: {best:.4f}, {100 * (best / alone - 1):+.1f} %")
        return "\n".join(lines)

    def csv(self) -> str:
        """A line for each place: its costs in bits, and the winner."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["row", "column", *self.models, "winner"])
        for (row, column), i in np.ndenumerate(self.winner):
            costs = [f"{value:.2f}" for value in self.cost[:, row, column]]
            writer.writerow([row, column, *costs, self.models[i]])
        return text.getvalue()

    def image(self, pixels: NDArray[np.uint8]) -> Image.Image:
        """The picture in grey, each place in its winner's tint."""
        size = self.place_px
        tints = np.array(TINTS, float)[self.winner].repeat(size, axis=0).repeat(size, axis=1)
        grey = pixels.mean(axis=2, keepdims=True)
        tinted = (1 - TINT_SHARE) * grey + TINT_SHARE * tints[: len(grey), : grey.shape[1]]
        return Image.fromarray(tinted.round().astype(np.uint8))


def compete(picture: Path, models: Sequence[str], quality: float) -> Contest:
    """Code a picture with models of different block sizes and compare them at a quality's λ.

    Models with a single quality use theirs, others ``quality``. LbbicError if block sizes do not
    divide each other, or for more than four models.
    """
    if not 2 <= len(models) <= len(TINTS):
        raise LbbicError("No contest", f"It takes from two to {len(TINTS)} models.")
    pixels = load_picture(picture).pixels
    configs = [weights.by_name(name).config for name in models]
    place = max(config.block_size for config in configs)
    if any(place % config.block_size for config in configs):
        raise LbbicError("No contest", "The largest block must hold the smaller ones.")
    value = lmbda(quality)
    maps: list[BlockMaps] = []
    qualities = []
    for name, config in zip(models, configs, strict=True):
        offered = config.offers(quality_index(quality))
        chosen = quality if offered else config.default_quality
        compressed = codec.compress(load_picture(picture), chosen, weights=name)
        maps.append(block_maps(compressed.data, pixels))
        qualities.append(compressed.quality)
    bits = np.stack([_places(m.bits, place // m.block_size) for m in maps])
    error = np.stack([_places(m.squared_error, place // m.block_size) for m in maps])
    return Contest(
        models=list(models),
        block_sizes=[config.block_size for config in configs],
        qualities=qualities,
        place_px=place,
        lmbda=value,
        bits=bits,
        # λ weighs the mean over three colours on the 0…1 range, R counts bits per pixel.
        cost=bits + value * error / (3 * 255**2),
        pixels=pixels.shape[0] * pixels.shape[1],
    )


def _places(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Sums over squares of count × count blocks; those at the end may be incomplete."""
    rows, columns = values.shape
    padded = np.pad(values, ((0, -rows % count), (0, -columns % count)))
    return padded.reshape(len(padded) // count, count, -1, count).sum(axis=(1, 3))
