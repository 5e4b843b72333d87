"""How many cores this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lbbic_engine.parallel.control_groups import ControlGroup, control_groups


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may run on, no more than its control groups' share of them.

    ``root`` is where /proc and /sys are. Of a share that is no whole number, the last part counts:
    a worker more uses it up.
    """
    return max(1, math.ceil(min(_allowed(), *_quotas(root))))


def _allowed() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    yield math.inf
    with suppress(OSError, ValueError):  # no control groups
        for group in control_groups(root, "cpu"):
            with suppress(OSError, ValueError, ZeroDivisionError):  # no limit, or out of view
                yield _quota(group)


def _quota(group: ControlGroup) -> float:
    """Cores' worth of time; ValueError if it is not limited."""
    if group.version == 2:
        quota, period = map(int, (group.folder / "cpu.max").read_text().split())
    else:
        quota, period = (
            int((group.folder / f"cpu.cfs_{each}_us").read_text()) for each in ("quota", "period")
        )
    if quota < 0:
        raise ValueError("not limited")
    return quota / period
