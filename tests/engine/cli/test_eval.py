"""``lbbic eval``: figures, reports, details."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

from lbbic_engine.networks import model_files, weights
from tests.engine.cli.command_line import Capture, Draw, files_below, make_decoder_differ, run

GOLDEN = Path(__file__).parents[2] / "golden"

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def gallery(draw: Draw, tmp_path: Path) -> Path:
    draw("in/a.png", seed=1)
    draw("in/deep/a.png", seed=2)
    return tmp_path / "in"


def test_eval_prints_pictures_and_means(gallery: Path, capsys: Capture) -> None:
    assert run("eval", gallery, "-q", "6,2,6") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:3] == ["picture", "q", "bytes"]
    assert [line[:2] for line in lines[1:5]] == [
        ["a.png", "2"],
        ["a.png", "6"],
        ["deep/a.png", "2"],
        ["deep/a.png", "6"],
    ]
    assert [line[:4] for line in lines[5:]] == [
        ["mean", "of", "2", "2"],
        ["mean", "of", "2", "6"],
    ]


def test_eval_keeps_no_files_by_default(gallery: Path, tmp_path: Path) -> None:
    before = files_below(tmp_path)
    assert run("eval", gallery, "-q", "4") == 0
    assert files_below(tmp_path) == before
    assert run("eval", gallery, "-q", "4,4.5", "--keep", tmp_path / "kept") == 0
    assert files_below(tmp_path / "kept") == {
        f"{folder}/{name}.lbb" for folder in ("q4", "q4.5") for name in ("a.png", "deep/a.png")
    }


def test_eval_keeps_pictures_and_maps_of_blocks(gallery: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert run("eval", gallery / "a.png", "-q", "4", "--keep", kept, "--details") == 0
    suffixes = (".lbb", ".png", ".blocks.csv", ".blocks.png")
    assert files_below(kept) == {f"q4/a.png{suffix}" for suffix in suffixes}
    decoded = tmp_path / "again.png"
    assert run("decompress", kept / "q4" / "a.png.lbb", "-o", decoded) == 0
    with Image.open(decoded) as one, Image.open(kept / "q4" / "a.png.png") as other:
        assert one.tobytes() == other.tobytes()
    lines = (kept / "q4" / "a.png.blocks.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 3


def test_eval_refuses_details_without_a_folder(gallery: Path, capsys: Capture) -> None:
    assert run("eval", gallery, "--details") == 2
    assert "--details needs --keep" in capsys.readouterr().err


def test_eval_combines_models_of_single_qualities(
    gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (description,) = (d for d in weights.describe_folder(GOLDEN) if d.name == "paper")
    tensors = load_file(description.path)
    for quality in (2.0, 4.5, 7.0):
        name = f"paper{quality:g}"
        weights.save_weights(
            folder / f"{name}.safetensors",
            name,
            replace(description.config, quality=quality),
            model_files.part(tensors, weights.INTEGER),
            model_files.part(tensors, weights.ANALYSIS),
            {},
        )
    monkeypatch.setenv("LBBIC_WEIGHTS", str(folder))
    report = tmp_path / "report.json"
    assert run("eval", gallery, "--weights", "paper2,paper7", "--json", report) == 0
    document = json.loads(report.read_text())
    assert [row["quality"] for row in document["qualities"]] == [2, 7]
    assert document["weights"] == ["paper2", "paper7"]
    assert document["name"] == "paper2, paper7"
    assert document["results"]["psnr-rgb"] == document["psnr"]  # CompressAI's format, too
    capsys.readouterr()
    assert run("eval", "--weights", "paper4.5", gallery) == 0  # between the rate points
    assert "mean of 2   4.5" in capsys.readouterr().out
    assert run("eval", gallery, "--weights", "paper2", "-q", "3") == 2
    assert "paper2 has none of the requested qualities" in capsys.readouterr().err
    assert run("eval", gallery, "--weights", "paper2,paper2") == 2
    assert "not the only one for quality 2" in capsys.readouterr().err


@pytest.mark.slow
def test_eval_measures_all_eight_qualities(gallery: Path, tmp_path: Path, capsys: Capture) -> None:
    report = tmp_path / "new" / "report.json"
    assert run("eval", gallery, "--json", report) == 0
    document = json.loads(report.read_text())
    assert [row["quality"] for row in document["qualities"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(document["pictures"]) == 16
    assert document["pictures"][0]["ms_ssim"] is None
    assert "2 pictures of in" in document["source"]
    capsys.readouterr()
    anchors = ["--anchor", report, report]
    assert run("eval", gallery, *anchors) == 0
    out = capsys.readouterr().out
    assert "27-30" in out
    assert out.splitlines()[-1].split()[2] in ("+0.00", "-0.00")


def test_eval_replaces_reports_only_on_request(gallery: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("precious")
    kept = tmp_path / "kept"
    assert run("eval", gallery, "-q", "4", "--json", report, "--keep", kept) == 2
    assert report.read_text() == "precious"
    assert not kept.exists()  # no work was spent
    assert run("eval", gallery, "-q", "4", "--json", report, "--overwrite") == 0
    assert json.loads(report.read_text())["name"] == "lbbic"


@pytest.mark.usefixtures("without_privileges")
@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_eval_refuses_a_report_in_a_folder_that_is_read_only_before_it_measures(
    gallery: Path, tmp_path: Path, option: str, capsys: Capture
) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    assert run("eval", gallery, option, folder / "report.svg") == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"lbbic: Permission denied: {folder / 'report.svg'}\n")


def test_eval_says_why_there_is_no_bd_rate(gallery: Path, tmp_path: Path, capsys: Capture) -> None:
    report = tmp_path / "report.json"
    assert run("eval", gallery, "-q", "3,5", "--json", report) == 0
    assert run("eval", gallery, "-q", "4", "--anchor", report) == 0
    assert "no BD-rate against lbbic: two points in a common range" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_eval_refuses_a_folder_as_report(
    gallery: Path, tmp_path: Path, option: str, capsys: Capture
) -> None:
    (tmp_path / "folder.svg").mkdir()
    assert run("eval", gallery, option, tmp_path / "folder.svg", "--overwrite") == 2
    assert capsys.readouterr().err == f"lbbic: Is a directory: {tmp_path / 'folder.svg'}\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "No such file or directory"),
        ("{}", "Not a rate–distortion curve"),
        (
            '{"name": "", "source": "", "bpp": [1, 1], "psnr": [30, 30]}',
            "two points of a curve have the same PSNR",
        ),
    ],
)
def test_eval_checks_anchors_before_measuring(
    gallery: Path, tmp_path: Path, capsys: Capture, text: str | None, complaint: str
) -> None:
    anchor = tmp_path / "anchor.json"
    if text is not None:
        anchor.write_text(text)
    assert run("eval", gallery, "--anchor", anchor) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err
    assert len(err.splitlines()) == 1


def test_eval_skips_a_bad_picture_and_reports_it(gallery: Path, capsys: Capture) -> None:
    (gallery / "bad.png").write_text("not a picture")
    assert run("eval", gallery, "-q", "4") == 2
    out, err = capsys.readouterr()
    assert "mean of 2" in out
    assert "bad.png" in err.splitlines()[0]
    assert err.splitlines()[-1] == "lbbic: 1 of 3 failed"


def test_eval_names_a_folder_that_cannot_be_read(
    gallery: Path, capsys: Capture, without_privileges: None
) -> None:
    (gallery / "locked").mkdir(mode=0)
    assert run("eval", gallery, "-q", "4") == 2
    (gallery / "locked").chmod(0o700)
    out, err = capsys.readouterr()
    assert "mean of 2" in out
    first, summary = err.splitlines()
    assert first == f"lbbic: {gallery / 'locked'}: Permission denied"
    assert summary == "lbbic: 1 of 3 failed"


def test_eval_accepts_a_single_picture(gallery: Path, capsys: Capture) -> None:
    assert run("eval", gallery / "a.png", "-q", "4") == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("a.png")


def test_eval_of_nothing_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    assert run("eval", tmp_path) == 2
    assert "Nothing to do: There is no picture in" in capsys.readouterr().err


def test_eval_of_a_missing_picture_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    assert run("eval", tmp_path / "no.png") == 2
    first, summary = capsys.readouterr().err.splitlines()
    assert first == f"lbbic: {tmp_path / 'no.png'}: Cannot read: No such file or directory"
    assert summary == "lbbic: 1 of 1 failed"


def test_eval_exits_with_1_if_a_decoded_picture_differs(
    gallery: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    make_decoder_differ(monkeypatch)
    assert run("eval", gallery, "-q", "4") == 1
    out, err = capsys.readouterr()
    assert "NO" in out.split()
    assert "differ" in err


def test_eval_checks_for_matplotlib_before_measuring(
    gallery: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("eval", gallery, "--plot", tmp_path / "plot.png") == 2
    out, err = capsys.readouterr()
    assert "lbbic[plot]" in err
    assert out == ""


def test_eval_writes_the_plot(gallery: Path, tmp_path: Path) -> None:
    assert run("eval", gallery, "-q", "1,4", "--plot", tmp_path / "plot.svg") == 0
    assert "<svg" in (tmp_path / "plot.svg").read_text()


def test_eval_measures_appearance_and_compares_by_it(
    gallery: Path, tmp_path: Path, capsys: Capture
) -> None:
    curve, plot = tmp_path / "curve.json", tmp_path / "curve.png"
    command = ("eval", gallery, "-q", "2,4,6", "--metrics", "psnr,seams,colour", "--overwrite")
    assert run(*command, "--json", curve, "--plot", plot) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.endswith("seams  colour ΔE")
    assert all(float(line.split()[-1]) >= 0 for line in lines)
    document = json.loads(curve.read_text(encoding="utf-8"))
    assert set(document["scores"]) == {"seams", "colour"}
    assert len(document["scores"]["colour"]) == 3
    assert document["pictures"][0]["scores"].keys() == {"seams", "colour"}
    assert run(*command, "--anchor", curve) == 0


def test_eval_refuses_unknown_metrics_and_names_missing_packages(
    gallery: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit):
        run("eval", gallery, "--metrics", "vmaf")
    assert "'vmaf' is not one of ssimulacra2, butteraugli" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "")
    assert run("eval", gallery, "--metrics", "butteraugli") == 2
    assert "butteraugli_main is not installed" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ssimulacra2", None)
    monkeypatch.setitem(sys.modules, "ssimulacra2.ssimulacra2", None)
    assert run("eval", gallery, "--metrics", "ssimulacra2") == 2
    assert "ssimulacra2 is not installed" in capsys.readouterr().err
