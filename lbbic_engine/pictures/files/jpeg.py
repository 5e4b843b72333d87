"""What JPEG files contain besides their picture: comments, IPTC, other pictures and segments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from PIL import JpegImagePlugin

from lbbic_engine.pictures.files.extras import Extras
from lbbic_engine.pictures.metadata.iptc import IPTC_RESOURCE

_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1"
# In the picture's XMP, or near the beginning of another picture in the same file.
_SIGNS = {
    b"hdrgm:": "an HDR gain map",
    b"HDRGainMap": "an HDR gain map",
    _ISO_GAIN_MAP: "an HDR gain map",
    b'"GainMap"': "an HDR gain map",
    b'"Depth"': "a depth map",
    b"GDepth:": "a depth map",
    b'MotionPhoto="1"': "the video of a motion photo",
    b'MicroVideo="1"': "the video of a motion photo",
}
_HEAD_BYTES = 2**16
_PICTURES = 0xB002  # tag of a multi-picture file's index: sizes, positions and types
_CLIPPING_PATHS = range(2000, 2998)  # among Photoshop's resources
# libjpeg's warnings about entropy-coded data; its other warnings are about metadata and headers.
_DAMAGE = re.compile(
    r"premature end of data|bad Huffman code|instead of RST"
    r"|extraneous bytes before marker 0x(c4|d[0-79a])"  # the next scan's, a restart, the end
)


class JpegFile(JpegImagePlugin.JpegImageFile):
    """Pillow's JPEG file; Pillow's factory function would treat gain maps as further pages."""

    def _read_dpi_from_exif(self) -> None:
        """Do nothing: Pillow would warn about damaged EXIF and invent a resolution."""


def read_jpeg(image: JpegImagePlugin.JpegImageFile, file: BinaryIO) -> Extras:
    """Collect what Pillow has read and does not report."""
    extras = Extras()
    types, places = _further_pictures(image)
    signs: set[str] = set()
    for head in chain((body for _, body in image.applist), _heads(file, places)):
        signs |= {word for sign, word in _SIGNS.items() if sign in head}
    extras.left_out += sorted(signs)
    if not signs and any("Thumbnail" not in each for each in types):
        extras.frames = 1 + len(types)
    if any(name == "APP1" and body.startswith(_EXTENDED_XMP) for name, body in image.applist):
        extras.left_out.append("the extended part of the XMP data")
    if any(name == "APP11" and body.startswith(b"JP") for name, body in image.applist):
        extras.left_out.append("content credentials (C2PA)")
    resources = image.info.get("photoshop", {})
    if resources.keys() & set(_CLIPPING_PATHS):
        extras.left_out.append("clipping paths")
    extras.iptc = resources.get(IPTC_RESOURCE)
    extras.is_damaged = partial(_is_damaged, file)
    comments = [body.rstrip(b"\0") for name, body in image.applist if name == "COM"]
    if any(comments):
        extras.text["Comment"] = [_decode(each) for each in comments]
    return extras


def _is_damaged(file: BinaryIO) -> bool:
    """Whether libjpeg warns that the picture's data is damaged, which Pillow ignores silently.

    The file is decoded once more, at an eighth of its size. Damage that does not change the number
    of blocks, such as most single wrong bits, cannot be detected in a JPEG file.
    """
    import simplejpeg

    file.seek(0)
    try:
        simplejpeg.decode_jpeg(file.read(), "GRAY", min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return bool(_DAMAGE.search(str(error)))
    return False


def _further_pictures(image: JpegImagePlugin.JpegImageFile) -> tuple[list[str], list[int]]:
    """Types and places of the pictures after the first."""
    if "mp" not in image.info:
        return [], []
    try:
        index: Any = image._getmp()
        entries = index[_PICTURES][1:]
        places = [image.info["mpoffset"] + entry["DataOffset"] for entry in entries]
        return [entry["Attribute"]["MPType"] for entry in entries], places
    except Exception:  # Pillow's readers raise anything when a file is damaged.
        return [], []


def _heads(file: BinaryIO, places: Iterable[int]) -> Iterator[bytes]:
    """Yield the first bytes of pictures, one at a time: an index may list thousands."""
    for place in places:
        file.seek(place)
        yield file.read(_HEAD_BYTES)


def _decode(comment: bytes) -> str:
    try:
        return comment.decode("utf-8")
    except UnicodeDecodeError:
        return comment.decode("latin-1")
