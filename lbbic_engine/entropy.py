"""Symbols to bytes and back, with constriction's range coder. Numbers only, no networks.

Symbols of one call are coded width class by width class (``tables``); those beyond their row
follow as Elias-gamma codes of the excess, so that every int32 survives.
"""

from __future__ import annotations

import constriction
import numpy as np
from numpy.typing import NDArray

from lbbic_engine.errors import CorruptDataError
from lbbic_engine.tables import ProbabilityTables, fold, unfold

_FAMILY = constriction.stream.model.Categorical(perfect=False)
_UNIFORM = constriction.stream.model.Uniform()
_LENGTH = constriction.stream.model.Uniform(34)  # bits of a folded excess: 0…33
_CHUNK_BITS = 16

Symbols = NDArray[np.int32]


class SymbolEncoder:
    """Collects the symbols of one segment."""

    def __init__(self, tables: ProbabilityTables) -> None:
        self._tables = tables
        self._coder = constriction.stream.queue.RangeEncoder()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return int(self._coder.num_bits()) // 8

    def encode(self, levels: NDArray[np.integer], symbols: Symbols) -> None:
        """Appends symbols (n,) whose scale levels are ``levels`` (n,)."""
        tables = self._tables
        folded = fold(symbols.astype(np.int64))
        classes = tables.width_class[levels]
        for number, rows in enumerate(tables.rows):
            chosen = np.flatnonzero(classes == number)
            if not len(chosen):
                continue
            escape = rows.shape[1] - 1
            values = folded[chosen]
            clipped = np.minimum(values, escape).astype(np.int32)
            self._coder.encode(clipped, _FAMILY, rows[tables.row[levels[chosen]]])
            if (clipped == escape).any():
                self._encode_excess(values[clipped == escape] - escape)

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


class SymbolDecoder:
    """Gives the symbols of one segment back, in the order in which they were encoded."""

    def __init__(self, tables: ProbabilityTables, stream: bytes) -> None:
        if len(stream) % 4:
            raise CorruptDataError("The file is damaged", "A payload has an odd length.")
        self._tables = tables
        words = np.frombuffer(stream, dtype="<u4").astype(np.uint32)
        self._coder = constriction.stream.queue.RangeDecoder(words)

    def decode(self, levels: NDArray[np.integer]) -> Symbols:
        """Symbols (n,) of the scale levels (n,); CorruptDataError if there are none such."""
        tables = self._tables
        folded = np.empty(len(levels), dtype=np.int64)
        classes = tables.width_class[levels]
        for number, rows in enumerate(tables.rows):
            chosen = np.flatnonzero(classes == number)
            if not len(chosen):
                continue
            try:
                values = self._coder.decode(_FAMILY, rows[tables.row[levels[chosen]]])
            except AssertionError as error:
                raise CorruptDataError(
                    "The file is damaged", "The payload cannot be decoded."
                ) from error
            values = values.astype(np.int64)
            escape = rows.shape[1] - 1
            if (values == escape).any():
                escaped = values == escape
                values[escaped] += self._decode_excess(int(escaped.sum()))
            folded[chosen] = values
        return unfold(folded).clip(-(2**31), 2**31 - 1).astype(np.int32)

    def _decode_excess(self, count: int) -> NDArray[np.int64]:
        try:
            lengths = self._coder.decode(_LENGTH, count)
            excess = np.where(lengths > 0, 1 << np.maximum(lengths.astype(np.int64) - 1, 0), 0)
            for first, bits in _chunks(lengths):
                chosen = bits > 0
                if chosen.any():
                    sizes = (1 << bits[chosen]).astype(np.int32)
                    part = self._coder.decode(_UNIFORM, sizes).astype(np.int64)
                    excess[chosen] |= part << first
        except AssertionError as error:
            raise CorruptDataError(
                "The file is damaged", "The payload cannot be decoded."
            ) from error
        return excess


def _chunks(lengths: NDArray[np.int32]) -> list[tuple[int, NDArray[np.int64]]]:
    """First bit and number of bits of the pieces in which bits below the top one are coded."""
    below = np.maximum(lengths.astype(np.int64) - 1, 0)
    return [(first, (below - first).clip(0, _CHUNK_BITS)) for first in (0, 16)]
