"""The formats that pictures are written in, and what each can hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from lbbic_engine.bitstream.container import MAX_SIDE
from lbbic_engine.errors import UnwritableImageError

ALL_METADATA = frozenset({"icc", "exif", "xmp"})


@dataclass(frozen=True)
class FileFormat:
    """A format and its limits."""

    name: str
    pillow_name: str
    options: Mapping[str, Any] = field(default_factory=dict)  # for Image.save
    holds: frozenset[str] = ALL_METADATA
    max_side: int = MAX_SIDE  # pixels
    max_bytes: Mapping[str, int] = field(default_factory=dict)  # of limited kinds of metadata
    alpha: bool = True
    grey: bool = True  # supports grey pixels, which a grey profile needs
    grey_alpha: bool = True
    max_dpi: float = 0  # that it can store outside EXIF


_NOTHING: frozenset[str] = frozenset()
_CODESTREAM: Mapping[str, Any] = {"no_jp2": True}
_CODESTREAMS = (".j2k", ".j2c", ".jpc")  # of JPEG 2000, without the container of .jp2
_GREY_ONLY, _NOT_WRITTEN = ".pgm", (".pbm", ".pfm")  # these hold bits and floating-point numbers
_MAX_PER_METRE = (2**31 - 1) * 0.0254  # as dots per inch

FORMATS = (
    FileFormat("PNG", "PNG", max_dpi=_MAX_PER_METRE),
    FileFormat("TIFF", "TIFF", max_dpi=2**32 - 1),  # uncompressed: libtiff would take no EXIF
    FileFormat(
        "JPEG",
        "JPEG",
        {"quality": 95, "subsampling": "4:4:4"},
        max_side=65_500,
        max_bytes={"exif": 65_527, "xmp": 65_504},  # each has to fit into one segment
        alpha=False,
        max_dpi=2**16 - 1,
    ),
    # The limit of Pillow's decoder and of others that keep libavif's default.
    FileFormat("AVIF", "AVIF", {"quality": 90}, max_side=32_768, grey_alpha=False),
    FileFormat(
        "WebP",
        "WEBP",
        {"lossless": True, "exact": True},
        max_side=16_383,
        grey=False,
        grey_alpha=False,
    ),
    FileFormat("JPEG 2000", "JPEG2000", holds=_NOTHING),
    FileFormat("BMP", "BMP", holds=_NOTHING, alpha=False, max_dpi=_MAX_PER_METRE),
    FileFormat("TGA", "TGA", holds=_NOTHING),
    FileFormat("PPM", "PPM", holds=_NOTHING, alpha=False),
)


def format_for(
    path: str | os.PathLike[str], width: int, height: int, *, grey: bool = True
) -> FileFormat:
    """Return the format for a file name; UnwritableImageError if it cannot hold such a picture."""
    name, suffix = Path(path).name, Path(path).suffix.lower()
    known = "" if suffix in _NOT_WRITTEN else Image.registered_extensions().get(suffix, "")
    file_format = next((each for each in FORMATS if each.pillow_name == known), None)
    if file_format is None:
        raise UnwritableImageError(
            f"Cannot write {name}", "Its extension is not that of a known format."
        )
    if max(width, height) > file_format.max_side:
        others = [each.name for each in FORMATS if each.max_side >= max(width, height)]
        raise UnwritableImageError(
            f"Cannot write {name}",
            f"{width} × {height} pixels are too many for {file_format.name}, whose sides can have "
            f"at most {file_format.max_side}; {' and '.join(others[:2])} can store them.",
        )
    if suffix == _GREY_ONLY and not grey:
        raise UnwritableImageError(
            f"Cannot write {name}", f"A {suffix} file has no colours; a .ppm file has."
        )
    return replace(file_format, options=_CODESTREAM) if suffix in _CODESTREAMS else file_format
