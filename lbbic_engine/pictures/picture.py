"""A picture in memory: 8-bit RGB with alpha and metadata; as a Pillow image."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EXIF_PREFIX = b"Exif\0\0"


class NoticeKind(StrEnum):
    """What a notice is about."""

    DEPTH = "depth"  # fewer bits per channel than the file has
    COLOUR = "colour"  # converted to another colour space
    PROFILE = "profile"  # a colour profile that is damaged or does not fit
    FRAMES = "frames"  # frames, pages, layers or sizes beside the one that is kept
    LEFT_OUT = "left out"  # metadata and other parts of the file
    ALPHA = "alpha"  # transparency that was given up
    INCOMPLETE = "incomplete"  # a part of the picture is missing


@dataclass(frozen=True)
class Notice:
    """Something that reading or writing changed: one sentence, ``text``, for the user."""

    kind: NoticeKind
    text: str


@dataclass(frozen=True)
class Picture:
    """``pixels`` (H, W, 3) uint8, ``alpha`` (H, W) uint8 with 255 opaque, upright.

    ``grey``: the three channels are equal. ``icc`` None: sRGB. ``exif`` is a TIFF structure
    without the ``Exif`` prefix of JPEG files. ``notices``: what loading changed.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    grey: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    notices: tuple[Notice, ...] = ()


def to_image(picture: Picture) -> Image.Image:
    """An image of mode L, LA, RGB or RGBA; ``info`` has icc_profile, exif and xmp if known."""
    channels = picture.pixels[..., 0] if picture.grey else picture.pixels
    if picture.alpha is not None:
        channels = np.dstack((channels, picture.alpha))
    image = Image.fromarray(np.ascontiguousarray(channels))
    attach_metadata(image, picture.icc, picture.exif, picture.xmp)
    return image


def attach_metadata(
    image: Image.Image, icc: bytes | None, exif: bytes | None, xmp: bytes | None
) -> None:
    """Put metadata, as a Picture holds them, where Pillow keeps them."""
    info = {"icc_profile": icc, "exif": EXIF_PREFIX + exif if exif else None, "xmp": xmp}
    for key, value in info.items():
        if value:
            image.info[key] = value
