"""Reading and writing of files or, for None, standard input and output (``-``)."""

from __future__ import annotations

import sys
from pathlib import Path

from lbbic_engine.errors import LbbicError

STANDARD = "-"


def name_of(path: Path | None) -> str:
    """Return a name to print."""
    return STANDARD if path is None else str(path)


def read_bytes(path: Path | None) -> bytes:
    """Return the contents of a file or of standard input; LbbicError if that is a terminal."""
    if path is not None:
        return path.read_bytes()
    if sys.stdin is None or sys.stdin.isatty():
        raise LbbicError(
            "Nothing to read", "Standard input is a terminal, or closed; redirect a file to it."
        )
    return sys.stdin.buffer.read()


def refuse_terminal() -> None:
    """LbbicError if standard output is a terminal or closed; called before any work."""
    if sys.stdout is None or sys.stdout.isatty():
        raise LbbicError(
            "Nowhere to write",
            "Standard output is a terminal, or closed; redirect it, or name a file with -o.",
        )


def to_standard_output(data: bytes) -> None:
    """Write bytes to standard output."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
