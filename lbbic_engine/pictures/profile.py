"""Colour profiles for colours that a file defines by code points or by numbers.

``Colours`` is three primaries, a white and a curve; ``as_icc`` writes it as a matrix/TRC profile
(ICC.1:2010, version 4.3). Code points are those of ITU-T H.273, which PNG (cICP) and AVIF (nclx)
share.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.errors import Refusal, UnfitPixelsError

UNSPECIFIED = 2

Curve = tuple[float, ...]  # (g,) or (g, a, b, c, d): (a·x + b)^g from d on, c·x below

SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_SMPTE_240M: Curve = (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913)
_D65, _C, _E, _DCI = (0.3127, 0.3290), (0.310, 0.316), (1 / 3, 1 / 3), (0.314, 0.351)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_MAX_GAMMA = 100  # and its reciprocal the least: no display has such a one
_CHROMATICITY_STEP = 0.0005  # by which rounding in files may change primaries

Point = tuple[float, float]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Colours:
    """Primaries and white in CIE x, y, and a transfer curve."""

    name: str
    red: Point
    green: Point
    blue: Point
    white: Point
    curve: Curve  # from pixel value to light

    def is_srgb(self) -> bool:
        own, others = np.array(self._points()), np.array(SRGB._points())
        same = np.abs(own - others).max() <= _CHROMATICITY_STEP
        return bool(same) and self.curve == SRGB_CURVE

    def _points(self) -> tuple[Point, ...]:
        return self.red, self.green, self.blue, self.white


SRGB = Colours("sRGB", (0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65, SRGB_CURVE)
ADOBE_RGB = Colours(
    "Adobe RGB (1998)", (0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65, (563 / 256,)
)

_PRIMARIES = {
    1: SRGB,
    4: Colours("BT.470 M", (0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C, SRGB_CURVE),
    5: Colours("BT.601 625", (0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65, SRGB_CURVE),
    6: Colours("BT.601 525", (0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65, SRGB_CURVE),
    7: Colours("SMPTE 240M", (0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65, SRGB_CURVE),
    8: Colours("film", (0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C, SRGB_CURVE),
    9: Colours("BT.2020", (0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65, SRGB_CURVE),
    10: Colours("CIE XYZ", (1.0, 0.0), (0.0, 1.0), (0.0, 0.0), _E, SRGB_CURVE),
    11: Colours("DCI P3", (0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI, SRGB_CURVE),
    12: Colours("Display P3", (0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65, SRGB_CURVE),
    22: Colours("EBU 3213", (0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65, SRGB_CURVE),
}
# Browsers, like displays, treat camera curves (BT.709, 601, 2020 and similar) as sRGB.
_CURVES: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 11, 12, 13, 14, 15), SRGB_CURVE),
    4: (2.2,),
    5: (2.8,),
    7: _SMPTE_240M,
    8: (1.0,),
    17: (2.6,),
}
_HDR = {16: "PQ", 18: "HLG"}


def from_code_points(primaries: int, transfer: int) -> Colours | None:
    """Return the colours of two code points, with sRGB for unspecified ones; None if unknown.

    Raises Refusal for high dynamic range.
    """
    if transfer in _HDR:
        what = f"It is a picture of high dynamic range ({_HDR[transfer]})"
        raise Refusal(f"{what}, which 8 bits per channel cannot represent.", UnfitPixelsError)
    known = _PRIMARIES.get(1 if primaries == UNSPECIFIED else primaries)
    curve = _CURVES.get(13 if transfer == UNSPECIFIED else transfer)
    if known is None or curve is None:
        return None
    name = known.name if curve == SRGB_CURVE else f"{known.name} with gamma {curve[0]:.2f}"
    return replace(known, name=name, curve=curve)


def from_gamma(gamma: float | None, chromaticities: tuple[float, ...] | None) -> Colours | None:
    """Return the colours of PNG's gAMA and cHRM (x, y of white, red, green, blue), or None."""
    is_sane = gamma is not None and 1 / _MAX_GAMMA <= gamma <= _MAX_GAMMA
    curve = (1 / gamma,) if gamma and is_sane else SRGB_CURVE
    if chromaticities is None:
        return replace(SRGB, name=f"sRGB with gamma {curve[0]:.2f}", curve=curve)
    white, red, green, blue = zip(chromaticities[::2], chromaticities[1::2], strict=True)
    colours = Colours("the file's own primaries", red, green, blue, white, curve)
    try:
        sane = np.isfinite(_to_xyz(colours)).all() and np.linalg.det(_to_xyz(colours)) > 0
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None
    return colours if sane else None


def as_icc(colours: Colours, grey: bool) -> bytes:
    """Return the profile for RGB, or for grey, where only the white and the curve matter."""
    tags = {
        b"desc": _text(colours.name),
        b"cprt": _text("No copyright"),
        b"wtpt": _xyz(_D50),
        b"chad": b"sf32" + bytes(4) + _fixed(_adaptation(colours.white).ravel()),
    }
    curve = _curve(colours.curve)
    if grey:
        tags[b"kTRC"] = curve
    else:
        for letter, column in zip(b"rgb", _to_xyz(colours).T, strict=True):
            tags[bytes([letter]) + b"XYZ"] = _xyz(column)
            tags[bytes([letter]) + b"TRC"] = curve
    return _assemble(tags, b"GRAY" if grey else b"RGB ")


def _to_xyz(colours: Colours) -> Matrix:
    """Matrix (3, 3) from linear RGB to XYZ under D50."""
    points = np.array([_white_xyz(p) for p in (colours.red, colours.green, colours.blue)]).T
    weights = np.linalg.solve(points, _white_xyz(colours.white))
    matrix: Matrix = _adaptation(colours.white) @ (points * weights)
    return matrix


def _white_xyz(point: Point) -> NDArray[np.float64]:
    """X, Y, Z of x, y with Y = 1, or with Z = 1 if Y is 0."""
    x, y = point
    return np.array([x, y, 1 - x - y]) / (y or 1 - x or 1)


def _adaptation(white: Point) -> Matrix:
    """Bradford's matrix (3, 3) from a white to D50."""
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ _white_xyz(white))
    adapted: Matrix = np.linalg.inv(_BRADFORD) @ (cones[:, None] * _BRADFORD)
    return adapted


def _assemble(tags: dict[bytes, bytes], space: bytes) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}  # the three curves share their data
    data, table = b"", b""
    for tag, body in tags.items():
        if body not in places:
            places[body] = start + len(data)
            data += body + bytes(-len(body) % 4)
        table += struct.pack(">4sII", tag, places[body], len(body))
    header = struct.pack(
        ">I4sI4s4s4s12s4s28s12s48x",
        start + len(data),
        b"",
        0x04300000,
        b"mntr",
        space,
        b"XYZ ",
        struct.pack(">6H", 2000, 1, 1, 0, 0, 0),  # a constant date, for reproducible files
        b"acsp",
        b"",
        _fixed(_D50),
    )
    return header + struct.pack(">I", len(tags)) + table + data


def _text(words: str) -> bytes:
    text = words.encode("utf-16-be")
    return struct.pack(">4sIII2s2sII", b"mluc", 0, 1, 12, b"en", b"US", len(text), 28) + text


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _curve(curve: Curve) -> bytes:
    kind = 0 if len(curve) == 1 else 3
    return struct.pack(">4sIHH", b"para", 0, kind, 0) + _fixed(np.array(curve))


def _fixed(values: NDArray[np.float64]) -> bytes:
    """Signed 16.16 fixed-point numbers."""
    return np.round(values * 65_536).astype(">i4").tobytes()
