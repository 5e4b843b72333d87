"""A short soak, and that it would see what it looks for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Any

import pytest

from tests.soak.soak import MIB, STEPS, of_engine, of_window, soak

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process uses"),
    pytest.mark.usefixtures("tiny"),
]
MOST = 4 * MIB  # of a short run, in which not all is warm


def test_the_engine_needs_no_more_memory_for_more_pictures(tmp_path: Path) -> None:
    assert of_engine(tmp_path, 4 * STEPS) < MOST


def test_the_window_needs_no_more_memory_for_more_pictures(tmp_path: Path, qapp: Any) -> None:
    assert of_window(tmp_path, 2 * STEPS) < MOST


def test_memory_that_is_kept_is_seen() -> None:
    kept: list[bytes] = []
    assert soak("kept", lambda n: kept.append(bytes([n]) * MIB), STEPS) > 10 * MIB


def test_files_that_stay_open_are_seen(tmp_path: Path) -> None:
    kept: list[IO[str]] = []
    with pytest.raises(AssertionError):
        soak("open", lambda n: kept.append((tmp_path / str(n)).open("w")), STEPS)
    for file in kept:
        file.close()
