"""A batch continues after bad files, and failures are reported in one clear line."""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from lbbic_engine.cli.console import reason
from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures import atomic
from tests.engine.cli.command_line import Capture, Draw, files_below, raising, run

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.usefixtures("tiny")


def test_a_batch_continues_after_bad_files(draw: Draw, tmp_path: Path, capsys: Capture) -> None:
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
    assert first == f"lbbic: {bad}: Cannot read: It is not a picture in a known format."
    assert second == f"lbbic: {missing}: No such file or directory"
    assert summary == "lbbic: 2 of 4 failed"


def test_unreachable_inputs_are_named_and_the_rest_is_done(
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
def test_skipped_files_are_counted_by_kind(
    command: str, draw: Draw, tmp_path: Path, capsys: Capture
) -> None:
    place = draw("in/photo.jfif").parent
    draw("in/.album/b.png")
    draw("in/.c.png")
    for name in ("1.psb", "2.PSB", "3.psb", "notes.txt", "README"):
        (place / name).touch()
    os.mkfifo(place / "pipe.png")
    (place / "again").symlink_to(place)
    assert run(command, place, *(["-q", "4"] if command == "eval" else [])) == 0
    out, err = capsys.readouterr()
    assert "photo.jfif" in out
    assert err.startswith("lbbic: skipped: 3 .psb, 2 hidden, ")
    kinds = err.strip().removeprefix("lbbic: skipped: ").split(", ")[2:]
    assert sorted(kinds) == [
        "1 .txt",
        "1 links to folders",
        "1 pipes or devices",
        "1 without an ending",
    ]


@pytest.mark.parametrize("char", ["\x1b", "\n", "\r", "\x9b", "\u202e", "\u2066", "\u200f"])
def test_control_characters_in_names_are_escaped(
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
def test_failures_are_reported_in_one_clear_line(
    draw: Draw, monkeypatch: pytest.MonkeyPatch, capsys: Capture, error: Exception, line: str
) -> None:
    monkeypatch.setattr(atomic, "write_atomically", raising(error))
    source = draw("a.png")
    assert run("compress", source) == 2
    assert capsys.readouterr().err.splitlines()[0] == f"lbbic: {source}: {line}"


def test_pillows_warnings_are_not_printed(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.tif"
    Image.new("RGB", (24, 16)).save(path, tiffinfo={0x0112: 1})
    once, twice = (struct.pack("<HHI", 0x0112, 3, count) for count in (1, 2))
    assert once in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(once, twice))
    assert run("compress", tmp_path / "a.tif") == 0
    assert capsys.readouterr().err == ""


def test_a_name_is_not_taken_out_of_a_messages_words() -> None:
    assert reason(LbbicError("Too small", "It is 100 bytes."), Path("1")) == (
        "Too small: It is 100 bytes."
    )
    assert reason(LbbicError("Cannot read 1", "It is 1 byte."), Path("1")) == (
        "Cannot read: It is 1 byte."
    )


def test_an_interruption_leaves_no_files_behind(
    draw: Draw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    monkeypatch.setattr(os, "fsync", raising(KeyboardInterrupt()))  # while the file is written
    assert run("compress", draw("a.png"), draw("b.png")) == 130
    assert files_below(tmp_path) == {"a.png", "b.png"}
    assert capsys.readouterr().err == "lbbic: interrupted\n"


def test_a_closed_output_pipe_is_not_an_error() -> None:
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
