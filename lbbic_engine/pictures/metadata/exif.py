"""Reads and changes EXIF data in place: entries keep their offsets, which maker notes depend on.

EXIF data are a TIFF structure without the prefix used in JPEG files. The functions raise
struct.error or KeyError if they are damaged.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction

from PIL import Image
from PIL.ExifTags import IFD, Base

_BYTE, _SHORT, _LONG, _RATIONAL = 1, 3, 4, 5
_FIRST = 4  # position of the first directory's offset
_EMPTY = b"II*\0\x08\0\0\0" + bytes(6)
_RELATED_WIDTH, _RELATED_HEIGHT = 0x1001, 0x1002  # of the interoperability directory
_INTEROPERABILITY_INDEX = 0x0001
_INCH, _CENTIMETRE = 2, 3
_PER_INCH = {_INCH: 1.0, _CENTIMETRE: 2.54}
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # of a type
_MAX_DIRECTORIES = 100  # cameras write four; each of them may have 65,535 entries
_SRGB, _ADOBE_RGB, _UNCALIBRATED = 1, 2, 0xFFFF  # of ColorSpace
_SRGB_INDEX, _ADOBE_RGB_INDEX = b"R98", b"R03"  # of interoperability


_PORTABLE_TAGS = (
    *(Base.ImageDescription, Base.Make, Base.Model, Base.DocumentName, Base.PageName),
    *(Base.XResolution, Base.YResolution, Base.ResolutionUnit, Base.Software, Base.DateTime),
    *(Base.Artist, Base.HostComputer, Base.Copyright, Base.Rating, Base.RatingPercent),
    *(Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject),
)


_PRIVATE = 32768  # the first tag
_KEPT_OTHERWISE = {
    *(IFD.Exif, IFD.GPSInfo, 33723, 34377, 34675),  # IPTC, Photoshop's resources, the profile
    *(32995, 32996, 32997, 32998, 59932, 59933),  # layout and padding
}


class _Tiff:
    """A TIFF structure whose entries are read and overwritten in place."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.order = {b"II": "<", b"MM": ">"}[data[:2]]

    def read(self, form: str, at: int) -> tuple[int, ...]:
        values: tuple[int, ...] = struct.unpack_from(self.order + form, self.data, at)
        return values

    def write(self, form: str, at: int, *values: int) -> None:
        struct.pack_into(self.order + form, self.data, at, *values)

    def entries(self, directory: int) -> dict[int, int]:
        """The position of each tag's entry."""
        (count,) = self.read("H", directory)
        places = range(directory + 2, directory + 2 + 12 * count, 12)
        return {self.read("HHII", place)[0]: place for place in places}

    def following(self, directory: int) -> int:
        """The position of the next directory's offset."""
        return directory + 2 + 12 * self.read("H", directory)[0]

    def number(self, entry: int) -> int:
        """The value of a BYTE, SHORT or LONG."""
        (kind,) = self.read("H", entry + 2)
        return self.read({_BYTE: "B", _SHORT: "H", _LONG: "I"}[kind], entry + 8)[0]

    def rational(self, entry: int) -> float:
        numerator, denominator = self.read("II", self.read("I", entry + 8)[0])
        return numerator / denominator if denominator else 0.0

    def directories(self) -> Iterator[dict[int, int]]:
        """Yield the entries of the first directory, then of those for EXIF and interoperability.

        Only the first directory must be readable.
        """
        entries = self.entries(self.read("I", _FIRST)[0])
        yield entries
        for pointer in (IFD.Exif, IFD.Interop):
            try:
                entries = self.entries(self.number(entries[pointer]))
            except (KeyError, struct.error):
                return
            yield entries


def is_sound(exif: bytes) -> bool:
    """Whether the first directory, at least, can be read."""
    try:
        orientation(exif)
    except (struct.error, KeyError):
        return False
    return True


def orientation(exif: bytes) -> int | None:
    """The orientation, 1…8 unless it is invalid; None if there is none."""
    tiff = _Tiff(exif)
    entries = next(tiff.directories())
    return tiff.number(entries[Base.Orientation]) if Base.Orientation in entries else None


def is_adobe_rgb(exif: bytes) -> bool:
    """Whether the colour space is Adobe RGB, as cameras indicate it (DCF)."""
    tiff = _Tiff(exif)
    tags = {tag: place for entries in tiff.directories() for tag, place in entries.items()}
    try:
        space = tiff.number(tags[Base.ColorSpace])
    except KeyError:
        return False
    index = tags.get(_INTEROPERABILITY_INDEX)
    is_r03 = index is not None and tiff.data[index + 8 : index + 11] == _ADOBE_RGB_INDEX
    return space == _ADOBE_RGB or (space == _UNCALIBRATED and is_r03)


