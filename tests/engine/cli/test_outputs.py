"""Where outputs go, what they are called, and what they never replace."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.bitstream.container import SIGNATURE
from tests.engine.cli.command_line import Capture, Draw, files_below, json_lines, run

pytestmark = pytest.mark.usefixtures("tiny")


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


def test_results_of_a_folder_are_written_next_to_the_inputs(draw: Draw, tmp_path: Path) -> None:
    draw("in/deep/a.png")
    assert run("compress", tmp_path / "in") == 0
    assert files_below(tmp_path / "in") == {"deep/a.png", "deep/a.lbb"}


def test_folder_without_pictures_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    assert run("compress", tmp_path) == 2
    assert "Nothing to do" in capsys.readouterr().err


def test_compressing_an_lbb_file_is_refused(packed: Path, capsys: Capture) -> None:
    assert run("compress", packed) == 2
    assert "Nothing to do: The file already ends with .lbb" in capsys.readouterr().err


def test_an_lbb_file_in_the_place_of_a_picture_is_named(
    packed: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run("compress", packed, "-o", tmp_path / "out/") == 2
    assert run("eval", packed) == 2
    assert capsys.readouterr().err.count("It is an .lbb file; decompress it first.") == 2


def test_output_of_another_format_is_refused(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    assert run("compress", draw("a.png"), "-o", tmp_path / "b.png") == 2
    assert "b.png does not end with .lbb" in capsys.readouterr().err
    assert files_below(tmp_path) == {"a.png"}


def test_an_output_folder_never_replaces_a_file(
    draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "file").write_text("precious")
    assert run("compress", draw("a.png"), "-o", tmp_path / "file" / "a.lbb", "--overwrite") == 2
    assert "Not a directory" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("out", ["one.lbb", "there.txt"])
def test_several_inputs_with_one_output_file_are_refused(
    draw: Draw, tmp_path: Path, capsys: Capture, out: str
) -> None:
    (tmp_path / "there.txt").write_text("keep me")
    assert run("compress", draw("a.png"), draw("b.png"), "-o", tmp_path / out) == 2
    assert "Not a folder" in capsys.readouterr().err
    assert files_below(tmp_path) == {"a.png", "b.png", "there.txt"}


def test_existing_files_are_overwritten_only_on_request(
    draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    source, output = draw("a.png"), tmp_path / "a.lbb"
    output.write_text("precious")
    assert run("compress", source) == 2
    assert output.read_text() == "precious"
    assert "--overwrite" in capsys.readouterr().err
    assert run("compress", source, "--overwrite") == 0
    assert output.read_bytes().startswith(SIGNATURE)


def test_an_existing_output_is_refused_before_the_input_is_read(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "a.lbb").write_text("precious")
    (tmp_path / "a.png").write_text("not a picture")
    assert run("compress", tmp_path / "a.png") == 2
    assert "already exists" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_inputs_with_one_result_name_get_numbered_results(
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


def test_files_of_one_name_from_two_folders_get_numbered_results(
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


def test_an_output_that_is_its_own_input_is_refused(packed: Path, capsys: Capture) -> None:
    before = packed.read_bytes()
    for command in ("compress", "decompress"):
        assert run(command, packed, "-o", packed, "--overwrite") == 2
        assert "Output and input are the same" in capsys.readouterr().err
    assert packed.read_bytes() == before


def test_the_name_of_a_new_folder_that_looks_like_a_files_is_explained(
    draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    draw("in/a.png")
    assert run("compress", tmp_path / "in", "-o", tmp_path / "out.2024") == 2
    assert "a folder, whose name may end with /" in capsys.readouterr().err
    assert run("compress", tmp_path / "in", "-o", f"{tmp_path}/out.2024/") == 0


@pytest.mark.parametrize(
    "words",
    [
        ["compress", ""],
        ["compress", "a.png", "-o", ""],
        ["compress", "a.png", "--mask", ""],
        ["decompress", ""],
        ["info", ""],
        ["thumbnail", "a.lbb", ""],
        ["eval", ""],
        ["eval", "a.png", "--keep", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_not_the_current_folder(
    words: list[str],
    draw: Draw,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    """It is what an unset variable of a shell leaves."""
    draw("a.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        run(*words)
    assert "the name is empty" in capsys.readouterr().err
    assert files_below(tmp_path) == {"a.png"}


@pytest.mark.parametrize("name", ["a.lbb", "other.lbb", "photo.jpg"])
def test_a_thumbnail_replaces_no_other_kind_of_file(
    name: str, packed: Path, tmp_path: Path, capsys: Capture
) -> None:
    place = tmp_path / name
    if place != packed:
        place.write_bytes(b"somebody's work")
    before = place.read_bytes()
    assert run("thumbnail", packed, place) == 2
    assert f"{place} is not a PNG, so it is not replaced" in capsys.readouterr().err
    assert place.read_bytes() == before


def test_a_folder_in_the_place_of_a_thumbnail_is_named_as_one(
    packed: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run("thumbnail", packed, tmp_path) == 2
    assert capsys.readouterr().err == f"lbbic: Is a directory: {tmp_path}\n"


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes in its file system")
def test_a_pipe_in_the_place_of_a_result_is_named_as_one(
    packed: Path, tmp_path: Path, capsys: Capture
) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert run("decompress", packed, "-o", tmp_path / "pipe.png", "--overwrite") == 2
    err = capsys.readouterr().err
    assert "It is a pipe or a device, which is not replaced" in err
    assert "--overwrite" not in err
    assert (tmp_path / "pipe.png").is_fifo()


def test_no_more_people_can_read_a_thumbnail_than_its_picture(packed: Path, tmp_path: Path) -> None:
    packed.chmod(0o600)
    assert run("thumbnail", packed, tmp_path / "small.png") == 0
    assert (tmp_path / "small.png").stat().st_mode & 0o777 == 0o600


def test_a_thumbnail_replaces_an_older_one_and_an_empty_file(packed: Path, tmp_path: Path) -> None:
    """File managers make an empty file and give its name, which may have any ending."""
    place = tmp_path / "thumbnail.XXXX"
    place.touch()
    for size in (8, 4):
        assert run("thumbnail", packed, place, "-s", size) == 0
        with Image.open(place) as image:
            assert max(image.size) == size
