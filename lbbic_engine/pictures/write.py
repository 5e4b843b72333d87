"""Writes pictures, adapted to what the file's format can hold.

Notices tell what does not fit.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO
from zlib import Z_DEFAULT_STRATEGY, Z_RLE

from PIL import ExifTags, Image, ImageFile, PngImagePlugin

from lbbic_engine.errors import UnwritableImageError
from lbbic_engine.pictures.atomic import write_atomically
from lbbic_engine.pictures.colour import (
    UnfitProfileError,
    as_srgb,
    conversion_to_srgb,
    space_of,
    to_srgb,
)
from lbbic_engine.pictures.formats import FileFormat, format_for
from lbbic_engine.pictures.metadata import exif as exif_data
from lbbic_engine.pictures.picture import EXIF_PREFIX, Notice, NoticeKind, Picture, to_image
from lbbic_engine.pictures.read import reason

_NAMES = {"exif": "EXIF data", "xmp": "XMP data"}
_METADATA = ("icc_profile", "exif", "xmp")
_BLOCK = Lock()
_BAND_ROWS, _BAND_EVERY = 16, 256  # what a strategy is tried on
_RUN_LENGTHS_MAY_ADD = 0.05  # of a PNG's bytes


def save_image(
    picture: Picture,
    path: str | os.PathLike[str] | BinaryIO,
    *,
    suffix: str | None = None,
    overwrite: bool = False,
    like: os.stat_result | None = None,
    keep_date: bool = False,
) -> tuple[Notice, ...]:
    """Write a picture with ``encode_image`` and return the notices.

    To a path with ``write_atomically`` and its options, or into an open file. ``suffix``, as
    ``.png``, gives the format of a file without a name.
    """
    if not isinstance(path, (str, os.PathLike)):
        name = f"picture{suffix}" if suffix else str(getattr(path, "name", "the file"))
        data, notices = encode_image(picture, name)
        path.write(data)
        return notices
    data, notices = encode_image(picture, path)
    write_atomically(path, data, overwrite=overwrite, like=like, keep_date=keep_date)
    return notices


def encode_image(
    picture: Picture,
    path: str | os.PathLike[str],
    options: Mapping[str, Any] | None = None,
) -> tuple[bytes, tuple[Notice, ...]]:
    """Return a picture in the format of the suffix of ``path``, and notices of changes.

    JPEG and AVIF have high quality with full colour resolution, other formats are lossless, unless
    ``options`` of ``Image.save`` say otherwise.
    Metadata are kept if the format supports them. Without support for transparency, the picture is
    placed on white; without support for profiles, it is converted to sRGB. UnwritableImageError if
    the format cannot hold the picture.
    """
    height, width, _ = picture.pixels.shape
    format_ = format_for(path, width, height, grey=picture.grey)
    fitting, notices = _fit(picture, format_)
    file = io.BytesIO()
    try:
        image = to_image(fitting)
        if not format_.alpha:
            image = _on_white(image)
        settings = {**(options or format_.options), **_options(image, format_, picture)}
        with whole_in_a_block(2 * picture.pixels.nbytes) if options else nullcontext():
            image.save(file, format_.pillow_name, **settings)
    except Exception as error:  # Pillow's writers raise anything for what their format cannot hold.
        title = f"Cannot write {Path(path).name} as {format_.name}"
        raise UnwritableImageError(title, reason(error)) from error
    return file.getvalue(), notices


@contextmanager
def whole_in_a_block(max_bytes: int) -> Iterator[None]:
    """Let Pillow's buffer hold the whole file, which optimised JPEGs need.

    The buffer's size is a global setting of Pillow's, which is restored at the end.
    """
    with _BLOCK:
        before = ImageFile.MAXBLOCK
        ImageFile.MAXBLOCK = max(before, max_bytes)
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = before


def _fit(picture: Picture, format_: FileFormat) -> tuple[Picture, tuple[Notice, ...]]:
    """Adapt a picture to a format, except its transparency; return it with notices."""
    notices = []
    if picture.alpha is not None and not format_.alpha:
        text = f"{format_.name} cannot store transparency: the picture was placed on white."
        notices.append(Notice(NoticeKind.ALPHA, text))
    picture, notice = _with_fitting_colours(picture, format_)
    notices += [notice] if notice else []
    left_out = [key for key in ("exif", "xmp") if not _fits(getattr(picture, key), key, format_)]
    if left_out:
        words = " and ".join(
            f"{_NAMES[key]} ({len(getattr(picture, key))} bytes)" for key in left_out
        )
        text = f"{format_.name} cannot store all of the metadata; left out: {words}."
        notices.append(Notice(NoticeKind.LEFT_OUT, text))
    return replace(picture, **dict.fromkeys(left_out)), tuple(notices)  # type: ignore[arg-type]


def _fits(data: bytes | None, key: str, format_: FileFormat) -> bool:
    if not data:
        return True
    is_short = len(data) <= format_.max_bytes.get(key, len(data))
    is_sound = key != "exif" or exif_data.is_sound(data)
    return key in format_.holds and is_short and is_sound


def _with_fitting_colours(picture: Picture, format_: FileFormat) -> tuple[Picture, Notice | None]:
    """Convert to sRGB if the format cannot hold the profile."""
    if picture.icc is None:
        return picture, None
    try:
        needs_grey = space_of(picture.icc) == "GRAY"
        has_grey = format_.grey if picture.alpha is None else format_.grey_alpha
        conversion = conversion_to_srgb(picture.icc, picture.grey)
    except UnfitProfileError as error:
        text = f"{error} It was left out; colours are treated as sRGB."
        return as_srgb(picture), Notice(NoticeKind.PROFILE, text)
    is_at_home = needs_grey == picture.grey and (has_grey or not needs_grey)
    if "icc" in format_.holds and is_at_home:
        return picture, None
    if conversion is None:  # nothing is lost
        return as_srgb(picture), None
    text = f"{format_.name} cannot store the profile {conversion.name}; converted to sRGB."
    return to_srgb(picture), Notice(NoticeKind.COLOUR, text)


def _on_white(image: Image.Image) -> Image.Image:
    if not image.mode.endswith("A"):
        return image
    opaque = Image.new(image.mode[:-1], image.size, "white")
    opaque.paste(image.convert(opaque.mode), mask=image.getchannel("A"))
    opaque.info = image.info
    return opaque


def _options(image: Image.Image, format_: FileFormat, picture: Picture) -> dict[str, Any]:
    """The arguments of ``Image.save`` that depend on the picture: its metadata and channels."""
    options: dict[str, Any] = {key: image.info[key] for key in _METADATA if key in image.info}
    is_sound = picture.exif is not None and exif_data.is_sound(picture.exif)
    dpi = exif_data.resolution(picture.exif) if picture.exif and is_sound else None
    if dpi and max(dpi) <= format_.max_dpi:
        options["dpi"] = dpi
    if format_.name == "AVIF":
        options["subsampling"] = "4:0:0" if image.mode == "L" else "4:4:4"
        if "exif" in options:  # otherwise Pillow would rebuild it to remove the orientation
            options["exif"] = exif_data.without_orientation(options["exif"][len(EXIF_PREFIX) :])
    elif format_.name == "PNG":
        options["compress_type"] = _png_strategy(image)
        if "xmp" in options:
            options["pnginfo"] = PngImagePlugin.PngInfo()
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", options["xmp"])
    elif format_.name == "TIFF":
        exif = exif_data.portable(image.getexif())
        if "xmp" in options:
            exif[ExifTags.Base.XMLPacket] = options["xmp"]
        options["exif"] = exif.tobytes()
    return options


def _png_strategy(image: Image.Image) -> int:
    """The strategy of zlib that suits a picture, tried on a few bands of its rows.

    A photograph has few repeats to look for: run lengths alone take a quarter of the time.
    """
    run_lengths, default = (_png_bytes(image, each) for each in (Z_RLE, Z_DEFAULT_STRATEGY))
    return Z_RLE if run_lengths <= (1 + _RUN_LENGTHS_MAY_ADD) * default else Z_DEFAULT_STRATEGY


def _png_bytes(image: Image.Image, strategy: int) -> int:
    """Bytes of the bands of rows."""
    file = io.BytesIO()
    for top in range(0, image.height, _BAND_EVERY):
        band = image.crop((0, top, image.width, min(top + _BAND_ROWS, image.height)))
        band.save(file, "PNG", compress_type=strategy)
    return file.tell()
