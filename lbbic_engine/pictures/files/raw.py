"""Recognises camera raw files and reads their metadata; ``decoders`` develops them.

Most are TIFF files whose first picture is a small preview, which Pillow would open instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from PIL import ExifTags, Image, TiffImagePlugin

from lbbic_engine.pictures.find import EXTRA_SUFFIXES
from lbbic_engine.pictures.metadata import exif as exif_data

_SIGNATURES = (
    *(b"FUJIFILMCCD-RAW", b"IIRO\x08\0\0\0", b"IIRS\x08\0\0\0", b"MMOR\0\0\0\x08"),
    b"IIU\0",  # Panasonic
)
_CR2, _CR3 = (8, b"CR\x02"), (4, b"ftypcrx ")
_TIFF = (b"II*\0", b"MM\0*")
_SUB_IFDS, _PHOTOMETRIC, _DNG_VERSION = 330, 262, 50706
_SENSOR = (32803, 34892)  # colour filter array, linear raw


def is_raw(prefix: bytes, file: BinaryIO) -> bool:
    """Whether a file that begins with ``prefix`` contains a sensor's data."""
    if prefix.startswith(_SIGNATURES):
        return True
    if any(prefix[at:].startswith(sign) for at, sign in (_CR2, _CR3)):
        return True
    return prefix.startswith(_TIFF) and (_has_suffix(file) or _has_sensor_data(file))


def _has_suffix(file: BinaryIO) -> bool:
    name = getattr(file, "name", None)
    return isinstance(name, str) and Path(name).suffix.lower() in EXTRA_SUFFIXES["raw"]


def _has_sensor_data(file: BinaryIO) -> bool:
    try:
        file.seek(0)
        header = file.read(8)
        first = _directory(file, header, None)
        offsets = first.get(_SUB_IFDS, ())
        offsets = offsets if isinstance(offsets, tuple) else (offsets,)
        others = [_directory(file, header, int(offset)) for offset in offsets]
    except Exception:  # Pillow's readers raise anything when a file is damaged.
        return False
    kinds = [each.get(_PHOTOMETRIC) for each in (first, *others)]
    return _DNG_VERSION in first or any(kind in _SENSOR for kind in kinds)


def _directory(file: BinaryIO, header: bytes, offset: int | None) -> Any:
    directory = TiffImagePlugin.ImageFileDirectory_v2(header)
    file.seek(directory.next if offset is None else offset)
    directory.load(file)
    return directory


def read_metadata(file: BinaryIO) -> dict[str, bytes]:
    """Return ``exif`` and ``xmp`` of a raw file that is a TIFF file, where present and readable."""
    found: dict[str, bytes] = {}
    try:
        file.seek(0)
        tags = Image.Exif()
        tags.load_from_fp(file)
        if isinstance(xmp := tags.get(ExifTags.Base.XMLPacket), bytes):
            found["xmp"] = xmp
        if kept := exif_data.portable(tags):
            found["exif"] = kept.tobytes()
    except Exception:  # as above
        return found
    return found
