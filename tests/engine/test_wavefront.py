import numpy as np
import pytest

from lbbic_engine.wavefront import NEIGHBOURS, fronts, neighbours

GRIDS = [(1, 1), (1, 7), (7, 1), (5, 2), (64, 96), (3, 40)]


@pytest.mark.parametrize(("rows", "columns"), GRIDS)
def test_every_block_is_coded_once_and_after_its_context(rows: int, columns: int) -> None:
    around = neighbours(rows, columns)
    done = np.zeros(rows * columns + 1, bool)
    done[-1] = True  # the outside is always known
    for front in fronts(rows, columns):
        assert len(front) > 0
        assert done[around[front]].all()
        assert not done[front].any()
        done[front] = True
    assert done.all()


def test_a_kodak_picture_takes_222_fronts_and_254_upright() -> None:
    assert len(fronts(64, 96)) == 222
    assert len(fronts(96, 64)) == 254


@pytest.mark.parametrize(("rows", "columns"), GRIDS)
def test_neighbours_are_the_four_of_the_mask_or_the_outside(rows: int, columns: int) -> None:
    around = neighbours(rows, columns)
    for block in range(rows * columns):
        row, column = divmod(block, columns)
        for found, (row_step, column_step) in zip(around[block], NEIGHBOURS, strict=True):
            r, c = row + row_step, column + column_step
            inside = 0 <= r < rows and 0 <= c < columns
            assert found == (r * columns + c if inside else rows * columns)
