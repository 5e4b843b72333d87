"""The same file decodes to the same pixels with every kernel, instruction set and thread count.

The same picture is also coded to the same file. Each combination runs in a subprocess.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lbbic_engine.config import EFFORTS

GOLDEN = Path(__file__).parents[2] / "golden"
CODE = """
import hashlib, sys
from pathlib import Path
from lbbic_engine import Picture, compress, decompress
for path in sys.argv[1:]:
    pixels = decompress(Path(path).read_bytes()).pixels
    print(hashlib.sha256(pixels).hexdigest())
for name in ("tiny", "photo"):
    print(hashlib.sha256(compress(Picture(pixels), 5, weights=name).data).hexdigest())
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


@cache
def coded_here(path: Path) -> list[bytes]:
    """Decode a file, and code its pixels again with the tiny and the shipped network."""
    from lbbic_engine import Picture, compress, decompress

    pixels = decompress(path.read_bytes()).pixels
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LBBIC_WEIGHTS", str(GOLDEN))
        files = [compress(Picture(pixels), 5, weights=name).data for name in ("tiny", "photo")]
    return [pixels.tobytes(), *files]


def test_golden_files_decode_to_their_stored_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    from lbbic_engine import decompress

    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))
    for line in expected():
        digest, name = line.split()
        pixels = decompress((GOLDEN / name).read_bytes()).pixels
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == digest, name


@pytest.fixture
def loaded_anew() -> Iterator[None]:
    """Models are loaded within the test, and again after it."""
    from lbbic_engine.networks import refinement_files, weights

    for load in (weights._load, refinement_files._load):
        load.cache_clear()
    yield
    for load in (weights._load, refinement_files._load):
        load.cache_clear()


@pytest.mark.parametrize(
    "options",
    [{"weights": "paper"}]
    + [{"weights": "tiny", "tune": "visual", "effort": effort} for effort in EFFORTS],
)
@pytest.mark.parametrize(
    ("dtype", "device"), [("bfloat16", "cpu"), ("float64", "cpu"), ("float32", "meta")]
)
def test_torchs_defaults_change_nothing(
    dtype: str,
    device: str,
    options: dict[str, str],
    loaded_anew: None,
    photograph: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are settings of the host program."""
    import torch

    from lbbic_engine import Picture, compress, decompress
    from lbbic_engine.networks import refinement_files, weights

    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))

    def code() -> bytes:
        return compress(Picture(photograph[:40]), **options).data  # type: ignore[arg-type]

    true, before = code(), torch.get_default_dtype()
    weights._load.cache_clear()
    refinement_files._load.cache_clear()
    torch.set_default_dtype(getattr(torch, dtype))
    torch.set_default_device(device)
    try:
        assert code() == true
        for line in expected():
            digest, name = line.split()
            pixels = decompress((GOLDEN / name).read_bytes()).pixels
            assert hashlib.sha256(pixels.tobytes()).hexdigest() == digest, name
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)


@pytest.mark.parametrize(
    "setting", SETTINGS, ids=lambda s: ",".join(f"{k}={v}" for k, v in s.items())
)
@pytest.mark.slow
def test_pixels_and_files_are_the_same(setting: dict[str, str], shipped_file: Path) -> None:
    """Golden files of the tiny network, and a photograph coded with the shipped one."""
    names = [line.split()[1] for line in expected()]
    paths = [GOLDEN / name for name in names] + [shipped_file]
    true = [line.split()[0] for line in expected()]
    true += [hashlib.sha256(content).hexdigest() for content in coded_here(shipped_file)]
    environment = {**os.environ, "LBBIC_WEIGHTS": str(GOLDEN), **setting}
    run = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, paths)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == true
