"""Pictures in and out: any file that Pillow reads <-> 8-bit RGB with alpha and metadata.

Here live modes, alpha, orientation, colour profiles, EXIF and XMP, and the writing of files; no
codec. What a picture loses on the way in is said in its ``notices``; what would be lost silently
or beyond recognition is refused. The surprise: a grey picture has three equal channels, and the
orientation of a loaded picture is always applied, its tag 1.
"""

from __future__ import annotations

import io
import os
import re
import struct
import warnings
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from lbbic_engine.bitstream.container import MAX_PIXELS, MAX_SIDE
from lbbic_engine.errors import TooLargeError, UnsupportedImageError
from lbbic_engine.pictures.picture import EXIF_PREFIX, Picture

GREY_MODES = {"1", "L", "LA", "La"}
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>))\s*[0-9]+""")
_PORTABLE_TAGS = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)


def load_picture(source: str | os.PathLike[str] | BinaryIO | Image.Image) -> Picture:
    """The picture of a file or an image, the first frame if it has several.

    UnsupportedImageError if it can't be read, is damaged or cut off, too large (TooLargeError), or
    of a kind that 8 bits cannot hold.
    """
    try:
        with ExitStack() as stack:
            # Pillow's remarks on large pictures and odd metadata are no news to the user.
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            if isinstance(source, Image.Image):
                return _read_picture(source)
            return _read_picture(stack.enter_context(Image.open(source)))
    except _TooManyPixels as error:
        raise TooLargeError(f"Cannot read {_name(source)}", str(error)) from None
    except Exception as error:  # Pillow's readers raise anything when a file is damaged.
        raise UnsupportedImageError(f"Cannot read {_name(source)}", reason(error)) from error


# --- reading; a ValueError here is a reason to refuse the picture -------------------------------


def _read_picture(image: Image.Image) -> Picture:
    _check_size(image)
    notices: list[str] = []
    raw_mode = _raw_mode(image)
    image.load()
    if getattr(image, "is_animated", False):
        notices.append("Only one of its frames or pages is kept.")
    orientation, exif = _read_exif(image, notices)
    icc = image.info.get("icc_profile") or None
    if image.mode in ("CMYK", "LAB"):
        plain, icc = _to_srgb(image, icc, notices), None
    else:
        plain = _to_plain_mode(image, raw_mode, notices)
    if orientation in _UPRIGHT:
        plain = plain.transpose(_UPRIGHT[orientation])
    pixels, alpha = _to_arrays(plain)
    return Picture(
        pixels=pixels,
        alpha=alpha,
        grey=plain.mode in GREY_MODES,
        icc=icc,
        exif=exif,
        xmp=_read_xmp(image),
        notices=tuple(notices),
    )


class _TooManyPixels(ValueError):
    pass


def _check_size(image: Image.Image) -> None:
    """Before a single pixel is unpacked."""
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} × {image.height}"
        raise _TooManyPixels(f"Its {size} pixels are more than the {MAX_PIXELS} allowed.")
    if max(image.width, image.height) > MAX_SIDE:
        raise _TooManyPixels(
            f"A side of {max(image.width, image.height)} pixels is over {MAX_SIDE}."
        )
    if image.width * image.height == 0:
        raise ValueError("It has no pixels.")


def _raw_mode(image: Image.Image) -> str:
    """How a file that is not loaded yet stores its pixels, in Pillow's words, or nothing."""
    for tile in getattr(image, "tile", ()):
        arguments = tile[3]
        return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)
    return ""


def _read_exif(image: Image.Image, notices: list[str]) -> tuple[int, bytes | None]:
    """The orientation still to be applied, 1…8, and the EXIF data as they are afterwards."""
    orientation = 1
    try:
        tags = image.getexif()
        orientation = tags.get(ExifTags.Base.Orientation, 1)
        if "exif" in image.info:
            exif = _as_upright(image.info["exif"].removeprefix(EXIF_PREFIX))
        else:
            portable = portable_exif(tags)
            exif = portable.tobytes().removeprefix(EXIF_PREFIX) if portable else None
    except Exception:  # as above
        notices.append("Its EXIF data are damaged and were left out.")
        exif = None
    return orientation, exif


