"""Stores pictures without loss if that takes no more bytes than coding them, as for many drawings.

The attempt must cost little for photographs. So a few bands of rows are tried with a fast encoder
first, to estimate the size at best. This takes some 0.5 % of the time to code.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lbbic_engine.bitstream import lossless
from lbbic_engine.bitstream.chunks import Segment
from lbbic_engine.bitstream.container import NO_WEIGHTS, Container
from lbbic_engine.bitstream.lossless import Pixels
from lbbic_engine.config import ModelConfig
from lbbic_engine.layout.tiles import cut, tile_rows

LAYOUT = ModelConfig(from_middle=False)  # how the picture is cut into tiles and blocks

_BAND_ROWS, _BAND_EVERY = 16, 128
_SMALL = 2**18  # pixels of a picture that is tried as a whole
# A fast encoder finds no repeats, and a dense one may make 3 % of its bytes of a drawing. Of what
# takes more, as photographs do, it makes three quarters at best.
_DRAWING_BPP, _SHARE = 3.0, 0.75


def stored_exactly(coded: Container, pixels: Pixels) -> Container | None:
    """Return the lossless file of a picture (height, width, 3), or None if it has more bytes."""
    height, width, _ = pixels.shape
    size = LAYOUT.block_size
    rows_each = tile_rows(height, width, size)
    tiles = cut(0, height, width, LAYOUT, rows_each)
    left = sum(len(segment.stream) for segment in coded.segments)
    if max(width, tiles[0].rows * size) > lossless.MAX_SIDE or _at_best(pixels) > left:
        return None
    segments = []
    for tile in tiles:
        stream = lossless.encode(pixels[tile.pixel_rows(size)])
        left -= len(stream)
        if left < 0:
            return None
        segments.append(Segment(tile.number, 0, stream))
    return replace(
        coded,
        tile_block_rows=rows_each,
        weights_id=NO_WEIGHTS,
        pixels_crc=zlib.crc32(pixels.data),
        segments=tuple(segments),
        strength=0,
        quality_map=None,
        exact=True,
        filter_weights=None,
        coarse=None,
    )


def _at_best(pixels: Pixels) -> float:
    """Estimate the bytes of the lossless picture, at best, from a few of its rows."""
    height, width, _ = pixels.shape
    bands = _bands(pixels)
    rows = sum(map(len, bands))
    per_row = sum(len(lossless.encode(band, lossless.FAST)) for band in bands) / rows
    is_drawing = 8 * per_row / width < _DRAWING_BPP
    return 0.0 if is_drawing else float(per_row * height * _SHARE)


def _bands(pixels: Pixels) -> Sequence[Pixels]:
    """All rows of a small picture, every eighth band of others."""
    if pixels.size <= 3 * _SMALL:
        return [pixels]
    tops = range(_BAND_ROWS, len(pixels), _BAND_EVERY)
    return [np.ascontiguousarray(pixels[top : top + _BAND_ROWS]) for top in tops]
