"""Opens picture files: the allowed formats, size limits, and what Pillow does not report.

Pillow's global settings belong to the host program: they are not changed, and its limits on pixels
and text do not apply. The engine has its own limits.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from PIL import (
    ExifTags,
    Image,
    PngImagePlugin,
    TiffImagePlugin,
    TiffTags,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from lbbic_engine.bitstream.bodies import MAX_METADATA_BYTES
from lbbic_engine.bitstream.container import SIGNATURE as LBB_SIGNATURE
from lbbic_engine.errors import Refusal, UnknownFormatError
from lbbic_engine.pictures.files import avif, boxes, extra_formats, jpeg, png, raw
from lbbic_engine.pictures.files.extras import Extras
from lbbic_engine.pictures.files.limits import check_size
from lbbic_engine.pictures.find import READABLE_FORMATS
from lbbic_engine.pictures.metadata import exif as exif_data
from lbbic_engine.pictures.metadata.iptc import IPTC_RESOURCE, iptc_of

Source = str | os.PathLike[str] | BinaryIO | Image.Image

# The first bytes of formats that are not supported but can be named.
_NOT_READ = {
    "EPS": (0, (b"%!PS", b"\xc5\xd0\xd3\xc6")),
    "PDF": (0, (b"%PDF",)),
    "SVG": (0, (b"<svg",)),
}
_IPTC_TAG, _PHOTOSHOP_TAG = 33723, 34377  # of TIFF
_ENCODERS = (b"Created by OpenJPEG", b"Kakadu-")  # beginnings of their comments in JPEG 2000
_MAX_TAGS = 8  # in a notice
_EXIF_RESOURCE, _XMP_RESOURCE, _RESOLUTION_RESOURCE = 1058, 1060, 1005  # of PSD
_OWN: dict[str, Any] = {"AVIF": avif.AvifFile, "JPEG": jpeg.JpegFile}
_BMP_HEADER_BYTES, _EMBEDDED = 14, b"DEBM"


@contextmanager
def open_image(source: Source) -> Iterator[tuple[Image.Image, Extras]]:
    """Open an image, its first frame if there are several, without decoding it.

    Raises Refusal, or whatever Pillow raises if it cannot be opened.
    """
    with ExitStack() as stack:
        if isinstance(source, Image.Image):
            stack.callback(setattr, source, "info", source.info)  # the caller's
            image, extras = source, _extras_of_open(source)
        else:
            if isinstance(source, (str, os.PathLike)):
                file: BinaryIO = stack.enter_context(Path(source).open("rb"))
            elif isinstance(source, io.TextIOBase) or not hasattr(source, "read"):
                kinds = "a path, a file opened in binary mode or a Pillow image"
                raise ValueError(
                    f"A picture is read from {kinds}, not from {type(source).__name__}."
                )
            else:
                file = source
            if not file.seekable():
                file = io.BytesIO(file.read())
            image, extras = _identify(file)
        check_size(*image.size)
        if isinstance(image, TiffImagePlugin.TiffImageFile) and image is not source:
            image.im = Image.new(
                image.mode, image._tile_size
            ).im  # or Pillow would check its own limit on pixels
        yield image, extras


def _identify(file: BinaryIO) -> tuple[Image.Image, Extras]:
    file.seek(0)
    prefix = file.read(32)
    if not prefix:
        raise ValueError("The file is empty.")
    if prefix.startswith(LBB_SIGNATURE):
        raise Refusal("It is an .lbb file; decompress it first.", UnknownFormatError)
    if prefix.startswith(png.SIGNATURE):
        return png.open_png(file)
    if raw.is_raw(prefix, file):
        return extra_formats.open_extra("raw", file)
    Image.init()
    for name in READABLE_FORMATS:
        factory, accept = Image.OPEN[name]
        try:
            if accept is not None and accept(prefix[:16]) is not True:
                continue
            file.seek(0)
            if name == "WEBP":
                return _open_webp(file)
            image = _OWN.get(name, factory)(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
        return image, _extras_of(image, file)
    if extra := extra_formats.extra_of(prefix):
        return extra_formats.open_extra(extra, file)
    for name, (at, signs) in _NOT_READ.items():
        if prefix[at:].startswith(signs):
            text = f"Its format, {name}, is not supported."
            raise Refusal(text, UnknownFormatError)
    raise UnidentifiedImageError


def _open_webp(file: BinaryIO) -> tuple[Image.Image, Extras]:
    """Open a WebP file that may exceed Pillow's limit on pixels, which the plugin checks."""
    try:
        return WebPImagePlugin.WebPImageFile(file), Extras()
    except Image.DecompressionBombError:
        file.seek(0)
        header = file.read(30)
        check_size(*cast(tuple[int, int], WebPImagePlugin._get_size(header)))
        file.seek(0)
        from PIL import _webp

        decoder: Any = _webp.WebPAnimDecoder(file.read())
        size, _, _, frames, raw_mode = decoder.get_info()
        pixels, _ = decoder.get_next()
        mode = raw_mode.replace("X", "")
        image = Image.frombuffer(mode, size, pixels, "raw", raw_mode, 0, 1)
        chunks = {"icc_profile": "ICCP", "exif": "EXIF", "xmp": "XMP "}
        bodies = {key: decoder.get_chunk(name) for key, name in chunks.items()}
        image.info = {key: body for key, body in bodies.items() if body}
        return image, Extras(frames=frames)


