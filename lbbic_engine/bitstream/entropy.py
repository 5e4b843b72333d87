"""Symbols to bytes and back, with constriction's range coder. Knows no networks.

Where constriction is not installed, ``range_coder`` takes its place, more slowly.

The symbols of one call are rows of integers. Most symbols have scale level 0, where they are almost
always 0. These are not coded, which saves bits and, more importantly, time. A row with a non-zero
symbol at level 0 is *significant*. One flag per row is coded first. In a significant row, levels
below ``SIGNIFICANT_LEVEL`` are raised to it.

The symbols at levels above 0 are then coded in stages (``tables``): the first stage codes all of
them, each later stage those that were too large for the one before. Symbols too large for the last
stage are followed by Elias-gamma codes of the excess, so any int32 can be coded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.bitstream.tables import WIDTHS, Integers, ProbabilityTables, fold, unfold
from lbbic_engine.errors import CorruptDataError, damaged

model: Any
queue: Any
try:
    import constriction  # whose ``stream`` is an attribute, not a module that can be imported
except ImportError:  # it has no package for Linux on ARM
    from lbbic_engine.bitstream import range_coder

    model = queue = range_coder
else:
    model, queue = constriction.stream.model, constriction.stream.queue

_FAMILY = model.Categorical(perfect=False)
_UNIFORM = model.Uniform()
_LENGTH = model.Uniform(34)  # bit length of a folded excess, 0…33
_CHUNK_BITS = 16
_SIGNIFICANT = model.Categorical(np.array([1 - 2**-12, 2**-12], np.float32), perfect=False)
SIGNIFICANT_LEVEL = 8  # where about one symbol in 25 is not 0
_MIN_ROW_BITS = -math.log2(1 - 2**-12)  # of an insignificant row at level 0
_UNFOLDED = unfold(np.arange(WIDTHS[-1])).astype(
    np.int32
)  # for all folded symbols that are not escapes

Symbols = NDArray[np.int32]
Levels = NDArray[np.integer]


def max_rows(stream_bytes: int) -> int:
    """Return the most rows of symbols that a stream of that length can contain."""
    return int(8 * stream_bytes / _MIN_ROW_BITS)


class SymbolEncoder:
    """Encodes the symbols of one segment."""

    def __init__(self, tables: ProbabilityTables) -> None:
        self._tables = tables
        self._coder = queue.RangeEncoder()

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        """Append symbols (n, width) at the scale levels ``levels`` (n, width)."""
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
        """Return the segment's bytes: little-endian 32-bit words."""
        return bytes(self._coder.get_compressed().astype("<u4").tobytes())


class EndOfStream(CorruptDataError):
    """The data ends before the next symbols."""

    def __init__(self) -> None:
        super().__init__("Truncated file", "A part of the picture is missing.")


class SymbolDecoder:
    """Decodes the symbols of one segment in the order in which they were encoded.

    If the stream is not ``whole``, symbols are decoded as far as its beginning determines them, and
    EndOfStream is raised after that.
    """

    def __init__(self, tables: ProbabilityTables, stream: bytes, *, whole: bool = True) -> None:
        if len(stream) % 4:
            raise damaged("A part of it has the wrong length.")
        self._tables = tables
        words = np.frombuffer(stream, dtype="<u4").astype(np.uint32)
        decoder = queue.RangeDecoder if whole else _BeginningDecoder
        self._coder = decoder(words)

    def decode(self, levels: Levels) -> Symbols:
        """Return symbols (n, width) for scale levels (n, width).

        CorruptDataError if the stream is invalid.
        """
        return _decode(self._tables, self._coder, levels)


def decode_together(
    decoders: Sequence[SymbolDecoder], bounds: Sequence[int], levels: Levels
) -> Symbols:
    """Return symbols (n, width), of each decoder those of the rows between two of the bounds.

    Takes less time than a call for each. CorruptDataError if one of the streams is invalid.
    """
    coder = _JointDecoder([decoder._coder for decoder in decoders], bounds)
    return _decode(decoders[0]._tables, coder, levels)


