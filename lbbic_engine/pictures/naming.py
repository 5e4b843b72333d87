"""Names of new files: numbers are added to names that are taken. Writes nothing.

Two names are different only if they differ on every file system: some ignore case or the
composition of accents, and files are copied between them.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path


def name_key(path: Path) -> str:
    """Return the same string for all paths that some file system considers equal."""
    composed = unicodedata.normalize("NFC", os.path.realpath(path))
    return unicodedata.normalize("NFC", composed.casefold())


def numbered(path: Path) -> Iterator[Path]:
    """Yield ``path``, then the path with (2), (3), … after its name."""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")


def name_apart(wanted: Sequence[Path], apart_from: Iterable[Path] = ()) -> list[Path]:
    """Return ``wanted`` with numbers added to names so that all differ, from others, too.

    The first path keeps its name, and numbered names never equal other wanted names.
    """
    all_wanted = {name_key(path) for path in wanted}
    given = {name_key(path) for path in apart_from}
    names = []
    for path in wanted:
        for name in numbered(path):
            key = name_key(name)
            if key not in given and (name == path or key not in all_wanted):
                break
        given.add(key)
        names.append(name)
    return names


def free_name(path: Path) -> Path:
    """Return ``path``, with the first free number if it exists."""
    return next(name for name in numbered(path) if not os.path.lexists(name))