def _extras_of_open(image: Image.Image) -> Extras:
    """The extras of an image that the caller has opened."""
    extras = Extras(iptc=image.info.get("photoshop", {}).get(IPTC_RESOURCE))
    if isinstance(image, PngImagePlugin.PngImageFile):
        png.read_open(image, extras)
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        _read_tiff(image, extras)
    if image.format == "AVIF":  # Pillow has put the container's orientation into EXIF
        extras.orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    comment = image.info.get("comment")
    if isinstance(comment, bytes) and not comment.startswith(_ENCODERS):
        extras.text["Comment"] = [comment.decode("latin-1")]
    return extras


def _extras_of(image: Image.Image, file: BinaryIO) -> Extras:
    at = file.tell()
    if isinstance(image, avif.AvifFile):
        extras = avif.read_avif(image, file)
    elif isinstance(image, jpeg.JpegFile):
        extras = jpeg.read_jpeg(image, file)
    else:
        extras = _extras_of_open(image)
    if image.format == "JPEG2000":
        boxes.read_jpeg2000(file, image.info, extras)
    elif image.format == "PSD":
        _read_psd(image, extras)
    elif image.format in ("ICO", "ICNS"):
        extras.frames = len(image.info.get("sizes", ()))
    elif image.format == "BMP" and (icc := _profile_of_bmp(file)):
        image.info["icc_profile"] = icc
    file.seek(at)
    return extras


def _profile_of_bmp(file: BinaryIO) -> bytes | None:
    """The embedded profile of a version 5 file."""
    file.seek(0)
    header = file.read(_BMP_HEADER_BYTES + 124)
    if header[_BMP_HEADER_BYTES + 56 :][:4] == _EMBEDDED and len(header) == 138:
        offset, length = struct.unpack_from("<II", header, _BMP_HEADER_BYTES + 112)
        file.seek(_BMP_HEADER_BYTES + offset)
        return file.read(min(length, MAX_METADATA_BYTES))
    return None


def _read_tiff(image: Any, extras: Extras) -> None:
    """Read IPTC from the tag's raw bytes, for which some programs declare a wrong type."""
    tags = image.tag_v2._tagdata
    extras.iptc = tags.get(_IPTC_TAG) or iptc_of(tags.get(_PHOTOSHOP_TAG) or b"")
    if lost := exif_data.lost_tags(image.tag_v2):
        names = [TiffTags.lookup(tag).name for tag in lost[:_MAX_TAGS]]
        shown = [f"{tag} ({name})" for tag, name in zip(lost, names, strict=False)]
        more = ["others"] * (len(lost) > len(shown))
        extras.left_out.append(f"the TIFF tags {', '.join([*shown, *more])}")


def _read_psd(image: Any, extras: Extras) -> None:
    numbered = {number: data for number, _, data in image.resources}
    extras.iptc = numbered.get(IPTC_RESOURCE)
    for key, number in (("exif", _EXIF_RESOURCE), ("xmp", _XMP_RESOURCE)):
        if data := numbered.get(number):
            image.info[key] = data
    if len(data := numbered.get(_RESOLUTION_RESOURCE, b"")) >= 10:
        across, down = struct.unpack_from(">I4xI", data)
        image.info["dpi"] = (across / 65_536, down / 65_536)
