"""Symbols to bytes and back, with constriction's range coder. Numbers only, no networks.

Symbols of one call are rows of numbers. Most of them have level 0, at which they are hardly ever
anything but 0: they take no bits and, what matters more, no time. A row that has another one there
is *significant*. This is coded of every row first; the levels of a significant row are at least
``SIGNIFICANT_LEVEL``.

Then the symbols of levels above 0 are coded stage by stage (``tables``): all of them at the first,
those larger than its row at the next. Those beyond the last follow as Elias-gamma codes of the
excess, so that every int32 survives.
"""

from __future__ import annotations

import math
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from lbbic_engine.bitstream.tables import WIDTHS, Integers, ProbabilityTables, fold, unfold
from lbbic_engine.errors import CorruptDataError, damaged

_FAMILY = constriction.stream.model.Categorical(perfect=False)
_UNIFORM = constriction.stream.model.Uniform()
_LENGTH = constriction.stream.model.Uniform(34)  # bits of a folded excess: 0…33
_CHUNK_BITS = 16
_SIGNIFICANT = constriction.stream.model.Categorical(
    np.array([1 - 2**-12, 2**-12], np.float32), perfect=False
)
SIGNIFICANT_LEVEL = 8  # about one symbol in 25 is not 0
_MIN_ROW_BITS = -math.log2(1 - 2**-12)  # of a row that is not significant, all at level 0
_UNFOLDED = unfold(np.arange(WIDTHS[-1])).astype(np.int32)  # of all that are no escapes

Symbols = NDArray[np.int32]
Levels = NDArray[np.integer]


def max_rows(stream_bytes: int) -> int:
    """How many rows of symbols an encoder's stream of so many bytes can stand for."""
    return int(8 * stream_bytes / _MIN_ROW_BITS)


class SymbolEncoder:
    """Collects the symbols of one segment."""

    def __init__(self, tables: ProbabilityTables) -> None:
        self._tables = tables
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        """Appends symbols (n, width) whose scale levels are ``levels`` (n, width)."""
        significant = ((levels == 0) & (symbols != 0)).any(axis=1).astype(np.int32)
        self._coder.encode(significant, _SIGNIFICANT)
        levels, coded = _coded(levels, significant)
        if len(coded):
            self._encode(levels, symbols.ravel()[coded])

    def _encode(self, levels: Levels, symbols: Symbols) -> None:
        rest = fold(symbols.astype(np.int64))
        for rows in self._tables.stages:
            larger = rows.shape[1] - 1
            values = np.minimum(rest, larger).astype(np.int32)
            self._coder.encode(values, _FAMILY, rows.take(levels, axis=0))
            (chosen,) = (values == larger).nonzero()
            if not len(chosen):
                return
            rest, levels = rest[chosen] - larger, levels[chosen]
        self._encode_excess(rest)

    def _encode_excess(self, excess: NDArray[np.int64]) -> None:
        lengths = np.frexp(excess.astype(np.float64))[1].astype(np.int32)  # bit lengths, exact
        self._coder.encode(lengths, _LENGTH)
        for first, bits in _chunks(lengths):
            chosen = bits > 0
            if chosen.any():
                part = (excess >> first) & ((1 << bits) - 1)
                sizes = (1 << bits[chosen]).astype(np.int32)
                self._coder.encode(part[chosen].astype(np.int32), _UNIFORM, sizes)

    def finish(self) -> bytes:
        """The segment's bytes: little-endian 32-bit words."""
        return bytes(self._coder.get_compressed().astype("<u4").tobytes())


class EndOfStream(CorruptDataError):
    """What comes next is not in the data."""

    def __init__(self) -> None:
        super().__init__("Truncated file", "A part of the picture is missing.")


