r"""The ``.lbb`` file format, version 1.3: this text is its specification.

This module defines bytes and their limits; the codec defines what the entropy-coded bytes mean.
Note that there is no end chunk. A file is complete when its payload covers every wavefront
(*front*) of every tile. How many fronts there are depends on the block size of the weights, so the
codec checks this.

A damaged file can be shown in part. The stream of a tile has a check every 768 bytes and can be
decoded as far as it is intact from its beginning. Tiles do not depend on each other.

Conventions: all numbers are unsigned and little-endian. ``u8`` is one byte. A ``varint`` is an
LEB128 number: seven bits per byte, lowest first, with the top bit set on every byte but the last,
in as few bytes as possible, five at most. ``zlib`` is one RFC 1950 stream with nothing after it.

    file       signature  8 bytes  8B 4C 42 42 0D 0A 1A 0A ("\x8bLBB\r\n\x1a\n")
               major      u8       1; a higher one is refused
               minor      u8       3 if the file uses what this version adds, else 2; readers
                                   ignore it (1: P instead of S; 0: no refinement either)
               chunks              H, then metadata and alpha in any order, then every S or L

    chunk      type       1 byte   ASCII letter; upper case: critical, lower case: ancillary
               length     varint   bytes of the body
               body
               crc        4 bytes  CRC-32 (that of zlib) over type, length and body

A reader refuses critical types that it does not know, and keeps unknown ancillary ones as they are.
Types of version 1 occur at most once, except S, L and P.

    H header   width      varint   in pixels, 1 to 65535
               height     varint   in pixels, 1 to 65535; width * height is at most 2**28
               flags      u8       bit 0: grey picture, whose three channels are equal
                                   bits 1-2: strength of the refinement, in halves; 0: none;
                                   a reader refuses 3
                                   bit 3: stored exactly, in L chunks; since 1.3
                                   other bits: 0; a reader refuses others
               quality    u8       in eighths, 8 (quality 1) to 64 (quality 8)
               tile       varint   height of a tile in rows of blocks; 0: one tile; a tile has
                                   at most 2**18 blocks and, unless it is the last, at least
                                   2**20 pixels (those of its blocks)
               weights    8 bytes  identity of the weights, or that of the refinement, if there
                                   is one; the refinement names the weights that it refines;
                                   zeros if the picture is stored exactly
               pixels     4 bytes  CRC-32 of the decoded picture, height * width * 3 bytes of RGB

    A alpha    zlib of height rows of width bytes, 0 (transparent) to 255; every row but the first
               holds differences from the row above it, modulo 256

    i ICC      zlib of the profile; a file without one is in sRGB
    e EXIF     a TIFF structure, uncompressed, without the "Exif\0\0" of JPEG files; its
               orientation, if any, is 1
    x XMP      zlib of the packet

    S stream   tile       varint   0, 1, 2 ... from the top, each of them once
               fronts     varint   number of fronts of the tile, at least 1
               stream              the entropy-coded bytes of these fronts, with a check of 2 bytes
                                   after every 768 bytes that are followed by more

    L lossless tile       varint   as in S
               stream              a lossless WebP image: the image stream of RFC 9649, section 3,
                                   which says the size of the tile and has no transparency

A picture that takes fewer bytes so, a drawing, is stored exactly: all its streams are L chunks,
there is no refinement, the quality is that which was asked for, and a row of blocks is 8 pixels
high.

A check is the lower half of the CRC-32 over type, length, tile, fronts and the stream before it,
without the earlier checks.

ICC, EXIF and XMP have at most 8 MiB each when decompressed. There are at most 1000 chunks besides
H and those of streams. The entropy-coded bytes of a tile are never fewer than its rows of symbols
need if all of them are insignificant (``entropy``).

Files of versions 1.0 and 1.1 have P chunks in place of each S chunk:

    P payload  tile       varint   as in S; never decreases and skips none
               fronts     varint   at least 1; they follow those of the last P of the tile
               stream              the entropy-coded bytes of these fronts, coded separately
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.errors import (
    CorruptDataError,
    NotLbbicError,
    TooLargeError,
    UnsupportedVersionError,
)

SIGNATURE = b"\x8bLBB\r\n\x1a\n"
VERSION = (1, 3)
PLAIN_VERSION = (1, 2)  # of files that use nothing new
MAX_PIXELS = 2**28
MAX_SIDE = 2**16 - 1
MAX_METADATA_BYTES = 2**23
MAX_CHUNKS = 1000  # beside the header and the streams
QUALITY_EIGHTHS = range(8, 65)
PAGE_BYTES = 768  # of a stream from one check to the next: a check takes 0.26 % of them

MAX_STRENGTH = 2

_GREY = 1
_STRENGTH_SHIFT = 1
_EXACT = 8
_MAX_VARINT_BYTES = 5
_WEIGHTS_ID_BYTES = 8
NO_WEIGHTS = bytes(_WEIGHTS_ID_BYTES)  # of a picture that is stored exactly
_METADATA = {b"i": "icc", b"e": "exif", b"x": "xmp"}
_STREAMS = (b"S", b"P", b"L")  # of this version, of those before 1.2, of exact pictures
_CONTENTS = {
    b"H": "Its header",
    b"A": "Its transparency",
    b"i": "Its colour profile",
    b"e": "Its EXIF data",
    b"x": "Its XMP data",
}
_BEFORE_STREAMS = frozenset([b"A", *_METADATA])
_KNOWN = frozenset([b"H", *_BEFORE_STREAMS, *_STREAMS])
_CHECK_BYTES, _CRC_BYTES = 2, 4
_MAX_CANDIDATES = 2**18  # places where a stream is looked for behind damage


@dataclass(frozen=True)
class Segment:
    """The entropy-coded ``stream`` of the next ``front_count`` fronts of ``tile``.

    If it is not ``whole``, only its beginning, which is intact, is there. In a picture that is
    stored exactly it has no fronts.
    """

    tile: int
    front_count: int
    stream: bytes
    whole: bool = True


@dataclass(frozen=True)
class Container:
    """What an ``.lbb`` file holds.

    Sizes in pixels, ``tile_block_rows`` in rows of blocks (0: one tile), ``alpha`` (height, width)
    uint8, ``ancillary`` pairs of type and body that this version has no use for. ``lost`` are the
    types of the chunks that a partial reading found damaged. ``strength`` of the refinement is in
    halves; unless it is 0, ``weights_id`` is that of the refinement. If the picture is ``exact``,
    it is ``NO_WEIGHTS``, and the streams are lossless.
    """

    width: int
    height: int
    grey: bool
    quality_eighths: int
    tile_block_rows: int
    weights_id: bytes
    pixels_crc: int
    segments: tuple[Segment, ...]
    strength: int = 0
    exact: bool = False
    alpha: NDArray[np.uint8] | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    ancillary: tuple[tuple[bytes, bytes], ...] = ()
    lost: tuple[bytes, ...] = ()
    version: tuple[int, int] = PLAIN_VERSION


def pack_container(container: Container) -> bytes:
    """The bytes of the file; CorruptDataError if ``container`` contradicts the format."""
    _check_header(container)
    _check_segments(container)
    if len(container.ancillary) > MAX_CHUNKS - len(_METADATA) - 1:
        raise _corrupt("It has too many additional chunks.")
    chunks = [SIGNATURE, bytes(_version_of(container)), _pack_chunk(b"H", _pack_header(container))]
    if container.icc is not None:
        chunks.append(_pack_chunk(b"i", _deflate_metadata(container.icc)))
    if container.exif is not None:
        chunks.append(_pack_chunk(b"e", _checked_metadata(container.exif)))
    if container.xmp is not None:
        chunks.append(_pack_chunk(b"x", _deflate_metadata(container.xmp)))
    for kind, body in container.ancillary:
        if kind in _KNOWN or not _is_letter(kind) or kind.isupper():
            raise _corrupt(f"{kind!r} is not a valid type for an additional chunk")
        chunks.append(_pack_chunk(kind, body))
    if container.alpha is not None:
        chunks.append(_pack_chunk(b"A", _pack_alpha(container, container.alpha)))
    pack = _pack_lossless if container.exact else _pack_stream
    chunks += [pack(segment) for segment in container.segments]
    return b"".join(chunks)


def parse_container(
    data: bytes, *, partial: bool = False, max_pixels: int = MAX_PIXELS
) -> Container:
    """Read a file; with ``partial`` everything behind the header that is not damaged.

    Damaged parts are then left out and named (``lost``, "?" where not even the type is known). Of
    a damaged stream there is what comes before the damage. P chunks are used as long as none of
    them can be missing: behind damage to metadata or transparency only.
    NotLbbicError, UnsupportedVersionError (in both cases) or CorruptDataError; TooLargeError for a
    picture of more than ``max_pixels``, before anything is unpacked.
    """
    return _parse(data, partial=partial, max_pixels=max_pixels, unpack_alpha=True).build()


def read_outline(
    data: bytes, *, partial: bool = False, max_pixels: int = MAX_PIXELS
) -> tuple[Container, bool]:
    """The same without the transparency, and whether there is one: a picture's size costs nothing.

    The work and the memory are those of the bytes that there are, and of ``MAX_METADATA_BYTES``.
    """
    builder = _parse(data, partial=partial, max_pixels=max_pixels, unpack_alpha=False)
    return builder.build(), builder.has_alpha


def _parse(data: bytes, *, partial: bool, max_pixels: int, unpack_alpha: bool) -> _Builder:
    _check_signature(data)
    first = _read_chunk(data, len(SIGNATURE) + len(VERSION))
    header = replace(_parse_header(first), version=(VERSION[0], data[len(SIGNATURE) + 1]))
    if header.width * header.height > max_pixels:
        size = f"{header.width} × {header.height} pixels"
        raise TooLargeError("Too large", f"{size} exceed the limit of {max_pixels} set here.")
    builder = _Builder(header, unpack_alpha=unpack_alpha)
    if partial:
        for chunk in _find_chunks(data, first.end, b"L" if header.exact else b"S"):
            builder.salvage(chunk)
    else:
        for chunk in _iterate_chunks(data, first.end):
            builder.add(chunk)
        if not builder.segments:
            raise _corrupt("It ends before its picture data.")
    return builder


# --- reading, in the order of the file ----------------------------------------------------------


@dataclass(frozen=True)
class _Chunk:
    """What there is of a chunk: its body, then its CRC-32.

    ``start_crc`` is the CRC-32 of type and length. The next chunk begins at ``end``, which is
    beyond the data if this one is cut off.
    """

    kind: bytes
    start_crc: int
    body: memoryview
    crc: bytes
    end: int

    @cached_property
    def intact(self) -> bool:
        return self.crc == zlib.crc32(self.body, self.start_crc).to_bytes(_CRC_BYTES, "little")


_UNKNOWN = _Chunk(b"?", 0, memoryview(b""), b"", 0)


class _Builder:
    """Gathers the chunks behind the header; ``add`` leaves it unchanged when it raises."""

    def __init__(self, header: Container, *, unpack_alpha: bool) -> None:
        self.header = header
        self.has_alpha = False
        self._unpack_alpha = unpack_alpha
        self._chunks = 0
        self.alpha: NDArray[np.uint8] | None = None
        self.metadata: dict[str, bytes] = {}
        self.ancillary: list[tuple[bytes, bytes]] = []
        self.segments: list[Segment] = []
        self.segment_kind = b""
        self.lost: dict[bytes, None] = {}  # an ordered set

    def add(self, chunk: _Chunk) -> None:
        """Takes an intact chunk; CorruptDataError if it contradicts those before it."""
        kind, body = chunk.kind, bytes(chunk.body)
        if self.segments and kind != self.segment_kind:
            raise _corrupt("There is extra data after the picture.")
        if kind in _STREAMS:
            segment = _parse_stream(chunk)
            if not segment.whole:
                raise _corrupt("A part of it does not match its checksums.")
            self._add_segment(kind, segment, skipped=0)
            return
        self._chunks += 1
        if self._chunks > MAX_CHUNKS:
            raise _corrupt(f"It has more than {MAX_CHUNKS} parts besides its picture data.")
        if kind == b"A" and not self.has_alpha:
            if self._unpack_alpha:
                self.alpha = _parse_alpha(self.header, body)
            self.has_alpha = True
        elif kind in _METADATA and _METADATA[kind] not in self.metadata:
            self.metadata[_METADATA[kind]] = _unpack_metadata(kind, body)
        elif kind in _KNOWN:
            raise _corrupt("A part that may occur only once occurs twice.")
        elif kind.isupper():
            raise _newer("It contains a part that this version does not know.")
        else:
            self.ancillary.append((kind, body))

    def salvage(self, chunk: _Chunk) -> None:
        """Takes of any chunk what can be used."""
        try:
            if chunk is _UNKNOWN and (self.segments or {b"S", b"L"} & self.lost.keys()):
                return  # there were none but streams, and these are missed
            if chunk.kind in (b"S", b"L"):
                segment = _parse_stream(chunk)
                if not segment.whole:
                    self.lost[chunk.kind] = None
                if segment.whole or segment.stream:
                    self._add_segment(chunk.kind, segment, skipped=MAX_SIDE)
            elif not chunk.intact or (chunk.kind == b"P" and self.lost.keys() - _BEFORE_STREAMS):
                self.lost[chunk.kind] = None
            else:
                self.add(chunk)
        except CorruptDataError:
            self.lost[chunk.kind] = None

    def _add_segment(self, kind: bytes, segment: Segment, skipped: int) -> None:
        """Takes a segment behind at most so many tiles of which there is none."""
        if (kind == b"L") != self.header.exact:
            raise _corrupt("Its picture is not stored as its header says.")
        last = self.segments[-1].tile if self.segments else -1
        first = max(last, 0) if kind == b"P" else last + 1
        _check_segment(self.header, segment, range(first, last + 2 + skipped))
        self.segment_kind = kind
        self.segments.append(segment)

    def build(self) -> Container:
        return replace(
            self.header,
            segments=tuple(self.segments),
            alpha=self.alpha,
            icc=self.metadata.get("icc"),
            exif=self.metadata.get("exif"),
            xmp=self.metadata.get("xmp"),
            ancillary=tuple(self.ancillary),
            lost=tuple(self.lost),
        )


def _check_signature(data: bytes) -> None:
    if not data.startswith(SIGNATURE):
        raise NotLbbicError("Not an LBBIC file", "It does not start like one.")
    if len(data) < len(SIGNATURE) + len(VERSION):
        raise _corrupt("It ends before its header.")
    major = data[len(SIGNATURE)]
    if major > VERSION[0]:
        raise _newer(f"Its format is version {major}; this program reads version {VERSION[0]}.")
    if major < VERSION[0]:
        raise _corrupt(f"Its format version, {major}, does not exist.")


def _iterate_chunks(data: bytes, start: int) -> Iterator[_Chunk]:
    """The chunks from ``start`` on; CorruptDataError where one isn't intact."""
    while start < len(data):
        chunk = _read_chunk(data, start)
        if chunk.end > len(data):
            raise _corrupt("It is cut off.")
        if not chunk.intact:
            raise _corrupt(
                f"{_CONTENTS.get(chunk.kind, 'A part of it')} has changed since it was written."
            )
        yield chunk
        start = chunk.end


