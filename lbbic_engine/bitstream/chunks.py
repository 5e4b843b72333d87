"""The chunks of an ``.lbb`` file and the streams in them, as bytes. ``container`` has the format.

For damaged files, ``find_chunks`` continues after the damage, and ``parse_stream`` returns the part
of a stream that its checks confirm.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from lbbic_engine.errors import CorruptDataError, damaged

PAGE_BYTES = 768  # of a stream from one check to the next: a check takes 0.26 % of them
_MAX_VARINT_BYTES = 5
_CHECK_BYTES, _CRC_BYTES = 2, 4
# Of searching on after damage: what a position costs, beside the bytes that are checked. The
# beginning of an S chunk has a check of its own, that of an L chunk only a signature.
_POSITION_COST, _MAX_COST = 2**14, 2**32
_LOSSLESS_SIGNATURE = b"\x2f"
_CONTENTS = {
    b"H": "Its header",
    b"F": "Its filter",
    b"C": "Its correction of slow errors",
    b"A": "Its transparency",
    b"i": "Its colour profile",
    b"e": "Its EXIF data",
    b"x": "Its XMP data",
    b"M": "Its map of quality",
}


@dataclass(frozen=True)
class Segment:
    """A part of the picture: the coded bytes of some fronts of a tile."""

    tile: int
    front_count: int  # the fronts after those of the tile's previous segment; 0 in exact pictures
    stream: bytes
    whole: bool = True  # False: the end of the stream is missing or damaged and not included


@dataclass(frozen=True)
class Chunk:
    """A chunk as far as the data contains it."""

    kind: bytes
    start_crc: int  # CRC-32 of type and length
    body: memoryview
    crc: bytes  # as stored
    end: int  # where the next chunk begins; beyond the data if this one is cut off

    @cached_property
    def intact(self) -> bool:
        if len(self.crc) < _CRC_BYTES:  # cut off
            return False
        return self.crc == zlib.crc32(self.body, self.start_crc).to_bytes(_CRC_BYTES, "little")

    @property
    def confirmed(self) -> int:
        """How many bytes of a damaged chunk are certain to be of its stream."""
        if self.kind != b"S":
            return 0
        with suppress(CorruptDataError):
            return len(parse_stream(self).stream)
        return 0


UNKNOWN = Chunk(b"?", 0, memoryview(b""), b"", 0)


def iterate_chunks(data: bytes, start: int) -> Iterator[Chunk]:
    """Yield the chunks from ``start`` on; CorruptDataError at the first that is not intact."""
    while start < len(data):
        chunk = read_chunk(data, start)
        if chunk.end > len(data):
            raise damaged("It is cut off.")
        if not chunk.intact:
            raise damaged(
                f"{_CONTENTS.get(chunk.kind, 'A part of it')} has changed since it was written."
            )
        yield chunk
        start = chunk.end


def find_chunks(data: bytes, start: int, stream: bytes) -> Iterator[Chunk]:
    """Yield the chunks from ``start`` on, damaged ones included, and UNKNOWN for skipped bytes.

    The length of a damaged chunk may be wrong. If no credible chunk follows it, the next chunk of
    the type ``stream`` is searched for, starting within the damaged one after what is confirmed.
    """
    cost = 0
    while 0 <= start < len(data):
        try:
            chunk = read_chunk(data, start)
        except CorruptDataError:
            chunk = replace(UNKNOWN, end=start)
        yield chunk
        if chunk.intact:
            start = chunk.end
            continue
        found, checked = _is_credible(data, chunk.end)
        cost += len(chunk.body) + checked
        if found:
            start = chunk.end
            continue
        yield UNKNOWN  # for the chunks that are skipped
        start += chunk.confirmed
        while not found:
            start = data.find(stream, start + 1)
            if start < 0 or cost > _MAX_COST:
                return
            found, checked = _is_credible(data, start)
            cost += _POSITION_COST + checked


def _is_credible(data: bytes, start: int) -> tuple[bool, int]:
    """Whether a chunk begins at ``start`` whose beginning, at least, is intact.

    Returns the number of bytes checked, too.
    """
    try:
        chunk = read_chunk(data, start)
        if chunk.kind == b"S":  # its first check suffices; the whole stream may be long
            segment = parse_stream(chunk)
            return segment.whole or bool(segment.stream), 0
        if chunk.kind == b"L":
            _, at = parse_varint(chunk.body, 0)
            if chunk.end > len(data) or chunk.body[at : at + 1] != _LOSSLESS_SIGNATURE:
                return False, 0
        return chunk.intact, len(chunk.body)
    except CorruptDataError:
        return False, 0


def read_chunk(data: bytes, start: int) -> Chunk:
    """Return the chunk at ``start``; CorruptDataError if none can begin there."""
    kind = bytes(data[start : start + 1])  # hashable, whatever the data are
    if not is_letter(kind):
        raise damaged("It contains a part that does not belong there.")
    length, body_start = parse_varint(data, start + 1)
    body_end = body_start + length
    end = body_end + _CRC_BYTES
    body = memoryview(data)[body_start:body_end]
    return Chunk(kind, zlib.crc32(data[start:body_start]), body, data[body_end:end], end)


def parse_stream(chunk: Chunk) -> Segment:
    """Return the segment of an S, L or P chunk; of a damaged S, the part its checks confirm."""
    body = chunk.body
    tile, at = parse_varint(body, 0)
    if chunk.kind == b"L":
        return Segment(tile, 0, bytes(body[at:]) if chunk.intact else b"", chunk.intact)
    front_count, at = parse_varint(body, at)
    if chunk.kind == b"P":
        return Segment(tile, front_count, bytes(body[at:]), chunk.intact)
    pages: list[memoryview] = []
    crc = zlib.crc32(body[:at], chunk.start_crc)
    for first in range(at, len(body), PAGE_BYTES + _CHECK_BYTES):
        last = first + PAGE_BYTES
        crc = zlib.crc32(body[first:last], crc)
        check = body[last : last + _CHECK_BYTES]
        if not (check == _check(crc) if len(body) > last else chunk.intact):
            return Segment(tile, front_count, b"".join(pages), whole=False)
        pages.append(body[first:last])
    return Segment(tile, front_count, b"".join(pages), chunk.intact)


def parse_varint(data: bytes | memoryview, start: int) -> tuple[int, int]:
    """Return the number at ``start`` and the position after it."""
    value = 0
    for index, byte in enumerate(data[start : start + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if byte == 0 and index > 0:
                break
            return value, start + index + 1
    raise damaged("A number in it is invalid or cut off.")


def pack_chunk(kind: bytes, body: bytes) -> bytes:
    """Return the bytes of a chunk."""
    chunk = kind + pack_varint(len(body)) + body
    return chunk + struct.pack("<I", zlib.crc32(chunk))


def pack_stream(segment: Segment) -> bytes:
    """Return an S chunk."""
    counts = pack_varint(segment.tile) + pack_varint(segment.front_count)
    pages = [segment.stream[i : i + PAGE_BYTES] for i in range(0, len(segment.stream), PAGE_BYTES)]
    length = len(counts) + len(segment.stream) + _CHECK_BYTES * max(0, len(pages) - 1)
    crc = zlib.crc32(b"S" + pack_varint(length) + counts)
    body = [counts]
    for page in pages:
        crc = zlib.crc32(page, crc)
        body += [page, _check(crc)]
    return pack_chunk(b"S", b"".join(body)[:length])


def pack_lossless(segment: Segment) -> bytes:
    """Return an L chunk."""
    return pack_chunk(b"L", pack_varint(segment.tile) + segment.stream)


def pack_varint(value: int) -> bytes:
    """Return the LEB128 number."""
    packed = bytearray()
    while value >= 0x80:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*packed, value])


def _check(crc: int) -> bytes:
    """Return the check that a stream contains after bytes with this CRC-32."""
    return (crc & 0xFFFF).to_bytes(_CHECK_BYTES, "little")


def is_letter(kind: bytes) -> bool:
    return len(kind) == 1 and kind.isalpha()
