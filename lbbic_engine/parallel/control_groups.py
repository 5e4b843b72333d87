"""The control groups of Linux that this process is in, both versions of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class ControlGroup(NamedTuple):
    """The folder of a group with the kernel's files of its limits, of version 1 or 2."""

    folder: Path
    version: int


def control_groups(root: Path, controller: str) -> Iterator[ControlGroup]:
    """The groups with a controller that the process is in, those above them included.

    ``root`` is where /proc and /sys are; OSError or ValueError where these have no such files.
    """
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        base, version = root / "sys/fs/cgroup", 2
        if controller in controllers.split(","):
            base, version = base / controller, 1
        elif controllers:
            continue
        folder = base / place.lstrip("/")
        for group in (folder, *folder.parents):
            if group.is_relative_to(base):
                yield ControlGroup(group, version)
