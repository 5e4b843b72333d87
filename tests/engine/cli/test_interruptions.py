"""Commands that are interrupted, run again, run twice at once, or run without open descriptors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lbbic_engine.cli import program
from lbbic_engine.cli.program import main
from lbbic_engine.codec import decompress

GOLDEN = Path(__file__).parents[2] / "golden"
Draw = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("tiny")


def command(*words: object, redirected: str = "") -> list[str]:
    code = "import sys; from lbbic_engine.cli import main; sys.exit(main())"
    line = 'exec "$@" ' + redirected
    return ["sh", "-c", line, "sh", sys.executable, "-c", code, *map(str, words)]


def test_an_interruption_while_arguments_are_read_prints_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "make_parser", interrupted)
    assert main(["compress", "a.png"]) == 130
    assert capsys.readouterr().err == "lbbic: interrupted\n"


@pytest.mark.parametrize("form", ["text", "json"])
def test_skip_existing_continues_a_batch(
    form: str, draw: Draw, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("in/a.png")
    draw("in/b.png")
    done = tmp_path / "in" / "a.lbb"
    done.write_bytes(b"done before")
    words = ["compress", str(tmp_path / "in"), *(["--json"] if form == "json" else [])]
    assert main([*words, "--skip-existing"]) == 0
    assert done.read_bytes() == b"done before"
    assert (tmp_path / "in" / "b.lbb").exists()
    assert "skipped, already done: 1 file" in capsys.readouterr().err
    assert main([*words, "--skip-existing"]) == 0  # nothing is left to do
    assert main(words) == 2
    with pytest.raises(SystemExit, match="2"):
        main([*words, "--skip-existing", "--overwrite"])


@pytest.mark.parametrize("option", ["--overwrite", "--skip-existing"])
def test_two_commands_on_one_folder_leave_complete_files(
    option: str, draw: Draw, tmp_path: Path, tiny_weights: Path
) -> None:
    """Each file is complete and from one of the two commands, which differ in quality."""
    names = [f"{number}.png" for number in range(12)]
    for seed, name in enumerate(names):
        draw(f"in/{name}", seed=seed)
    running = [
        subprocess.Popen(
            command("compress", tmp_path / "in", "-q", quality, option),
            env={**os.environ, "LBBIC_WEIGHTS": str(tiny_weights)},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for quality in (1, 8)
    ]
    errors = [process.communicate()[1] for process in running]
    assert not any("Traceback" in text or ".tmp" in text for text in errors)
    for process, text in zip(running, errors, strict=True):
        assert process.returncode == 0 or "already exists" in text
    results = sorted((tmp_path / "in").glob("*.lbb"))
    assert len(results) == len(names)
    assert len(list((tmp_path / "in").iterdir())) == 2 * len(names)
    for path in results:
        decompress(path.read_bytes())


@pytest.mark.parametrize("redirected", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors_are_not_reused_for_results(
    redirected: str, draw: Draw, tiny_weights: Path
) -> None:
    picture = draw("a.png")
    done = subprocess.run(
        command("compress", picture, redirected=redirected),
        env={**os.environ, "LBBIC_WEIGHTS": str(tiny_weights)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert decompress(picture.with_suffix(".lbb").read_bytes()).pixels.shape == (16, 24, 3)
