"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes, *, overwrite: bool) -> None:
    """Put a whole file at ``path`` or leave everything as it was; permissions follow the umask.

    Without ``overwrite`` FileExistsError if something is there, even if it came there meanwhile.
    Where the file system has no hard links, the name is first taken by an empty file, which an
    interruption at that very moment would leave behind. Any OSError of the system.
    """
    target = Path(os.path.realpath(path)) if overwrite else Path(path)
    if target.exists() and not (overwrite and target.is_file()):
        raise FileExistsError(errno.EEXIST, "It exists already and is not replaced", str(path))
    temporary = target.with_name(f".lbbic-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            temporary.replace(target)
        else:
            _move_to_free_name(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise OSError early, before work is spent on a file that may not be replaced."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def make_folder(path: Path) -> None:
    """Make a folder and those above it. NotADirectoryError if one of them is a file."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from error


def _move_to_free_name(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        with target.open("xb"):
            pass
        try:
            temporary.replace(target)
        except BaseException:
            target.unlink()
            raise
