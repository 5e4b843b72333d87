"""Picture files: the formats that are read, their endings, and where such files lie in folders."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image

LBBIC_SUFFIXES = frozenset({".lbb"})

# Raster pictures that Pillow decodes by itself: nothing here starts another program (EPS),
# calls the system's renderer (WMF) or needs a reader that only others bring (HDF5, GRIB).
READABLE_FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "PCX", "PNG"),
    *("PPM", "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
)


@cache
def picture_suffixes() -> frozenset[str]:
    """Return the endings, in small letters, of the formats that this Pillow reads."""
    endings = Image.registered_extensions().items()
    return frozenset(suffix for suffix, name in endings if name in READABLE_FORMATS)


def find_files(place: Path, suffixes: frozenset[str]) -> list[Path]:
    """Return ``place`` itself, or the visible files with ``suffixes`` in and below a folder."""
    if not place.is_dir():
        return [place]
    files = (file for file in place.rglob("*") if not file.name.startswith("."))
    return sorted(file for file in files if file.suffix.lower() in suffixes and file.is_file())


def name_within(file: Path, place: Path) -> Path:
    """Return where ``file`` is below the folder ``place``, or its name if it is ``place``."""
    return Path(file.name) if file == place else file.relative_to(place)
