"""Few numbers correct slow errors, identically for every division of a picture."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lbbic_engine.layout.coarse import CELL, Correction, best_step, fit, grid_shape


@pytest.fixture
def values() -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(-9, 10, (3, 4, 3))


def test_corrections_are_interpolated_between_the_centres_of_cells() -> None:
    values = np.zeros((3, 3, 3), np.int64)
    values[1, 1, 0] = 16  # luma
    change = Correction(values, step=8).of_rows(0, 3 * CELL, 3 * CELL)
    assert change.max() == 16
    middle = CELL + CELL // 2
    assert (change[middle - 1 : middle + 1, middle - 1 : middle + 1] == 16).all()
    line = change[middle, middle : middle + CELL, 1]
    assert (np.diff(line) <= 0).all()
    assert line[CELL // 2] == pytest.approx(8, abs=1)
    assert not change[: CELL // 2 - 1].any()


def test_colours_change_as_the_format_specifies() -> None:
    for number, colours in ((0, (2, 2, 2)), (1, (2, 0, -2)), (2, (-2, 2, -2))):
        values = np.zeros((1, 1, 3), np.int64)
        values[..., number] = 1
        assert (Correction(values, step=16).of_rows(0, 9, 7) == colours).all()
    assert (Correction(np.ones((1, 1, 1), np.int64), step=16).of_rows(0, 9, 7) == 2).all()


def test_corrections_of_rows_equal_those_of_the_whole_picture(values: NDArray[np.int64]) -> None:
    correction = Correction(values, step=11)
    pixels = np.random.default_rng(2).integers(0, 256, (85, 110, 3), dtype=np.uint8)
    whole = correction.of_rows(0, 85, 110)
    corrected = correction.add(pixels, 0)
    assert np.array_equal(corrected, (whole + pixels.astype(int)).clip(0, 255))
    for first, last in ((0, 8), (8, 64), (64, 85)):
        assert np.array_equal(correction.of_rows(first, last - first, 110), whole[first:last])
        assert np.array_equal(correction.add(pixels[first:last], first), corrected[first:last])


@pytest.mark.parametrize("step", [1, 255])
def test_extreme_corrections_do_not_overflow(step: int) -> None:
    for sign in (-1, 1):
        values = np.full((2, 2, 3), sign * 2**12)
        change = Correction(values, step).of_rows(0, 40, 40)
        assert (np.sign(change[..., 1]) == sign).all()
        assert np.abs(change).max() <= 3 * 255


@pytest.mark.parametrize("grey", [False, True])
def test_slow_errors_are_fitted_and_small_ones_ignored(grey: bool) -> None:
    y, x = np.mgrid[0:150, 0:200]
    slow = np.stack([x / 20 - 3, 4 - y / 20, (x + y) / 50], axis=2)
    slow = np.repeat(slow[..., :1], 3, axis=2) if grey else slow
    decoded = np.random.default_rng(3).integers(40, 200, slow.shape, dtype=np.uint8)
    original = (decoded + slow.round()).astype(np.uint8)
    values = fit(original, decoded, 8, grey=grey)
    assert values.shape == grid_shape(150, 200, grey=grey)
    corrected = Correction(values, 8).add(decoded, 0)
    errors = [np.square(original - each.astype(float)).mean() for each in (decoded, corrected)]
    assert errors[1] < errors[0] / 4
    assert not fit(decoded + np.uint8(1), decoded, 24, grey=grey).any()


def test_numbers_allow_for_the_parts_of_neighbouring_ones() -> None:
    decoded = np.full((4 * CELL, 4 * CELL, 3), 100, np.uint8)
    original = decoded.copy()
    original[CELL : 2 * CELL, CELL : 2 * CELL] += 8  # an area of its own colour
    numbers = fit(original, decoded, 8, grey=True)[..., 0]
    assert numbers[1, 1] > 8  # interpolation takes some of it away


def test_colours_are_rounded_to_the_nearest_step_but_luma_down() -> None:
    decoded = np.full((CELL, CELL, 3), 100, np.uint8)
    luma = decoded + np.uint8(5)
    colour = decoded + np.array([5, 0, -5]).astype(np.uint8)
    assert not fit(luma, decoded, 72, grey=False).any()  # steps of 9
    assert fit(colour, decoded, 72, grey=False)[0, 0].tolist() == [0, 1, 0]


def test_steps_are_finer_where_errors_cost_more() -> None:
    steps = [best_step(bits) for bits in (1e-12, 6e-4, 6e-3, 6e-2, 1e6)]
    assert steps == sorted(steps, reverse=True)
    assert (steps[0], steps[-1]) == (255, 1)
