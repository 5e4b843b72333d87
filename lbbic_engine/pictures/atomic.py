"""Files that are written whole or not at all.

The name of a temporary file contains the process that writes it, so that later processes can remove
files left by killed ones in the same folder.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import stat
import sys
import zlib
from collections.abc import Iterable
from contextlib import suppress
from functools import cache, reduce
from operator import and_
from pathlib import Path

_TEMPORARY = re.compile(r"\.lbbic-(?P<host>[0-9a-f]{8})-(?P<process>[0-9]+)-[0-9a-f]{8}\.tmp")


def write_atomically(
    path: str | os.PathLike[str],
    data: bytes,
    *,
    overwrite: bool,
    like: os.stat_result | None = None,
    keep_date: bool = False,
) -> None:
    """Put a whole file at ``path`` or leave everything as it was.

    Permissions follow the umask, but do not let anybody read the file who may not read ``like``,
    the file it was made from, or the file it replaces. With ``keep_date``, it gets the modification
    time of ``like``. Without ``overwrite``, FileExistsError if the file exists, even if it was
    created in the meantime. On file systems without hard links, an empty file reserves the name,
    and an interruption at that moment would leave it behind. The result survives a power cut if
    the system guarantees it. Raises the system's OSError for ``path``.
    """
    try:
        _write(Path(path), data, overwrite=overwrite, like=like, keep_date=keep_date)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(
    path: Path, data: bytes, *, overwrite: bool, like: os.stat_result | None, keep_date: bool
) -> None:
    target = Path(os.path.realpath(path)) if overwrite else path
    replaced = target.stat() if target.exists() else None
    if replaced and not overwrite:
        raise FileExistsError(errno.EEXIST, "It already exists and is not replaced", str(path))
    _check_kind(target)
    limits = [each for each in (like, replaced) if each]
    mode = reduce(and_, (each.st_mode | stat.S_IWUSR for each in limits), 0o666)
    _remove_leftovers(target.parent)
    temporary = target.with_name(f".lbbic-{_host_id()}-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            _restrict_group(temporary, limits)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if like and keep_date:
            os.utime(temporary, ns=(like.st_atime_ns, like.st_mtime_ns))
        if overwrite:
            temporary.replace(target)
        else:
            _move_to_free_name(temporary, target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def check_output(path: Path, *, overwrite: bool) -> None:
    """Raise OSError early, before work is spent on a file that cannot be written."""
    _check_kind(path)
    if os.path.lexists(path) and not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    folder = Path(os.path.realpath(path)).parent
    may_write = os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    if folder.is_dir() and not may_write:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _check_kind(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        reason = "It is a pipe or a device, which is not replaced"
        raise OSError(errno.EINVAL, reason, str(path))


def make_folder(path: Path) -> None:
    """Make a folder and those above it. NotADirectoryError if one of them is a file."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from error


def _restrict_group(path: Path, limits: Iterable[os.stat_result]) -> None:
    """If a limit has another group, restrict the file's group to what the limit allows others."""
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


@cache
def _host_id() -> str:
    """Identify the machine, or the container, in which process numbers are valid."""
    name = platform.node()
    with suppress(OSError):  # elsewhere than on Linux
        name += str(Path("/proc/self/ns/pid").readlink())
    return f"{zlib.crc32(name.encode()):08x}"


@cache
def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files that dead processes have left in a folder; once per folder."""
    with suppress(OSError):
        for path in folder.iterdir():
            match = _TEMPORARY.fullmatch(path.name)
            if match and match["host"] == _host_id() and not _is_running(int(match["process"])):
                path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a new name survive a power cut, if the system and the file system support it."""
    if sys.platform != "win32":
        with suppress(OSError):
            number = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(number)
            finally:
                os.close(number)


if sys.platform == "win32":
    import ctypes

    def _is_running(process: int) -> bool:
        handle = ctypes.windll.kernel32.OpenProcess(0x100000, False, process)  # SYNCHRONIZE
        return bool(handle) and bool(ctypes.windll.kernel32.CloseHandle(handle))
else:

    def _is_running(process: int) -> bool:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        except (OSError, OverflowError):  # another user's
            return True
        return True
