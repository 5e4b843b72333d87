"""Converts captions, keywords and similar data to XMP properties.

The sources are IPTC datasets (IIM 4) in JPEG, TIFF and PSD files, texts in PNG files, and comments
in JPEG and GIF files.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterator

Properties = dict[str, list[str]]  # values by qualified name

IPTC_RESOURCE = 0x0404  # among Photoshop's
_RESOURCE = b"8BIM"
_OF_DATASET = {
    5: "dc:title",
    10: "photoshop:Urgency",
    15: "photoshop:Category",
    20: "photoshop:SupplementalCategories",
    25: "dc:subject",
    40: "photoshop:Instructions",
    55: "photoshop:DateCreated",
    80: "dc:creator",
    85: "photoshop:AuthorsPosition",
    90: "photoshop:City",
    92: "Iptc4xmpCore:Location",
    95: "photoshop:State",
    100: "Iptc4xmpCore:CountryCode",
    101: "photoshop:Country",
    103: "photoshop:TransmissionReference",
    105: "photoshop:Headline",
    110: "photoshop:Credit",
    115: "photoshop:Source",
    116: "dc:rights",
    120: "dc:description",
    122: "photoshop:CaptionWriter",
}
_WITHOUT_MEANING = {0}  # the record's version
_DATE, _TIME = 55, 60  # when it was created
_DAY = re.compile(r"(?!0000)([0-9]{4})([0-9]{2})([0-9]{2})")
_CLOCK = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})(?:([+-][0-9]{2})([0-9]{2}))?")
_OF_TEXT = {
    "Title": "dc:title",
    "Author": "dc:creator",
    "Description": "dc:description",
    "Copyright": "dc:rights",
    "Software": "xmp:CreatorTool",
    "Source": "photoshop:Source",
    "Comment": "exif:UserComment",
}


def iptc_of(data: bytes) -> bytes | None:
    """The IPTC datasets in Photoshop resources, or ``data`` itself if it consists of datasets."""
    if data.startswith(b"\x1c"):
        return data
    return dict(resources(data)).get(IPTC_RESOURCE)


def resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and body of Photoshop resources, as far as they are intact."""
    at = data.find(_RESOURCE)
    while at >= 0 and data[at : at + 4] == _RESOURCE and at + 7 <= len(data):
        (number,) = struct.unpack_from(">H", data, at + 4)
        at += (
            6 + (data[at + 6] + 2) // 2 * 2
        )  # a name with its length, padded to an even number of bytes
        if at + 4 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, at)
        yield number, data[at + 4 : at + 4 + length]
        at += 4 + (length + 1) // 2 * 2


def from_iptc(data: bytes) -> tuple[Properties, list[str]]:
    """Return properties, and the datasets that cannot be converted."""
    properties: Properties = {}
    others = []
    time = None
    for record, number, value in _datasets(data):
        if record != 2 or number in _WITHOUT_MEANING:
            continue
        if number == _TIME:
            time = time or _decode(value)
        elif number in _OF_DATASET:
            properties.setdefault(_OF_DATASET[number], []).append(_decode(value))
        else:
            others.append(f"IPTC dataset {record}:{number}")
    created = _OF_DATASET[_DATE]
    if created in properties:
        properties[created][0] = _date(properties[created][0], time or "")
    if time and "T" not in properties.get(created, [""])[0]:
        others.append(f"IPTC dataset 2:{_TIME}")
    return properties, others


def _date(day: str, time: str) -> str:
    """An XMP date of CCYYMMDD, whose unknown parts are 00, and of HHMMSS±HHMM; or as it is."""
    if not (date := _DAY.fullmatch(day)):
        return day
    year, *parts = date.groups()
    known = [year, *itertools.takewhile(lambda part: part != "00", parts)]
    text = "-".join(known)
    clock = _CLOCK.fullmatch(time)
    if len(known) < 3 or clock is None:
        return text
    hours, minutes, seconds, *zone = clock.groups()
    return f"{text}T{hours}:{minutes}:{seconds}" + (":".join(zone) if zone[0] else "")


def from_text(text: dict[str, list[str]]) -> tuple[Properties, list[str]]:
    """Return properties, and the texts that cannot be converted."""
    properties = {_OF_TEXT[key]: values for key, values in text.items() if key in _OF_TEXT}
    return properties, [f"the text {key!r}" for key in text if key not in _OF_TEXT]


def _datasets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while data[at : at + 1] == b"\x1c" and at + 5 <= len(data):
        record, number, length = struct.unpack_from(">BBH", data, at + 1)
        yield record, number, data[at + 5 : at + 5 + length]
        at += 5 + length


def _decode(value: bytes) -> str:
    """Decode UTF-8 if the bytes are valid: many programs do not declare it."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