def in_srgb(exif: bytes) -> bytes:
    """Change the colour space to sRGB where there is one; damaged data stay as they are."""
    try:
        tiff = _Tiff(exif)
        for entries in tiff.directories():
            if (entry := entries.get(Base.ColorSpace)) is not None:
                tiff.write("HHIHH", entry, Base.ColorSpace, _SHORT, 1, _SRGB, 0)
            entry = entries.get(_INTEROPERABILITY_INDEX)
            if entry is not None and tiff.data[entry + 8 : entry + 11] == _ADOBE_RGB_INDEX:
                tiff.data[entry + 8 : entry + 11] = _SRGB_INDEX
    except (struct.error, KeyError):
        return exif
    return bytes(tiff.data)


def resolution(exif: bytes) -> tuple[float, float] | None:
    """Dots per inch, horizontal and vertical; None if unknown."""
    tiff = _Tiff(exif)
    entries = next(tiff.directories())
    try:
        across, down = (tiff.rational(entries[tag]) for tag in (Base.XResolution, Base.YResolution))
        has_unit = Base.ResolutionUnit in entries
        unit = tiff.number(entries[Base.ResolutionUnit]) if has_unit else _INCH
    except (KeyError, struct.error):
        return None
    if unit not in _PER_INCH or min(across, down) <= 0:
        return None
    return across * _PER_INCH[unit], down * _PER_INCH[unit]


def with_resolution(exif: bytes | None, across: float, down: float, unit: int = _INCH) -> bytes:
    """Add a resolution unless there is one, in a new first directory at the end.

    ``unit`` 1: only the ratio counts, 2: per inch.
    """
    tiff = _Tiff(exif or _EMPTY)
    (first,) = tiff.read("I", _FIRST)
    entries = tiff.entries(first)
    if Base.XResolution in entries or Base.YResolution in entries:
        return bytes(tiff.data)
    table = {tag: bytes(tiff.data[place : place + 12]) for tag, place in entries.items()}
    link = tiff.following(first)
    following = bytes(tiff.data[link : link + 4]).ljust(4, b"\0")
    tiff.data[first : link + 4] = bytes(link + 4 - first)  # nothing points at it any more
    start = len(tiff.data) + len(tiff.data) % 2
    values = start + 2 + 12 * len(table.keys() | {Base.ResolutionUnit}) + 24 + 4
    order = tiff.order
    for index, tag in enumerate((Base.XResolution, Base.YResolution)):
        table[tag] = struct.pack(order + "HHII", tag, _RATIONAL, 1, values + 8 * index)
    tag = Base.ResolutionUnit
    table[tag] = struct.pack(order + "HHIHH", tag, _SHORT, 1, unit, 0)
    tiff.write("I", _FIRST, start)
    tiff.data += bytes(start - len(tiff.data)) + struct.pack(order + "H", len(table))
    tiff.data += b"".join(table[tag] for tag in sorted(table)) + following
    for value in (across, down):
        ratio = Fraction(round(value, 2)).limit_denominator(1000)
        tiff.data += struct.pack(order + "II", ratio.numerator, ratio.denominator)
    return bytes(tiff.data)


def upright(exif: bytes, turn: Image.Transpose | None, width: int, height: int) -> bytes:
    """Adapt orientation, sizes and thumbnail to the picture after ``turn``.

    ``width`` and ``height`` are those of the upright picture.
    """
    tiff = _Tiff(exif)
    for entries in tiff.directories():
        if Base.Orientation in entries:
            tiff.write("HHIHH", entries[Base.Orientation], Base.Orientation, _SHORT, 1, 1, 0)
        _set_size(tiff, entries, width, height)
    if turn is not None:
        _turn_thumbnail(tiff, turn)
    return bytes(tiff.data)


def without_gps(exif: bytes) -> bytes:
    """Remove GPS directories: overwrite them with zeros and delete the entries pointing to them."""
    tiff = _Tiff(exif)
    directories = [*tiff.read("I", _FIRST)]
    for directory in directories:  # linked directories are appended during the loop
        _remove_gps(tiff, directory)
        entries = tiff.entries(directory)
        linked = [*tiff.read("I", entries[IFD.Exif] + 8)] if IFD.Exif in entries else []
        if tiff.following(directory) + 4 <= len(tiff.data):
            linked += tiff.read("I", tiff.following(directory))
        directories += [place for place in linked if place and place not in directories]
        if len(directories) > _MAX_DIRECTORIES:
            raise struct.error("too many directories")
    return bytes(tiff.data)