def _find_chunks(data: bytes, start: int, stream: bytes) -> Iterator[_Chunk]:
    """The chunks from ``start`` on, of damaged ones as much as there is.

    A damaged chunk may end elsewhere than it says: if nothing credible follows there, then the
    next ``stream``, by its type, is looked for from its beginning.
    """
    candidates = _MAX_CANDIDATES
    while 0 <= start < len(data):
        try:
            chunk = _read_chunk(data, start)
        except CorruptDataError:
            chunk = replace(_UNKNOWN, end=start)
        yield chunk
        if chunk.intact or _is_credible(data, chunk.end):
            start = chunk.end
        else:
            yield _UNKNOWN  # that are passed over
            start = data.find(stream, start + 1)
            while start >= 0 and candidates and not _is_credible(data, start):
                candidates -= 1
                start = data.find(stream, start + 1)
            if not candidates:
                return


def _is_credible(data: bytes, start: int) -> bool:
    """Whether a chunk begins there that is intact at least at its beginning."""
    try:
        chunk = _read_chunk(data, start)
        if chunk.kind == b"S":  # its first check says it; the whole may be long
            segment = _parse_stream(chunk)
            return segment.whole or bool(segment.stream)
        return chunk.intact
    except CorruptDataError:
        return False


def _read_chunk(data: bytes, start: int) -> _Chunk:
    """The chunk at ``start``; CorruptDataError if none can begin there."""
    kind = data[start : start + 1]
    if not _is_letter(kind):
        raise _corrupt("It contains a part that does not belong there.")
    length, body_start = _parse_varint(data, start + 1)
    body_end = body_start + length
    end = body_end + _CRC_BYTES
    body = memoryview(data)[body_start:body_end]
    return _Chunk(kind, zlib.crc32(data[start:body_start]), body, data[body_end:end], end)


