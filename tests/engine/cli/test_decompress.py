"""``lbbic decompress``: formats, damaged files, dates and permissions."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.bitstream import chunks
from lbbic_engine.bitstream.container import pack_container, parse_container
from tests.engine.cli.command_line import Capture, Draw, files_below, json_lines, run

pytestmark = pytest.mark.usefixtures("tiny")


def test_decompress_writes_a_png_next_to_the_input(packed: Path, capsys: Capture) -> None:
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


def test_decompress_reports_each_result(packed: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run("decompress", packed) == 0
    first, summary = capsys.readouterr().out.splitlines()
    assert "a.png: 24 x 16 pixels" in first
    assert summary.startswith("1 file, ")


def test_the_extension_determines_the_format(packed: Path, tmp_path: Path) -> None:
    assert run("decompress", packed, "-o", tmp_path / "b.bmp") == 0
    with Image.open(tmp_path / "b.bmp") as image:
        assert image.format == "BMP"


def test_decompress_accepts_folders(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    packed.rename(tmp_path / "in" / "deep" / "b.lbb")
    assert run("decompress", tmp_path / "in", "-o", tmp_path / "out") == 0
    assert files_below(tmp_path / "out") == {"deep/b.png"}


def test_permissions_and_dates_are_kept(draw: Draw, tmp_path: Path) -> None:
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


def test_decompress_overwrites_only_on_request(packed: Path) -> None:
    output = packed.with_suffix(".png")
    output.write_text("precious")
    assert run("decompress", packed) == 2
    assert output.read_text() == "precious"
    assert run("decompress", packed, "--overwrite") == 0
    assert output.read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files that, cut off at their end, show something."""
    monkeypatch.setattr(chunks, "PAGE_BYTES", 16)


def test_foreign_and_truncated_files_have_different_messages(
    short_pages: None, packed: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "b.lbb").write_text("something else")
    (tmp_path / "c.lbb").write_bytes(packed.read_bytes()[:-40])
    assert run("decompress", packed, tmp_path / "b.lbb", tmp_path / "c.lbb") == 2
    foreign, truncated, summary = capsys.readouterr().err.splitlines()
    assert foreign.endswith("b.lbb: Not an LBBIC file: It does not start like one.")
    assert "The file is damaged: It is cut off" in truncated
    assert "--partial" in truncated
    assert summary == "lbbic: 2 of 3 failed"
    assert files_below(tmp_path) == {"a.lbb", "a.png", "b.lbb", "c.lbb"}


def test_partial_decompression_writes_the_rest_and_prints_a_notice(
    short_pages: None, packed: Path, capsys: Capture
) -> None:
    packed.write_bytes(packed.read_bytes()[:-40])
    assert run("decompress", packed, "--partial") == 0
    assert packed.with_suffix(".png").is_file()
    (share,) = re.findall(r"a.lbb: note: The file is incomplete: (\d+) %", capsys.readouterr().err)
    assert 0 < int(share) < 100


@pytest.mark.parametrize("length", [20, 80])  # within the header, within the stream
def test_partial_is_not_suggested_if_nothing_can_be_shown(
    packed: Path, capsys: Capture, length: int
) -> None:
    packed.write_bytes(packed.read_bytes()[:length])
    assert run("decompress", packed) == 2
    assert "--partial" not in capsys.readouterr().err
    assert run("decompress", packed, "--partial") == 2
    assert not packed.with_suffix(".png").exists()


def test_partial_is_not_suggested_for_a_checksum_mismatch(packed: Path, capsys: Capture) -> None:
    container = parse_container(packed.read_bytes())
    packed.write_bytes(pack_container(replace(container, pixels_crc=container.pixels_crc ^ 1)))
    assert run("decompress", packed) == 2
    message = capsys.readouterr().err
    assert "Checksum mismatch" in message
    assert "--partial" not in message
    assert run("decompress", packed, "--partial") == 2


def test_missing_weights_are_named(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    identity = parse_container(packed.read_bytes()).weights_id.hex()
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path))
    assert run("decompress", packed) == 2
    assert f"made with model {identity}, which is not installed" in capsys.readouterr().err
    assert run("info", packed) == 0
    assert f"{identity}, not installed" in capsys.readouterr().out
