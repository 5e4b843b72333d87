"""One file, the same pixels: every kernel, instruction set and thread count, in subprocesses."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
DECODE = """
import hashlib, sys
from pathlib import Path
from lbbic_engine import decompress
for path in sys.argv[1:]:
    print(hashlib.sha256(decompress(Path(path).read_bytes()).pixels).hexdigest())
"""
SETTINGS = [
    {"OMP_NUM_THREADS": "1"},
    {"OMP_NUM_THREADS": "2"},
    {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    {"ATEN_CPU_CAPABILITY": "default"},
    {"LBBIC_KERNEL": "int8"},
    {"LBBIC_KERNEL": "float32"},
    {"LBBIC_KERNEL": "float64"},
    {"LBBIC_KERNEL": "float32", "ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "2"},
]


def expected() -> list[str]:
    lines = (GOLDEN / "SHA256").read_text(encoding="utf-8").splitlines()
    assert lines
    return lines


def test_golden_files_decode_to_their_stored_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    from lbbic_engine import decompress

    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))
    for line in expected():
        digest, name = line.split()
        pixels = decompress((GOLDEN / name).read_bytes()).pixels
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == digest, name


@pytest.mark.parametrize(
    "setting", SETTINGS, ids=lambda s: ",".join(f"{k}={v}" for k, v in s.items())
)
def test_a_file_decodes_to_the_same_pixels(setting: dict[str, str], shipped_file: Path) -> None:
    """Golden files of the tiny network, and a photograph coded with the shipped one."""
    from lbbic_engine import decompress

    names = [line.split() for line in expected()]
    true = [digest for digest, _ in names]
    true.append(hashlib.sha256(decompress(shipped_file.read_bytes()).pixels.tobytes()).hexdigest())
    paths = [GOLDEN / name for _, name in names] + [shipped_file]
    environment = {**os.environ, "LBBIC_WEIGHTS": str(GOLDEN), **setting}
    run = subprocess.run(
        [sys.executable, "-c", DECODE, *map(str, paths)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == true
