"""Makes a picture smaller, with metadata that say so."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from lbbic_engine.pictures import modes
from lbbic_engine.pictures.metadata import exif, xmp
from lbbic_engine.pictures.picture import Picture


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
