"""What a command reads and writes: a file, or None for standard input and output, ``-``."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures.atomic import make_folder, refuse_existing

if TYPE_CHECKING:
    from lbbic_engine.pictures.picture import Notice, Picture

STANDARD = "-"


def name_of(path: Path | None) -> str:
    """Return a name to print."""
    return STANDARD if path is None else str(path)


def facts_of(path: Path | None) -> os.stat_result | None:
    """Return permissions and dates of a file; there are none of standard input."""
    return path.stat() if path else None


def read_bytes(path: Path | None) -> bytes:
    """Return all of a file. LbbicError rather than wait for somebody to type a picture."""
    if path is not None:
        return path.read_bytes()
    if sys.stdin is None or sys.stdin.isatty():
        raise LbbicError("Nothing to read", "Standard input is a terminal; send a file into it.")
    return sys.stdin.buffer.read()


def refuse_output(path: Path | None, args: Namespace) -> None:
    """Raise OSError or LbbicError early, before work is spent on what cannot be written."""
    if path is not None:
        refuse_existing(path, overwrite=args.overwrite)
    elif sys.stdout is None or sys.stdout.isatty():
        raise LbbicError("Nowhere to write", "Standard output is a terminal; name a file with -o.")


def write_bytes(
    path: Path | None, data: bytes, args: Namespace, like: os.stat_result | None
) -> None:
    """Write an .lbb file with what its input, ``like``, allows."""
    from lbbic_engine.pictures import atomic

    if path is None:
        _to_standard_output(data)
        return
    make_folder(path.parent)
    atomic.write_atomically(
        path, data, overwrite=args.overwrite, like=like, keep_date=args.keep_dates
    )


def write_picture(
    path: Path | None, picture: Picture, args: Namespace, like: os.stat_result | None
) -> tuple[Notice, ...]:
    """Write a picture by the ending of ``path``, or a PNG to standard output; what that changed."""
    from lbbic_engine.pictures import write

    if path is None:
        data, notices = write.encode_image(picture, "picture.png")
        _to_standard_output(data)
        return notices
    make_folder(path.parent)
    return write.save_image(
        picture, path, overwrite=args.overwrite, like=like, keep_date=args.keep_dates
    )


def _to_standard_output(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
