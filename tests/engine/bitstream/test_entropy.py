import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lbbic_engine.bitstream.entropy import SymbolDecoder, SymbolEncoder, decode_together
from lbbic_engine.bitstream.tables import TOTAL, ProbabilityTables, build_tables, fold, unfold
from lbbic_engine.errors import CorruptDataError

INT32 = st.integers(-(2**31), 2**31 - 1)


def small_tables() -> ProbabilityTables:
    """Alternate between levels of width 8 and of width 16."""
    widths = np.array([8, 16] * 5, np.int32)
    counts = np.zeros((len(widths), 16), np.int32)
    for row, width in zip(counts, widths, strict=True):
        row[:width] = 2 ** np.arange(width)[::-1]
        row[0] += TOTAL - row.sum()
    return build_tables(counts, widths)


def code(levels: NDArray[np.uint8], symbols: NDArray[np.int32]) -> bytes:
    encoder = SymbolEncoder(small_tables())
    encoder.encode(levels, symbols)
    return encoder.finish()


@given(
    st.lists(st.tuples(st.integers(0, 9), INT32 | st.integers(-9, 9)), max_size=60),
    st.integers(1, 5),
)
def test_any_int32_round_trips(pairs: list[tuple[int, int]], width: int) -> None:
    pairs = pairs[: len(pairs) // width * width]
    levels = np.array([level for level, _ in pairs], np.uint8).reshape(-1, width)
    symbols = np.array([symbol for _, symbol in pairs], np.int32).reshape(-1, width)
    decoder = SymbolDecoder(small_tables(), code(levels, symbols))
    assert np.array_equal(decoder.decode(levels), symbols)


def test_several_calls_share_one_stream() -> None:
    random = np.random.default_rng(3)
    sizes = ((5, 1), (1, 7), (60, 5))
    calls = [(random.integers(0, 3, size), random.integers(-40, 40, size)) for size in sizes]
    encoder = SymbolEncoder(small_tables())
    for levels, symbols in calls:
        encoder.encode(levels, symbols.astype(np.int32))
    decoder = SymbolDecoder(small_tables(), encoder.finish())
    for levels, symbols in calls:
        assert np.array_equal(decoder.decode(levels), symbols)


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 9), INT32 | st.integers(-9, 9)), max_size=9)),
    st.integers(1, 3),
)
def test_parts_of_rows_decode_together_as_they_do_alone(
    parts: list[list[tuple[int, int]]], width: int
) -> None:
    """Twice, so that each stream continues; a part may be empty, but not all of them."""
    parts = [[(3, 1)], *parts]
    tables, levels, symbols = small_tables(), [], []
    for part in parts:
        pairs = np.array(part, np.int64).reshape(-1, 2).repeat(width, axis=0)
        levels.append(pairs[:, 0].astype(np.uint8).reshape(-1, width))
        symbols.append(pairs[:, 1].astype(np.int32).reshape(-1, width))
    encoders = [SymbolEncoder(tables) for _ in parts]
    for _ in range(2):
        for encoder, *values in zip(encoders, levels, symbols, strict=True):
            encoder.encode(*values)
    decoders = [SymbolDecoder(tables, encoder.finish()) for encoder in encoders]
    bounds = np.cumsum([0, *map(len, levels)]).tolist()
    for _ in range(2):
        together = decode_together(decoders, bounds, np.concatenate(levels))
        assert np.array_equal(together, np.concatenate(symbols))


def test_zeros_at_level_0_are_not_coded() -> None:
    random = np.random.default_rng(5)
    levels = random.integers(1, 10, (200, 6)).astype(np.uint8)
    symbols = random.integers(-9, 10, (200, 6)).astype(np.int32)
    among_zeros = np.zeros((2, 200, 12), np.int32)
    among_zeros[:, :, ::2] = levels, symbols
    assert code(among_zeros[0].astype(np.uint8), among_zeros[1]) == code(levels, symbols)


def test_a_non_zero_at_level_0_costs_only_its_own_row() -> None:
    levels, symbols = np.zeros((500, 40), np.uint8), np.zeros((500, 40), np.int32)
    nothing = len(code(levels, symbols))
    symbols[250, 7] = -3
    assert nothing <= 4
    assert len(code(levels, symbols)) - nothing <= 8


def test_the_stream_is_within_half_a_percent_of_the_information() -> None:
    tables = small_tables()
    random = np.random.default_rng(4)
    levels = np.ones((20000, 1), np.uint8)
    bits = tables.bits()[1, :-1].astype(float)
    probabilities = 2.0**-bits
    folded = random.choice(len(bits), 20000, p=probabilities / probabilities.sum())
    information = bits[folded].sum() / 8
    size = len(code(levels, unfold(folded).astype(np.int32)[:, None]))
    assert size <= information * 1.005 + 8


def test_entropy_coded_bytes_do_not_change() -> None:
    """A change in the coder's library that changes streams would make old files unreadable."""
    number = np.arange(500).reshape(100, 5)
    levels = number % 3
    symbols = (number * number * 31 % 23 - 11).astype(np.int32)
    digest = hashlib.sha256(code(levels.astype(np.uint8), symbols)).hexdigest()
    assert digest[:16] == "896bc7018867a6c2"


def test_folding_orders_symbols_by_magnitude_and_is_invertible() -> None:
    symbols = np.array([0, -1, 1, -2, 2, -(2**31), 2**31 - 1])
    assert fold(symbols)[:5].tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(unfold(fold(symbols)), symbols)


@given(st.binary(max_size=80))
def test_arbitrary_streams_decode_or_are_reported(stream: bytes) -> None:
    try:
        decoder = SymbolDecoder(small_tables(), stream)
        assert len(decoder.decode(np.arange(200).reshape(50, 4) % 3)) == 50
    except CorruptDataError:
        pass


@pytest.mark.parametrize("spoil", [0, -5])
def test_damaged_tables_are_refused(spoil: int) -> None:
    counts = np.array([[TOTAL - 7, *[1] * 7]], np.int32)
    build_tables(counts, np.array([8], np.int32))
    counts[0, 3] = spoil
    with pytest.raises(ValueError, match="damaged"):
        build_tables(counts, np.array([8], np.int32))
