"""Bits and distortion of every block, compared with the whole file and picture."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.measure import metrics
from lbbic_engine.measure.block_maps import block_maps
from lbbic_engine.pictures.read import load_picture

pytestmark = pytest.mark.usefixtures("tiny")


def test_errors_of_blocks_sum_to_that_of_the_picture(photograph: Any) -> None:
    original = photograph[:61, :83]  # the last row and column of blocks are incomplete
    compressed = codec.compress(load_picture(Image.fromarray(original)), 5)
    maps = block_maps(compressed.data, original)
    mse = maps.squared_error.sum() / original.size
    assert 10 * np.log10(255**2 / mse) == pytest.approx(
        metrics.psnr(original, compressed.reconstruction)
    )
    assert maps.values.sum() == original.size
    payload = 8 * codec.read_info(compressed.data).payload_bytes
    assert maps.bits.sum() == pytest.approx(payload, rel=0.02, abs=64)
    assert maps.bits.min() > 0


def test_a_lost_block_stands_out_in_the_map(photograph: Any) -> None:
    compressed = codec.compress(load_picture(Image.fromarray(photograph)), 5)
    other = photograph.copy()
    other[16:24, 32:40] ^= 255
    changed = block_maps(compressed.data, other).mse - block_maps(compressed.data, photograph).mse
    assert np.argwhere(changed).tolist() == [[2, 4]]


def test_tables_and_maps_have_an_entry_for_each_block(photograph: Any) -> None:
    compressed = codec.compress(load_picture(Image.fromarray(photograph)), 5)
    maps = block_maps(compressed.data, photograph)
    lines = maps.csv().decode().splitlines()
    assert lines[0] == "row,column,bits,mse"
    assert len(lines) == 1 + 9 * 13
    row, column, bits, mse = (float(value) for value in lines[-1].split(","))
    assert (row, column) == (8, 12)
    assert bits == pytest.approx(maps.bits[-1, -1], abs=1e-3)
    assert mse == pytest.approx(maps.mse[-1, -1], abs=1e-3)
    with Image.open(io.BytesIO(maps.png())) as image:
        assert image.size == (2 * 104 + 8, 72)
        assert image.getextrema() == (0, 255) or image.getextrema()[1] == 255
