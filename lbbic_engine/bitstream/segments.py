"""Symbols of fronts to the segments of tiles and back. Knows no network.

A tile's payload is cut into segments of consecutive fronts, each an entropy-coded stream of its
own, so that a truncated file shows what has arrived. Tiles that share fronts keep their own
segments, so that each can be decoded alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from lbbic_engine.bitstream.container import Segment
from lbbic_engine.bitstream.entropy import Levels, SymbolDecoder, SymbolEncoder, Symbols
from lbbic_engine.bitstream.tables import ProbabilityTables
from lbbic_engine.errors import CorruptDataError

SEGMENT_BYTES = 1 << 14  # a segment is closed at the first front that finds it this long

Parts = Sequence[tuple[int, int, int]]  # of a front: tile, first and last of its rows


class EndOfSegments(CorruptDataError):
    """The next front is not in the data."""


class SymbolSink(Protocol):
    """Where a sender's symbols go, front by front."""

    def begin(self) -> None:
        """Goes on to the next front."""

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        """Takes symbols (n, width) of the front's blocks, given their scale levels."""


class SymbolSource(Protocol):
    """Where a receiver's symbols come from, front by front."""

    def begin(self) -> None:
        """Goes on to the next front; EndOfSegments if there is none."""

    def decode(self, levels: Levels) -> Symbols:
        """Gives symbols (n, width) of the front's blocks."""


class SegmentWriter:
    """Collects one tile's symbols; ``segments`` at the end."""

    def __init__(self, tables: ProbabilityTables, tile: int) -> None:
        self._tables = tables
        self._tile = tile
        self._encoder = SymbolEncoder(tables)
        self._front_count = 0
        self._segments: list[Segment] = []

    def begin(self) -> None:
        if self._encoder.size >= SEGMENT_BYTES:
            self._close()
        self._front_count += 1

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        self._encoder.encode(levels, symbols)

    def segments(self) -> list[Segment]:
        """The tile's segments; call once, after the last front."""
        self._close()
        return self._segments

    def _close(self) -> None:
        stream = self._encoder.finish()
        self._segments.append(Segment(self._tile, self._front_count, stream))
        self._encoder = SymbolEncoder(self._tables)
        self._front_count = 0


class SegmentReader:
    """Gives back the symbols of one tile from its segments."""

    def __init__(self, tables: ProbabilityTables, segments: Iterable[Segment]) -> None:
        self._tables = tables
        self._segments = iter(segments)
        self._fronts_left = 0

    def begin(self) -> None:
        if not self._fronts_left:
            segment = next(self._segments, None)
            if segment is None:
                raise EndOfSegments("Truncated file", "the rest of the picture is missing")
            self._decoder = SymbolDecoder(self._tables, segment.stream)
            self._fronts_left = segment.front_count
        self._fronts_left -= 1

    def decode(self, levels: Levels) -> Symbols:
        return self._decoder.decode(levels)


class TogetherWriter:
    """Hands the symbols of common fronts to the writers of the tiles, as ``parts`` say."""

    def __init__(self, writers: Sequence[SegmentWriter], parts: Iterable[Parts]) -> None:
        self._writers = writers
        self._fronts = iter(parts)
        self._parts: Parts = ()

    def begin(self) -> None:
        self._parts = next(self._fronts)
        for tile, _, _ in self._parts:
            self._writers[tile].begin()

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        for tile, first, last in self._parts:
            self._writers[tile].encode(levels[first:last], symbols[first:last])


class TogetherReader:
    """Puts the symbols of common fronts together from the readers of the tiles."""

    def __init__(self, readers: Sequence[SegmentReader], parts: Iterable[Parts]) -> None:
        self._readers = readers
        self._fronts = iter(parts)
        self._parts: Parts = ()

    def begin(self) -> None:
        self._parts = next(self._fronts)
        for tile, _, _ in self._parts:
            self._readers[tile].begin()

    def decode(self, levels: Levels) -> Symbols:
        return np.concatenate(
            [self._readers[tile].decode(levels[first:last]) for tile, first, last in self._parts]
        )
