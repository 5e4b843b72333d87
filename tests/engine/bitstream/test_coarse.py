"""Coarse grids of numbers round-trip, and take few bytes where neighbours are similar."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbbic_engine.bitstream import coarse
from lbbic_engine.bitstream.tables import ProbabilityTables
from lbbic_engine.errors import CorruptDataError
from lbbic_engine.networks import weights


@pytest.fixture(scope="module")
def tables() -> ProbabilityTables:
    return weights.load(weights.by_name(weights.DEFAULT), "cpu").tables


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("spread", [0, 0.3, 3, 300])
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 1), (9, 1, 3), (6, 8, 3)])
def test_coarse_numbers_round_trip(
    tables: ProbabilityTables, shape: tuple[int, int, int], spread: float
) -> None:
    values = np.random.default_rng(1).normal(0, spread, shape).round().astype(np.int64)
    values[0, 0] = coarse.BOUND
    back, step = coarse.decode(coarse.encode(values, 7, tables), shape, tables)
    assert np.array_equal(back, values)
    assert step == 7


@pytest.mark.usefixtures("tiny")
def test_numbers_like_their_neighbours_take_few_bits(tables: ProbabilityTables) -> None:
    same = np.full((16, 16, 3), 5)
    mixed = same * np.random.default_rng(1).choice([-1, 1], same.shape)
    assert len(coarse.encode(same, 1, tables)) < len(coarse.encode(mixed, 1, tables)) / 4
    assert len(coarse.encode(0 * same, 1, tables)) <= 12


@pytest.mark.usefixtures("tiny")
@given(body=st.binary(max_size=40), grey=st.booleans())
def test_arbitrary_bytes_decode_or_are_reported_as_damage(
    tables: ProbabilityTables, body: bytes, grey: bool
) -> None:
    shape = 5, 4, 1 if grey else 3
    try:
        values, step = coarse.decode(body, shape, tables)
    except CorruptDataError:
        return
    assert values.shape == shape
    assert np.abs(values).max() <= coarse.BOUND
    assert 1 <= step <= 255
