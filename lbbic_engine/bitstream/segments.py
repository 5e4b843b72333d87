"""Symbols of fronts to the segments of tiles and back. Knows no networks.

A tile is one segment: an entropy-coded stream, whose beginning can be decoded even if the rest is
missing. Files older than version 1.2 have several segments per tile, each coded separately. Tiles
that are coded in common fronts have segments of their own, so each can be decoded alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from lbbic_engine.bitstream.chunks import Segment
from lbbic_engine.bitstream.entropy import (
    EndOfStream,
    Levels,
    SymbolDecoder,
    SymbolEncoder,
    Symbols,
    decode_together,
)
from lbbic_engine.bitstream.tables import ProbabilityTables

Parts = Sequence[tuple[int, int, int]]  # of a front: tile, first row, end of its rows


class SymbolSink(Protocol):
    """Receives an encoder's symbols, front by front."""

    def begin(self) -> None:
        """Begin the next front."""

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        """Take symbols (n, width) of the front's blocks, given their scale levels."""


class SymbolSource(Protocol):
    """Supplies a decoder's symbols, front by front."""

    def begin(self) -> None:
        """Begin the next front; EndOfStream if there is none."""

    def decode(self, levels: Levels) -> Symbols:
        """Return symbols (n, width) of the front's blocks."""


class SegmentWriter:
    """Encodes one tile's symbols; ``segment`` returns the result."""

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
    """Decodes the symbols of one tile from its segments."""

    def __init__(self, tables: ProbabilityTables, segments: Iterable[Segment]) -> None:
        self._tables = tables
        self._segments = iter(segments)
        self._fronts_left = 0

    def begin(self) -> None:
        if not self._fronts_left:
            segment = next(self._segments, None)
            if segment is None:
                raise EndOfStream
            self.decoder = SymbolDecoder(self._tables, segment.stream, whole=segment.whole)
            self._fronts_left = segment.front_count
        self._fronts_left -= 1

    def decode(self, levels: Levels) -> Symbols:
        return self.decoder.decode(levels)


class GroupWriter:
    """Distributes the symbols of common fronts among the tiles' writers, according to ``parts``."""

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
    """Collects the symbols of common fronts from the tiles' readers, according to ``parts``."""

    def __init__(self, readers: Sequence[SegmentReader], parts: Iterable[Parts]) -> None:
        self._readers = readers
        self._fronts = iter(parts)
        self._decoders: list[SymbolDecoder] = []
        self._bounds: list[int] = []

    def begin(self) -> None:
        parts = next(self._fronts)
        readers = [self._readers[tile] for tile, _, _ in parts]
        for reader in readers:
            reader.begin()
        self._decoders = [reader.decoder for reader in readers]
        self._bounds = [0, *(last for _, _, last in parts)]

    def decode(self, levels: Levels) -> Symbols:
        return decode_together(self._decoders, self._bounds, levels)
