"""``lbbic compress``: quality, device, weights, targets, progress."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lbbic_engine import codec
from lbbic_engine.config import DEFAULT_QUALITY
from lbbic_engine.networks import model_files, weights
from tests.engine.cli.command_line import Capture, Draw, files_below, json_lines, run

pytestmark = pytest.mark.usefixtures("tiny")


def test_output_is_written_next_to_the_input(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    assert run("compress", draw("a.png")) == 0
    assert files_below(tmp_path) == {"a.png", "a.lbb"}
    out, err = capsys.readouterr()
    assert "a.lbb" in out
    assert "% saved" in out.splitlines()[0]
    assert out.splitlines()[1].startswith("1 file: ")
    assert err == ""


def test_json_describes_each_result(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    source = draw("a.png")
    assert run("compress", source, "-q", "3.3", "--json", "--device", "cpu") == 0
    (row,) = json_lines(capsys)
    assert row["input"] == str(source)
    assert row["output"] == str(tmp_path / "a.lbb")
    assert row["bytes"] == (tmp_path / "a.lbb").stat().st_size
    assert row["bpp"] == 8 * row["bytes"] / (24 * 16)
    assert row["psnr"] > 20
    assert row["seconds"] > 0
    assert row["quality"] == 3.25
    assert row["original_bytes"] == source.stat().st_size


@pytest.mark.parametrize(("options", "quality"), [([], DEFAULT_QUALITY), (["-q", "5.5"], 5.5)])
def test_the_file_has_the_requested_quality(
    draw: Draw, tmp_path: Path, options: list[str], quality: float
) -> None:
    assert run("compress", draw("a.png"), *options) == 0
    assert codec.read_info((tmp_path / "a.lbb").read_bytes()).quality == quality


def test_larger_pictures_are_resized(draw: Draw, tmp_path: Path) -> None:
    inputs = [draw("large.png", 80, 40), draw("small.png", 24, 16)]
    assert run("compress", *inputs, "--longest-side", 40) == 0
    sizes = [codec.read_info((tmp_path / name).read_bytes()) for name in ("large.lbb", "small.lbb")]
    assert [(info.width, info.height) for info in sizes] == [(40, 20), (24, 16)]


@pytest.mark.parametrize("command", ["compress", "decompress", "eval"])
def test_a_missing_device_is_reported_in_one_line(
    command: str, draw: Draw, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    inputs = [draw("a.png")] if command == "eval" else [draw("a.png"), draw("b.png")]
    assert run(command, *inputs, "--device", "cuda") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lbbic: No CUDA device: ")


@pytest.fixture
def other_weights(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a second model beside the default one."""
    (description,) = weights.describe_folder(tiny_weights)
    tensors = load_file(description.path)
    integer = model_files.part(tensors, weights.INTEGER)
    config = replace(description.config, min_scale=0.0625)  # gives it another identity
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(description.path, folder)
    analysis = model_files.part(tensors, weights.ANALYSIS)
    weights.save_weights(folder / "b.safetensors", "other", config, integer, analysis, {})
    monkeypatch.setenv("LBBIC_WEIGHTS", str(folder))
    return "other"


@pytest.mark.parametrize("options", [[], ["--target-psnr", "10"]])
def test_the_file_names_the_requested_weights(
    other_weights: str, draw: Draw, tmp_path: Path, capsys: Capture, options: list[str]
) -> None:
    assert run("compress", draw("a.png"), "--weights", other_weights, *options) == 0
    assert run("compress", draw("b.png"), *options) == 0
    capsys.readouterr()
    assert run("info", tmp_path / "a.lbb", tmp_path / "b.lbb", "--json") == 0
    assert [row["weights"] for row in json_lines(capsys)] == [other_weights, weights.DEFAULT]
    assert run("decompress", tmp_path / "a.lbb", "-o", tmp_path / "a.bmp") == 0


