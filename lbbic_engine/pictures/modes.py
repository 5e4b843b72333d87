"""Converts Pillow's modes and depths to 8-bit L, LA, RGB or RGBA, and to arrays."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.errors import Refusal, UnfitPixelsError
from lbbic_engine.pictures.files.extras import Extras
from lbbic_engine.pictures.picture import Notice, NoticeKind

GREY_MODES = {"1", "L", "LA", "La"}

_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # tags of TIFF
_WHITE_IS_ZERO = 0  # ignored by Pillow at 16 bits
_MAPPED_TO_8_BITS = {"L;2": 85, "L;4": 17}  # factors by which Pillow scales samples of PNG files
_DEPTH = re.compile(r"^(?:I|L|LA|RGB|RGBA|RGBX|CMYK);(1[0-9])")  # not BGR;16, which is 5-6-5


def raw_mode(image: Image.Image) -> str:
    """Pillow's raw mode of an image that is not loaded yet, or an empty string."""
    for tile in getattr(image, "tile", ()):
        arguments = tile[3]
        return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)
    return ""


def bits_per_channel(image: Any, extras: Extras) -> int:
    """Bits per channel of an image that is not loaded yet, as far as known; at least 8."""
    match = _DEPTH.match(raw_mode(image))
    depths = [8, extras.bits, int(match[1]) if match else 0]
    if image.format == "TIFF":
        depths += image.tag_v2.get(_BITS_PER_SAMPLE, ())
    elif image.format == "PPM" and image.tile and isinstance(image.tile[0][3], tuple):
        depths.append(int(image.tile[0][3][1]).bit_length())
    depth = max(depths)
    return 16 if depth == 8 and image.mode.startswith("I") else depth


def to_plain(image: Image.Image, raw: str, low_bytes: Image.Image | None = None) -> Image.Image:
    """Convert a loaded image to mode L, LA, RGB or RGBA; Refusal if 8 bits cannot hold it.

    ``low_bytes`` are the low bytes of 16-bit RGB, needed for a transparent colour.
    """
    if image.mode == "F":
        raise Refusal("Its pixels are floating-point numbers.", UnfitPixelsError)
    if image.mode.startswith("I"):
        return _narrow(image, 12 if raw == "I;12" else 16)
    if low_bytes is not None:
        return _with_16_bit_transparency(image, low_bytes)
    grey = image.mode in GREY_MODES or raw.startswith("LA;16")
    mode = ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")
    return image if image.mode == mode else _scale_transparency(image, raw).convert(mode)


def depth_notice(bits: int) -> Notice:
    return Notice(NoticeKind.DEPTH, f"Reduced from {bits} to 8 bits per channel.")


def to_arrays(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return pixels (H, W, 3) and transparency (H, W), or None if all is opaque."""
    channels = np.atleast_3d(np.asarray(image))
    has_alpha = image.mode.endswith("A")
    colour = channels[..., :-1] if has_alpha else channels
    pixels = np.ascontiguousarray(np.broadcast_to(colour, (*colour.shape[:2], 3)))
    alpha = np.ascontiguousarray(channels[..., -1]) if has_alpha else None
    return pixels, None if alpha is None or (alpha == 255).all() else alpha


def _narrow(image: Any, bits: int) -> Image.Image:
    """Round grey of up to 16 bits to 8 bits."""
    values, limit = np.asarray(image), 2**bits - 1
    if values.min() < 0 or values.max() > limit:
        raise Refusal("Its pixels have more than 16 bits.", UnfitPixelsError)
    if image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = limit - values
    grey = ((values.astype(np.int32) * 255 + limit // 2) // limit).astype(np.uint8)
    if "transparency" not in image.info:
        return Image.fromarray(grey)
    opaque = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.fromarray(np.dstack((grey, opaque)))


def _with_16_bit_transparency(image: Image.Image, low_bytes: Image.Image) -> Image.Image:
    colour = np.array(image.info["transparency"])
    matches = (np.asarray(image) == colour >> 8) & (np.asarray(low_bytes) == colour & 0xFF)
    plain = image.copy()
    del plain.info["transparency"]
    plain.putalpha(Image.fromarray(np.where(matches.all(axis=-1), 0, 255).astype(np.uint8)))
    return plain


def _scale_transparency(image: Image.Image, raw: str) -> Image.Image:
    """Scale the transparent colour of a PNG to 8 bits, as Pillow does the pixels only."""
    transparency, factor = image.info.get("transparency"), _MAPPED_TO_8_BITS.get(raw)
    if transparency is None or factor is None:
        return image
    scaled = image.copy()
    scaled.info["transparency"] = transparency * factor
    return scaled
