"""Picture files: the formats that are read, their extensions, and finding them in folders."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from lbbic_engine.errors import Cancelled
from lbbic_engine.resources import is_bundled

LBBIC_SUFFIXES = frozenset({".lbb"})
HIDDEN = "hidden"
MAX_KINDS = 8  # in one line

# Raster formats that Pillow decodes itself, without starting another program (EPS), calling the
# system's renderer (WMF) or needing another plugin (HDF5, GRIB).
READABLE_FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "PCX", "PNG"),
    *("PPM", "PSD", "QOI", "SGI", "TIFF", "WEBP"),
    "TGA",  # last, because its files have no signature
)

# Formats that optional packages decode, by the name of the extra (pyproject.toml).
EXTRA_SUFFIXES = {
    "heif": frozenset({".heic", ".heif", ".hif"}),
    "jxl": frozenset({".jxl"}),
    "raw": frozenset(
        {".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"}
    ),
}
_EXTRA_PACKAGES = {"heif": "pi_heif", "jxl": "pylibjxl", "raw": "rawpy"}


@cache
def pillow_suffixes() -> frozenset[str]:
    """Return the suffixes, in lower case, of the supported formats that this Pillow reads."""
    from PIL import Image

    endings = Image.registered_extensions().items()
    return frozenset(suffix for suffix, name in endings if name in READABLE_FORMATS)


def has_extra(extra: str) -> bool:
    """Return whether the package of an extra, a key of ``EXTRA_SUFFIXES``, is installed."""
    return find_spec(_EXTRA_PACKAGES[extra]) is not None


@cache
def picture_suffixes() -> frozenset[str]:
    """Return the suffixes, in lower case, of all formats that can be read here."""
    extras = [suffixes for extra, suffixes in EXTRA_SUFFIXES.items() if has_extra(extra)]
    return pillow_suffixes().union(*extras)


@dataclass(frozen=True)
class FileListing:
    """The result of a search for files."""

    files: tuple[Path, ...]
    unreadable: tuple[OSError, ...] = ()  # of folders and links
    others: Counter[str] = field(default_factory=Counter)  # skipped files by kind


def find_files(
    place: Path, suffixes: frozenset[str], cancelled: Callable[[], bool] = lambda: False
) -> FileListing:
    """Return ``place`` itself, or the visible files with ``suffixes`` in and below a folder.

    Files are not opened, so broken links are among ``files``. Hidden files and folders are skipped,
    and links to folders are not followed. Cancelled once ``cancelled`` returns True.
    """
    if not is_folder(place):
        return FileListing((place,))
    files: list[Path] = []
    unreadable: list[OSError] = []
    others: Counter[str] = Counter()
    for folder, folders, names in os.walk(place, onerror=unreadable.append):
        _stop_if(cancelled)
        for name in names:
            _stop_if(cancelled)  # a folder of many files on a slow network takes long, too
            file = Path(folder, name)
            try:
                kind = _kind(file, suffixes)
            except OSError as error:  # a broken link may have been a folder of pictures
                unreadable.append(error)
                continue
            if kind:
                others[kind] += 1
            else:
                files.append(file)
        for name in list(folders):
            if kind := _kind_of_folder(Path(folder, name)):
                others[kind] += 1
                folders.remove(name)
    return FileListing(tuple(sorted(files)), tuple(unreadable), others)


def _stop_if(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Cancelled


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; False if it cannot be accessed."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _kind(file: Path, suffixes: frozenset[str]) -> str:
    """Return the kind of a file that is skipped, empty for others."""
    suffix = file.suffix.lower()
    if file.name.startswith("."):
        return HIDDEN
    if suffix not in suffixes:
        if not suffix:
            file.stat()
        return suffix or "without an ending"
    return "" if is_ordinary(file) else "pipes or devices"


def is_ordinary(file: Path) -> bool:
    """Whether a path is not a pipe, which would block, or a device."""
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return True


def _kind_of_folder(folder: Path) -> str:
    if folder.name.startswith("."):
        return HIDDEN
    return "links to folders" if folder.is_symlink() else ""


def format_counts(others: Counter[str]) -> str:
    """Return "3 .txt, 2 hidden", the most frequent kinds first, and what would read others."""
    shown = others.most_common(MAX_KINDS)
    rest = others.total() - sum(count for _, count in shown)
    counts = [f"{count} {kind}" for kind, count in shown] + [f"{rest} others"] * (rest > 0)
    missing = [
        f"pip install 'lbbic[{extra}]' to read {', '.join(sorted(suffixes & others.keys()))}"
        for extra, suffixes in EXTRA_SUFFIXES.items()
        if suffixes & others.keys() and not is_bundled()
    ]
    return "; ".join([", ".join(counts), *missing]) if counts else ""


def name_within(file: Path, place: Path) -> Path:
    """Return where ``file`` is below the folder ``place``, or its name if it is ``place``."""
    return Path(file.name) if file == place else file.relative_to(place)
