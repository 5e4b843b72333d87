"""The memory that this process and its workers may use."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lbbic_engine.parallel.control_groups import control_groups

# Of control groups by version: limit, use, and the key of what the kernel would give back.
_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def usable_memory(root: Path = Path("/")) -> int:
    """Bytes that can be had without swapping, within the limits of the process's control groups.

    ``root`` is where /proc and /sys are. Where the system says nothing of what is in use (macOS)
    it is half of what there is.
    """
    with suppress(OSError, StopIteration, ValueError):
        return min(_available(root), *_headroom_of_groups(root))
    return _without_proc()


def release_freed() -> None:
    """Give back what was freed: glibc keeps a hundred megabytes after a part of a large picture.

    Before work of seconds: to get it again costs as much as a tenth of a small picture's coding.
    """
    with suppress(AttributeError, OSError, TypeError):  # other C libraries
        ctypes.CDLL(None).malloc_trim(0)


def _available(root: Path) -> int:
    lines = (root / "proc/meminfo").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable")))


def _headroom_of_groups(root: Path) -> Iterator[int]:
    """What is left in each control group that the process is in, those above it included."""
    yield sys.maxsize
    for group in control_groups(root, "memory"):
        with suppress(OSError, ValueError, KeyError):  # no limit, or the group is not visible
            yield _headroom(group.folder, *_FILES[group.version])


def _headroom(group: Path, limit: str, usage: str, reclaimable: str) -> int:
    statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    used = int((group / usage).read_text()) - int(statistics[reclaimable])
    return max(0, int((group / limit).read_text()) - used)


def _without_proc() -> int:
    if sys.platform == "win32":
        return _available_on_windows()
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


if sys.platform == "win32":

    class _MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX, with the fields that are not needed as one."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load_per_cent", ctypes.c_ulong),
            ("total_physical", ctypes.c_ulonglong),
            ("available_physical", ctypes.c_ulonglong),
            ("others", ctypes.c_ulonglong * 5),
        )

    def _available_on_windows() -> int:
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.available_physical)
