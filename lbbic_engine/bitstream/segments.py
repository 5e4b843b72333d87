"""Symbols of fronts to the segments of tiles and back. Knows no network.

A tile's fronts are one segment: an entropy-coded stream, whose beginning can be decoded where the
rest is missing. Files before version 1.2 have several segments a tile, each coded by itself. Tiles
that share fronts keep their own segments, so that each can be decoded alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from lbbic_engine.bitstream.chunks import Segment
from lbbic_engine.bitstream.entropy import (
    EndOfStream,
    Levels,
    SymbolDecoder,
    SymbolEncoder,
    Symbols,
)
from lbbic_engine.bitstream.tables import ProbabilityTables

Parts = Sequence[tuple[int, int, int]]  # of a front: tile, first and last of its rows


class SymbolSink(Protocol):
    """Where an encoder's symbols go, front by front."""

    def begin(self) -> None:
        """Goes on to the next front."""

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        """Takes symbols (n, width) of the front's blocks, given their scale levels."""


class SymbolSource(Protocol):
    """Where a decoder's symbols come from, front by front."""

    def begin(self) -> None:
        """Goes on to the next front; EndOfStream if there is none."""

    def decode(self, levels: Levels) -> Symbols:
        """Gives symbols (n, width) of the front's blocks."""


class SegmentWriter:
    """Collects one tile's symbols; ``segment`` at the end."""

    def __init__(self, tables: ProbabilityTables, tile: int) -> None:
        self._tile = tile
        self._encoder = SymbolEncoder(tables)
        self._front_count = 0

    def begin(self) -> None:
        self._front_count += 1

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        self._encoder.encode(levels, symbols)

    def segment(self) -> Segment:
        return Segment(self._tile, self._front_count, self._encoder.finish())


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
                raise EndOfStream
            self._decoder = SymbolDecoder(self._tables, segment.stream, whole=segment.whole)
            self._fronts_left = segment.front_count
        self._fronts_left -= 1

    def decode(self, levels: Levels) -> Symbols:
        return self._decoder.decode(levels)


class GroupWriter:
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


class GroupReader:
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
