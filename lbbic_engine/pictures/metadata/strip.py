"""Takes away from a picture before it is coded: metadata, and pixels by resizing."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import replace

from PIL import Image

from lbbic_engine.config import METADATA
from lbbic_engine.pictures import modes
from lbbic_engine.pictures.colour import UnfitProfileError, as_srgb, to_srgb
from lbbic_engine.pictures.metadata import exif, xmp
from lbbic_engine.pictures.picture import Notice, NoticeKind, Picture


def strip(picture: Picture, kinds: Collection[str]) -> Picture:
    """Return ``picture`` without the metadata of ``kinds``, some of ``config.METADATA``.

    Removing the profile converts the picture to sRGB. ``gps`` covers positions, and names of places
    in XMP; data in which these cannot be located are removed as a whole, with a notice. ValueError
    for other kinds.
    """
    if unknown := set(kinds).difference(METADATA):
        raise ValueError(f"{min(unknown)!r} is not one of {', '.join(METADATA)}")
    if "icc" in kinds:
        picture = _in_srgb(picture)
    if "exif" in kinds:
        picture = replace(picture, exif=None)
    if "xmp" in kinds:
        picture = replace(picture, xmp=None)
    return _without_places(picture) if "gps" in kinds else picture


def resize(picture: Picture, longest_side: int | None) -> Picture:
    """At most `longest_side` pixels wide and high, by Lanczos; None: as it is. Never enlarges.

    Transparent colours do not bleed into opaque ones. The sizes in EXIF and XMP are adjusted.
    """
    height, width = picture.pixels.shape[:2]
    if longest_side is None or max(width, height) <= longest_side:
        return picture
    scale = longest_side / max(width, height)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    image = Image.fromarray(picture.pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))  # Pillow then resizes premultiplied colours
    pixels, alpha = modes.to_arrays(image.resize(size, Image.Resampling.LANCZOS))
    return replace(
        picture,
        pixels=pixels,
        alpha=alpha,
        exif=picture.exif and exif.upright(picture.exif, None, *size),
        xmp=picture.xmp and xmp.upright(picture.xmp, *size),
    )


def _in_srgb(picture: Picture) -> Picture:
    try:
        return to_srgb(picture)
    except UnfitProfileError:  # the profile does not apply to these pixels
        return as_srgb(picture)


def _without_places(picture: Picture) -> Picture:
    try:
        if picture.exif:
            picture = replace(picture, exif=exif.without_gps(picture.exif))
    except (KeyError, struct.error):
        picture = _noting(replace(picture, exif=None), "EXIF")
    try:
        if picture.xmp:
            picture = replace(picture, xmp=xmp.without_places(picture.xmp))
    except ValueError:
        picture = _noting(replace(picture, xmp=None), "XMP")
    return picture


def _noting(picture: Picture, kind: str) -> Picture:
    text = f"Its {kind} data is damaged and was left out, because it may contain the location."
    notice = Notice(NoticeKind.LEFT_OUT, text)
    return replace(picture, notices=(*picture.notices, notice))
