from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms
from safetensors.torch import load_file

import lbbic_engine
from lbbic_engine import codec
from lbbic_engine.bitstream.container import SIGNATURE, parse_container
from lbbic_engine.cli.arguments import main
from lbbic_engine.coding.results import Compressed
from lbbic_engine.errors import LbbicError
from lbbic_engine.networks import model_files, weights
from lbbic_engine.pictures import atomic
from lbbic_engine.pictures.profile import SRGB, as_icc

GOLDEN = Path(__file__).parents[2] / "golden"
Draw = Callable[..., Path]
Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("tiny")
ROOT = Path(__file__).parents[3]


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def json_lines(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# Start-up


def test_help_imports_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); from lbbic_engine import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "packages = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(packages - sys.stdlib_module_names))\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    *text, packages = out.splitlines()
    assert "compress" in "".join(text)
    assert packages == "['lbbic_engine']"


@pytest.mark.slow
def test_no_model_loads_the_compiler_that_torch_brings_along() -> None:
    """It takes a third of a second and more, at every start."""
    code = (
        "import sys; from PIL import Image; from lbbic_engine import codec\n"
        "from lbbic_engine.networks import weights; from lbbic_engine.pictures import read\n"
        "picture = read.load_picture(Image.new('RGB', (40, 24)))\n"
        "for each in weights.installed():\n"
        "    codec.decompress(codec.compress(picture, weights=each.name).data)\n"
        "    print(each.name, sorted({'sympy', 'torch._dynamo'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "LBBIC_WEIGHTS": str(ROOT / "tests" / "golden")},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert {"paper []", "tiny []", "photo []"} <= set(done.stdout.splitlines())


@pytest.mark.parametrize("command", ["compress", "decompress", "info", "eval", "demo"])
def test_every_command_has_help(command: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        run(command, "--help")
    assert f"lbbic {command}" in capsys.readouterr().out


def test_version_is_shown(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        run("--version")
    assert capsys.readouterr().out.startswith("lbbic ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["shrink"],
        ["compress"],
        ["compress", "a.png", "-q", "0.9"],
        ["compress", "a.png", "-q", "8.01"],
        ["compress", "a.png", "-q", "nan"],
        ["compress", "a.png", "-q", "good"],
        ["compress", "a.png", "-q", "4", "--target-bytes", "100"],
        ["compress", "a.png", "--target-bytes", "0"],
        ["compress", "a.png", "--target-bytes", "1.5"],
        ["compress", "a.png", "--target-bpp", "-1"],
        ["compress", "a.png", "--target-psnr", "inf"],
        ["compress", "a.png", "--device", "tpu"],
        ["compress", "a.png", "--strip", "exif,iptc"],
        ["eval", "folder", "-q", "1,,2"],
        ["eval", "folder", "--plot", "curves.doc"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(*arguments)
    assert "usage: lbbic" in capsys.readouterr().err


# compress


def test_output_lies_beside_the_input(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    assert run("compress", draw("a.png")) == 0
    assert files_below(tmp_path) == {"a.png", "a.lbb"}
    out, err = capsys.readouterr()
    assert "a.lbb" in out
    assert "% saved" in out.splitlines()[0]
    assert out.splitlines()[1].startswith("1 file: ")
    assert err == ""


def test_json_says_what_was_done(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
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


@pytest.mark.parametrize(("options", "quality"), [([], 4), (["-q", "7.5"], 7.5)])
def test_the_file_has_the_quality_asked_for(
    draw: Draw, tmp_path: Path, options: list[str], quality: float
) -> None:
    assert run("compress", draw("a.png"), *options) == 0
    assert codec.read_info((tmp_path / "a.lbb").read_bytes()).quality == quality


@pytest.mark.parametrize("command", ["compress", "decompress", "eval"])
def test_a_device_that_is_not_there_is_one_line(
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
def test_the_weights_asked_for_are_in_the_file(
    other_weights: str, draw: Draw, tmp_path: Path, capsys: Capture, options: list[str]
) -> None:
    assert run("compress", draw("a.png"), "--weights", other_weights, *options) == 0
    assert run("compress", draw("b.png"), *options) == 0
    capsys.readouterr()
    assert run("info", tmp_path / "a.lbb", tmp_path / "b.lbb", "--json") == 0
    assert [row["weights"] for row in json_lines(capsys)] == [other_weights, weights.DEFAULT]
    assert run("decompress", tmp_path / "a.lbb", "-o", tmp_path / "a.bmp") == 0


def test_eval_takes_the_weights_asked_for(other_weights: str, draw: Draw, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert run("eval", draw("a.png"), "-q", 4, "--weights", other_weights, "--json", report) == 0
    document = json.loads(report.read_text())
    assert document["weights"] == [other_weights]
    assert "weights other, effort fast, 1 picture of a.png" in document["source"]


@pytest.mark.parametrize("command", ["compress", "eval", "demo"])
def test_unknown_weights_are_one_line_that_names_the_known(
    command: str, draw: Draw, capsys: Capture
) -> None:
    inputs = {"compress": [draw("a.png"), draw("b.png")], "eval": [draw("a.png")], "demo": []}
    assert run(command, *inputs[command], "--weights", "nope") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lbbic: Unknown weights: No weights named nope")
    assert weights.DEFAULT in line


def test_target_bytes_are_kept(draw: Draw, tmp_path: Path) -> None:
    assert run("compress", draw("a.png"), "--target-bytes", 100) == 0
    assert 90 < (tmp_path / "a.lbb").stat().st_size <= 100


def test_target_bpp_is_kept(draw: Draw, capsys: Capture) -> None:
    assert run("compress", draw("a.png"), "--target-bpp", 2, "--json") == 0
    (row,) = json_lines(capsys)
    assert 1.8 < row["bpp"] <= 2


def test_target_psnr_is_reached(draw: Draw, capsys: Capture) -> None:
    assert run("compress", draw("a.png"), "--target-psnr", 25, "--json") == 0
    (row,) = json_lines(capsys)
    assert 25 <= row["psnr"] < 25.5


def test_target_out_of_reach_is_one_line(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    assert run("compress", draw("a.png"), "--target-bytes", 5) == 2
    error, summary = capsys.readouterr().err.splitlines()
    assert "a.png: Target too small: 5 bytes" in error
    assert summary == "lbbic: 1 of 1 failed"
    assert files_below(tmp_path) == {"a.png"}


def test_output_may_be_a_file_for_one_picture(draw: Draw, tmp_path: Path) -> None:
    assert run("compress", draw("a.png"), "-o", tmp_path / "new" / "b.lbb") == 0
    assert files_below(tmp_path) == {"a.png", "new/b.lbb"}


@pytest.mark.parametrize("name", ["out", "out.d/"])
def test_output_may_be_a_new_folder(draw: Draw, tmp_path: Path, name: str) -> None:
    assert run("compress", draw("a.png"), "-o", f"{tmp_path}/{name}") == 0
    assert (tmp_path / name / "a.lbb").is_file()


def test_folders_keep_their_structure(draw: Draw, tmp_path: Path) -> None:
    for name in ("in/a.png", "in/deep/er/b.PNG", "in/deep/c.png", "in/.hidden.png"):
        draw(name)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    assert run("compress", tmp_path / "in", "-o", tmp_path / "out") == 0
    assert files_below(tmp_path / "out") == {"a.lbb", "deep/er/b.lbb", "deep/c.lbb"}


def test_folder_without_output_is_filled_in_place(draw: Draw, tmp_path: Path) -> None:
    draw("in/deep/a.png")
    assert run("compress", tmp_path / "in") == 0
    assert files_below(tmp_path / "in") == {"deep/a.png", "deep/a.lbb"}


def test_folder_without_pictures_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    assert run("compress", tmp_path) == 2
    assert "Nothing to do" in capsys.readouterr().err


def test_a_compressed_file_has_nothing_to_be_done(packed: Path, capsys: Capture) -> None:
    assert run("compress", packed) == 2
    assert "Nothing to do: The file ends with .lbb already" in capsys.readouterr().err


def test_output_of_another_format_is_refused(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    assert run("compress", draw("a.png"), "-o", tmp_path / "b.png") == 2
    assert "b.png does not end with .lbb" in capsys.readouterr().err
    assert files_below(tmp_path) == {"a.png"}


def test_a_file_in_the_place_of_a_folder_is_kept(
    draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "file").write_text("precious")
    assert run("compress", draw("a.png"), "-o", tmp_path / "file" / "a.lbb", "--overwrite") == 2
    assert "Not a directory" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("out", ["one.lbb", "there.txt"])
def test_several_inputs_do_not_fit_one_file(
    draw: Draw, tmp_path: Path, capsys: Capture, out: str
) -> None:
    (tmp_path / "there.txt").write_text("keep me")
    assert run("compress", draw("a.png"), draw("b.png"), "-o", tmp_path / out) == 2
    assert "Not a folder" in capsys.readouterr().err
    assert files_below(tmp_path) == {"a.png", "b.png", "there.txt"}


def test_nothing_is_overwritten_unasked(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    source, output = draw("a.png"), tmp_path / "a.lbb"
    output.write_text("precious")
    assert run("compress", source) == 2
    assert output.read_text() == "precious"
    assert "--overwrite" in capsys.readouterr().err
    assert run("compress", source, "--overwrite") == 0
    assert output.read_bytes().startswith(SIGNATURE)


def test_existing_output_is_noticed_before_the_input_is_read(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "a.lbb").write_text("precious")
    (tmp_path / "a.png").write_text("not a picture")
    assert run("compress", tmp_path / "a.png") == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_inputs_that_want_one_name_get_a_file_each(
    draw: Draw, tmp_path: Path, capsys: Capture, options: list[str]
) -> None:
    for n, name in enumerate(("in/a.jpg", "in/a.png", "in/a (2).jpg", "in/A.tif")):
        draw(name, 24 + n, 16)
    for _ in range(2 if options else 1):  # once more over what was made by the first
        assert run("compress", tmp_path / "in", "-o", tmp_path / "out", *options, "--json") == 0
    widths = {Path(row["output"]).name: row["width"] for row in json_lines(capsys)}
    assert widths == {"A.lbb": 27, "a (2).lbb": 26, "a (3).lbb": 24, "a (4).lbb": 25}
    assert files_below(tmp_path / "out") == widths.keys()
    for name, width in widths.items():
        assert codec.read_info((tmp_path / "out" / name).read_bytes()).width == width


def test_files_of_one_name_from_two_folders_get_a_file_each(
    draw: Draw, packed: Path, tmp_path: Path
) -> None:
    for name in ("one/a.lbb", "two/a.lbb"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(packed, tmp_path / name)
    both = (tmp_path / "one" / "a.lbb", tmp_path / "two" / "a.lbb")
    assert run("decompress", *both, "-o", tmp_path / "out") == 0
    assert files_below(tmp_path / "out") == {"a.png", "a (2).png"}


def test_an_input_given_twice_is_done_once(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    source = draw("a.png")
    assert run("compress", source, tmp_path, "--json") == 0
    assert len(json_lines(capsys)) == 1


def test_an_output_on_its_own_input_is_refused(packed: Path, capsys: Capture) -> None:
    before = packed.read_bytes()
    for command in ("compress", "decompress"):
        assert run(command, packed, "-o", packed, "--overwrite") == 2
        assert "Output is the input" in capsys.readouterr().err
    assert packed.read_bytes() == before


def test_a_batch_goes_on_after_bad_files(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("not a picture")
    missing = tmp_path / "missing.png"
    assert run("compress", draw("a.png"), bad, missing, draw("b.png"), "--json") == 2
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    rows.sort(key=lambda row: row["input"])
    assert [Path(row["input"]).name for row in rows] == ["a.png", "b.png", "bad.png", "missing.png"]
    assert ["error" in row for row in rows] == [False, False, True, True]
    first, second, summary = err.splitlines()
    assert first == f"lbbic: {bad}: Cannot read: It is no picture of a known format."
    assert second == f"lbbic: {missing}: No such file or directory"
    assert summary == "lbbic: 2 of 4 failed"


def test_what_cannot_be_reached_is_named_and_the_rest_is_done(
    draw: Draw, tmp_path: Path, capsys: Capture, without_privileges: None
) -> None:
    place = draw("in/good.png").parent
    bad = {
        place / "link.png": "No such file or directory",
        place / "loop.png": "Too many levels of symbolic links",
        place / "loop": "Too many levels of symbolic links",
        place / "locked": "Permission denied",
        place / "secret.png": "Permission denied",
        tmp_path / "loop": "Too many levels of symbolic links",
        tmp_path / ("x" * 300): "File name too long",
        tmp_path / "shut" / "a.png": "Permission denied",
    }
    (place / "link.png").symlink_to("nowhere.png")
    for loop in ("in/loop.png", "in/loop", "loop"):
        (tmp_path / loop).symlink_to(Path(loop).name)
    draw("in/secret.png").chmod(0)
    folders = [draw(f"{name}/a.png").parent for name in ("in/locked", "shut")]
    for folder in folders:
        folder.chmod(0)
    explicit = [path for path in bad if path.parent != place]
    assert run("compress", place, *explicit, "-o", tmp_path / "out") == 2
    for folder in folders:
        folder.chmod(0o700)
    *lines, summary = capsys.readouterr().err.splitlines()
    assert len(lines) == len(bad)
    for path, words in bad.items():
        assert [line for line in lines if f" {path}: " in line and line.endswith(words)], path
    assert summary == "lbbic: 8 of 9 failed"
    assert files_below(tmp_path / "out") == {"good.lbb"}


@pytest.mark.parametrize("command", ["compress", "eval"])
def test_files_that_are_not_taken_are_counted_by_kind(
    command: str, draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    place = draw("in/photo.jfif").parent
    draw("in/.album/b.png")
    draw("in/.c.png")
    for name in ("1.heic", "2.HEIC", "3.heic", "notes.txt", "README"):
        (place / name).touch()
    os.mkfifo(place / "pipe.png")
    (place / "again").symlink_to(place)
    assert run(command, place, *(["-q", "4"] if command == "eval" else [])) == 0
    out, err = capsys.readouterr()
    assert "photo.jfif" in out
    assert err.startswith("lbbic: not taken: 3 .heic, 2 hidden, ")
    kinds = err.strip().removeprefix("lbbic: not taken: ").split(", ")[2:]
    assert sorted(kinds) == [
        "1 .txt",
        "1 links to folders",
        "1 no ordinary files",
        "1 without an ending",
    ]


@pytest.mark.parametrize("char", ["\x1b", "\n", "\r", "\x9b", "\u202e", "\u2066", "\u200f"])
def test_names_cannot_control_the_terminal(
    draw: Draw, tmp_path: Path, capsys: Capture, char: str
) -> None:
    name = f"a{char}[2J  b"
    shown = f"a{char.encode('unicode_escape').decode()}[2J  b"
    source = draw(f"{name}.png")
    (tmp_path / f"bad{name}.png").touch()
    (tmp_path / f"c.{name}").touch()
    assert run("compress", tmp_path) == 2
    assert run("compress", source) == 2  # it exists
    assert run("info", tmp_path / f"{name}.lbb") == 0
    assert run("eval", tmp_path, "-q", "4") == 2
    for text in capsys.readouterr():
        assert shown in text
        assert name not in text
    with pytest.raises(SystemExit):
        run("compress", source, f"--a{char}b")
    assert f"--{shown[:-6]}b" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LbbicError("Bad thing", "try\nthat"), "Bad thing: try that"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "Permission denied: /x"),
        (MemoryError(), "Out of memory"),
    ],
)
def test_failures_are_one_clear_line(
    draw: Draw, monkeypatch: pytest.MonkeyPatch, capsys: Capture, error: Exception, line: str
) -> None:
    monkeypatch.setattr(atomic, "write_atomically", raising(error))
    source = draw("a.png")
    assert run("compress", source) == 2
    assert capsys.readouterr().err.splitlines()[0] == f"lbbic: {source}: {line}"


def test_interruption_leaves_nothing_behind(
    draw: Draw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    monkeypatch.setattr(os, "fsync", raising(KeyboardInterrupt()))  # while the file is written
    assert run("compress", draw("a.png"), draw("b.png")) == 130
    assert files_below(tmp_path) == {"a.png", "b.png"}
    assert capsys.readouterr().err == "lbbic: interrupted\n"


def test_a_reader_who_leaves_is_no_error() -> None:
    code = (
        "import sys; from lbbic_engine import cli\n"
        "from lbbic_engine.cli import batch\n"
        "batch.info = lambda args: print('x' * 1_000_000) or 0\n"
        "sys.exit(cli.main(['info', 'a.lbb']))\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_shows_progress(
    draw: Draw, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run("compress", draw("a.png")) == 0
    assert "1/1 a.png" in capsys.readouterr().err


def test_a_pipe_gets_no_progress(draw: Draw, capsys: Capture) -> None:
    assert run("compress", draw("a.png")) == 0
    assert capsys.readouterr().err == ""


# decompress


@pytest.fixture
def packed(draw: Draw, tmp_path: Path) -> Path:
    source = draw("a.png")
    assert run("compress", source) == 0
    source.unlink()
    return tmp_path / "a.lbb"


def test_decompress_writes_a_png_beside(packed: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run("decompress", packed, "--json", "--device", "cpu") == 0
    (row,) = json_lines(capsys)
    assert row["output"] == str(packed.with_suffix(".png"))
    assert row["bytes"] == packed.stat().st_size
    assert (row["width"], row["height"]) == (24, 16)
    assert "psnr" not in row
    with Image.open(row["output"]) as image:
        decoded = codec.decompress(packed.read_bytes())
        assert np.array_equal(np.asarray(image.convert("RGB")), decoded.pixels)


def test_decompress_says_what_it_did(packed: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run("decompress", packed) == 0
    first, summary = capsys.readouterr().out.splitlines()
    assert "a.png: 24 x 16 pixels" in first
    assert summary.startswith("1 file, ")


def test_extension_gives_the_format(packed: Path, tmp_path: Path) -> None:
    assert run("decompress", packed, "-o", tmp_path / "b.bmp") == 0
    with Image.open(tmp_path / "b.bmp") as image:
        assert image.format == "BMP"


def test_decompress_takes_folders(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    packed.rename(tmp_path / "in" / "deep" / "b.lbb")
    assert run("decompress", tmp_path / "in", "-o", tmp_path / "out") == 0
    assert files_below(tmp_path / "out") == {"deep/b.png"}


def test_permissions_and_dates_go_along(draw: Draw, tmp_path: Path) -> None:
    source = draw("in/a.png")
    source.chmod(0o600)
    os.utime(source, ns=(1, 1_000_000_000_123_456_789))
    kept = ["--keep", tmp_path / "out", "--details"]
    for options in (["--keep-dates"], ["--overwrite", "--keep-dates"], ["--overwrite"]):
        assert run("compress", source.parent, "-o", tmp_path / "out", *options) == 0
        assert run("decompress", tmp_path / "out", *options) == 0
        for name in ("a.lbb", "a.png"):
            facts = (tmp_path / "out" / name).stat()
            assert facts.st_mode & 0o777 == 0o600
            same_date = facts.st_mtime_ns == source.stat().st_mtime_ns
            assert same_date is ("--keep-dates" in options)
    assert run("eval", source, "-q", "4", *kept) == 0
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "out" / "q4").iterdir()}
    assert modes == {0o600}


def test_decompress_overwrites_nothing_unasked(packed: Path) -> None:
    output = packed.with_suffix(".png")
    output.write_text("precious")
    assert run("decompress", packed) == 2
    assert output.read_text() == "precious"
    assert run("decompress", packed, "--overwrite") == 0
    assert output.read_bytes().startswith(b"\x89PNG")


def test_foreign_and_truncated_files_are_told_apart(
    packed: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "b.lbb").write_text("something else")
    (tmp_path / "c.lbb").write_bytes(packed.read_bytes()[:-40])
    assert run("decompress", packed, tmp_path / "b.lbb", tmp_path / "c.lbb") == 2
    foreign, truncated, summary = capsys.readouterr().err.splitlines()
    assert foreign.endswith("b.lbb: Not an LBBIC file: It does not begin like one.")
    assert "The file is damaged: It is cut off" in truncated
    assert "--partial" in truncated
    assert summary == "lbbic: 2 of 3 failed"
    assert files_below(tmp_path) == {"a.lbb", "a.png", "b.lbb", "c.lbb"}


def test_partial_shows_what_is_left_and_says_so(packed: Path, capsys: Capture) -> None:
    packed.write_bytes(packed.read_bytes()[:-40])
    assert run("decompress", packed, "--partial") == 0
    assert packed.with_suffix(".png").is_file()
    assert "a.lbb: note: The file is incomplete: 0 %" in capsys.readouterr().err


def test_partial_is_not_advised_where_it_cannot_help(packed: Path, capsys: Capture) -> None:
    packed.write_bytes(packed.read_bytes()[:20])  # within the header
    assert run("decompress", packed) == 2
    assert "--partial" not in capsys.readouterr().err
    assert run("decompress", packed, "--partial") == 2


def test_weights_that_are_missing_are_named(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    identity = parse_container(packed.read_bytes()).weights_id.hex()
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path))
    assert run("decompress", packed) == 2
    assert f"made with weights {identity}, which are not installed" in capsys.readouterr().err
    assert run("info", packed) == 0
    assert f"{identity}, not installed" in capsys.readouterr().out


# metadata and growth


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ([], {"exif", "icc", "xmp"}),
        (["--strip", "exif,icc"], {"xmp"}),
        (["--strip", "exif", "--strip", "xmp"], {"icc"}),
        (["--strip", "gps"], {"exif", "icc", "xmp"}),
        (["--strip", "all"], set()),
    ],
)
def test_the_metadata_named_are_left_out(
    tmp_path: Path, options: list[str], left: set[str]
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "maker"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[2] = (48.0, 51.0, 29.0)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b'<rdf:Description exif:GPSLatitude="48,51N"/>'
    Image.new("RGB", (24, 16)).save(tmp_path / "a.webp", exif=exif, icc_profile=icc, xmp=xmp)
    assert run("compress", tmp_path / "a.webp", *options) == 0
    container = parse_container((tmp_path / "a.lbb").read_bytes())
    assert {kind for kind in ("exif", "icc", "xmp") if getattr(container, kind)} == left
    if options == ["--strip", "gps"]:
        assert b"GPS" not in (container.xmp or b"")
        exif.load(container.exif or b"")
        assert not exif.get_ifd(ExifTags.IFD.GPSInfo)


def test_growth_is_said_in_words(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    with Image.open(draw("a.png")) as image:
        image.save(tmp_path / "a.webp", quality=1)
    assert run("compress", tmp_path / "a.webp", "-q", "8") == 0
    out = capsys.readouterr().out
    assert out.count("(larger than the original)") == 2
    assert "-" not in out.split("bytes (")[1].split(")")[0]


def test_what_would_grow_is_left_as_it_is_when_asked(
    draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    with Image.open(draw("in/large.png", 120, 80)) as image:
        image.save(tmp_path / "in" / "small.webp", quality=1)
    options = ("-q", "8", "--skip-larger", "-o", tmp_path / "out")
    assert run("compress", tmp_path / "in", *options) == 0
    large, small, total = capsys.readouterr().out.splitlines()
    assert "% saved" in large
    assert "small.webp: kept as it is, it would not become smaller: " in small
    assert "% saved" in total
    assert files_below(tmp_path / "out") == {"large.lbb"}
    assert run("compress", tmp_path / "in", *options, "--overwrite", "--json") == 0
    assert [row["output"] is None for row in json_lines(capsys)] == [False, True]


def test_metadata_that_a_target_leaves_no_room_for_are_named(
    tmp_path: Path, capsys: Capture
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "x" * 60_000
    Image.new("RGB", (24, 16)).save(tmp_path / "a.jpg", exif=exif)
    assert run("compress", tmp_path / "a.jpg", "--target-bytes", 5000) == 2
    error = capsys.readouterr().err
    size = int(re.search(r"of which (\d+) are metadata \(EXIF\) that can be left out", error)[1])  # type: ignore[index]
    assert 60_000 < size < 60_100
    assert run("compress", tmp_path / "a.jpg", "--target-bytes", 5000, "--strip", "exif") == 0
    assert (
        run("compress", tmp_path / "a.jpg", "--target-bytes", 5, "--strip", "all", "--overwrite")
        == 2
    )
    assert "are metadata" not in capsys.readouterr().err


# standard input and output


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Puts bytes into standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_dash_is_standard_input_and_output(
    draw: Draw,
    tmp_path: Path,
    send: Callable[[bytes], None],
    capsysbinary: pytest.CaptureFixture[bytes],
    options: list[str],
) -> None:
    source = draw("a.png")
    assert run("compress", source, "--device", "cpu") == 0
    compressed = (tmp_path / "a.lbb").read_bytes()
    assert run("decompress", tmp_path / "a.lbb", "-o", tmp_path / "b.png") == 0
    capsysbinary.readouterr()
    for arguments, data, result in [
        (("compress", "-"), source.read_bytes(), compressed),
        (("compress", "-", "-o", "-"), source.read_bytes(), compressed),
        (("compress", source, "-o", "-"), b"", compressed),
        (("decompress", "-"), compressed, (tmp_path / "b.png").read_bytes()),
        (("decompress", tmp_path / "a.lbb", "-o", "-"), b"", (tmp_path / "b.png").read_bytes()),
    ]:
        send(data)
        assert run(*arguments, *options) == 0
        out, err = capsysbinary.readouterr()
        assert out == result
        assert (b'"output": "-"' if options else b" -> -: ") in err
    send(source.read_bytes())
    assert run("compress", "-", "-o", tmp_path / "c.lbb", *options) == 0
    assert (tmp_path / "c.lbb").read_bytes() == compressed
    send(compressed)
    assert run("info", "-", *options) == 0
    assert b"24" in capsysbinary.readouterr().out
    assert files_below(tmp_path) == {"a.png", "a.lbb", "b.png", "c.lbb"}


def test_a_terminal_is_no_file(
    draw: Draw, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    source = draw("a.png")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert run("compress", "-") == 2
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("compress", source, "-o", "-") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Nothing to read: Standard input is a terminal" in err
    assert "Nowhere to write: Standard output is a terminal" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-", "a.png"], "One at a time"),
        (["a.png", "b.png", "-o", "-"], "One at a time"),
        ([".", "-o", "-"], "One at a time"),
        (["-", "-o", "."], "Not a file"),
        (["-", "-o", "a.png"], "does not end with .lbb"),
        (["-"], "Cannot read data: It is no picture"),
    ],
)
def test_a_dash_is_one_file(
    send: Callable[[bytes], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: Capture,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    send(b"no picture")
    assert run("compress", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


@pytest.mark.slow
def test_who_leaves_while_a_file_is_sent_is_no_error(draw: Draw) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "lbbic_engine.cli", "compress", str(draw("a.png")), "-o", "-"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


# info


def test_info_lists_the_facts(packed: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run("info", packed) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{packed}:\n")
    lines = {line[2:10].strip(): line[12:] for line in out.splitlines()[1:]}
    assert lines["picture"] == "24 x 16 pixels, colour"
    assert lines["quality"] == "4"
    assert lines["weights"] == weights.DEFAULT
    assert lines["metadata"] == "none"
    assert lines["layout"] == "1 tile"
    assert lines["complete"] == "yes"


def test_info_shows_metadata_transparency_and_damage(tmp_path: Path, capsys: Capture) -> None:
    image = Image.fromarray(np.arange(24 * 16, dtype=np.uint8).reshape(16, 24)).convert("LA")
    image.putalpha(100)
    icc = as_icc(SRGB, grey=True)
    image.save(tmp_path / "a.png", icc_profile=icc)
    assert run("compress", tmp_path / "a.png") == 0
    (tmp_path / "a.lbb").write_bytes((tmp_path / "a.lbb").read_bytes()[:-1])
    capsys.readouterr()
    assert run("info", tmp_path) == 0
    out = capsys.readouterr().out
    assert "24 x 16 pixels, grey with transparency" in out
    assert f"ICC {len(icc)} bytes" in out
    assert "no, a part is missing or damaged" in out


def test_info_as_json(packed: Path, tmp_path: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run("info", packed, tmp_path / "no.lbb", "--json") == 2
    facts, error = json_lines(capsys)
    assert facts["bytes"] == facts["total_bytes"] == packed.stat().st_size
    assert facts["metadata_bytes"] == {}
    assert (facts["weights"], facts["weights_installed"]) == (weights.DEFAULT, True)
    assert error == {"input": str(tmp_path / "no.lbb"), "error": "No such file or directory"}


# eval


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


def test_eval_leaves_nothing_unless_asked(gallery: Path, tmp_path: Path) -> None:
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


def test_eval_wants_a_place_for_its_details(gallery: Path, capsys: Capture) -> None:
    assert run("eval", gallery, "--details") == 2
    assert "--details needs --keep" in capsys.readouterr().err


def test_eval_puts_models_of_single_qualities_together(
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
    assert "paper2 has none of the qualities asked for" in capsys.readouterr().err
    assert run("eval", gallery, "--weights", "paper2,paper2") == 2
    assert "not the first for quality 2" in capsys.readouterr().err


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


def test_eval_replaces_no_report_unasked(gallery: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("precious")
    kept = tmp_path / "kept"
    assert run("eval", gallery, "-q", "4", "--json", report, "--keep", kept) == 2
    assert report.read_text() == "precious"
    assert not kept.exists()  # no work was spent
    assert run("eval", gallery, "-q", "4", "--json", report, "--overwrite") == 0
    assert json.loads(report.read_text())["name"] == "lbbic"


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_eval_writes_no_report_over_a_folder(
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
def test_eval_wants_usable_anchors_before_the_work(
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


def test_eval_leaves_out_a_bad_picture_and_says_so(gallery: Path, capsys: Capture) -> None:
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


def test_eval_takes_a_single_picture(gallery: Path, capsys: Capture) -> None:
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


def test_eval_ends_with_1_when_a_decoded_picture_differs(
    gallery: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    _let_decoder_differ(monkeypatch)
    assert run("eval", gallery, "-q", "4") == 1
    out, err = capsys.readouterr()
    assert "NO" in out.split()
    assert "differ" in err


def test_eval_wants_matplotlib_before_the_work(
    gallery: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("eval", gallery, "--plot", tmp_path / "plot.png") == 2
    out, err = capsys.readouterr()
    assert "pip install matplotlib" in err
    assert out == ""


def test_eval_writes_the_plot(gallery: Path, tmp_path: Path) -> None:
    assert run("eval", gallery, "-q", "1,4", "--plot", tmp_path / "plot.svg") == 0
    assert "<svg" in (tmp_path / "plot.svg").read_text()


# demo


@pytest.fixture
def samples(draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("resources/samples/sea.png", "resources/samples/hill.jpg"):
        draw(name)
    (tmp_path / "resources" / "samples" / "ATTRIBUTION.md").write_text("whose they are")
    (tmp_path / "resources" / "__init__.py").touch()
    for name in [name for name in sys.modules if name.split(".")[0] == "resources"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "resources" / "samples"


@pytest.mark.usefixtures("samples")
def test_demo_prints_a_line_per_sample(tmp_path: Path, capsys: Capture) -> None:
    assert run("demo", "--keep", tmp_path / "kept") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["file", "before", "after", "saved"]
    assert [line.split()[0] for line in lines[1:3]] == ["hill.jpg", "sea.png"]
    assert "pixel for pixel" in lines[3]
    assert files_below(tmp_path / "kept") == {"q4/hill.jpg.lbb", "q4/sea.png.lbb"}
    data = (tmp_path / "kept" / "q4" / "sea.png.lbb").read_bytes()
    assert codec.read_info(data).quality == 4


@pytest.mark.usefixtures("samples")
def test_demo_ends_with_1_when_a_decoded_picture_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    _let_decoder_differ(monkeypatch)
    assert run("demo") == 1
    out, err = capsys.readouterr()
    assert "pixel for pixel" not in out
    assert len(err.splitlines()) == 2


def test_demo_without_samples_is_an_error(samples: Path, capsys: Capture) -> None:
    for sample in samples.iterdir():
        sample.unlink()
    assert run("demo") == 2
    assert "No sample pictures" in capsys.readouterr().err


def _let_decoder_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = codec.compress

    def compress(*arguments: Any, **options: Any) -> Compressed:
        compressed = honest(*arguments, **options)
        return replace(compressed, reconstruction=compressed.reconstruction ^ 1)

    monkeypatch.setattr(codec, "compress", compress)


def test_the_package_is_the_one_under_test() -> None:
    assert Path(next(iter(lbbic_engine.__path__))) == ROOT / "lbbic_engine"
