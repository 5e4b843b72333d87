"""Standard input and output in place of files."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbbic_engine.pictures.read import load_picture
from tests.engine.cli.command_line import Capture, Draw, files_below, run

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Write bytes to standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Callable[[str, bytes], Path]]:
    """Make a named pipe that data are written to."""
    writers: list[threading.Thread] = []

    def make(name: str, data: bytes) -> Path:
        path = tmp_path / name
        os.mkfifo(path)
        writers.append(threading.Thread(target=path.write_bytes, args=(data,)))
        writers[-1].start()
        return path

    yield make
    for writer in writers:
        writer.join()


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes in its file system")
def test_a_pipe_is_read_as_a_file(
    draw: Draw, tmp_path: Path, pipe: Callable[[str, bytes], Path], capsys: Capture
) -> None:
    source = draw("a.png")
    for name in ("b.png", "c.png"):
        assert run("compress", pipe(name, source.read_bytes()), "--skip-larger", "--json") == 0
        assert f'"original_bytes": {source.stat().st_size}' in capsys.readouterr().out
    assert run("compress", source) == 0
    data = (tmp_path / "a.lbb").read_bytes()
    assert (tmp_path / "b.lbb").read_bytes() == data
    assert run("decompress", pipe("d.lbb", data[:-20])) == 2
    assert "It is cut off" in capsys.readouterr().err
    assert load_picture(pipe("e.png", source.read_bytes())).pixels.shape[2] == 3


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


def test_a_terminal_is_refused_as_standard_input_or_output(
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
        (["-", "a.png"], "Too many inputs"),
        (["a.png", "b.png", "-o", "-"], "Too many inputs"),
        ([".", "-o", "-"], "Too many inputs"),
        (["-", "-o", "."], "Not a file"),
        (["-", "-o", "a.png"], "does not end with .lbb"),
        (["-"], "Cannot read data: It is not a picture"),
    ],
)
def test_a_dash_cannot_be_combined_with_other_files(
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
def test_a_pipe_closed_during_output_is_not_an_error(draw: Draw) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "lbbic_engine.cli", "compress", str(draw("a.png")), "-o", "-"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