def without_orientation(exif: bytes) -> bytes:
    """Remove the orientation, whose absence means upright."""
    tiff = _Tiff(exif)
    (first,) = tiff.read("I", _FIRST)
    if entry := tiff.entries(first).get(Base.Orientation):
        _take_out(tiff, first, entry)
    return bytes(tiff.data)


def portable(tags: Image.Exif) -> Image.Exif:
    """The tags that are valid in another file; others describe the layout of a TIFF file."""
    kept = Image.Exif()
    for tag in _PORTABLE_TAGS:
        if tag in tags:
            kept[tag] = tags[tag]
    for directory in (IFD.Exif, IFD.GPSInfo):
        if entries := tags.get_ifd(directory):
            kept[directory] = entries
    return kept


def lost_tags(tags: Iterable[int]) -> list[int]:
    """The private tags of a TIFF file that neither ``portable`` nor anything else keeps."""
    kept = _KEPT_OTHERWISE.union(_PORTABLE_TAGS)
    return sorted(tag for tag in tags if tag >= _PRIVATE and tag not in kept)


def _remove_gps(tiff: _Tiff, directory: int) -> None:
    (count,) = tiff.read("H", directory)
    for entry in reversed(range(directory + 2, directory + 2 + 12 * count, 12)):
        tag, _, _, gps = tiff.read("HHII", entry)
        if tag == IFD.GPSInfo:
            _erase(tiff, gps)
            _take_out(tiff, directory, entry)


def _take_out(tiff: _Tiff, directory: int, entry: int) -> None:
    """Delete an entry; later ones, and the offset of the next directory, move up."""
    end = tiff.following(directory) + 4
    tiff.data[entry:end] = tiff.data[entry + 12 : end] + bytes(12)
    tiff.write("H", directory, tiff.read("H", directory)[0] - 1)


def _erase(tiff: _Tiff, directory: int) -> None:
    """Overwrite a directory and its values with zeros, as far as they exist."""
    data = tiff.data
    try:
        (count,) = tiff.read("H", directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            _, kind, number, offset = tiff.read("HHII", entry)
            size = number * _BYTES.get(kind, 0)
            if size > 4 and offset + size <= len(data):
                data[offset : offset + size] = bytes(size)
            data[entry : entry + 12] = bytes(12)
        tiff.write("H", directory, 0)
    except struct.error:
        return


def _set_size(tiff: _Tiff, entries: dict[int, int], width: int, height: int) -> None:
    widths = (Base.ImageWidth, Base.ExifImageWidth, _RELATED_WIDTH)
    heights = (Base.ImageLength, Base.ExifImageHeight, _RELATED_HEIGHT)
    for tags, side in ((widths, width), (heights, height)):
        for tag in entries.keys() & set(tags):
            tiff.write("HHII", entries[tag], tag, _LONG, 1, side)


def _turn_thumbnail(tiff: _Tiff, turn: Image.Transpose) -> None:
    """Turn the thumbnail in place, or remove it if that is impossible."""
    try:
        link = tiff.following(tiff.read("I", _FIRST)[0])
        (second,) = tiff.read("I", link)
    except struct.error:  # the data end after the first directory
        return
    if not second:
        return
    try:
        entries = tiff.entries(second)
        start = tiff.number(entries[Base.JpegIFOffset])
        length = tiff.number(entries[Base.JpegIFByteCount])
        with Image.open(io.BytesIO(tiff.data[start : start + length]), formats=["JPEG"]) as image:
            turned = image.transpose(turn)
        file = io.BytesIO()
        turned.save(file, "JPEG", optimize=True)  # it must fit in the same place
        if len(file.getvalue()) > length:
            raise ValueError("it needs more room")
    except Exception:  # Pillow's readers raise anything when a file is damaged.
        tiff.write("I", link, 0)
        return
    tiff.data[start : start + length] = file.getvalue().ljust(length, b"\0")
    count = entries[Base.JpegIFByteCount]
    tiff.write("HHII", count, Base.JpegIFByteCount, _LONG, 1, len(file.getvalue()))
    _set_size(tiff, entries, *turned.size)
    if Base.Orientation in entries:
        tiff.write("HHIHH", entries[Base.Orientation], Base.Orientation, _SHORT, 1, 1, 0)