def _as_upright(exif: bytes) -> bytes | None:
    """EXIF with orientation 1; all else stays in its place, which maker's notes rely on."""
    if not exif:
        return None
    order = {b"II": "<", b"MM": ">"}[exif[:2]]
    (start,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, start)
    upright = bytearray(exif)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from(order + "H", exif, entry)
        if tag == ExifTags.Base.Orientation:
            struct.pack_into(order + "HHIHH", upright, entry, tag, 3, 1, 1, 0)
    return bytes(upright)


def portable_exif(tags: Image.Exif) -> Image.Exif:
    """The tags that mean the same in another file: those of a TIFF also describe its layout."""
    portable = Image.Exif()
    for tag in _PORTABLE_TAGS:
        if tag in tags:
            portable[tag] = tags[tag]
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if entries := tags.get_ifd(directory):
            portable[directory] = entries
    return portable


def _read_xmp(image: Image.Image) -> bytes | None:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode()
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp) if isinstance(xmp, bytes) and xmp else None


def _to_srgb(image: Image.Image, icc: bytes | None, notices: list[str]) -> Image.Image:
    converted = through_profile(image, icc) if icc else None
    if converted is not None:
        notices.append(f"Converted from {image.mode} to sRGB through its colour profile.")
        return converted
    notices.append(
        f"Converted from {image.mode} to sRGB without a colour profile; colours may differ."
    )
    return image.convert("RGB")


def through_profile(image: Image.Image, icc: bytes) -> Image.Image | None:
    """``image`` in sRGB, or None if the profile doesn't fit."""
    try:
        return ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError):
        return None


def _to_plain_mode(image: Image.Image, raw_mode: str, notices: list[str]) -> Image.Image:
    """An image of mode L, LA, RGB or RGBA."""
    if image.mode == "F":
        raise ValueError("Its pixels are floating-point numbers.")
    if image.mode.startswith("I"):
        notices.append("Reduced from 16 to 8 bits per channel.")
        return _narrow(image)
    if ";16" in raw_mode:
        notices.append("Reduced from 16 to 8 bits per channel.")
    grey = image.mode in GREY_MODES or raw_mode.startswith("LA;16")
    mode = ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")
    return image if image.mode == mode else _scale_transparency(image, raw_mode).convert(mode)


def _scale_transparency(image: Image.Image, raw_mode: str) -> Image.Image:
    """Pillow scales the pixels of such PNGs to 8 bits, but forgets their transparent colour."""
    transparency = image.info.get("transparency")
    factor = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 256}.get(raw_mode)
    if transparency is None or factor is None:
        return image
    scaled = image.copy()
    scaled.info["transparency"] = (
        tuple(int(value * factor) for value in transparency)
        if isinstance(transparency, tuple)
        else int(transparency * factor)
    )
    return scaled


def _narrow(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, rounded to 8."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65_535:
        raise ValueError("Its pixels have more than 16 bits.")
    grey = ((values.astype(np.int32) * 255 + 32_767) // 65_535).astype(np.uint8)
    if "transparency" not in image.info:
        return Image.fromarray(grey)
    opaque = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.fromarray(np.dstack((grey, opaque)))


def _to_arrays(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """(H, W, 3) and, unless all of it is opaque, (H, W)."""
    channels = np.atleast_3d(np.asarray(image))
    has_alpha = image.mode.endswith("A")
    colour = channels[..., :-1] if has_alpha else channels
    pixels = np.ascontiguousarray(np.broadcast_to(colour, (*colour.shape[:2], 3)))
    alpha = np.ascontiguousarray(channels[..., -1]) if has_alpha else None
    return pixels, None if alpha is None or (alpha == 255).all() else alpha


# --- words --------------------------------------------------------------------------------------


def _name(source: object) -> str:
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "") or "the image")
    return str(
        source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", "data")
    )


def reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "It is no picture of a known format."
    if isinstance(error, MemoryError):
        return "There is not enough memory for it."
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
