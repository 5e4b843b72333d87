"""Pictures out: what each format of a picture file can hold, and writing it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

from lbbic_engine.errors import UnwritableImageError
from lbbic_engine.pictures.atomic import write_atomically
from lbbic_engine.pictures.picture import Picture, to_image
from lbbic_engine.pictures.read import GREY_MODES, portable_exif, reason, through_profile

_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
    "BMP": {},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "JPEG2000": {},
    "PNG": {},
    "PPM": {},
    "TGA": {},
    "TIFF": {},  # uncompressed: Pillow cannot write EXIF through libtiff
    "WEBP": {"lossless": True, "exact": True},
}

_OPAQUE_FORMATS = {"BMP", "JPEG", "PPM"}

_JPEG_MARKER_BYTES = 65_533 - 29

_METADATA = ("icc_profile", "exif", "xmp")


def save_image(
    picture: Picture,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    like: os.stat_result | None = None,
    keep_date: bool = False,
) -> None:
    """Write a picture in the format that the extension names.

    JPEG and AVIF at high quality with full colour resolution, the others without loss. Metadata
    goes along where the format holds it; where it holds no alpha the picture is laid on white.
    The other options are those of ``write_atomically``. UnwritableImageError if the format cannot
    hold it; OSError as there.
    """
    name = Path(path).name
    format_ = Image.registered_extensions().get(Path(path).suffix.lower(), "")
    if format_ not in _SAVE_OPTIONS:
        raise UnwritableImageError(f"Cannot write {name}", "Its extension names no known format.")
    file = io.BytesIO()
    try:
        image = _fit_format(to_image(picture), format_)
        image.save(file, format_, **_SAVE_OPTIONS[format_], **_metadata_options(image, format_))
    except Exception as error:  # Pillow's writers raise anything for what their format cannot hold.
        raise UnwritableImageError(f"Cannot write {name} as {format_}", reason(error)) from error
    write_atomically(path, file.getvalue(), overwrite=overwrite, like=like, keep_date=keep_date)


def _fit_format(image: Image.Image, format_: str) -> Image.Image:
    """What the format can hold of an image of mode L, LA, RGB or RGBA."""
    if format_ in _OPAQUE_FORMATS and image.mode.endswith("A"):
        return _on_white(image)
    stored_in_colour = format_ == "WEBP" or (format_ == "AVIF" and image.mode == "LA")
    if stored_in_colour and image.mode in GREY_MODES and "icc_profile" in image.info:
        return _grey_to_srgb(image)
    return image


def _on_white(image: Image.Image) -> Image.Image:
    opaque = Image.new(image.mode[:-1], image.size, "white")
    opaque.paste(image.convert(opaque.mode), mask=image.getchannel("A"))
    opaque.info = image.info
    return opaque


def _grey_to_srgb(image: Image.Image) -> Image.Image:
    """For formats without grey, where a grey profile would be invalid."""
    grey = image.getchannel("L")
    colour = through_profile(grey, image.info["icc_profile"]) or grey.convert("RGB")
    if image.mode == "LA":
        colour.putalpha(image.getchannel("A"))
    colour.info = {key: value for key, value in image.info.items() if key != "icc_profile"}
    return colour


def _metadata_options(image: Image.Image, format_: str) -> dict[str, Any]:
    """The arguments of ``Image.save`` that pass the metadata on."""
    options: dict[str, Any] = {key: image.info[key] for key in _METADATA if key in image.info}
    if format_ == "JPEG":
        for key in ("exif", "xmp"):
            if len(options.get(key, b"")) > _JPEG_MARKER_BYTES:
                del options[key]
    elif format_ == "PNG" and "xmp" in options:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", options["xmp"].decode("utf-8", "replace"))
    elif format_ == "TIFF":
        exif = portable_exif(image.getexif())
        if "xmp" in options:
            exif[ExifTags.Base.XMLPacket] = options["xmp"]
        options["exif"] = exif.tobytes()
    return options
