"""Names of new files: numbers are added to names that are taken. Writes nothing.

Two names are different only if they differ on every file system: some ignore case or the
composition of accents, and files are copied between them.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path


def name_key(path: Path) -> str:
    """Return the same string for all paths that some file system considers equal."""
    return _folded(os.path.realpath(path))


def numbered(path: Path) -> Iterator[Path]:
    """Yield ``path``, then the path with (2), (3), … after its name."""
    yield path
    yield from map(partial(_with_number, path), count(2))


def name_apart(wanted: Sequence[Path], apart_from: Iterable[Path] = ()) -> list[Path]:
    """Return ``wanted`` with numbers added to names so that all differ, from others, too.

    The first path keeps its name, and numbered names never equal other wanted names.
    """
    keys = [name_key(path) for path in wanted]
    all_wanted = set(keys)
    given = {name_key(path) for path in apart_from}
    numbers: dict[str, int] = {}  # the last ones tried, by name: trying all again takes long
    names = []
    for path, own_key in zip(wanted, keys, strict=True):
        name, key, spelling = path, own_key, _folded(str(path))
        while key in given or (name is not path and key in all_wanted):
            numbers[spelling] = numbers.get(spelling, 1) + 1
            name = _with_number(path, numbers[spelling])
            key = name_key(name)
        given.add(key)
        names.append(name)
    return names


def free_name(path: Path) -> Path:
    """Return ``path``, with the first free number if it exists."""
    return next(name for name in numbered(path) if not os.path.lexists(name))


def _with_number(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem} ({number}){path.suffix}")


def _folded(name: str) -> str:
    composed = unicodedata.normalize("NFC", name)
    return unicodedata.normalize("NFC", composed.casefold())
