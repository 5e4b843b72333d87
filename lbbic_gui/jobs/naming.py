"""Names of new files: a pattern, and what to do if a name is taken."""

from __future__ import annotations

from pathlib import Path

# The engine's module for names, which imports no torch and also serves the command line.
from lbbic_engine.pictures.naming import free_name, name_key, numbered

__all__ = ["fill", "free_name", "is_pattern", "name_key", "numbered", "output_path"]


def is_pattern(pattern: str) -> bool:
    """Whether a pattern gives valid and distinct names on every system."""
    is_safe = not set(pattern) & set('/\\:*?"<>|') and all(map(str.isprintable, pattern))
    return "{name}" in pattern and is_safe and pattern.strip(" .") == pattern


def fill(pattern: str, name: str, quality: float) -> str:
    """Fill in a pattern: a picture's name for {name} and its quality for {quality}."""
    return pattern.replace("{quality}", f"{quality:g}").replace("{name}", name)


def output_path(source: Path, folder: Path | None, base: Path | None, name: str) -> Path:
    """The path of a result: next to its picture, or in ``folder`` as the picture is in ``base``."""
    if folder is None:
        return source.with_name(name)
    if base is not None and source.is_relative_to(base):
        return folder / source.parent.relative_to(base) / name
    return folder / name