class SymbolDecoder:
    """Gives the symbols of one segment back, in the order in which they were encoded.

    Of a stream that is not ``whole`` it gives those that its beginning determines, then raises
    EndOfStream.
    """

    def __init__(self, tables: ProbabilityTables, stream: bytes, *, whole: bool = True) -> None:
        if len(stream) % 4:
            raise damaged("A part of it has the wrong length.")
        self._tables = tables
        words = np.frombuffer(stream, dtype="<u4").astype(np.uint32)
        decoder = constriction.stream.queue.RangeDecoder if whole else _BeginningDecoder
        self._coder = decoder(words)

    def decode(self, levels: Levels) -> Symbols:
        """Symbols (n, width) of the scale levels (n, width); CorruptDataError if there are none."""
        symbols = np.zeros(levels.shape, np.int32)
        try:
            levels, coded = _coded(levels, self._coder.decode(_SIGNIFICANT, len(levels)))
            if len(coded):
                symbols.ravel()[coded] = self._decode(levels)
        except AssertionError as error:
            raise damaged("A part of it cannot be decoded.") from error
        return symbols

    def _decode(self, levels: Levels) -> Symbols:
        folded = self._decode_stage(0, levels)
        if folded.dtype == np.int64:
            return unfold(np.minimum(folded, 2**32 - 1)).astype(np.int32)
        return _UNFOLDED.take(folded)

    def _decode_stage(self, stage: int, levels: Levels) -> Integers:
        """Folded symbols, less those of the stages before; int64 where there are escapes."""
        if stage == len(self._tables.stages):
            return self._decode_excess(len(levels))
        rows = self._tables.stages[stage]
        values: Integers = self._coder.decode(_FAMILY, rows.take(levels, axis=0))
        larger = rows.shape[1] - 1
        (chosen,) = (values == larger).nonzero()
        if len(chosen):
            rest = self._decode_stage(stage + 1, levels[chosen])
            if rest.dtype == np.int64:
                values = values.astype(np.int64)
            values[chosen] += rest
        return values

    def _decode_excess(self, count: int) -> NDArray[np.int64]:
        lengths = self._coder.decode(_LENGTH, count)
        excess = np.where(lengths > 0, 1 << np.maximum(lengths.astype(np.int64) - 1, 0), 0)
        for first, bits in _chunks(lengths):
            chosen = bits > 0
            if chosen.any():
                sizes = (1 << bits[chosen]).astype(np.int32)
                part = self._coder.decode(_UNIFORM, sizes).astype(np.int64)
                excess[chosen] |= part << first
        return excess


class _BeginningDecoder:
    """Decodes the beginning of a stream for as long as it does not matter how that goes on.

    What is decoded grows with the number that the stream is. So what the least and the greatest
    continuation agree on is what all do, and they disagree before they end.
    """

    def __init__(self, words: NDArray[np.uint32]) -> None:
        self._coders = [
            constriction.stream.queue.RangeDecoder(np.append(words, np.full(2, word, np.uint32)))
            for word in (0, 2**32 - 1)
        ]

    def decode(self, *models: Any) -> NDArray[np.int32]:
        least, greatest = (coder.decode(*models) for coder in self._coders)
        if not np.array_equal(least, greatest):
            raise EndOfStream
        return np.asarray(least)


def _coded(levels: Levels, significant: NDArray[np.int32]) -> tuple[Levels, NDArray[np.int64]]:
    """Levels of the symbols that are coded, and these symbols' places among all."""
    if np.count_nonzero(significant):  # faster than any()
        levels = np.maximum(levels, SIGNIFICANT_LEVEL * significant[:, None])
    levels = levels.ravel()
    (coded,) = levels.nonzero()
    return levels.take(coded), coded


def _chunks(lengths: NDArray[np.int32]) -> list[tuple[int, NDArray[np.int64]]]:
    """First bit and number of bits of the pieces in which bits below the top one are coded."""
    below = np.maximum(lengths.astype(np.int64) - 1, 0)
    return [(first, (below - first).clip(0, _CHUNK_BITS)) for first in (0, 16)]
