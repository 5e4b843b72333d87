"""PNG files: Pillow reads the chunks that make the picture, and this module the others.

Ancillary chunks that are damaged, huge or unknown therefore never prevent a picture from being
read. Contents go to ``image.info``, where Pillow would put them, and to ``Extras``.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from PIL import Image, PngImagePlugin

from lbbic_engine.bitstream.bodies import MAX_METADATA_BYTES
from lbbic_engine.pictures.files.extras import Extras
from lbbic_engine.pictures.metadata.iptc import iptc_of
from lbbic_engine.pictures.picture import EXIF_PREFIX

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT_BYTES = 2**20  # per text; 64 times this for all texts

_SIGNALS = {b"gAMA": ">I", b"cHRM": ">8I", b"sRGB": ">B", b"cICP": ">4B", b"pHYs": ">IIB"}
_XMP = "XML:com.adobe.xmp"
_RAW_PROFILE = "Raw profile type "
_INCHES_PER_METRE = 1 / 0.0254


@dataclass(frozen=True)
class _Chunk:
    kind: bytes
    offset: int  # of the body
    length: int  # of the body

    @property
    def is_picture(self) -> bool:
        return self.kind[:1].isupper() or self.kind == b"tRNS"


def open_png(file: IO[bytes]) -> tuple[Image.Image, Extras]:
    """Open a PNG file without decoding it; SyntaxError if it is invalid."""
    chunks = list(_chunks(file))
    image = _picture(file, chunks)
    is_deep = any(tile.args == "RGB;16B" for tile in image.tile)
    extras = Extras(frames=_frames([chunk.kind for chunk in chunks]))
    budget = _Budget()
    for chunk in chunks:
        if not chunk.is_picture:
            try:
                _read(file, chunk, image.info, extras, budget)
            except (ValueError, struct.error, zlib.error):
                extras.left_out.append(f"a damaged or too large {chunk.kind.decode()} part")
    if image.mode == "RGB" and "transparency" in image.info and is_deep:
        extras.low_bytes = lambda: _low_bytes(file, chunks)
    return image, extras


def read_open(image: PngImagePlugin.PngImageFile, extras: Extras) -> None:
    """Read what Pillow does not report of a file that the caller has opened.

    These are code points, if the file can still be read, and profiles in texts. What Pillow does
    report is not read again: the caller may have removed it from ``image.info``.
    """
    with suppress(OSError, ValueError, struct.error):  # the file is closed, removed or damaged
        if image.fp is None:
            with Path(os.fsdecode(image.filename)).open("rb") as file:
                _read_code_points(file, extras)
        else:
            at = image.fp.tell()
            try:
                _read_code_points(image.fp, extras)
            finally:
                image.fp.seek(at)
    extras.read_texts = lambda: _read_open_texts(image, extras)


def _read_code_points(file: IO[bytes], extras: Extras) -> None:
    for chunk in _chunks(file):
        if chunk.kind == b"cICP":
            _read(file, chunk, {}, extras, _Budget())
        elif chunk.kind == b"IDAT":
            return


def _read_open_texts(image: PngImagePlugin.PngImageFile, extras: Extras) -> None:
    """Read the texts, and replace ``image.info`` by one that has the profiles in them."""
    found: dict[Any, Any] = {}
    for key, value in image.text.items():
        if key.startswith(_RAW_PROFILE) and key in image.info:
            try:
                kind = key.removeprefix(_RAW_PROFILE)
                _read_raw_profile(kind, value.encode("latin-1"), found, extras)
            except ValueError:
                extras.left_out.append(f"the text {key!r} (damaged)")
        elif not is_metadata(key):
            extras.text[key] = [str(value)]
    image.info = {**found, **image.info}


def _chunks(file: IO[bytes]) -> Iterator[_Chunk]:
    at = len(SIGNATURE)
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or not head[4:].isalpha():
            return
        length, kind = struct.unpack(">I4s", head)
        yield _Chunk(kind, at + 8, length)
        if kind == b"IEND":
            return
        at += length + 12


def is_metadata(key: str) -> bool:
    """Whether a text with that key contains EXIF, XMP or similar metadata."""
    return key == _XMP or key.startswith(_RAW_PROFILE)


def _frames(kinds: list[bytes]) -> int:
    """The number of pictures: the default one, and the frames of an animation."""
    if b"acTL" not in kinds or b"IDAT" not in kinds:
        return 1
    is_first_frame = b"fcTL" in kinds[: kinds.index(b"IDAT")]
    return kinds.count(b"fcTL") + (0 if is_first_frame else 1)


def _picture(file: IO[bytes], chunks: list[_Chunk]) -> PngImagePlugin.PngImageFile:
    picture = io.BytesIO()
    picture.write(SIGNATURE)
    for chunk in chunks:
        if chunk.is_picture:
            file.seek(chunk.offset - 8)
            picture.write(file.read(chunk.length + 12))
    picture.seek(0)
    return PngImagePlugin.PngImageFile(picture)


def _low_bytes(file: IO[bytes], chunks: list[_Chunk]) -> Image.Image:
    """The low bytes of 16-bit samples, which Pillow drops."""
    image = _picture(file, chunks)
    image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
    image.load()
    return image


class _Budget:
    """Limits the text that is decompressed in total."""

    def __init__(self) -> None:
        self.bytes = 64 * MAX_TEXT_BYTES

    def inflate(self, data: bytes, limit: int) -> bytes:
        limit = min(limit, self.bytes)
        stream = zlib.decompressobj()
        unpacked = stream.decompress(data, limit + 1)
        self.bytes -= len(unpacked)
        if len(unpacked) > limit:
            raise ValueError("it is too large")
        return unpacked


def _read(
    file: IO[bytes], chunk: _Chunk, info: dict[Any, Any], extras: Extras, budget: _Budget
) -> None:
    kind = chunk.kind
    if kind in (b"tEXt", b"zTXt", b"iTXt"):
        _read_text(_body(file, chunk), kind, info, extras, budget)
    elif kind == b"iCCP":
        _, _, rest = _body(file, chunk).partition(b"\0")
        info.setdefault("icc_profile", budget.inflate(rest[1:], MAX_METADATA_BYTES))
    elif kind == b"eXIf":
        info.setdefault("exif", EXIF_PREFIX + _body(file, chunk).removeprefix(EXIF_PREFIX))
    elif kind in _SIGNALS:
        _read_signal(kind, struct.unpack_from(_SIGNALS[kind], _body(file, chunk)), info, extras)
    elif kind == b"caBX":
        extras.left_out.append("content credentials (C2PA)")


def _body(file: IO[bytes], chunk: _Chunk) -> bytes:
    if chunk.length > MAX_METADATA_BYTES:
        raise ValueError("it is too large")
    file.seek(chunk.offset)
    body, crc = file.read(chunk.length), file.read(4)
    if len(crc) < 4 or zlib.crc32(chunk.kind + body) != int.from_bytes(crc, "big"):
        raise ValueError("its checksum is wrong")
    return body


def _read_signal(
    kind: bytes, values: tuple[int, ...], info: dict[Any, Any], extras: Extras
) -> None:
    if kind == b"gAMA":
        info["gamma"] = values[0] / 100_000
    elif kind == b"cHRM":
        info["chromaticity"] = tuple(value / 100_000 for value in values)
    elif kind == b"sRGB":
        info["srgb"] = values[0]
    elif kind == b"cICP":
        extras.code_points = (values[0], values[1])
        extras.is_narrow = not values[3]
    elif values[2] == 1:
        info["dpi"] = (values[0] / _INCHES_PER_METRE, values[1] / _INCHES_PER_METRE)
    else:
        info["aspect"] = values[:2]


def _read_text(
    body: bytes, kind: bytes, info: dict[Any, Any], extras: Extras, budget: _Budget
) -> None:
    key_bytes, _, rest = body.partition(b"\0")
    key = key_bytes.decode("latin-1")
    limit = MAX_METADATA_BYTES if is_metadata(key) else MAX_TEXT_BYTES
    try:
        value, encoding = _unpacked(rest, kind, limit, budget)
        if len(value) > limit:
            raise ValueError("it is too large")
    except (ValueError, zlib.error, IndexError):
        extras.left_out.append(f"the text {key!r} (damaged or over {limit} bytes)")
        return
    if key == _XMP:
        info.setdefault("xmp", value)
    elif key.startswith(_RAW_PROFILE):
        _read_raw_profile(key.removeprefix(_RAW_PROFILE), value, info, extras)
    else:
        extras.text.setdefault(key, []).append(value.decode(encoding, "replace"))


def _unpacked(rest: bytes, kind: bytes, limit: int, budget: _Budget) -> tuple[bytes, str]:
    """The value of a text chunk, after its key, and its encoding."""
    if kind == b"tEXt":
        return rest, "latin-1"
    if kind == b"zTXt":
        return budget.inflate(rest[1:], limit), "latin-1"
    is_packed = rest[0]
    _, _, value = rest[2:].split(b"\0", 2)
    return budget.inflate(value, limit) if is_packed else value, "utf-8"


def _read_raw_profile(kind: str, text: bytes, info: dict[Any, Any], extras: Extras) -> None:
    """Read metadata in ImageMagick's format: lines with name, length and hexadecimal digits."""
    _, _, *lines = text.strip().split(b"\n")
    data = bytes.fromhex(b"".join(lines).decode("ascii"))
    xmp_prefix = b"http://ns.adobe.com/xap/1.0/\0"
    if kind in ("exif", "APP1") and data.startswith(EXIF_PREFIX):
        info.setdefault("exif", data)
    elif kind == "xmp" or (kind == "APP1" and data.startswith(xmp_prefix)):
        info.setdefault("xmp", data.removeprefix(xmp_prefix))
    elif kind in ("iptc", "8bim"):
        extras.iptc = iptc_of(data)
    elif kind in ("icc", "icm"):
        info.setdefault("icc_profile", data)
    else:
        extras.left_out.append(f"the text {_RAW_PROFILE + kind!r}")
