import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lbbic_engine.entropy import SymbolDecoder, SymbolEncoder
from lbbic_engine.errors import CorruptDataError
from lbbic_engine.tables import TOTAL, ProbabilityTables, build_tables, fold, unfold

INT32 = st.integers(-(2**31), 2**31 - 1)


def small_tables() -> ProbabilityTables:
    """Three levels: two of width 8, one of width 16."""
    widths = np.array([8, 16, 8], np.int32)
    counts = np.zeros((3, 16), np.int32)
    for row, width in zip(counts, widths, strict=True):
        row[:width] = 2 ** np.arange(width)[::-1]
        row[0] += TOTAL - row.sum()
    return build_tables(counts, widths)


def code(levels: NDArray[np.uint8], symbols: NDArray[np.int32]) -> bytes:
    encoder = SymbolEncoder(small_tables())
    encoder.encode(levels, symbols)
    return encoder.finish()


@given(st.lists(st.tuples(st.integers(0, 2), INT32 | st.integers(-9, 9)), max_size=60))
def test_any_int32_survives(pairs: list[tuple[int, int]]) -> None:
    levels = np.array([level for level, _ in pairs], np.uint8)
    symbols = np.array([symbol for _, symbol in pairs], np.int32)
    decoder = SymbolDecoder(small_tables(), code(levels, symbols))
    assert np.array_equal(decoder.decode(levels), symbols)


def test_several_calls_share_one_stream() -> None:
    random = np.random.default_rng(3)
    calls = [(random.integers(0, 3, n), random.integers(-40, 40, n)) for n in (5, 1, 300)]
    encoder = SymbolEncoder(small_tables())
    for levels, symbols in calls:
        encoder.encode(levels, symbols.astype(np.int32))
    decoder = SymbolDecoder(small_tables(), encoder.finish())
    for levels, symbols in calls:
        assert np.array_equal(decoder.decode(levels), symbols)


def test_the_stream_is_within_half_a_percent_of_the_information() -> None:
    tables = small_tables()
    random = np.random.default_rng(4)
    levels = np.full(20000, 1)
    bits = tables.bits()[1, :-1].astype(float)
    probabilities = 2.0**-bits
    folded = random.choice(len(bits), 20000, p=probabilities / probabilities.sum())
    information = bits[folded].sum() / 8
    size = len(code(levels.astype(np.uint8), unfold(folded).astype(np.int32)))
    assert size <= information * 1.005 + 8


def test_the_bytes_are_those_of_the_first_release() -> None:
    """A change of the coder's library that changes streams makes old files unreadable."""
    number = np.arange(500)
    levels = number % 3
    symbols = (number * number * 31 % 23 - 11).astype(np.int32)
    digest = hashlib.sha256(code(levels.astype(np.uint8), symbols)).hexdigest()
    assert digest[:16] == "92fff7efe06433cd"


def test_folding_puts_small_symbols_first_and_is_undone() -> None:
    symbols = np.array([0, -1, 1, -2, 2, -(2**31), 2**31 - 1])
    assert fold(symbols)[:5].tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(unfold(fold(symbols)), symbols)


@given(st.binary(max_size=80))
def test_noise_decodes_to_something_or_is_reported(stream: bytes) -> None:
    try:
        decoder = SymbolDecoder(small_tables(), stream)
        assert len(decoder.decode(np.arange(200) % 3)) == 200
    except CorruptDataError:
        pass


@pytest.mark.parametrize("spoil", [0, -5])
def test_damaged_tables_are_refused(spoil: int) -> None:
    counts = np.array([[TOTAL - 7, *[1] * 7]], np.int32)
    build_tables(counts, np.array([8], np.int32))
    counts[0, 3] = spoil
    with pytest.raises(ValueError, match="damaged"):
        build_tables(counts, np.array([8], np.int32))