def _parse_header(chunk: _Chunk) -> Container:
    if chunk.kind != b"H" or not chunk.intact:
        raise _corrupt("Its header is missing or damaged.")
    body = bytes(chunk.body)
    width, at = _parse_varint(body, 0)
    height, at = _parse_varint(body, at)
    flags, quality_eighths = _take(body, at, 2)
    tile_block_rows, at = _parse_varint(body, at + 2)
    weights_id = _take(body, at, _WEIGHTS_ID_BYTES)
    (pixels_crc,) = struct.unpack("<I", _take(body, at + _WEIGHTS_ID_BYTES, 4))
    if len(body) != at + _WEIGHTS_ID_BYTES + 4:
        raise _corrupt("Its header has the wrong length.")
    strength = (flags & ~(_GREY | _EXACT)) >> _STRENGTH_SHIFT
    if strength > MAX_STRENGTH:
        raise _newer("It uses a compression method that this version does not know.")
    header = Container(
        width,
        height,
        bool(flags & _GREY),
        quality_eighths,
        tile_block_rows,
        weights_id,
        pixels_crc,
        segments=(),
        strength=strength,
        exact=bool(flags & _EXACT),
    )
    _check_header(header)
    return header


def _parse_stream(chunk: _Chunk) -> Segment:
    """The segment of an S, L or P chunk, of a damaged S what its checks vouch for."""
    body = chunk.body
    tile, at = _parse_varint(body, 0)
    if chunk.kind == b"L":
        return Segment(tile, 0, bytes(body[at:]) if chunk.intact else b"", chunk.intact)
    front_count, at = _parse_varint(body, at)
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


