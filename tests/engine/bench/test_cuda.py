"""The benchmark of a CUDA device, tried on the CPU."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.bench import cuda, scaling
from lbbic_engine.pictures.picture import Picture


@pytest.fixture
def folder(tmp_path: Path, photograph: NDArray[np.uint8]) -> Path:
    for number, pixels in enumerate((photograph, photograph[:40])):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.mark.slow
def test_it_compares_measures_and_profiles(
    tiny: None,
    folder: Path,
    photograph: NDArray[np.uint8],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LBBIC_CUDA_GRAPHS", "0")  # so that the benchmark's setting does not stay
    monkeypatch.setattr(cuda, "_MEGAPIXELS", 0.01)
    monkeypatch.setattr(cuda, "_processes", ThreadPoolExecutor)  # which start faster
    monkeypatch.setattr(scaling, "ENOUGH_SECONDS", 0)
    (folder / "given.lbb").write_bytes(codec.compress(Picture(photograph)).data)
    out = folder / "out"
    cuda.main([str(folder), str(out), "--files", str(folder), "--device", "cpu"])
    written = (out / "cuda.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == written
    rows = [line.split(" | ") for line in written.splitlines() if line.startswith("| ")]
    bits = [row for row in rows if row[0].startswith(("| files given", "| quality"))]
    assert len(bits) == 2 + 4 * len(cuda.QUALITIES)
    assert all(row[1:] in (["1", "1 |"], ["2", "2 |"]) for row in bits)
    times = [row for row in rows if row[0].startswith(("| encode", "| decode"))]
    assert len(times) == 6
    assert all(float(row[1]) > 0 for row in times)
    (operations,) = (row[1:] for row in rows if row[0].startswith("| operations"))
    assert all(int(each.removesuffix(" |")) > 100 for each in operations)
    assert "aten::" in (out / "profile.txt").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_way_that_fails_is_reported(
    tiny: None, photograph: NDArray[np.uint8], capfd: pytest.CaptureFixture[str]
) -> None:
    failure = cuda._failure(cuda.Way("none", graphs=True), Picture(photograph))
    assert failure.startswith("ValueError: device must be one of ")
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_cuda_device_it_says_so_in_one_line(folder: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        cuda.main([str(folder), str(folder / "out")])
    assert str(stop.value).startswith("No CUDA device: ")
    assert not (folder / "out").exists()
