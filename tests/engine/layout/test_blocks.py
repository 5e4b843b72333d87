import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lbbic_engine.layout.blocks import grid, merge_blocks, split_blocks


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([4, 8, 16]))
def test_merging_inverts_splitting(height: int, width: int, size: int) -> None:
    pixels = np.random.default_rng(height * 41 + width).integers(0, 256, (height, width, 3))
    blocks = split_blocks(pixels.astype(np.uint8), size)
    rows, columns = grid(height, width, size)
    assert blocks.shape == (rows * columns, 3 * size * size)
    assert np.array_equal(merge_blocks(blocks, height, width, size), pixels)


def test_block_values_are_ordered_by_row_then_column_then_colour() -> None:
    pixels = np.arange(16 * 16 * 3, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 3)
    block = split_blocks(pixels, 8)[3]
    assert np.array_equal(block.reshape(8, 8, 3), pixels[8:, 8:])


def test_padding_repeats_the_last_row_and_column() -> None:
    pixels = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    block = split_blocks(pixels, 8)[0].reshape(8, 8, 3)
    assert (block[:, 3:] == block[:, 2:3]).all()
    assert (block[3:] == block[2]).all()
