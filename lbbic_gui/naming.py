"""Names of files to come: a pattern, and what to do where one is taken."""

from __future__ import annotations

from pathlib import Path


def free_name(path: Path) -> Path:
    """``path``, or with the first number behind its name that makes it free."""
    number, free = 2, path
    while free.exists():
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
        number += 1
    return free


def output_path(source: Path, folder: Path | None, base: Path | None, suffix: str = ".lbb") -> Path:
    """Where a result goes: beside its picture, or in ``folder`` as the picture is in ``base``."""
    name = source.stem + suffix
    if folder is None:
        return source.with_name(name)
    if base is not None and source.is_relative_to(base):
        return folder / source.parent.relative_to(base) / name
    return folder / name
