"""Refines whole tiles: as a decoder does, and in all the ways from which an encoder chooses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.coding.assemble import in_grey
from lbbic_engine.coding.refining import wiener
from lbbic_engine.coding.refining.padded_tile import PaddedTile, neighbourhoods
from lbbic_engine.coding.refining.tile_refiner import STRENGTHS, TileRefiner
from lbbic_engine.coding.refining.wiener import Weights
from lbbic_engine.layout.blocks import merge_blocks, split_blocks
from lbbic_engine.layout.tiles import Tile
from lbbic_engine.networks.block_model import Quality
from lbbic_engine.networks.refinement import Refinement

Pixels = NDArray[np.uint8]

FILTER_OVERHEAD = 6  # bytes of an F chunk besides its body


@dataclass(frozen=True)
class Candidate:
    """A reconstruction of a tile, its squared error, and the weights of its filter, if any."""

    pixels: Pixels
    error: int
    weights: Weights | None = None


def refine_tile(
    refinement: Refinement,
    index: Quality,
    tile: Tile,
    pixels: Pixels,
    strength: int,
    weights: Weights | None,
    here: NDArray[np.bool_] | None = None,
) -> Pixels:
    """Refine a tile (height, width, 3), and filter it if there are weights.

    ``here`` (n,) tells which blocks are decoded, by default all. Blocks without all of their
    neighbours are not refined; those without all neighbours refined are not filtered.
    """
    height, width, _ = pixels.shape
    size = refinement.config.block_size
    refiner = TileRefiner(refinement, index, tile.grid, height, width)
    refiner.tile.place(pixels)
    refined = _surrounded(tile, np.ones(tile.blocks, bool) if here is None else here)
    parts = refiner.refine(np.flatnonzero(refined), [strength])
    if weights is None or not weights.any():
        blocks = split_blocks(pixels, size)
        for part, (values,) in parts:
            blocks[part] = wiener.to_pixels(values)
        return merge_blocks(blocks, height, width, size)
    padded = PaddedTile(np.int16, tile.grid, size, wiener.RADIUS, height, width)
    for part, (values,) in parts:
        padded.place_blocks(part, values)
    padded.repeat_edges()
    filtered = _surrounded(tile, refined)
    if filtered.all():
        return wiener.filtered(padded.with_ring(), weights)
    blocks = split_blocks(pixels, size)
    blocks[refined] = wiener.to_pixels(padded.blocks(np.flatnonzero(refined)))
    blocks[filtered] = wiener.filtered_blocks(padded, np.flatnonzero(filtered), weights)
    return merge_blocks(blocks, height, width, size)


def refined_candidates(
    refinement: Refinement,
    index: Quality,
    tile: Tile,
    pixels: Pixels,
    original: Pixels,
    *,
    grey: bool,
    error_bits: float,
) -> dict[int, Candidate]:
    """Refine a tile (height, width, 3) with each strength.

    With the best one for this tile it is filtered, too, if that is worth its bytes. A squared error
    of 1 is worth ``error_bits``.
    """
    height, width, _ = pixels.shape
    size = refinement.config.block_size
    refiner = TileRefiner(refinement, index, tile.grid, height, width)
    refiner.tile.place(pixels)
    tiles = {
        strength: PaddedTile(np.int16, tile.grid, size, wiener.RADIUS, height, width)
        for strength in STRENGTHS
    }
    for part, by_strength in refiner.refine(np.arange(tile.blocks), STRENGTHS):
        for padded, values in zip(tiles.values(), by_strength, strict=True):
            padded.place_blocks(part, values)
    inner = slice(wiener.RADIUS, -wiener.RADIUS)
    candidates = {}
    for strength, padded in tiles.items():
        plain = wiener.to_pixels(padded.with_ring()[inner, inner])
        candidates[strength] = _candidate(plain, original, None, grey=grey)
    best = min(candidates, key=lambda strength: candidates[strength].error)
    padded = tiles.pop(best)
    tiles.clear()
    padded.repeat_edges()
    weights = wiener.fit(padded.with_ring(), original, grey=grey)
    pixels = wiener.filtered(padded.with_ring(), weights)
    filtered = _candidate(pixels, original, weights, grey=grey)
    saved = error_bits * (candidates[best].error - filtered.error)
    if saved > 8 * (len(weights) + FILTER_OVERHEAD):
        candidates[best] = filtered
    return candidates


def _candidate(
    pixels: Pixels, original: Pixels, weights: Weights | None, *, grey: bool
) -> Candidate:
    pixels = in_grey(pixels) if grey else pixels
    return Candidate(pixels, squared_error(original, pixels), weights)


def squared_error(original: Pixels, pixels: Pixels) -> int:
    """Sum of squared errors over a picture (height, width, 3)."""
    rows = (np.subtract(*pair, dtype=np.int64) for pair in zip(original, pixels, strict=True))
    return sum(int(np.vdot(row, row)) for row in rows)


def _surrounded(tile: Tile, here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which blocks (n,) are here with all of their neighbours in the tile."""
    around = np.append(here, True)[neighbourhoods(tile.grid)]
    result: NDArray[np.bool_] = np.logical_and.reduce(around, axis=1)
    return result