def test_eval_uses_the_requested_weights(other_weights: str, draw: Draw, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert run("eval", draw("a.png"), "-q", 4, "--weights", other_weights, "--json", report) == 0
    document = json.loads(report.read_text())
    assert document["weights"] == [other_weights]
    assert "weights other, effort fast, 1 picture of a.png" in document["source"]


@pytest.mark.parametrize("command", ["compress", "eval", "demo"])
def test_unknown_weights_are_reported_in_one_line_with_the_installed_ones(
    command: str, draw: Draw, capsys: Capture
) -> None:
    inputs = {"compress": [draw("a.png"), draw("b.png")], "eval": [draw("a.png")], "demo": []}
    assert run(command, *inputs[command], "--weights", "nope") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lbbic: Unknown model: There is no model named nope")
    assert weights.DEFAULT in line


def test_target_bytes_are_not_exceeded(draw: Draw, tmp_path: Path) -> None:
    assert run("compress", draw("a.png"), "--target-bytes", 100) == 0
    assert 90 < (tmp_path / "a.lbb").stat().st_size <= 100


def test_target_bpp_is_not_exceeded(draw: Draw, capsys: Capture) -> None:
    assert run("compress", draw("a.png"), "--target-bpp", 2, "--json") == 0
    (row,) = json_lines(capsys)
    assert 1.8 < row["bpp"] <= 2


def test_target_psnr_is_reached(draw: Draw, capsys: Capture) -> None:
    assert run("compress", draw("a.png"), "--target-psnr", 25, "--json") == 0
    (row,) = json_lines(capsys)
    assert 25 <= row["psnr"] < 25.5


def test_an_unreachable_target_is_reported_in_one_line(
    draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    assert run("compress", draw("a.png"), "--target-bytes", 5) == 2
    error, summary = capsys.readouterr().err.splitlines()
    assert "a.png: Target too small: The target is 5 bytes" in error
    assert summary == "lbbic: 1 of 1 failed"
    assert files_below(tmp_path) == {"a.png"}


def test_a_terminal_shows_progress(
    draw: Draw, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run("compress", draw("a.png")) == 0
    assert "1/1 a.png" in capsys.readouterr().err


def test_no_progress_is_written_to_a_pipe(draw: Draw, capsys: Capture) -> None:
    assert run("compress", draw("a.png")) == 0
    assert capsys.readouterr().err == ""


def test_drawings_are_stored_exactly_and_reported_as_such(tmp_path: Path, capsys: Capture) -> None:
    Image.new("RGB", (70, 50), "khaki").save(tmp_path / "a.png")
    assert run("compress", tmp_path / "a.png") == 0
    assert "a drawing, stored exactly" in capsys.readouterr().out
    assert run("info", tmp_path / "a.lbb") == 0
    out = capsys.readouterr().out
    assert "exact: every pixel as it was" in out
    assert "version 1.3" in out
    assert run("compress", tmp_path / "a.png", "--no-exact", "--overwrite", "--json") == 0
    (row,) = json_lines(capsys)
    assert not row["exact"]
    assert run("decompress", tmp_path / "a.lbb", "-o", tmp_path / "back.png") == 0


def test_a_mask_raises_quality_where_it_is_white(
    draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    source, mask = draw("a.png", 64, 48), tmp_path / "mask.png"
    Image.new("L", (9, 9), 255).save(mask)
    assert run("compress", source, "-q", "4", "--json") == 0
    assert run("compress", source, "-q", "4", "--json", "--mask", mask, "--overwrite") == 0
    plain, better = json_lines(capsys)
    assert better["psnr"] > plain["psnr"]
    assert run("info", tmp_path / "a.lbb") == 0
    assert "4, varied by a map" in capsys.readouterr().out
    target = ("--target-bytes", plain["bytes"] + 100, "--overwrite", "--json")
    assert run("compress", source, "--mask", mask, *target) == 0
    (row,) = json_lines(capsys)
    assert row["bytes"] <= plain["bytes"] + 100


def test_a_mask_is_refused_for_several_pictures(
    draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    assert run("compress", draw("a.png"), draw("b.png"), "--mask", draw("mask.png")) == 2
    assert "one picture" in capsys.readouterr().err
    assert run("compress", tmp_path / "a.png", "--mask", tmp_path / "nowhere.png") != 0
    assert "nowhere.png" in capsys.readouterr().err
