"""``lbbic compress --format``: pictures as AVIF, WebP, JPEG, at a quality or equal appearance."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lbbic_engine import codec, compress, load_picture
from lbbic_engine.coding.results import Compressed
from lbbic_engine.measure.metrics import ms_ssim
from tests.engine.cli.command_line import Capture, Draw, files_below, json_lines, run

pytestmark = pytest.mark.usefixtures("tiny")

every_format = pytest.mark.parametrize(
    ("name", "suffix"), [("avif", ".avif"), ("webp", ".webp"), ("jpeg", ".jpg")]
)


@every_format
def test_a_higher_quality_of_the_format_is_larger(
    draw: Draw, tmp_path: Path, name: str, suffix: str
) -> None:
    source = draw("a.png", 120, 90)
    for quality in (20, 90):
        out = tmp_path / f"{quality}{suffix}"
        assert (
            run("compress", source, "-o", out, "--format", name, "--format-quality", quality) == 0
        )
        with Image.open(out) as image:
            assert (image.format, image.size) == (name.upper(), (120, 90))
    small, large = (tmp_path / f"{quality}{suffix}" for quality in (20, 90))
    assert small.stat().st_size < large.stat().st_size


def test_the_same_look_is_the_lowest_quality_that_is_as_good(
    draw: Draw, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbbic_engine.measure.ssimulacra2.is_installed", lambda: False)
    source = draw("a.png", 200, 180)
    assert run("compress", source, "--format", "jpeg", "-q", 3, "--json") == 0
    (row,) = json_lines(capsys)
    picture = load_picture(source)
    wanted = ms_ssim(picture.pixels, compress(picture, 3).reconstruction)
    assert wanted is not None
    for quality, is_good in ((row["quality"], True), (row["quality"] - 1, False)):
        out = tmp_path / f"{quality:g}.jpg"
        options = "--format", "jpeg", "--format-quality", f"{quality:g}"
        assert run("compress", source, "-o", out, *options) == 0
        reached = ms_ssim(picture.pixels, load_picture(out).pixels)
        assert reached is not None
        assert (reached >= wanted) is is_good
    assert Path(row["output"]).read_bytes() == (tmp_path / f"{row['quality']:g}.jpg").read_bytes()


@pytest.mark.parametrize("refine", [True, False])
def test_the_look_is_that_of_a_file_with_the_same_options(
    draw: Draw, monkeypatch: pytest.MonkeyPatch, refine: bool
) -> None:
    asked: list[bool] = []
    real = codec.compress

    def compress(*arguments: Any, **options: Any) -> Compressed:
        asked.append(options["refine"])
        return real(*arguments, **options)

    monkeypatch.setattr(codec, "compress", compress)
    assert run("compress", draw("a.png"), "--format", "jpeg", *["--no-refine"][refine:]) == 0
    assert asked == [refine]


def test_an_unreachable_look_causes_a_notice(
    draw: Draw, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbbic_engine.measure.same_look._measure", lambda _: _ever_worse)
    assert run("compress", draw("a.png"), "--format", "jpeg") == 0
    assert "JPEG cannot look as good as that" in capsys.readouterr().err


def _ever_worse(_: object, decoded: np.ndarray) -> float:
    _ever_worse.asked = getattr(_ever_worse, "asked", 0) + 1
    return -float(_ever_worse.asked)


@pytest.mark.parametrize(
    ("out", "made"), [([], {"a (2).jpg"}), (["-o", "in"], {"a (2).jpg", "a (3).jpg", "b.jpg"})]
)
def test_originals_of_the_format_are_kept(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: list[str], made: set[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/a.jpg", "in/b.jpeg"):
        draw(name, 40, 30)
    before = {path: path.read_bytes() for path in (tmp_path / "in").iterdir()}
    options = "--format", "jpeg", "--format-quality", 50, "--overwrite"
    assert run("compress", "in", *out, *options) == (0 if out else 2)  # two are JPEGs already
    assert all(path.read_bytes() == content for path, content in before.items())
    assert files_below(tmp_path / "in") == {"a.png", "a.jpg", "b.jpeg", *made}


def test_metadata_and_writing_rules_are_those_of_lbb_files(
    draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    exif, path = Image.Exif(), tmp_path / "a.png"
    exif[0x010F] = "A camera"
    Image.fromarray(np.zeros((60, 90, 4), np.uint8), "RGBA").save(path, exif=exif)
    os.utime(path, (1e9, 1e9))
    options = "--format", "jpeg", "--format-quality", 90, "--keep-dates", "--longest-side", 45
    assert run("compress", path, *options) == 0
    assert "JPEG cannot store transparency" in capsys.readouterr().err
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.size == (45, 30)
        assert image.getexif()[0x010F] == "A camera"
    assert (tmp_path / "a.jpg").stat().st_mtime == 1e9
    assert run("compress", path, *options, "--strip", "all", "--overwrite") == 0
    with Image.open(tmp_path / "a.jpg") as image:
        assert not image.getexif()
    assert run("compress", path, *options[:4], "--skip-larger", "-o", tmp_path / "b.jpg") == 0
    assert not (tmp_path / "b.jpg").exists()


def test_another_format_can_be_written_to_standard_output(
    draw: Draw, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    options = "--format", "webp", "--format-quality", 80
    assert run("compress", draw("a.png"), "-o", "-", *options) == 0
    assert capfdbinary.readouterr().out[8:12] == b"WEBP"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format-quality", 80], "needs --format"),
        (["--format", "avif", "--target-bytes", 100], "is for .lbb files only"),
        (["--format", "avif", "-q", 3, "--format-quality", 80], "Two qualities"),
        (["--format", "avif", "--no-exact"], "is for .lbb files only"),
        *(
            (["--format", "avif", "--format-quality", 80, *option], f"{option[0]} is of no use")
            for option in (
                ["--weights", "other"],
                ["--effort", "balanced"],
                ["--tune", "visual"],
                ["--no-refine"],
            )
        ),
        (["--format", "avif", "-o", "b.png"], "b.png does not end with .avif"),
        (["--format", "jpeg", "-o", "b.png"], "b.png does not end with .jpg or .jpeg"),
    ],
)
def test_conflicting_options_are_refused(
    draw: Draw, tmp_path: Path, capsys: Capture, options: list[object], words: str
) -> None:
    assert run("compress", draw("a.png"), *options) == 2
    assert words in capsys.readouterr().err
    assert files_below(tmp_path) == {"a.png"}


def test_pictures_that_the_format_cannot_store_are_named(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "long.png"
    Image.fromarray(np.zeros((1, 17_000), np.uint8)).save(path)
    assert run("compress", path, "--format", "webp") == 2
    assert "too many for WebP" in capsys.readouterr().err
