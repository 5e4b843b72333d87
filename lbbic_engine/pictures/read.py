"""Reads pictures: any file in a supported format becomes 8-bit RGB with alpha and metadata.

This module defines the order of the steps. ``notices`` tell what a picture loses; a picture that
would become unrecognisable is refused. Grey pictures have three equal channels. The orientation is
always applied, and its tag set to 1.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from lbbic_engine.bitstream.bodies import MAX_METADATA_BYTES
from lbbic_engine.errors import Refusal, UnsupportedImageError
from lbbic_engine.pictures import modes, profile
from lbbic_engine.pictures.colour import (
    UnfitProfileError,
    as_srgb,
    conversion_to_srgb,
    image_to_srgb,
    space_of,
    to_srgb,
)
from lbbic_engine.pictures.files.extras import Extras
from lbbic_engine.pictures.files.opening import Source, open_image
from lbbic_engine.pictures.metadata import exif as exif_data
from lbbic_engine.pictures.metadata.collect import Metadata
from lbbic_engine.pictures.picture import Notice, NoticeKind, Picture

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_QUARTER_TURNS = (5, 6, 7, 8)
_OTHERS = {"PSD": "layers", "ICO": "sizes", "ICNS": "sizes"}  # than frames or pages
_PROFILE_FIRST = ("AVIF", "HEIF")  # a profile goes before code points
_IN_OTHER_SPACES = ("CMYK", "LAB")
_CUT_OFF = re.compile(r"truncated|not enough image data|buffer of|EOF|bytes but only", re.I)
_DAMAGED = re.compile(r"broken|corrupt|unrecognized data|failed to decode|decoder object", re.I)
_NARROW_BLACK, _NARROW_WHITE = 16, 235


def load_picture(source: Source) -> Picture:
    """Read the picture in a file or an image, the first frame if there are several.

    UnsupportedImageError if it cannot be read, is damaged, cut off, too large (TooLargeError), or
    cannot be represented in 8 bits.
    """
    with _translated_errors(source), open_image(source) as (image, extras):
        return _read_picture(image, extras)


@dataclass(frozen=True)
class Preview:
    """A small version of a picture, in sRGB."""

    pixels: NDArray[np.uint8]  # (h, w, 4)
    width: int  # of the whole picture
    height: int


def load_preview(source: Source, side: int) -> Preview:
    """Read a picture as ``load_picture`` does, reduced to a square of ``side`` pixels."""
    with _translated_errors(source), open_image(source) as (image, extras):
        width, height = image.size
        image.draft(None, (2 * side, 2 * side))
        picture = _read_picture(image, extras, side)
        if Metadata(image, extras).orientation in _QUARTER_TURNS:
            width, height = height, width
    alpha = picture.alpha
    if alpha is None:
        alpha = np.full(picture.pixels.shape[:2], 255, np.uint8)
    return Preview(np.dstack((to_srgb(picture).pixels, alpha)), width, height)


def picture_size(source: Source) -> tuple[int, int]:
    """Return width and height before the orientation is applied; UnsupportedImageError."""
    with _translated_errors(source), open_image(source) as (image, _):
        return image.size


# --- reading; a ValueError here is a reason to refuse the picture -------------------------------


def _read_picture(image: Image.Image, extras: Extras, side: int | None = None) -> Picture:
    """Read the whole picture, or one reduced to a square of ``side`` pixels."""
    notices: list[Notice] = []
    raw = modes.raw_mode(image)
    bits = modes.bits_per_channel(image, extras)
    image.load()
    if extras.read_texts:
        extras.read_texts()
    if bits > 8:
        notices.append(modes.depth_notice(bits))
    if extras.developed:
        notices.append(Notice(NoticeKind.COLOUR, extras.developed))
    if extras.frames > 1 or getattr(image, "is_animated", False):
        others = _OTHERS.get(image.format or "", "frames or pages")
        notices.append(Notice(NoticeKind.FRAMES, f"Only one of its {others} is kept."))
    if side is None and extras.is_damaged and extras.is_damaged():
        text = "Its data is damaged: a part of the picture may be wrong."
        notices.append(Notice(NoticeKind.INCOMPLETE, text))
    metadata = Metadata(image, extras)
    icc = _profile(image, extras, metadata.exif, notices)
    if image.mode in _IN_OTHER_SPACES:
        plain, icc = _from_other_space(image, icc, notices), None
    else:
        low_bytes = extras.low_bytes() if extras.low_bytes else None
        plain = modes.to_plain(image, raw, low_bytes)
    if side is not None and max(plain.size) > side:
        size = [max(1, round(each * side / max(plain.size))) for each in plain.size]
        plain = plain.resize((size[0], size[1]), Image.Resampling.BICUBIC, reducing_gap=2.0)
    turn = _UPRIGHT.get(metadata.orientation)
    upright = plain if turn is None else plain.transpose(turn)
    metadata.make_upright(turn, *upright.size)
    pixels, alpha = modes.to_arrays(upright)
    if extras.is_narrow:
        pixels = _widened(pixels, notices)
    icc, grey = _fitting(icc, plain.mode in modes.GREY_MODES, notices)
    is_too_long = len(icc or b"") > MAX_METADATA_BYTES
    if is_too_long:
        text = f"Its colour profile has more than {MAX_METADATA_BYTES} bytes; converted to sRGB."
        notices.append(Notice(NoticeKind.COLOUR, text))
    notices += metadata.notices()
    exif = metadata.exif
    picture = Picture(pixels, alpha, grey, icc, exif, metadata.xmp, tuple(notices))
    if is_too_long:
        return to_srgb(picture)
    is_misnamed = icc is None and exif is not None and exif_data.is_adobe_rgb(exif)
    return as_srgb(picture) if is_misnamed else picture


def _profile(
    image: Image.Image, extras: Extras, exif: bytes | None, notices: list[Notice]
) -> bytes | None:
    """Return the colour profile, or None for sRGB.

    In PNG files, cICP takes precedence over an ICC profile, sRGB, and gAMA with cHRM. Other files
    may have code points (nclx) or a colour space in EXIF. In AVIF files, an ICC profile takes
    precedence over code points.
    """
    icc = image.info.get("icc_profile")
    if image.info.get("icc_profile", b"") is None:
        text = "Its colour profile is damaged and was left out; colours are treated as sRGB."
        notices.append(Notice(NoticeKind.PROFILE, text))
    if extras.has_unknown_colours and not icc:
        text = "Its colour space is unknown; colours are treated as sRGB."
        notices.append(Notice(NoticeKind.COLOUR, text))
    colours = _signalled(image, extras, exif, notices, bool(icc))
    if colours is None:
        return icc or None
    grey = image.mode in modes.GREY_MODES or image.mode.startswith("I")
    if colours.is_srgb() or (grey and colours.curve == profile.SRGB_CURVE):
        return None
    return profile.as_icc(colours, grey)


def _signalled(
    image: Image.Image,
    extras: Extras,
    exif: bytes | None,
    notices: list[Notice],
    has_profile: bool,
) -> profile.Colours | None:
    """The colours that are not defined by a profile, or that take precedence over one."""
    if extras.code_points and not (has_profile and image.format in _PROFILE_FIRST):
        colours = profile.from_code_points(*extras.code_points)
        if colours is None:
            text = "Its colour space is unknown; colours are treated as sRGB."
            notices.append(Notice(NoticeKind.COLOUR, text))
        return colours or profile.SRGB
    if has_profile or "srgb" in image.info:
        return None
    gamma, chromaticities = image.info.get("gamma"), image.info.get("chromaticity")
    if gamma or chromaticities:
        return profile.from_gamma(gamma, chromaticities)
    return profile.ADOBE_RGB if exif and exif_data.is_adobe_rgb(exif) else None


def _from_other_space(image: Image.Image, icc: bytes | None, notices: list[Notice]) -> Image.Image:
    how = "without a colour profile; colours may differ."
    plain = None
    if icc:
        try:
            plain, how = image_to_srgb(image, icc), "through its colour profile."
        except UnfitProfileError:
            how = "without its colour profile, which does not fit; colours may differ."
    notices.append(Notice(NoticeKind.COLOUR, f"Converted from {image.mode} to sRGB {how}"))
    return plain or image.convert("RGB")


def _fitting(icc: bytes | None, grey: bool, notices: list[Notice]) -> tuple[bytes | None, bool]:
    """Return the profile, if it fits the pixels, and whether these stay grey."""
    if icc is None:
        return None, grey
    try:
        conversion = conversion_to_srgb(icc, grey)
        if not grey or space_of(icc) == "GRAY":
            return icc, grey
    except UnfitProfileError as error:
        text = f"{error} It was left out; colours are treated as sRGB."
        notices.append(Notice(NoticeKind.PROFILE, text))
        return None, grey
    if conversion is None:
        text = "Its colour profile is for RGB; the picture stays grey without it."
        notices.append(Notice(NoticeKind.PROFILE, text))
        return None, grey
    text = "Its colour profile is for RGB; the grey picture is kept as RGB."
    notices.append(Notice(NoticeKind.PROFILE, text))
    return icc, False


def _widened(pixels: NDArray[np.uint8], notices: list[Notice]) -> NDArray[np.uint8]:
    text = "Stretched from the narrow range (16 to 235) to the full range."
    notices.append(Notice(NoticeKind.COLOUR, text))
    steps = np.arange(256, dtype=np.float64) - _NARROW_BLACK
    table = np.clip(steps * 255 / (_NARROW_WHITE - _NARROW_BLACK), 0, 255).round()
    widened: NDArray[np.uint8] = table.astype(np.uint8)[pixels]
    return widened


# --- words --------------------------------------------------------------------------------------


@contextmanager
def _translated_errors(source: Source) -> Iterator[None]:
    try:
        yield
    except Refusal as error:
        raise error.kind(f"Cannot read {_name(source)}", str(error)) from None
    except Exception as error:  # Pillow's readers raise anything when a file is damaged.
        raise UnsupportedImageError(f"Cannot read {_name(source)}", reason(error)) from error


def _name(source: object) -> str:
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "") or "the image")
    return str(
        source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", "data")
    )


def reason(error: Exception) -> str:
    """Explain an error to a user."""
    if isinstance(error, UnidentifiedImageError):
        return "It is not a picture in a known format."
    if isinstance(error, MemoryError):
        return "There is not enough memory to read it."
    # Pillow's messages about damage only help those who know the format.
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if _CUT_OFF.search(words):
        return "It is cut off."
    if isinstance(error, (SyntaxError, struct.error, zlib.error)) or _DAMAGED.search(words):
        return "It is damaged."
    return words
