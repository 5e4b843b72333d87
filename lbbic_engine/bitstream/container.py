r"""The ``.lbb`` file format, version 1.4: this text is its specification.

This module defines bytes and their limits; the codec defines what the entropy-coded bytes mean.
There is no end chunk. A file is complete when its streams cover every wavefront (*front*) of every
tile. How many fronts there are depends on the block size of the weights, so the codec checks this.

A damaged file can be decoded in part. The stream of a tile contains a checksum every 768 bytes and
can be decoded up to the first damaged part. Tiles do not depend on each other.

Conventions: all numbers are unsigned and little-endian. ``u8`` is one byte. A ``varint`` is an
LEB128 number: seven bits per byte, lowest first, with the top bit set on every byte but the last,
in as few bytes as possible, five at most. ``zlib`` is one RFC 1950 stream with nothing after it.

    file       signature  8 bytes  8B 4C 42 42 0D 0A 1A 0A ("\x8bLBB\r\n\x1a\n")
               major      u8       1; a higher one is refused
               minor      u8       version in which what the file uses was added, at least 2;
                                   readers ignore it (1: P instead of S; 0: no refinement either)
               chunks              H, then those without pixels in any order, then every S or L

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
                                   bit 4: blocks differ in quality, by an M chunk; since 1.3
                                   bit 5: slow errors are corrected, by a C chunk; since 1.3
                                   bit 6: refined tiles are filtered, by an F chunk; since 1.4
                                   other bits: 0; a reader refuses others
               quality    u8       in eighths, 8 (quality 1) to 64 (quality 8): that of all blocks,
                                   or the initial value for their map
               tile       varint   height of a tile in rows of blocks; 0: one tile; a tile has
                                   at most 2**18 blocks and, unless it is the last, at least
                                   2**20 pixels (those of its blocks)
               weights    8 bytes  identity of the weights, or that of the refinement, if there
                                   is one; the refinement names the weights that it refines;
                                   zeros if the picture is stored exactly
               pixels     4 bytes  CRC-32 of the decoded picture, height * width * 3 bytes of RGB

    A alpha    zlib of height rows of width bytes, 0 (transparent) to 255; every row but the first
               holds differences from the row above it, modulo 256

    M map      side       u8       of a group of blocks that have the same quality, in blocks:
                                   1, 2, 4 or 8; groups begin at the upper left corner, and there
                                   are at most 2**19
               stream              the entropy-coded quality of each group (``quality_map``)

    i ICC      zlib of the profile; a file without one is in sRGB
    e EXIF     a TIFF structure, uncompressed, without the "Exif\0\0" of JPEG files; its
               orientation, if any, is 1
    x XMP      zlib of the packet
    t preview  a WebP file with a small version of the picture, upright and in sRGB, for file
               managers; readers may treat it as an unknown ancillary chunk

    F filter   weights  i8 each  of each tile in turn, 20, or 8 in a grey picture; all 0: none
                                   (``coding.refining.wiener``); only in a refined file

    C coarse   step       u8       at least 1, in eighths of an 8-bit value
               levels     u8       lowest scale level of each channel: one for a grey picture, else
                                   three
               numbers             the entropy-coded numbers of the grid of corrections (``coarse``,
                                   ``layout.coarse``), with the tables of the weights

    S stream   tile       varint   0, 1, 2 ... from the top, each of them once
               fronts     varint   number of fronts of the tile, at least 1
               stream              the entropy-coded bytes of these fronts, with a check of 2 bytes
                                   after every 768 bytes, unless the stream ends there

    L lossless tile       varint   as in S
               stream              a lossless WebP image: the image stream of RFC 9649, section 3,
                                   which contains the size of the tile and has no transparency

A picture that takes fewer bytes when it is stored exactly, such as a drawing, has only L chunks as
streams, no refinement, no F and no C chunk. The header still has the requested quality, and a row
of blocks is 8 pixels high.

The check in a stream is the lower half of the CRC-32 over type, length, tile, fronts and the stream
before it, without the earlier checks.

ICC, EXIF and XMP have at most 8 MiB each when decompressed. There are at most 1000 chunks besides
H and those of streams. A tile never has fewer entropy-coded bytes than its rows of symbols need if
all of them are insignificant (``entropy``).

Files of versions 1.0 and 1.1 have P chunks in place of each S chunk:

    P payload  tile       varint   as in S; never decreases and skips none
               fronts     varint   at least 1; they follow those of the last P of the tile
               stream              the entropy-coded bytes of these fronts, coded separately
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.bitstream import bodies, chunks
from lbbic_engine.bitstream.chunks import (
    UNKNOWN,
    Chunk,
    Segment,
    pack_chunk,
    pack_varint,
    parse_varint,
)
from lbbic_engine.errors import (
    CorruptDataError,
    NotLbbicError,
    TooLargeError,
    UnsupportedVersionError,
    damaged,
)

SIGNATURE = b"\x8bLBB\r\n\x1a\n"
VERSION = (1, 4)
PLAIN_VERSION = (1, 2)  # of files that use nothing newer
MAX_PIXELS = 2**28
MAX_SIDE = 2**16 - 1
MAX_CHUNKS = 1000  # besides the header and the streams
QUALITY_EIGHTHS = range(8, 65)

MAX_STRENGTH = 2

_GREY = 1
_STRENGTH_SHIFT = 1
_EXACT = 8
_MAPPED = 16
_CORRECTED = 32
_FILTERED = 64
_WEIGHTS_ID_BYTES = 8
PREVIEW = b"t"
NO_WEIGHTS = bytes(_WEIGHTS_ID_BYTES)  # of a picture that is stored exactly
_METADATA = {b"i": "icc", b"e": "exif", b"x": "xmp"}
_STREAMS = (b"S", b"P", b"L")  # of this version, of those before 1.2, of exact pictures
_BEFORE_STREAMS = frozenset([b"A", b"M", b"F", b"C", *_METADATA])
_KNOWN = frozenset([b"H", *_BEFORE_STREAMS, *_STREAMS])


@dataclass(frozen=True)
class Container:
    """The contents of an ``.lbb`` file. Sizes are in pixels."""

    width: int
    height: int
    grey: bool
    quality_eighths: int
    tile_block_rows: int  # rows of blocks in a tile; 0: the picture is one tile
    weights_id: bytes  # identity of the weights, of the refinement if there is one, or NO_WEIGHTS
    pixels_crc: int  # CRC-32 of the decoded pixels
    segments: tuple[Segment, ...]
    strength: int = 0  # of the refinement, in halves
    exact: bool = False  # the streams are lossless
    quality_map: bytes | None = None  # the body of the map; empty if it is missing
    filter_weights: bytes | None = None  # the body of the filter; empty if it is missing
    coarse: bytes | None = None  # the body of the correction; empty if it is missing
    alpha: NDArray[np.uint8] | None = None  # (height, width)
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    ancillary: tuple[tuple[bytes, bytes], ...] = ()  # type and body of unknown ancillary chunks
    lost: tuple[bytes, ...] = ()  # types of the chunks that a partial reading found damaged
    version: tuple[int, int] = PLAIN_VERSION

    @property
    def quality(self) -> float:
        return self.quality_eighths / 8


def pack_container(container: Container) -> bytes:
    """Return the bytes of the file; CorruptDataError if ``container`` contradicts the format."""
    _check_header(container)
    _check_segments(container)
    if len(container.ancillary) > MAX_CHUNKS - len(_BEFORE_STREAMS):
        raise damaged("It has too many additional chunks.")
    packed = [SIGNATURE, bytes(_version_of(container)), pack_chunk(b"H", _pack_header(container))]
    for kind, name in _METADATA.items():
        if (data := getattr(container, name)) is not None:
            packed.append(pack_chunk(kind, bodies.pack_metadata(data, compressed=kind != b"e")))
    for kind, body in container.ancillary:
        if kind in _KNOWN or not chunks.is_letter(kind) or kind.isupper():
            raise damaged(f"{kind!r} is not a valid type for an additional chunk")
        packed.append(pack_chunk(kind, body))
    if container.alpha is not None:
        packed.append(
            pack_chunk(b"A", bodies.pack_alpha(container.alpha, container.height, container.width))
        )
    if container.quality_map is not None:
        packed.append(pack_chunk(b"M", container.quality_map))
    if container.filter_weights is not None:
        packed.append(pack_chunk(b"F", container.filter_weights))
    if container.coarse is not None:
        packed.append(pack_chunk(b"C", container.coarse))
    pack = chunks.pack_lossless if container.exact else chunks.pack_stream
    packed += [pack(segment) for segment in container.segments]
    return b"".join(packed)


def parse_container(
    data: bytes, *, partial: bool = False, max_pixels: int = MAX_PIXELS
) -> Container:
    """Read a file; with ``partial``, everything after the header that is not damaged.

    In a partial reading, ``lost`` names the damaged parts ("?" if even the type is unknown). Of a
    damaged stream, the part before the damage is kept. P chunks are used only while none of them
    can be missing, that is, if at most metadata or transparency before them are damaged.
    Raises NotLbbicError, UnsupportedVersionError or CorruptDataError, the first two even with
    ``partial``; TooLargeError for a picture of more than ``max_pixels``, before anything is
    decompressed.
    """
    return _parse(data, partial=partial, max_pixels=max_pixels, unpack_alpha=True).build()


def read_outline(
    data: bytes, *, partial: bool = False, max_pixels: int = MAX_PIXELS
) -> tuple[Container, bool]:
    """Read a file as ``parse_container`` does, but without decompressing its transparency.

    Returns whether it has transparency, too. Time and memory depend on the length of the data and
    on ``MAX_METADATA_BYTES``, not on the size of the picture.
    """
    builder = _parse(data, partial=partial, max_pixels=max_pixels, unpack_alpha=False)
    return builder.build(), builder.has_alpha


def _parse(data: bytes, *, partial: bool, max_pixels: int, unpack_alpha: bool) -> _Builder:
    _check_signature(data)
    first = chunks.read_chunk(data, len(SIGNATURE) + len(VERSION))
    header = replace(_parse_header(first), version=(VERSION[0], data[len(SIGNATURE) + 1]))
    if header.width * header.height > max_pixels:
        size = f"{header.width} × {header.height} pixels"
        raise TooLargeError("Too large", f"{size} exceed the limit of {max_pixels} set here.")
    builder = _Builder(header, unpack_alpha=unpack_alpha)
    if partial:
        for chunk in chunks.find_chunks(data, first.end, b"L" if header.exact else b"S"):
            builder.salvage(chunk)
    else:
        for chunk in chunks.iterate_chunks(data, first.end):
            builder.add(chunk)
        if builder.quality_map == b"":
            raise damaged("Its map of quality is missing.")
        if builder.filter_weights == b"":
            raise damaged("Its filter is missing.")
        if builder.coarse == b"":
            raise damaged("Its correction of slow errors is missing.")
        if not builder.segments:
            raise damaged("It ends before its picture data.")
    return builder


# --- reading ------------------------------------------------------------------------------------


class _Builder:
    """Collects the chunks after the header; ``add`` changes nothing if it raises."""

    def __init__(self, header: Container, *, unpack_alpha: bool) -> None:
        self.header = header
        self.quality_map = header.quality_map
        self.filter_weights = header.filter_weights
        self.coarse = header.coarse
        self.has_alpha = False
        self._unpack_alpha = unpack_alpha
        self._chunks = 0
        self.alpha: NDArray[np.uint8] | None = None
        self.metadata: dict[str, bytes] = {}
        self.ancillary: list[tuple[bytes, bytes]] = []
        self.segments: list[Segment] = []
        self.segment_kind = b""
        self.lost: dict[bytes, None] = {}  # an ordered set

    def add(self, chunk: Chunk) -> None:
        """Add an intact chunk; CorruptDataError if it contradicts earlier ones."""
        kind, body = chunk.kind, bytes(chunk.body)
        if self.segments and kind != self.segment_kind:
            raise damaged("There is extra data after the picture.")
        if kind in _STREAMS:
            segment = chunks.parse_stream(chunk)
            if not segment.whole:
                raise damaged("A part of it does not match its checksums.")
            self._add_segment(kind, segment, skipped=0)
            return
        self._chunks += 1
        if self._chunks > MAX_CHUNKS:
            raise damaged(f"It has more than {MAX_CHUNKS} parts besides its picture data.")
        if kind == b"A" and not self.has_alpha:
            if self._unpack_alpha:
                self.alpha = bodies.parse_alpha(body, self.header.height, self.header.width)
            self.has_alpha = True
        elif kind == b"M" and self.quality_map == b"":
            self.quality_map = body
        elif kind == b"F" and self.filter_weights == b"":
            self.filter_weights = body
        elif kind == b"C" and self.coarse == b"":
            self.coarse = body
        elif kind in _METADATA and _METADATA[kind] not in self.metadata:
            self.metadata[_METADATA[kind]] = bodies.unpack_metadata(body, compressed=kind != b"e")
        elif kind in _KNOWN:
            raise damaged("It contains a part twice, or one that its header does not announce.")
        elif kind.isupper():
            raise _newer("It contains a part that this version does not know.")
        else:
            self.ancillary.append((kind, body))

    def salvage(self, chunk: Chunk) -> None:
        """Add what can be used of a chunk that may be damaged."""
        try:
            if chunk is UNKNOWN and (self.segments or {b"S", b"L"} & self.lost.keys()):
                return  # only streams were skipped, and the missing blocks are reported anyway
            if chunk.kind in (b"S", b"L"):
                segment = chunks.parse_stream(chunk)
                if not segment.whole:
                    self.lost[chunk.kind] = None
                if segment.whole or segment.stream:
                    self._add_segment(chunk.kind, segment, skipped=MAX_SIDE)
            elif not chunk.intact or (chunk.kind == b"P" and self.lost.keys() - _BEFORE_STREAMS):
                self.lost[chunk.kind] = None
            elif chunk.kind in self.lost and chunk.kind in _BEFORE_STREAMS:
                pass  # a thousand of them would cost more than they can be worth
            else:
                self.add(chunk)
        except CorruptDataError:
            self.lost[chunk.kind] = None

    def _add_segment(self, kind: bytes, segment: Segment, skipped: int) -> None:
        """Add a segment; at most ``skipped`` tiles before it may be missing."""
        if (kind == b"L") != self.header.exact:
            raise damaged("Its picture is not stored as its header says.")
        if self.segments and kind != self.segment_kind:
            raise damaged("Its picture is stored in two ways.")
        last = self.segments[-1].tile if self.segments else -1
        first = max(last, 0) if kind == b"P" else last + 1
        _check_segment(self.header, segment, range(first, last + 2 + skipped))
        self.segment_kind = kind
        self.segments.append(segment)

    def build(self) -> Container:
        return replace(
            self.header,
            segments=tuple(self.segments),
            quality_map=self.quality_map,
            filter_weights=self.filter_weights,
            coarse=self.coarse,
            alpha=self.alpha,
            icc=self.metadata.get("icc"),
            exif=self.metadata.get("exif"),
            xmp=self.metadata.get("xmp"),
            ancillary=tuple(self.ancillary),
            lost=tuple(self.lost),
        )


def _check_signature(data: bytes) -> None:
    if not isinstance(data, bytes | bytearray):
        raise TypeError(f"an .lbb file is given as bytes, not as {type(data).__name__}")
    if not data.startswith(SIGNATURE):
        raise NotLbbicError("Not an LBBIC file", "It does not start like one.")
    if len(data) < len(SIGNATURE) + len(VERSION):
        raise damaged("It ends before its header.")
    major = data[len(SIGNATURE)]
    if major > VERSION[0]:
        raise _newer(f"Its format is version {major}; this program reads version {VERSION[0]}.")
    if major < VERSION[0]:
        raise damaged(f"Its format version, {major}, does not exist.")


def _parse_header(chunk: Chunk) -> Container:
    if chunk.kind != b"H" or not chunk.intact:
        raise damaged("Its header is missing or damaged.")
    body = bytes(chunk.body)
    width, at = parse_varint(body, 0)
    height, at = parse_varint(body, at)
    flags, quality_eighths = _take(body, at, 2)
    tile_block_rows, at = parse_varint(body, at + 2)
    weights_id = _take(body, at, _WEIGHTS_ID_BYTES)
    (pixels_crc,) = struct.unpack("<I", _take(body, at + _WEIGHTS_ID_BYTES, 4))
    if len(body) != at + _WEIGHTS_ID_BYTES + 4:
        raise damaged("Its header has the wrong length.")
    kinds = _GREY | _EXACT | _MAPPED | _CORRECTED | _FILTERED
    strength = (flags & ~kinds) >> _STRENGTH_SHIFT
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
        quality_map=b"" if flags & _MAPPED else None,
        filter_weights=b"" if flags & _FILTERED else None,
        coarse=b"" if flags & _CORRECTED else None,
    )
    _check_header(header)
    return header


def _take(body: bytes, start: int, count: int) -> bytes:
    taken = body[start : start + count]
    if len(taken) != count:
        raise damaged("Its header is too short.")
    return taken


# --- writing ------------------------------------------------------------------------------------


def _version_of(container: Container) -> tuple[int, int]:
    """The version that a reader of the file must know."""
    if container.filter_weights is not None:
        return VERSION
    is_of_1_3 = container.exact or container.quality_map is not None or container.coarse is not None
    return (1, 3) if is_of_1_3 else PLAIN_VERSION


def _pack_header(container: Container) -> bytes:
    return b"".join(
        [
            pack_varint(container.width),
            pack_varint(container.height),
            bytes([_flags(container), container.quality_eighths]),
            pack_varint(container.tile_block_rows),
            container.weights_id,
            struct.pack("<I", container.pixels_crc),
        ]
    )


def _flags(container: Container) -> int:
    kinds = container.grey * _GREY | container.exact * _EXACT
    kinds |= (container.quality_map is not None) * _MAPPED
    kinds |= (container.coarse is not None) * _CORRECTED
    kinds |= (container.filter_weights is not None) * _FILTERED
    return kinds | container.strength << _STRENGTH_SHIFT


# --- what writer and reader both insist on ------------------------------------------------------


def _check_header(header: Container) -> None:
    if header.width < 1 or header.height < 1:
        raise damaged(f"A picture of {header.width} × {header.height} pixels is empty.")
    if max(header.width, header.height) > MAX_SIDE:
        raise damaged(
            f"A side of {max(header.width, header.height)} pixels exceeds the limit of {MAX_SIDE}."
        )
    if header.width * header.height > MAX_PIXELS:
        raise damaged(f"{header.width} × {header.height} pixels exceed the limit of {MAX_PIXELS}.")
    if not 0 <= header.strength <= MAX_STRENGTH:
        raise damaged("A setting in its header is invalid.")
    if header.filter_weights is not None and not header.strength:
        raise damaged("Its header contradicts itself.")
    parts = header.quality_map, header.filter_weights, header.coarse
    is_plain = not header.strength and all(part is None for part in parts)
    if header.exact and not (is_plain and header.weights_id == NO_WEIGHTS):
        raise damaged("Its header contradicts itself.")
    if header.quality_eighths not in QUALITY_EIGHTHS:
        raise damaged("Its quality is not between 1 and 8.")
    if len(header.weights_id) != _WEIGHTS_ID_BYTES:
        raise damaged("The identity of its model has the wrong length.")


def _check_segments(container: Container) -> None:
    if not container.segments:
        raise damaged("It has no picture.")
    for tile, segment in enumerate(container.segments):
        _check_segment(container, segment, range(tile, tile + 1))


def _check_segment(header: Container, segment: Segment, tiles: range) -> None:
    """Check that the tile is one of ``tiles``; other bounds assume 1×1 blocks, the smallest."""
    if segment.tile not in tiles:
        raise damaged("Its parts are out of order.")
    if segment.tile > 0 and (
        header.tile_block_rows == 0 or segment.tile * header.tile_block_rows >= header.height
    ):
        raise damaged("It has more parts than its picture can have.")
    fronts = range(1) if header.exact else range(1, header.width + 2 * header.height + 1)
    if segment.front_count not in fronts:
        raise damaged("A part of it claims an impossible size.")


def _newer(detail: str) -> UnsupportedVersionError:
    return UnsupportedVersionError("The file needs a newer version of this program", detail)
