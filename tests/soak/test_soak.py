"""A short soak test, and proof that it detects leaks.

Each runs in a separate process, because what other tests started or freed would count, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.soak import MIB, STEPS

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process uses"),
    pytest.mark.usefixtures("tiny"),
]
ROOT = Path(__file__).parents[2]
MOST = 4 * MIB  # of a short run, in which not all is warm


def run(call: str) -> subprocess.CompletedProcess[str]:
    program = f"from pathlib import Path\nfrom tests.soak.soak import *\nkept = []\nprint({call})"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONMALLOC": "malloc"},
        capture_output=True,
        text=True,
    )


def growth(call: str) -> int:
    done = run(call)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.splitlines()[-1])


def test_the_engine_needs_no_more_memory_for_more_pictures(tmp_path: Path) -> None:
    assert growth(f"of_engine(Path({str(tmp_path)!r}), {4 * STEPS})") < MOST


def test_the_window_needs_no_more_memory_for_more_pictures(tmp_path: Path) -> None:
    assert growth(f"of_window(Path({str(tmp_path)!r}), {2 * STEPS})") < MOST


@pytest.mark.parametrize(
    ("target", "replacement"),
    [
        ("tests.soak.soak.small_pictures", "lambda folder: [folder]"),  # nothing to open
        (
            "tests.soak.soak.small_pictures",
            "lambda folder: (folder / 'a.png').write_bytes(b'a') and [folder / 'a.png']",
        ),
        ("lbbic_gui.session.coder.Coder._take", "None"),  # a callback raises TypeError
    ],
)
def test_a_window_that_cannot_code_a_picture_ends_the_soak_test(
    tmp_path: Path, target: str, replacement: str
) -> None:
    call = f"patch({target!r}, {replacement}).start(), of_window(Path({str(tmp_path)!r}), {STEPS})"
    assert "RuntimeError: Picture 0: " in run(call).stderr


def test_the_soak_test_detects_leaked_memory() -> None:
    assert growth(f"soak('kept', lambda n: kept.append(bytes([n]) * MIB), {STEPS})") > 10 * MIB


def test_the_soak_test_detects_open_files() -> None:
    done = run(f"soak('open', lambda n: kept.append(open('/dev/null')), {STEPS})")
    assert "AssertionError" in done.stderr