def _parse_alpha(header: Container, body: bytes) -> NDArray[np.uint8]:
    """(height, width), read-only; nothing larger is ever unpacked."""
    size = header.width * header.height
    differences = _inflate(body, size)
    if len(differences) != size:
        raise _corrupt("Its transparency has the wrong size.")
    rows = np.frombuffer(differences, np.uint8).reshape(header.height, header.width)
    alpha = rows.copy()
    for above, row in pairwise(alpha):  # seven times faster than to accumulate along the columns
        row += above
    alpha.flags.writeable = False
    return alpha


def _unpack_metadata(kind: bytes, body: bytes) -> bytes:
    if kind != b"e":
        return _inflate(body, MAX_METADATA_BYTES)
    if len(body) > MAX_METADATA_BYTES:
        raise _corrupt("A part of it is too long.")
    return body


def _inflate(body: bytes, max_bytes: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise _corrupt("A compressed part cannot be decompressed.") from error
    if len(unpacked) > max_bytes or not stream.eof or stream.unused_data:
        raise _corrupt("A compressed part has the wrong size.")
    return unpacked


def _parse_varint(data: bytes | memoryview, start: int) -> tuple[int, int]:
    """The number at ``start`` and where the next thing begins."""
    value = 0
    for index, byte in enumerate(data[start : start + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if byte == 0 and index > 0:
                break
            return value, start + index + 1
    raise _corrupt("A number in it is invalid or cut off.")


def _take(body: bytes, start: int, count: int) -> bytes:
    taken = body[start : start + count]
    if len(taken) != count:
        raise _corrupt("Its header is too short.")
    return taken


# --- writing ------------------------------------------------------------------------------------


def _pack_chunk(kind: bytes, body: bytes) -> bytes:
    chunk = kind + _pack_varint(len(body)) + body
    return chunk + struct.pack("<I", zlib.crc32(chunk))


def _pack_stream(segment: Segment) -> bytes:
    """An S chunk."""
    counts = _pack_varint(segment.tile) + _pack_varint(segment.front_count)
    pages = [segment.stream[i : i + PAGE_BYTES] for i in range(0, len(segment.stream), PAGE_BYTES)]
    length = len(counts) + len(segment.stream) + _CHECK_BYTES * max(0, len(pages) - 1)
    crc = zlib.crc32(b"S" + _pack_varint(length) + counts)
    body = [counts]
    for page in pages:
        crc = zlib.crc32(page, crc)
        body += [page, _check(crc)]
    return _pack_chunk(b"S", b"".join(body)[:length])


def _pack_lossless(segment: Segment) -> bytes:
    """An L chunk."""
    return _pack_chunk(b"L", _pack_varint(segment.tile) + segment.stream)


def _version_of(container: Container) -> tuple[int, int]:
    """The version that a reader of the file must know."""
    return VERSION if container.exact else PLAIN_VERSION


def _pack_header(container: Container) -> bytes:
    return b"".join(
        [
            _pack_varint(container.width),
            _pack_varint(container.height),
            bytes([_flags(container), container.quality_eighths]),
            _pack_varint(container.tile_block_rows),
            container.weights_id,
            struct.pack("<I", container.pixels_crc),
        ]
    )


def _flags(container: Container) -> int:
    grey, exact = container.grey * _GREY, container.exact * _EXACT
    return grey | exact | container.strength << _STRENGTH_SHIFT


def _pack_alpha(container: Container, alpha: NDArray[np.uint8]) -> bytes:
    if alpha.dtype != np.uint8 or alpha.shape != (container.height, container.width):
        raise _corrupt("The transparency does not fit the picture.")
    differences = alpha.copy()
    differences[1:] -= alpha[:-1]
    return _deflate(differences.tobytes())


def _deflate_metadata(data: bytes) -> bytes:
    return _deflate(_checked_metadata(data))


def _checked_metadata(data: bytes) -> bytes:
    if len(data) > MAX_METADATA_BYTES:
        raise _corrupt("Its colour profile, EXIF or XMP is too long.")
    return data


def _deflate(data: bytes) -> bytes:
    return zlib.compress(data, 9)


def _pack_varint(value: int) -> bytes:
    packed = bytearray()
    while value >= 0x80:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*packed, value])


# --- what writer and reader both insist on ------------------------------------------------------


def _check_header(header: Container) -> None:
    if header.width < 1 or header.height < 1:
        raise _corrupt(f"A picture of {header.width} × {header.height} pixels is empty.")
    if max(header.width, header.height) > MAX_SIDE:
        raise _corrupt(
            f"A side of {max(header.width, header.height)} pixels exceeds the limit of {MAX_SIDE}."
        )
    if header.width * header.height > MAX_PIXELS:
        raise _corrupt(f"{header.width} × {header.height} pixels exceed the limit of {MAX_PIXELS}.")
    if not 0 <= header.strength <= MAX_STRENGTH:
        raise _corrupt("A setting in its header is invalid.")
    if header.exact and (header.weights_id != NO_WEIGHTS or header.strength):
        raise _corrupt("Its header contradicts itself.")
    if header.quality_eighths not in QUALITY_EIGHTHS:
        raise _corrupt("Its quality is not between 1 and 8.")
    if len(header.weights_id) != _WEIGHTS_ID_BYTES:
        raise _corrupt("The identity of its model has the wrong length.")


def _check_segments(container: Container) -> None:
    if not container.segments:
        raise _corrupt("It has no picture.")
    for tile, segment in enumerate(container.segments):
        _check_segment(container, segment, range(tile, tile + 1))


def _check_segment(header: Container, segment: Segment, tiles: range) -> None:
    """Its tile must be one of ``tiles``. The other bounds are those of 1×1 blocks."""
    if segment.tile not in tiles:
        raise _corrupt("Its parts are out of order.")
    if segment.tile > 0 and (
        header.tile_block_rows == 0 or segment.tile * header.tile_block_rows >= header.height
    ):
        raise _corrupt("It has more parts than its picture can have.")
    fronts = range(1) if header.exact else range(1, header.width + 2 * header.height + 1)
    if segment.front_count not in fronts:
        raise _corrupt("A part of it claims an impossible size.")


def _check(crc: int) -> bytes:
    """The two bytes that a stream holds of its CRC-32 so far."""
    return (crc & 0xFFFF).to_bytes(_CHECK_BYTES, "little")


def _is_letter(kind: bytes) -> bool:
    return len(kind) == 1 and kind.isalpha()


def _corrupt(detail: str) -> CorruptDataError:
    return CorruptDataError("The file is damaged", detail)


def _newer(detail: str) -> UnsupportedVersionError:
    return UnsupportedVersionError("The file needs a newer version of this program", detail)
