"""How the command line starts: help, version, wrong usage, and what it does not import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lbbic_engine
from tests.engine.cli.command_line import Capture, run

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.usefixtures("tiny")


def test_help_imports_only_the_standard_library() -> None:
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
def test_loading_a_model_does_not_import_torchs_compiler() -> None:
    """The import would take a third of a second or more at every start."""
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
def test_wrong_usage_exits_with_2_and_one_line(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(*arguments)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lbbic")
    assert line.endswith(" --help)")


def test_a_shell_completes_the_names_of_the_package() -> None:
    """They are looked up when they are used, so ``dir`` does not find them by itself."""
    assert set(lbbic_engine.__all__) <= set(dir(lbbic_engine))


def test_the_imported_package_is_the_one_under_test() -> None:
    assert Path(next(iter(lbbic_engine.__path__))) == ROOT / "lbbic_engine"
