"""Reads the colour space from a JPEG XL file's headers, which its decoder does not report.

Source: ISO/IEC 18181-1 (the headers of a codestream) and 18181-2 (the boxes around one).
"""

from __future__ import annotations

import struct

from lbbic_engine.pictures.files.extras import Extras

_CODESTREAM = b"\xff\x0a"
_HEADER_BYTES = 1000  # more than the headers of any sensible file have

_GREY, _XYB = 1, 2  # colour spaces
_D65, _CUSTOM = 1, 2
_SRGB_PRIMARIES, _SRGB_CURVE = 1, 13
_P3, _P3_D65 = 11, 12  # primaries: H.273 has a number for each white, JPEG XL a separate field
_UNKNOWN = 0  # no code point
_ALPHA, _SPOT, _CFA = 0, 2, 5  # kinds of extra channels

# How a number is coded (U32 in the standard): two bits choose one of four pairs of an offset and
# the count of bits that follow.
_Choices = tuple[tuple[int, int], ...]
_SIDE: _Choices = ((1, 9), (1, 13), (1, 18), (1, 30))
_ENUM: _Choices = ((0, 0), (1, 0), (2, 4), (18, 6))
_COORDINATE: _Choices = ((0, 19), (2**19, 19), (2**20, 20), (2**21, 21))
_BITS: _Choices = ((8, 0), (10, 0), (12, 0), (1, 6))
_FLOAT_BITS: _Choices = ((32, 0), (16, 0), (24, 0), (1, 6))
_COUNT: _Choices = ((0, 0), (1, 0), (2, 4), (1, 12))
_NAME: _Choices = ((0, 0), (0, 4), (16, 5), (48, 10))
_SHIFT: _Choices = ((0, 0), (3, 0), (4, 0), (1, 3))
_FILTER: _Choices = ((1, 0), (0, 2), (3, 4), (19, 8))
_PREVIEW_IN_8: _Choices = ((16, 0), (32, 0), (1, 5), (33, 9))
_PREVIEW: _Choices = ((1, 6), (65, 8), (321, 10), (1345, 12))
_TICKS: _Choices = ((100, 0), (1000, 0), (1, 10), (1, 30))
_PER_SECONDS: _Choices = ((1, 0), (1001, 0), (1, 8), (1, 10))
_LOOPS: _Choices = ((0, 0), (0, 3), (0, 16), (0, 32))


def read_jxl(data: bytes) -> Extras:
    """Return the code points of the colours, unless a profile defines them.

    ``data`` is the file, of which the beginning is read. ``has_unknown_colours`` is set if the
    headers cannot be read.
    """
    try:
        return Extras(code_points=_code_points(_Bits(_codestream(data))))
    except (struct.error, IndexError):  # the decoder decides whether the file can be read
        return Extras(has_unknown_colours=True)


def _codestream(data: bytes) -> bytes:
    """The beginning of the codestream, without its signature; struct.error if there is none."""
    if data.startswith(_CODESTREAM):
        return data[len(_CODESTREAM) : _HEADER_BYTES]
    at = 0
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0  # a part begins with its number
            return data[start + len(_CODESTREAM) : start + _HEADER_BYTES]
        at = min(at + length, len(data)) if length >= 8 else len(data)


class _Bits:
    """Reads numbers from bytes, lowest bits first."""

    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def read(self, count: int) -> int:
        """Return the next ``count`` bits; IndexError if there are fewer."""
        if count > self._left:
            raise IndexError
        value = self._number & ((1 << count) - 1)
        self._number >>= count
        self._left -= count
        return value

    def choose(self, choices: _Choices) -> int:
        offset, count = choices[self.read(2)]
        return offset + self.read(count)


def _code_points(bits: _Bits) -> tuple[int, int] | None:
    """Primaries and transfer characteristics in H.273; None if a profile defines the colours."""
    _skip_size(bits)
    if bits.read(1):  # all fields have their default values
        return _SRGB_PRIMARIES, _SRGB_CURVE
    if bits.read(1):
        bits.read(3)  # orientation
        if bits.read(1):
            _skip_size(bits)
        if bits.read(1):
            _skip_preview(bits)
        if bits.read(1):
            _skip_animation(bits)
    _skip_depth(bits)
    bits.read(1)
    for _ in range(bits.choose(_COUNT)):
        _skip_extra_channel(bits)
    bits.read(1)  # whether the codestream is in XYB
    return _code_points_of_encoding(bits)


def _code_points_of_encoding(bits: _Bits) -> tuple[int, int] | None:
    if bits.read(1):
        return _SRGB_PRIMARIES, _SRGB_CURVE
    has_profile, space = bits.read(1), bits.choose(_ENUM)
    if has_profile:
        return None
    if space == _XYB:
        return _UNKNOWN, _UNKNOWN
    white = bits.choose(_ENUM)
    _skip_coordinates(bits, 1 if white == _CUSTOM else 0)
    primaries = _SRGB_PRIMARIES if space == _GREY else bits.choose(_ENUM)
    _skip_coordinates(bits, 3 if primaries == _CUSTOM else 0)
    transfer = _UNKNOWN if bits.read(1) else bits.choose(_ENUM)
    if primaries == _P3 and white == _D65:
        return _P3_D65, transfer
    return (_UNKNOWN if _CUSTOM in (white, primaries) else primaries), transfer


def _skip_coordinates(bits: _Bits, pairs: int) -> None:
    for _ in range(2 * pairs):
        bits.choose(_COORDINATE)


def _skip_size(bits: _Bits) -> None:
    in_8 = bits.read(1)
    for side in ("height", "width"):
        if side == "width" and bits.read(3):  # a ratio instead
            return
        if in_8:
            bits.read(5)
        else:
            bits.choose(_SIDE)


def _skip_preview(bits: _Bits) -> None:
    choices = _PREVIEW_IN_8 if bits.read(1) else _PREVIEW
    bits.choose(choices)
    if not bits.read(3):
        bits.choose(choices)


def _skip_animation(bits: _Bits) -> None:
    for choices in (_TICKS, _PER_SECONDS, _LOOPS):
        bits.choose(choices)
    bits.read(1)


def _skip_depth(bits: _Bits) -> None:
    if bits.read(1):
        bits.choose(_FLOAT_BITS)
        bits.read(4)
    else:
        bits.choose(_BITS)


def _skip_extra_channel(bits: _Bits) -> None:
    if bits.read(1):  # alpha of 8 bits
        return
    kind = bits.choose(_ENUM)
    _skip_depth(bits)
    bits.choose(_SHIFT)
    for _ in range(bits.choose(_NAME)):
        bits.read(8)
    if kind == _ALPHA:
        bits.read(1)
    elif kind == _SPOT:
        bits.read(64)
    elif kind == _CFA:
        bits.choose(_FILTER)
