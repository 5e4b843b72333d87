"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from functools import reduce
from operator import and_
from pathlib import Path


def write_atomically(
    path: str | os.PathLike[str],
    data: bytes,
    *,
    overwrite: bool,
    like: os.stat_result | None = None,
    keep_date: bool = False,
) -> None:
    """Put a whole file at ``path`` or leave everything as it was.

    Permissions follow the umask, but nobody may read the file who may not read the one it was made
    of, ``like``, or the one it replaces. With ``keep_date`` it was last changed when ``like`` was.
    Without ``overwrite`` FileExistsError if something is there, even if it came there meanwhile.
    Where the file system has no hard links, the name is first taken by an empty file, which an
    interruption at that very moment would leave behind. Any OSError of the system.
    """
    target = Path(os.path.realpath(path)) if overwrite else Path(path)
    replaced = target.stat() if target.exists() else None
    if replaced and not (overwrite and stat.S_ISREG(replaced.st_mode)):
        raise FileExistsError(errno.EEXIST, "It exists already and is not replaced", str(path))
    limits = [each for each in (like, replaced) if each]
    mode = reduce(and_, (each.st_mode | stat.S_IWUSR for each in limits), 0o666)
    temporary = target.with_name(f".lbbic-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            _bar_other_groups(temporary, limits)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if like and keep_date:
            os.utime(temporary, ns=(like.st_atime_ns, like.st_mtime_ns))
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
    if os.path.lexists(path) and not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def make_folder(path: Path) -> None:
    """Make a folder and those above it. NotADirectoryError if one of them is a file."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from error


def _bar_other_groups(path: Path, limits: Iterable[os.stat_result]) -> None:
    """Let the group of a new file, where it is not a limit's, do what the limit lets others do."""
    made = path.stat()
    mode = made.st_mode
    for limit in limits:
        if limit.st_gid != made.st_gid:
            mode &= ~0o070 | (limit.st_mode & 0o007) << 3
    if mode != made.st_mode:
        path.chmod(stat.S_IMODE(mode))


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
