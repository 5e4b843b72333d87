"""Names of files to come: a number goes behind a name that is taken. Looks at names, writes none.

Names differ here only if they differ on every file system: some ignore case, or how an accent is
composed, and results are carried from one to another.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path


def name_key(path: Path) -> str:
    """Return one string for all spellings of a path that some file system takes for one."""
    composed = unicodedata.normalize("NFC", os.path.realpath(path))
    return unicodedata.normalize("NFC", composed.casefold())


def name_apart(wanted: Sequence[Path], taken: Iterable[Path] = ()) -> list[Path]:
    """Return ``wanted`` with numbers behind names, so that all differ, from ``taken`` too.

    The first to want a name gets it; a number is none that another one wants.
    """
    given = {name_key(path) for path in taken}
    avoided = given | {name_key(path) for path in wanted}
    names = []
    for path in wanted:
        number, name = 2, path
        key = name_key(path)
        while key in given or (name != path and key in avoided):
            name, number = _numbered(path, number), number + 1
            key = name_key(name)
        given.add(key)
        avoided.add(key)
        names.append(name)
    return names


def free_name(path: Path) -> Path:
    """Return ``path``, or with the first number behind its name that nothing has."""
    number, free = 2, path
    while os.path.lexists(free):
        free, number = _numbered(path, number), number + 1
    return free


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem} ({number}){path.suffix}")
