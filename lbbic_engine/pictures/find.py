"""Picture files in folders."""

from __future__ import annotations

from pathlib import Path

LBBIC_SUFFIXES = frozenset({".lbb"})
PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".avif", ".jp2"}
    | {".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pnm"}
)


def find_files(place: Path, suffixes: frozenset[str]) -> list[Path]:
    """Return ``place`` itself, or the visible files with ``suffixes`` in and below a folder."""
    if not place.is_dir():
        return [place]
    files = (file for file in place.rglob("*") if not file.name.startswith("."))
    return sorted(file for file in files if file.suffix.lower() in suffixes and file.is_file())


def name_within(file: Path, place: Path) -> Path:
    """Return where ``file`` is below the folder ``place``, or its name if it is ``place``."""
    return Path(file.name) if file == place else file.relative_to(place)
