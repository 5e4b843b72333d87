"""Small pictures for file managers: those inside ``.lbb`` files, and PNGs made of them.

A file may contain a preview (a t chunk, see ``bitstream.container``), or its EXIF data a thumbnail,
as a camera's do. Either takes a few milliseconds; otherwise the whole picture is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from PIL import ExifTags, Image

from lbbic_engine.bitstream.chunks import pack_chunk, read_chunk
from lbbic_engine.bitstream.container import PREVIEW, SIGNATURE, VERSION, Container, read_outline
from lbbic_engine.pictures.colour import UnfitProfileError, to_srgb
from lbbic_engine.pictures.picture import Picture

_MAX_SHARE = 0.01  # of the file
# Side and quality in WebP; what is rather blurred than late is the last.
_TRIALS = ((256, 70), (256, 45), (256, 25), (128, 50), (128, 20), (96, 20), (64, 20))
_MAX_SIDE = 1024  # of a preview: a larger one is no preview, and may have been made to cost memory
_MAX_QUICK_SIDE = 512  # of a thumbnail that a small picture, which may be smaller, is enough for
_MAX_DISTORTION = 0.02  # of a thumbnail's proportions: some have black bars


def add_preview(data: bytes, picture: Picture, max_bytes: int | None = None) -> bytes:
    """Return an ``.lbb`` file with a preview of the picture, of up to 1 % of the file.

    The file as it was if not even a poor preview is so small, or if the file would exceed
    ``max_bytes``.
    """
    image = _small_image(picture)
    for side, quality in _TRIALS:
        small = image.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        small.save(file, "WEBP", quality=quality, method=6)
        chunk = pack_chunk(PREVIEW, file.getvalue())
        size = len(data) + len(chunk)
        if len(chunk) <= _MAX_SHARE * len(data) and (max_bytes is None or size <= max_bytes):
            header_end = read_chunk(data, len(SIGNATURE) + len(VERSION)).end
            return data[:header_end] + chunk + data[header_end:]
    return data


def thumbnail(data: bytes, side: int) -> Image.Image:
    """Return a picture in sRGB that fits into a square, of an ``.lbb`` file; LbbicError.

    Up to 512 pixels, a preview or a thumbnail in EXIF is enough, even if it is smaller. A damaged
    or incomplete file has one, too, unless nothing of it can be shown.
    """
    container, _ = read_outline(data, partial=True)
    for image in _small_pictures(container) if side <= _MAX_QUICK_SIDE else ():
        if _fits(image, container):
            break
    else:
        from lbbic_engine.codec import decompress

        image = _small_image(decompress(data, partial=True))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def _small_image(picture: Picture) -> Image.Image:
    with suppress(UnfitProfileError):  # one that says nothing about these pixels
        picture = to_srgb(picture)
    pixels = picture.pixels
    if picture.alpha is not None:
        pixels = np.dstack((pixels, picture.alpha))
    return Image.fromarray(np.ascontiguousarray(pixels))


def _small_pictures(container: Container) -> Iterator[Image.Image]:
    bodies = [body for kind, body in container.ancillary if kind == PREVIEW]
    bodies.append(_in_exif(container))
    for body in bodies:
        try:
            with Image.open(io.BytesIO(body), formats=["WEBP", "JPEG"]) as image:
                if max(image.size) > _MAX_SIDE:
                    continue
                image.load()
        except Exception:  # Pillow's readers raise anything when a file is damaged.
            continue
        yield image.convert("RGBA" if image.has_transparency_data else "RGB")


def _in_exif(container: Container) -> bytes:
    exif = Image.Exif()
    try:
        exif.load(container.exif or b"")
        entries = exif.get_ifd(ExifTags.IFD.IFD1)
        start = int(entries[ExifTags.Base.JpegIFOffset])
        length = int(entries[ExifTags.Base.JpegIFByteCount])
    except Exception:  # as above
        return b""
    return (container.exif or b"")[start : start + length]


def _fits(image: Image.Image, container: Container) -> bool:
    proportions = container.width * image.height / (container.height * image.width)
    error = 1 / min(image.size) + _MAX_DISTORTION
    return abs(proportions - 1) <= error
