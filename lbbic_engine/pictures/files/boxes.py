"""Reads what Pillow does not report from the boxes of AVIF and JPEG 2000 files.

See ISO/IEC 14496-12 and 23008-12 (AVIF), 15444-1 (JP2). Damaged boxes are skipped: the decoder
decides whether the file can be read.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from lbbic_engine.bitstream.bodies import MAX_METADATA_BYTES
from lbbic_engine.pictures.files.extras import Extras
from lbbic_engine.pictures.picture import EXIF_PREFIX

_MAX_BOXES = 10_000  # of one level
_VISUAL_SAMPLE_ENTRY = 78  # bytes before the boxes of an av01 entry
_SEQUENCE = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"av01")
_BEFORE_BOXES = {b"meta": 4, b"stsd": 8, b"av01": _VISUAL_SAMPLE_ENTRY}
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF_UUID = b"JpgTiffExif->JP2"
_HEVC_ALPHA, _HEVC_DEPTH = b"hevc:2015:auxid:1", b"hevc:2015:auxid:2"
_JP2_SRGB = (16, 17, 18)  # sRGB, grey with its curve, sYCC
_JP2_OTHERS = (0, 12, 15)  # black and white, CMYK: given by Pillow's mode


@dataclass(frozen=True)
class _Box:
    kind: bytes
    body: bytes

    def boxes(self) -> dict[bytes, _Box]:
        """The boxes inside, the first of each kind."""
        by_kind: dict[bytes, _Box] = {}
        for box in _boxes(io.BytesIO(self.body[_BEFORE_BOXES.get(self.kind, 0) :])):
            by_kind.setdefault(box.kind, box)
        return by_kind


def read_avif(file: BinaryIO) -> Extras:
    """Read code points and depth of the primary picture, and the kinds of other pictures."""
    extras = Extras()
    by_kind = {box.kind: box for box in _boxes(file, (b"meta", b"moov"))}
    if b"meta" in by_kind:
        _guarded(_read_items, by_kind[b"meta"], extras)
    box: _Box | None = _Box(b"", b"")
    boxes = by_kind
    for kind in _SEQUENCE:
        box = boxes.get(kind)
        boxes = box.boxes() if box else {}
    for kind in (b"colr", b"av1C"):
        if kind in boxes:
            _guarded(_read_property, boxes[kind], extras)
    return extras


def read_jpeg2000(file: BinaryIO, info: dict[Any, Any], extras: Extras) -> None:
    """Read the depth; add the profile, EXIF and XMP to ``info`` under Pillow's keys."""
    file.seek(0)
    start = file.read(43)
    if start.startswith(b"\xff\x4f\xff\x51"):
        extras.bits = (start[42] & 0x7F) + 1 if len(start) == 43 else 0
        return
    for box in _boxes(file, (b"jp2h", b"uuid")):
        if box.kind == b"jp2h":
            _guarded(_read_jp2_header, box, extras, info)
        elif box.body.startswith(_XMP_UUID):
            info.setdefault("xmp", box.body[16:])
        elif box.body.startswith(_EXIF_UUID):
            info.setdefault("exif", EXIF_PREFIX + box.body[16:].removeprefix(EXIF_PREFIX))


def _guarded(read: Any, *arguments: Any) -> None:
    try:
        read(*arguments)
    except (struct.error, IndexError, KeyError):
        return


def _boxes(file: BinaryIO, wanted: tuple[bytes, ...] = ()) -> Iterator[_Box]:
    """Yield the boxes of one level, only of the ``wanted`` kinds if there are any."""
    at = 0
    end = file.seek(0, io.SEEK_END)
    for _ in range(_MAX_BOXES):
        file.seek(min(at, end))  # a box may claim more than any file holds
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack_from(">I4s", head)
        start = 8
        if length == 1 and len(head) == 16:
            start, (length,) = 16, struct.unpack_from(">Q", head, 8)
        elif length == 0:
            length = end - at
        if length < start:
            return
        if (not wanted or kind in wanted) and length - start <= MAX_METADATA_BYTES:
            file.seek(at + start)
            yield _Box(kind, file.read(length - start))
        at += length


def _read_items(meta: _Box, extras: Extras) -> None:
    """Read the primary item's properties and the kinds of auxiliary pictures (ISO/IEC 23008-12)."""
    boxes = meta.boxes()
    primary = _item_number(boxes[b"pitm"].body)
    parts = boxes[b"iprp"].boxes()
    properties = list(_boxes(io.BytesIO(parts[b"ipco"].body)))
    for index in _properties_of(primary, parts[b"ipma"].body):
        if 0 < index <= len(properties):
            _guarded(_read_property, properties[index - 1], extras)
    kinds = {box.body[4:].split(b"\0")[0] for box in properties if box.kind == b"auxC"}
    for kind in sorted(kinds):
        if b"hdrgainmap" in kind:
            extras.left_out.append("an HDR gain map")
        elif b"alpha" not in kind and not kind.endswith(_HEVC_ALPHA):
            is_depth = b"depth" in kind or kind.endswith(_HEVC_DEPTH)
            extras.left_out.append("a depth map" if is_depth else "an auxiliary picture")
    if b"infe" in boxes[b"iinf"].body and b"tmap" in boxes[b"iinf"].body:
        extras.left_out.append("an HDR gain map")


def _item_number(body: bytes) -> int:
    (number,) = struct.unpack_from(">H" if body[0] == 0 else ">I", body, 4)
    return int(number)


def _properties_of(item: int, body: bytes) -> Iterator[int]:
    """One-based indexes of an item's properties, from the box ipma."""
    version, flags = body[0], body[3]
    (count,) = struct.unpack_from(">I", body, 4)
    at = 8
    for _ in range(count):
        (number,) = struct.unpack_from(">I" if version else ">H", body, at)
        at += 4 if version else 2
        associations, at = body[at], at + 1
        for _ in range(associations):
            (index,) = struct.unpack_from(">H" if flags & 1 else ">B", body, at)
            at += 2 if flags & 1 else 1
            if number == item:
                yield index & (0x7FFF if flags & 1 else 0x7F)


def _read_property(box: _Box, extras: Extras) -> None:
    if box.kind == b"colr" and box.body.startswith(b"nclx"):
        primaries, transfer = struct.unpack_from(">HH", box.body, 4)
        extras.code_points = extras.code_points or (primaries, transfer)
    elif box.kind == b"av1C":
        is_high, is_twelve = box.body[2] & 0x40, box.body[2] & 0x20
        extras.bits = max(extras.bits, (12 if is_twelve else 10) if is_high else 8)
    elif box.kind == b"pixi":
        extras.bits = max(extras.bits, *box.body[5 : 5 + box.body[4]])


def _read_jp2_header(header: _Box, extras: Extras, info: dict[Any, Any]) -> None:
    for box in _boxes(io.BytesIO(header.body)):
        if box.kind == b"ihdr" and box.body[10] != 0xFF:
            extras.bits = (box.body[10] & 0x7F) + 1
        elif box.kind == b"bpcc":
            extras.bits = max((each & 0x7F) + 1 for each in box.body)
        elif box.kind == b"colr" and box.body[0] in (2, 3):
            info.setdefault("icc_profile", box.body[3:])
        elif box.kind == b"colr" and box.body[0] == 1:
            (space,) = struct.unpack_from(">I", box.body, 3)
            extras.has_unknown_colours = space not in (*_JP2_SRGB, *_JP2_OTHERS)