class _JointDecoder:
    """Decodes arrays in which each of several coders has a part, from one bound to the next."""

    def __init__(self, coders: Sequence[Any], bounds: Sequence[int]) -> None:
        self._coders = coders
        self._bounds = bounds

    def decode(self, model: Any, parameters: int | NDArray[Any]) -> NDArray[np.int32]:
        """As a range decoder, with as many parameters as the last bound says."""
        bounds = self._bounds
        parts = [
            coder.decode(
                model, last - first if isinstance(parameters, int) else parameters[first:last]
            )
            for coder, first, last in zip(self._coders, bounds, bounds[1:], strict=False)
            if first < last
        ]
        return np.concatenate(parts)

    def among(self, chosen: NDArray[np.int64], width: int) -> _JointDecoder:
        """A decoder of the elements with these indexes, in ascending order, of rows of a width."""
        bounds = chosen.searchsorted([bound * width for bound in self._bounds])
        return _JointDecoder(self._coders, bounds.tolist())


def _among(coder: Any, chosen: NDArray[np.int64], width: int = 1) -> Any:
    return coder.among(chosen, width) if isinstance(coder, _JointDecoder) else coder


def _decode(tables: ProbabilityTables, coder: Any, levels: Levels) -> Symbols:
    symbols = np.zeros(levels.shape, np.int32)
    try:
        coded_levels, coded = _coded(levels, coder.decode(_SIGNIFICANT, len(levels)))
        if len(coded):
            coder = _among(coder, coded, levels.shape[1])
            folded = _decode_stage(tables, 0, coder, coded_levels)
            symbols.ravel()[coded] = _unfolded(folded)
    except AssertionError as error:
        raise damaged("A part of it cannot be decoded.") from error
    return symbols


def _unfolded(folded: Integers) -> Symbols:
    if folded.dtype == np.int64:
        return unfold(np.minimum(folded, 2**32 - 1)).astype(np.int32)
    return _UNFOLDED.take(folded)


def _decode_stage(tables: ProbabilityTables, stage: int, coder: Any, levels: Levels) -> Integers:
    """Folded symbols less the range of earlier stages; int64 if there are escapes."""
    if stage == len(tables.stages):
        return _decode_excess(coder, len(levels))
    rows = tables.stages[stage]
    values: Integers = coder.decode(_FAMILY, rows.take(levels, axis=0))
    larger = rows.shape[1] - 1
    (chosen,) = (values == larger).nonzero()
    if len(chosen):
        rest = _decode_stage(tables, stage + 1, _among(coder, chosen), levels[chosen])
        if rest.dtype == np.int64:
            values = values.astype(np.int64)
        values[chosen] += rest
    return values


def _decode_excess(coder: Any, count: int) -> NDArray[np.int64]:
    lengths = coder.decode(_LENGTH, count)
    excess = np.where(lengths > 0, 1 << np.maximum(lengths.astype(np.int64) - 1, 0), 0)
    for first, bits in _chunks(lengths):
        (chosen,) = (bits > 0).nonzero()
        if len(chosen):
            sizes = (1 << bits[chosen]).astype(np.int32)
            part = _among(coder, chosen).decode(_UNIFORM, sizes).astype(np.int64)
            excess[chosen] |= part << first
    return excess


class _BeginningDecoder:
    """Decodes the beginning of a stream as long as the missing rest makes no difference.

    A range decoder's output is monotone in the number that the stream represents. So symbols that
    are the same for the smallest and the largest continuation are the same for every continuation.
    """

    def __init__(self, words: NDArray[np.uint32]) -> None:
        self._coders = [
            queue.RangeDecoder(np.append(words, np.full(2, word, np.uint32)))
            for word in (0, 2**32 - 1)
        ]

    def decode(self, *models: Any) -> NDArray[np.int32]:
        least, greatest = (coder.decode(*models) for coder in self._coders)
        if not np.array_equal(least, greatest):
            raise EndOfStream
        return np.asarray(least)


def _coded(levels: Levels, significant: NDArray[np.int32]) -> tuple[Levels, NDArray[np.int64]]:
    """Levels of the symbols that are coded, and their flat indexes."""
    if np.count_nonzero(significant):  # faster than any()
        levels = np.maximum(levels, SIGNIFICANT_LEVEL * significant[:, None])
    levels = levels.ravel()
    (coded,) = levels.nonzero()
    return levels.take(coded), coded


def _chunks(lengths: NDArray[np.int32]) -> list[tuple[int, NDArray[np.int64]]]:
    """First bit and bit count of each piece in which the bits below the top one are coded."""
    below = np.maximum(lengths.astype(np.int64) - 1, 0)
    return [(first, (below - first).clip(0, _CHUNK_BITS)) for first in (0, 16)]
