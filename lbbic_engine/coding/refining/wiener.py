"""A filter that an encoder fits to each tile of a refined picture: a Wiener filter.

What decoded pixels lack depends on the picture, too: on its grain and sharpness, on how its camera
or an earlier file has treated its colours. So the weights of the filter are in the file. It adds
to each pixel multiples of the differences between means of pixels around it and the pixel itself:

    luma      of 3 × 3, 5 × 5, 7 × 7 pixels; of the two pixels at a distance of two on the left and
              right, above and below; of 5 × 5 clipped to 2 and 6 8-bit steps, of 3 × 3 to 2
    red-blue  of 3 × 3, 5 × 5, 7 × 7 pixels; of 5 × 5 clipped to 2 steps; of 5 × 5 in luma; of
              3 × 3 in green
    green     the same; the last one in red-blue

A grey picture has luma alone. Everything is in integers. Refined values are in ``PARTS`` of an
8-bit step; planes are luma times four (R + 2G + B), R - B and 2G - R - B.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.coding.refining.padded_tile import PaddedTile

Pixels = NDArray[np.uint8]
Values = NDArray[np.int16]  # of pixels, 0…255 * PARTS
Weights = NDArray[np.int8]
Plane = NDArray[np.int32]
Term = tuple[int, Plane]  # a factor, and what it multiplies
Place = tuple[slice, slice]

PARTS = 16
RADIUS = 3  # pixels
WEIGHTS = 20  # of a tile
GREY_WEIGHTS = 8

_PART_BITS = 4
_SIDES = (3, 5, 7)
# Sums of differences are multiplied by a weight and one of these, so that the steps of weights are
# about 1/200 (luma), 1/100 (luma, clipped), 1/50 (others) of a difference of means.
_LUMA_FACTORS = {3: 4, 5: 2, 7: 1}
_PAIR_FACTOR = 16
_CLIPPED_FACTORS = {3: 8, 5: 4}
_COLOUR_FACTORS = {3: 16, 5: 8, 7: 4}
_CROSS_FACTOR = 2  # of luma, which is times four
_STEP = 4 * PARTS, PARTS, 2 * PARTS  # an 8-bit one of luma, red-blue, green
_SUM_BITS = 13
_DROPPED = 4  # of these bits, before planes are put together
_ROWS, _COLUMNS, _BAND = 32, 1024, 256  # at once: for a processor's cache, and for memory

# What a step of a plane adds to red, green and blue, in quarters.
_TO_RGB = np.array([[1, 1, 1], [2, 0, -2], [-1, 1, -1]])


def weight_count(*, grey: bool) -> int:
    """How many weights a tile has."""
    return GREY_WEIGHTS if grey else WEIGHTS


def to_pixels(values: Values) -> Pixels:
    """Values rounded to 8 bits."""
    pixels = np.empty(values.shape, np.uint8)
    for first in range(0, len(values), _BAND):
        part = values[first : first + _BAND] + (PARTS >> 1)
        part >>= _PART_BITS
        pixels[first : first + _BAND] = part
    return pixels


def filtered(values: Values, weights: Weights) -> Pixels:
    """Return pixels (h, w, …, 3) from values (h + 2 * RADIUS, w + 2 * RADIUS, …, 3).

    ``weights`` (8,) change luma alone.
    """
    height, width = (side - 2 * RADIUS for side in values.shape[:2])
    pixels = np.empty((height, width, *values.shape[2:]), np.uint8)
    for place, around in _parts(height, width):
        part = values[around]
        left, changes = weights.tolist(), []
        for terms in _terms(part, grey=len(weights) == GREY_WEIGHTS):
            changes.append(_weighted(terms, left[: len(terms)]))
            left = left[len(terms) :]
        inner = part[RADIUS:-RADIUS, RADIUS:-RADIUS]
        _add(inner, changes, pixels[place])
    return pixels


def filtered_blocks(
    tile: PaddedTile[np.int16], indexes: NDArray[np.int64], weights: Weights
) -> Pixels:
    """Return the blocks (n, 3B²) at raster indexes (n,), filtered, of a tile of refined values."""
    blocks = filtered(tile.surroundings(indexes), weights)
    return blocks.transpose(2, 0, 1, 3).reshape(len(indexes), 3 * len(blocks) ** 2)


def fit(values: Values, original: Pixels, *, grey: bool) -> Weights:
    """Return the weights that bring values (h + 2 * RADIUS, w + 2 * RADIUS, 3) nearest to a tile.

    ``original`` (h, w, 3) is the tile.
    """
    count = weight_count(grey=grey)
    gram, matches = np.zeros((count, count)), np.zeros((count, 3))
    for place, around in _parts(*original.shape[:2]):
        part = values[around]
        missing = original[place].astype(np.int16) * PARTS
        missing -= part[RADIUS:-RADIUS, RADIUS:-RADIUS]
        columns = np.empty((count, missing.size // 3))
        planes = _terms(part, grey=grey)
        for column, (factor, term) in zip(columns, itertools.chain(*planes), strict=True):
            np.multiply(term.ravel(), factor, out=column)
        gram += columns @ columns.T  # sums of integers that doubles hold exactly
        matches += columns @ missing.reshape(-1, 3).astype(np.float64)
    to_rgb = np.repeat(_TO_RGB[: len(planes)], [len(terms) for terms in planes], axis=0)
    gram *= to_rgb @ to_rgb.T
    scale = np.sqrt(np.maximum(np.diag(gram), 1))
    goal = (4 << _SUM_BITS) * (matches * to_rgb).sum(axis=1)
    solution = np.linalg.lstsq(gram / np.outer(scale, scale), goal / scale, rcond=1e-6)[0]
    weights: Weights = np.rint(solution / scale).clip(-127, 127).astype(np.int8)
    return weights


def _parts(height: int, width: int) -> Iterator[tuple[Place, Place]]:
    """Yield the places of parts of the pixels, and those of the values that they depend on."""
    for top, left in itertools.product(range(0, height, _ROWS), range(0, width, _COLUMNS)):
        bottom, right = top + _ROWS, left + _COLUMNS
        around = slice(top, bottom + 2 * RADIUS), slice(left, right + 2 * RADIUS)
        yield (slice(top, bottom), slice(left, right)), around


def _terms(values: Values, *, grey: bool) -> list[list[Term]]:
    """What the weights of each plane are for."""
    red, green, blue = np.moveaxis(values, -1, 0).astype(np.int32, order="C")
    planes = [red + 2 * green + blue]
    if not grey:
        planes += [red - blue, 2 * green - red - blue]
    sums = [_differences(plane) for plane in planes]
    luma = [(_LUMA_FACTORS[side], sums[0][side]) for side in _SIDES]
    luma += [(_PAIR_FACTOR, pair) for pair in _pairs(planes[0])]
    luma += [
        (_CLIPPED_FACTORS[side], _clipped(sums[0][side], side * side * steps * _STEP[0]))
        for side, steps in ((5, 2), (5, 6), (3, 2))
    ]
    by_plane = [luma]
    for number in range(1, len(planes)):
        own = [(_COLOUR_FACTORS[side], sums[number][side]) for side in _SIDES]
        own.append((_COLOUR_FACTORS[5], _clipped(sums[number][5], 25 * 2 * _STEP[number])))
        own.append((_CROSS_FACTOR, sums[0][5]))
        own.append((_COLOUR_FACTORS[3], sums[3 - number][3]))
        by_plane.append(own)
    return by_plane


def _differences(plane: Plane) -> dict[int, Plane]:
    """Sums of the differences between the squares around each pixel and the pixel, by side."""
    height, width = (side - 2 * RADIUS for side in plane.shape[:2])
    centre = plane[RADIUS:-RADIUS, RADIUS:-RADIUS]
    lines, sums = plane[RADIUS:-RADIUS], {}
    for side in _SIDES:
        reach = side // 2
        above, below = RADIUS - reach, RADIUS + reach
        lines = lines + plane[above : above + height] + plane[below : below + height]
        total = lines[:, below : below + width] - side * side * centre
        pairs = lines[:, :-1] + lines[:, 1:]
        for left in range(above, below, 2):
            total += pairs[:, left : left + width]
        sums[side] = total
    return sums


def _pairs(plane: Plane) -> tuple[Plane, Plane]:
    """Sums of the differences from the two pixels at a distance of two, across and down."""
    inner = slice(RADIUS, -RADIUS)
    before, after = slice(RADIUS - 2, -RADIUS - 2), slice(RADIUS + 2, 2 - RADIUS)
    twice = 2 * plane[inner, inner]
    across = plane[inner, before] + plane[inner, after] - twice
    return across, plane[before, inner] + plane[after, inner] - twice


def _clipped(plane: Plane, most: int) -> Plane:
    return plane.clip(-most, most)


def _weighted(terms: Sequence[Term], weights: Sequence[int]) -> Plane:
    """Sum of the terms, in ``_SUM_BITS - _DROPPED`` fraction bits."""
    total = np.full(terms[0][1].shape, 1 << _DROPPED - 1, np.int32)
    for (factor, term), weight in zip(terms, weights, strict=True):
        if weight:
            total += term * np.int32(factor * weight)
    total >>= _DROPPED
    return total


def _add(values: Values, changes: Sequence[Plane], out: Pixels) -> None:
    """Write values (h, w, …, 3) changed by those of their planes as pixels to ``out``."""
    bits = _SUM_BITS - _DROPPED + 2
    luma = changes[0] + (1 << bits + _PART_BITS - 1)
    if len(changes) == 1:
        by_colour = [luma, luma, luma]
    else:
        red_blue, green = 2 * changes[1], changes[2]
        by_colour = [luma + red_blue - green, luma + green, luma - red_blue - green]
    for colour, change in enumerate(by_colour):
        total = (values[..., colour].astype(np.int32) << bits) + change
        total >>= bits + _PART_BITS
        out[..., colour] = total.clip(0, 255, out=total)
