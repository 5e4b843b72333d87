"""Names of new files: a name that is taken gets a number. Looks at names and writes nothing.

Two names count as different only if they differ on every file system: some ignore case or how an
accent is composed, and results are copied from one to another.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path


def name_key(path: Path) -> str:
    """Return one string for all spellings of a path that some file system takes for one."""
    composed = unicodedata.normalize("NFC", os.path.realpath(path))
    return unicodedata.normalize("NFC", composed.casefold())


def numbered(path: Path) -> Iterator[Path]:
    """Yield ``path``, then with 2, 3 and so on behind its name."""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")


def name_apart(wanted: Sequence[Path]) -> list[Path]:
    """Return ``wanted`` with numbers behind names, so that all differ.

    The first to want a name gets it; a numbered name is none that another one wants.
    """
    all_wanted = {name_key(path) for path in wanted}
    given: set[str] = set()
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
    """Return ``path``, or with the first number behind its name that nothing has."""
    return next(name for name in numbered(path) if not os.path.lexists(name))
