"""The command line with workers, as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lbbic_engine.batch.directions import Encoding
from lbbic_engine.batch.files import code_files

pytestmark = [
    pytest.mark.usefixtures("tiny"),
    pytest.mark.slow,  # processes start slowly
    pytest.mark.skipif(sys.platform == "win32", reason="it has no signals and pipes like these"),
]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def large_files(draw: Callable[..., Path], tmp_path: Path) -> list[Path]:
    """Enough work for two workers."""
    files = [(draw(f"{n}.png", 1100, 1000, seed=n), tmp_path / f"{n}.lbb") for n in range(3)]
    list(code_files(files, Encoding(), jobs=1))
    return [output for _, output in files]


def test_an_interruption_stops_all_workers_and_leaves_no_files(
    large_files: list[Path], tmp_path: Path
) -> None:
    blocking_pipe, out = tmp_path / "stuck.lbb", tmp_path / "out"
    os.mkfifo(blocking_pipe)  # a worker that reads it waits
    command = [sys.executable, "-m", "lbbic_engine.cli", "decompress", blocking_pipe, *large_files]
    process = subprocess.Popen(
        [*command, "-o", f"{out}/", "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in large_files]
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it, too
    _, err = process.communicate()  # until the last worker has let go of it
    assert (process.returncode, err) == (130, "lbbic: interrupted\n")
    assert all(" -> " in line for line in lines)
    assert {path.name for path in out.iterdir()} == {"0.png", "1.png", "2.png"}
