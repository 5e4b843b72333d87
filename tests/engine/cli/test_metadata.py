"""Metadata that is left out, and results that would be larger than their input."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import ExifTags, Image, ImageCms

from lbbic_engine.bitstream.container import parse_container
from tests.engine.cli.command_line import Capture, Draw, files_below, json_lines, run

pytestmark = pytest.mark.usefixtures("tiny")


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
def test_strip_leaves_out_the_named_metadata(
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


def test_results_larger_than_their_input_are_reported_in_words(
    draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    with Image.open(draw("a.png")) as image:
        image.save(tmp_path / "a.webp", quality=1)
    assert run("compress", tmp_path / "a.webp", "-q", "8") == 0
    out = capsys.readouterr().out
    assert out.count("(larger than the original)") == 2
    assert "-" not in out.split("bytes (")[1].split(")")[0]


def test_skip_larger_writes_no_larger_file(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
    with Image.open(draw("in/large.png", 120, 80)) as image:
        image.save(tmp_path / "in" / "small.webp", quality=1)
    options = ("-q", "8", "--skip-larger", "-o", tmp_path / "out")
    assert run("compress", tmp_path / "in", *options) == 0
    large, small, total = capsys.readouterr().out.splitlines()
    assert "% saved" in large
    assert "small.webp: not written, as it would not be smaller: " in small
    assert "% saved" in total
    assert files_below(tmp_path / "out") == {"large.lbb"}
    assert run("compress", tmp_path / "in", *options, "--overwrite", "--json") == 0
    assert [row["output"] is None for row in json_lines(capsys)] == [False, True]


def test_metadata_that_does_not_fit_into_a_target_is_named(tmp_path: Path, capsys: Capture) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "x" * 60_000
    Image.new("RGB", (24, 16)).save(tmp_path / "a.jpg", exif=exif)
    assert run("compress", tmp_path / "a.jpg", "--target-bytes", 5000) == 2
    error = capsys.readouterr().err
    size = int(re.search(r"(\d+) of which are metadata \(EXIF\) that can be left out", error)[1])  # type: ignore[index]
    assert 60_000 < size < 60_100
    assert run("compress", tmp_path / "a.jpg", "--target-bytes", 5000, "--strip", "exif") == 0
    assert (
        run("compress", tmp_path / "a.jpg", "--target-bytes", 5, "--strip", "all", "--overwrite")
        == 2
    )
    assert "are metadata" not in capsys.readouterr().err
