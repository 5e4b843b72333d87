"""The benchmark on a small picture: it measures, resumes, and says what it cannot do."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine import bench, bench_codecs
from lbbic_engine.cli import main


@pytest.fixture
def folder(
    tmp_path: Path,
    photograph: NDArray[np.uint8],
    tiny_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tiny_weights))  # the codecs' processes inherit it
    monkeypatch.setattr(bench, "_made", {})
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(photograph).save(pictures / "one.png")
    return pictures


def test_the_command_writes_tables_plots_and_a_page_and_resumes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["bench", str(folder), "--codecs", "lbbic,jpeg", "--out", str(out)]
    assert main(arguments) == 0
    for name in ("results.csv", "rate_distortion.png", "seconds.png", "index.html", "summary.md"):
        assert (out / name).stat().st_size > 0
    content = json.loads((out / "results.json").read_text())
    assert {row["codec"] for row in content["results"]} == {"lbbic", "jpeg"}
    assert all(row["psnr"] > 10 and row["decode_seconds"] > 0 for row in content["results"])
    assert "lbbic, quality" in (out / "index.html").read_text(encoding="utf-8")

    before = (out / bench.RESULTS).read_text()
    capsys.readouterr()
    assert main(arguments) == 0
    assert (out / bench.RESULTS).read_text() == before
    assert "one.png" not in capsys.readouterr().err  # nothing was measured again


def test_an_unfinished_line_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / bench.RESULTS
    path.write_text('{"codec": "jpeg", "pict')
    assert bench.load(path) == []


def test_an_unknown_codec_is_reported(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", str(folder), "--codecs", "gif", "--out", str(tmp_path / "o")]) == 2
    assert "gif is none of" in capsys.readouterr().err


def test_the_reference_loop_decodes_to_what_the_codec_makes(
    folder: Path, photograph: NDArray[np.uint8]
) -> None:
    """Its symbols may differ by a rounding of the float analysis; its own two sides agree."""
    reference = bench_codecs.make("reference")
    coded, size = reference.encode(photograph, 4)
    ours, _ = bench_codecs.make("lbbic").encode(photograph, 4)
    assert abs(size - len(ours)) < 0.1 * len(ours) + 100
    found = reference.decode(coded)
    assert np.abs(found.astype(int) - photograph).mean() < 40
