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
    QUALITY = "quality"  # less than was asked for
    INCOMPLETE = "incomplete"  # a part of the picture is missing or wrong


@dataclass(frozen=True)
class Notice:
    """A change made by reading or writing a picture."""

    kind: NoticeKind
    text: str  # one sentence for the user


@dataclass(frozen=True)
class Picture:
    """An upright picture."""

    pixels: NDArray[np.uint8]  # (H, W, 3)
    alpha: NDArray[np.uint8] | None = None  # (H, W), 255 is opaque
    grey: bool = False  # the three channels are equal
    icc: bytes | None = None  # None: sRGB
    exif: bytes | None = None  # a TIFF structure, without the ``Exif`` prefix of JPEG files
    xmp: bytes | None = None
    notices: tuple[Notice, ...] = ()  # changes made by reading


def to_image(picture: Picture) -> Image.Image:
    """Return an image of mode L, LA, RGB or RGBA with its metadata in ``info``."""
    channels = picture.pixels[..., 0] if picture.grey else picture.pixels
    if picture.alpha is not None:
        channels = np.dstack((channels, picture.alpha))
    image = Image.fromarray(np.ascontiguousarray(channels))
    attach_metadata(image, picture.icc, picture.exif, picture.xmp)
    return image


def attach_metadata(
    image: Image.Image, icc: bytes | None, exif: bytes | None, xmp: bytes | None
) -> None:
    """Add the metadata of a Picture to ``image.info``."""
    info = {"icc_profile": icc, "exif": EXIF_PREFIX + exif if exif else None, "xmp": xmp}
    for key, value in info.items():
        if value:
            image.info[key] = value
