"""Shared by the tests of pictures: makes pictures, files and metadata."""

import io
import struct
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from lbbic_engine.pictures.picture import NoticeKind, Picture, to_image
from lbbic_engine.pictures.read import load_picture

Make = Callable[[ModuleType], bytes]

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<r:Description tiff:Orientation="6"/></x:xmpmeta><?xpacket end="w"?>'
)
UPRIGHT_XMP = XMP.replace(b'"6"', b'"1"')
CORNERS = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40


def noise(*shape: int, dtype: type = np.uint8) -> NDArray[Any]:
    limit = np.iinfo(dtype).max + 1
    return np.random.default_rng(7).integers(0, limit, shape, dtype=dtype)


def exif_bytes(orientation: int | None = 6) -> bytes:
    exif = Image.Exif()
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: b"a comment"}
    return exif.tobytes()


def stored(image: Image.Image, format_: str, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, format_, **options)
    file.seek(0)
    return file


def orientation_of(picture: Picture) -> int | None:
    value: int | None = to_image(picture).getexif().get(ExifTags.Base.Orientation)
    return value


def load(data: bytes) -> Picture:
    return load_picture(io.BytesIO(data))


def left_out(picture: Picture) -> str:
    """The text of the only notice of losses, empty if there is none."""
    texts = [notice.text for notice in picture.notices if notice.kind is NoticeKind.LEFT_OUT]
    assert len(texts) <= 1
    return "".join(texts)


def dng(turned: bool = False, xmp: bytes = b"") -> bytes:
    """A raw file of 64×48 pixels of one colour, which the white balance makes grey."""
    bayer = np.zeros((48, 64), "<u2")
    bayer[0::2, 0::2], bayer[1::2, 1::2] = 8000, 12000  # red, blue
    bayer[0::2, 1::2] = bayer[1::2, 0::2] = 16000
    identity = [(n, 10_000) for n in (10_000, 0, 0, 0, 10_000, 0, 0, 0, 10_000)]
    neutral = [(5000, 10_000), (10_000, 10_000), (7500, 10_000)]
    ascii_, byte, short, long_, rational, signed = 2, 1, 3, 4, 5, 10
    tags = {
        254: (long_, [0]),
        256: (long_, [64]),
        257: (long_, [48]),
        258: (short, [16]),
        259: (short, [1]),
        262: (short, [32803]),
        271: (ascii_, b"Maker\0"),
        272: (ascii_, b"Model\0"),
        273: (long_, [0]),  # where the pixels are, below
        274: (short, [6 if turned else 1]),
        277: (short, [1]),
        278: (long_, [48]),
        279: (long_, [bayer.nbytes]),
        33421: (short, [2, 2]),
        33422: (byte, [0, 1, 1, 2]),
        50706: (byte, [1, 4, 0, 0]),
        50708: (ascii_, b"Maker Model\0"),
        50714: (short, [0]),
        50717: (short, [20000]),
        50721: (signed, identity),
        50728: (rational, neutral),
        50778: (short, [21]),
    }
    if xmp:
        tags = dict(sorted({**tags, 700: (byte, xmp)}.items()))
    start = 8 + 2 + 12 * len(tags) + 4
    entries, rest = b"", b""
    codes = {byte: "B", short: "H", long_: "I", rational: "II", signed: "ii"}
    room = sum(len(values) * 8 for kind, values in tags.values() if kind in (rational, signed)) + 99
    room += len(xmp)
    for tag, (kind, values) in tags.items():
        if tag == 273:
            values = [start + room]
        if isinstance(values, bytes):
            body, count = values, len(values)
        else:
            flat = np.ravel(values).tolist()
            body, count = (
                struct.pack(f"<{len(values)}{codes[kind][0]}", *flat)
                if len(codes[kind]) == 1
                else struct.pack(f"<{len(flat)}{codes[kind][0]}", *flat),
                len(values),
            )
        if len(body) > 4:
            place, rest = struct.pack("<I", start + len(rest)), rest + body
        else:
            place = body.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, count) + place
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4)
    return head + rest.ljust(room, b"\0") + bayer.tobytes()
