"""``lbbic demo``."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbbic_engine import codec, resources
from tests.engine.cli.command_line import Capture, Draw, files_below, make_decoder_differ, run

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def samples(draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("resources/samples/sea.png", "resources/samples/hill.png"):
        draw(name)
    (tmp_path / "resources" / "samples" / "ATTRIBUTION.md").write_text("whose they are")
    monkeypatch.setattr(resources, "FOLDER", tmp_path / "resources")
    return tmp_path / "resources" / "samples"


@pytest.mark.usefixtures("samples")
def test_demo_prints_a_line_for_each_sample(tmp_path: Path, capsys: Capture) -> None:
    assert run("demo", "--keep", tmp_path / "kept") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["file", "before", "after", "saved"]
    assert [line.split()[0] for line in lines[1:3]] == ["hill.png", "sea.png"]
    assert "pixel for pixel" in lines[3]
    assert files_below(tmp_path / "kept") == {"q4/hill.png.lbb", "q4/sea.png.lbb"}
    data = (tmp_path / "kept" / "q4" / "sea.png.lbb").read_bytes()
    assert codec.read_info(data).quality == 4


@pytest.mark.usefixtures("samples")
def test_demo_exits_with_1_if_a_decoded_picture_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    make_decoder_differ(monkeypatch)
    assert run("demo") == 1
    out, err = capsys.readouterr()
    assert "pixel for pixel" not in out
    assert len(err.splitlines()) == 2


def test_demo_without_samples_is_an_error(samples: Path, capsys: Capture) -> None:
    for sample in samples.iterdir():
        sample.unlink()
    assert run("demo") == 2
    assert "No sample pictures" in capsys.readouterr().err
