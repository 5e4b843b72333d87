"""constriction's range coder in plain Python, for machines for which constriction has no package.

Models and coders have the interface of those in ``constriction.stream`` and produce the same words
(tests/engine/bitstream/test_range_coder.py). They execute Python code for each symbol, so they are
some forty times as slow.

The coder is Martin's ("Range encoding: an algorithm for removing redundancy from a digitised
message", 1979) with a state of 64 bits and words of 32. Each symbol has a share of 2**24, from its
``start`` to that of the next symbol. The state is an interval of ``range`` numbers from ``lower``
on, and coding a symbol narrows it to the symbol's share. Once ``range`` is below 2**32, the upper
half of ``lower`` is the next word of the stream. While the interval extends beyond 2**64, a carry
can still change that word, so it and those after it wait until the interval is on one side.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PRECISION, _WORD_BITS = 24, 32
_WHOLE, _WORD, _STATE = 2**_PRECISION, 2**_WORD_BITS, 2 ** (2 * _WORD_BITS)

Starts = Sequence[int]
Parameters = NDArray[Any]  # a row of probabilities, or a size, for every symbol


class Categorical:
    """Symbols 0…n - 1 with the given probabilities (n,).

    Without probabilities, each symbol is coded with its own row of parameters.
    """

    def __init__(
        self, probabilities: NDArray[np.float32] | None = None, *, perfect: bool = False
    ) -> None:
        assert not perfect
        self._row = None if probabilities is None else probabilities[None]

    def starts(self, parameters: int | Parameters) -> Iterable[Starts]:
        """Yield the starts (n,) of the symbols' shares of 2**24.

        ``parameters`` is the number of symbols to code, or their rows of probabilities.
        """
        if isinstance(parameters, int):
            assert self._row is not None
            return repeat(_starts(self._row)[0], parameters)
        return _starts(parameters)


def _starts(rows: Parameters) -> list[list[int]]:
    """The starts for each row. Every symbol has 1 of 2**24, and its share of the rest.

    The sums are in binary32, as constriction's are.
    """
    count = rows.shape[1]
    sums = np.cumsum(rows, axis=1, dtype=np.float32)
    scales = np.float32(_WHOLE - count) / sums[:, -1:]
    before = np.pad(sums[:, :-1], ((0, 0), (1, 0)))
    starts: list[list[int]] = ((before * scales).astype(np.int64) + np.arange(count)).tolist()
    return starts


class Uniform:
    """Symbols 0…size - 1, equally likely except that the last one has the remainder as well.

    Without a size, each symbol is coded with its own size as its parameter.
    """

    def __init__(self, size: int | None = None) -> None:
        self._size = size

    def starts(self, parameters: int | Parameters) -> Iterable[Starts]:
        """Yield the starts (size,) of the symbols' shares of 2**24.

        ``parameters`` is the number of symbols to code, or their sizes.
        """
        if isinstance(parameters, int):
            assert self._size is not None
            sizes = [self._size] * parameters
        else:
            sizes = parameters.tolist()
        for size in sizes:
            part = _WHOLE // size
            yield range(0, size * part, part)


Model = Categorical | Uniform


class _Interval:
    """The state of a coder: ``range`` numbers from ``lower`` on."""

    def __init__(self) -> None:
        self.lower, self.range = 0, _STATE - 1

    def narrow(self, starts: Starts, symbol: int) -> None:
        """Narrow the interval to a symbol's share."""
        start = starts[symbol]
        end = starts[symbol + 1] if symbol + 1 < len(starts) else _WHOLE
        share = self.range >> _PRECISION
        self.lower = (self.lower + share * start) % _STATE
        self.range = share * (end - start)


class RangeEncoder(_Interval):
    """Encodes symbols to words; has the interface of ``constriction.stream.queue``."""

    def __init__(self) -> None:
        super().__init__()
        self._words: list[int] = []
        self._waiting: list[int] = []  # words of ``lower`` that a carry can still reach

    def encode(self, symbols: NDArray[np.int32], model: Model, *parameters: Parameters) -> None:
        """Append symbols (n,), of one model or each with its own parameters (n, …)."""
        rows = model.starts(*parameters or (len(symbols),))
        for symbol, starts in zip(symbols.tolist(), rows, strict=True):
            before = self.lower
            self.narrow(starts, symbol)
            if self._waiting and self.lower + self.range < _STATE:
                self._release(carry=self.lower < before)
            if self.range < _WORD:
                self._waiting.append(self.lower >> _WORD_BITS)
                self.lower = (self.lower << _WORD_BITS) % _STATE
                self.range <<= _WORD_BITS
                if len(self._waiting) == 1 and self.lower + self.range < _STATE:
                    self._release(carry=False)

    def get_compressed(self) -> NDArray[np.uint32]:
        """Return the words (n,) up to now, as many as are needed to identify the symbols."""
        if self.range == _STATE - 1:
            return np.empty(0, np.uint32)
        point = self.lower + _WORD - 1
        words = self._words + _carried(self._waiting, point >= _STATE)
        words.append(point % _STATE >> _WORD_BITS)
        if (self.lower + self.range) % _STATE >> _WORD_BITS == words[-1]:
            words.append(0)
        return np.array(words, np.uint32)

    def _release(self, *, carry: bool) -> None:
        self._words += _carried(self._waiting, carry)
        self._waiting = []


def _carried(words: list[int], carry: bool) -> list[int]:
    return [(word + carry) % _WORD for word in words]


class RangeDecoder(_Interval):
    """Decodes the symbols of a stream, as if zeros followed its words."""

    def __init__(self, words: NDArray[np.uint32]) -> None:
        super().__init__()
        self._words = iter(words.tolist())
        self._point = 0
        self._read()
        self._read()

    def decode(self, model: Model, parameters: int | Parameters) -> NDArray[np.int32]:
        """Return symbols (n,): a number of them, or one for each of the parameters (n, …).

        Raises AssertionError if the words are damaged in a way that can be detected.
        """
        symbols = []
        for starts in model.starts(parameters):
            share = self.range >> _PRECISION
            quantile = (self._point - self.lower) % _STATE // share
            if quantile >= _WHOLE:
                raise AssertionError("No encoder wrote these words.")  # as constriction does
            symbol = bisect_right(starts, quantile) - 1
            symbols.append(symbol)
            self.narrow(starts, symbol)
            if self.range < _WORD:
                self.lower = (self.lower << _WORD_BITS) % _STATE
                self.range <<= _WORD_BITS
                self._read()
        return np.array(symbols, np.int32)

    def _read(self) -> None:
        self._point = (self._point << _WORD_BITS) % _STATE + next(self._words, 0)
