"""A picture without some of its metadata: kinds of them, or all that says where it was taken.

EXIF is changed in place: what stays keeps its offset, which makers' notes rely on.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection
from dataclasses import replace

from PIL import ExifTags

from lbbic_engine.pictures.colour import UnfitProfileError, to_srgb
from lbbic_engine.pictures.picture import Picture

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # of a type
_PLACE = (
    rb"[\w.-]+:GPS\w*|[\w.-]+:Gps\w*|photoshop:(?:City|State|Country)"
    rb"|Iptc4xmpCore:(?:Location|CountryCode)|Iptc4xmpExt:Location(?:Created|Shown)"
)
_PLACE_ATTRIBUTE = re.compile(rb"""\s+(?:%s)\s*=\s*(?:"[^"]*"|'[^']*')""" % _PLACE)
_PLACE_ELEMENT = re.compile(rb"<(%s)(?=[\s/>])[^>]*?(?:/>|>.*?</\1\s*>)" % _PLACE, re.DOTALL)


def strip(picture: Picture, kinds: Collection[str]) -> Picture:
    """Return ``picture`` without the metadata of ``kinds``, some of ``config.METADATA``.

    Without its profile it is in sRGB. ``gps`` are positions, and names of places in XMP.
    """
    if "icc" in kinds:
        picture = _in_srgb(picture)
    exif = None if "exif" in kinds else picture.exif
    xmp = None if "xmp" in kinds else picture.xmp
    if "gps" in kinds:
        exif, xmp = exif and exif_without_gps(exif), xmp and xmp_without_places(xmp)
    return replace(picture, exif=exif, xmp=xmp)


def _in_srgb(picture: Picture) -> Picture:
    try:
        return to_srgb(picture)
    except UnfitProfileError:  # it said nothing about these pixels
        return replace(picture, icc=None)


def exif_without_gps(exif: bytes) -> bytes | None:
    """Return EXIF data whose GPS directories are zeros that nothing points at.

    None where the data are damaged: nobody knows then what is in them.
    """
    data = bytearray(exif)
    try:
        order = {b"II": "<", b"MM": ">"}[exif[:2]]
        directories = list(struct.unpack_from(order + "I", data, 4))
        for directory in directories:  # which grows meanwhile
            _remove_gps(data, order, directory)
            (count,) = struct.unpack_from(order + "H", data, directory)
            end = directory + 2 + 12 * count
            following = (
                [*struct.unpack_from(order + "I", data, end)] if end + 4 <= len(data) else []
            )
            for entry in range(directory + 2, end, 12):
                tag, _, _, value = struct.unpack_from(order + "HHII", data, entry)
                following += [value] if tag == ExifTags.IFD.Exif else []
            directories += [place for place in following if place and place not in directories]
    except (KeyError, struct.error):
        return None
    return bytes(data)


def _remove_gps(data: bytearray, order: str, directory: int) -> None:
    """Take GPS entries out of a directory; those behind them, and the next offset, move up."""
    (count,) = struct.unpack_from(order + "H", data, directory)
    for entry in reversed(range(directory + 2, directory + 2 + 12 * count, 12)):
        tag, _, _, gps = struct.unpack_from(order + "HHII", data, entry)
        if tag == ExifTags.IFD.GPSInfo:
            _erase(data, order, gps)
            end = directory + 2 + 12 * count + 4
            data[entry:end] = data[entry + 12 : end] + bytes(12)
            count -= 1
    struct.pack_into(order + "H", data, directory, count)


def _erase(data: bytearray, order: str, directory: int) -> None:
    """Overwrite a directory and its values, as far as they are there."""
    try:
        (count,) = struct.unpack_from(order + "H", data, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            _, kind, number, offset = struct.unpack_from(order + "HHII", data, entry)
            size = number * _BYTES.get(kind, 0)
            if size > 4 and offset + size <= len(data):
                data[offset : offset + size] = bytes(size)
            data[entry : entry + 12] = bytes(12)
        data[directory : directory + 2] = bytes(2)
    except struct.error:
        return


def xmp_without_places(xmp: bytes) -> bytes | None:
    """Return an XMP packet without positions and names of places.

    None for one that is not UTF-8, in which nothing can be found.
    """
    if b"\0" in xmp:
        return None
    return _PLACE_ATTRIBUTE.sub(b"", _PLACE_ELEMENT.sub(b"", xmp))
