"""Pictures stored exactly: drawings, which take fewer bytes as lossless WebP than as coded blocks.

A photograph must not pay for the attempt. So a few bands of its rows are tried first, fast, and
say what the whole would take at best: some 0.5 % of the time of coding.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lbbic_engine.bitstream import lossless
from lbbic_engine.bitstream.chunks import Segment
from lbbic_engine.bitstream.container import NO_WEIGHTS, Container
from lbbic_engine.coding.results import Pixels
from lbbic_engine.config import ModelConfig
from lbbic_engine.layout.tiles import cut, tile_rows

LAYOUT = ModelConfig(from_middle=False)  # how the picture is cut into tiles and blocks

_BAND_ROWS, _BAND_EVERY = 16, 128
_SMALL = 2**18  # pixels of a picture that is tried as a whole
# What a dense encoder makes of a fast one's bytes, at best: of drawings, which have long repeats,
# and of all else. By screenshots, plots, icons and photographs.
_DRAWING_BPP, _DRAWING_SHARE, _SHARE = 2.0, 0.35, 0.75


def stored_exactly(coded: Container, pixels: Pixels) -> Container | None:
    """The file of a picture (height, width, 3) without a loss, unless that takes more bytes."""
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
        exact=True,
    )


def _at_best(pixels: Pixels) -> float:
    """Bytes that the picture takes, by a few of its rows."""
    height, width, _ = pixels.shape
    bands = _bands(pixels)
    rows = sum(map(len, bands))
    per_row = sum(len(lossless.encode(band, lossless.FAST)) for band in bands) / rows
    is_drawing = 8 * per_row / width < _DRAWING_BPP
    return float(per_row * height * (_DRAWING_SHARE if is_drawing else _SHARE))


def _bands(pixels: Pixels) -> Sequence[Pixels]:
    """All rows of a small picture, each eighth band of others."""
    if pixels.size <= 3 * _SMALL:
        return [pixels]
    tops = range(_BAND_ROWS, len(pixels), _BAND_EVERY)
    return [np.ascontiguousarray(pixels[top : top + _BAND_ROWS]) for top in tops]
