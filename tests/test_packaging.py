"""What ``pip install`` installs, built from the source distribution."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
BUILD = "import sys; from setuptools import build_meta; build_meta.build_{}(sys.argv[1])"
USE = """
import sys
from pathlib import Path
sys.modules["PySide6"] = sys.modules["matplotlib"] = None
from PIL import Image
import lbbic_engine
from lbbic_engine import pillow_plugin, resources
from lbbic_engine.cli import main
print(lbbic_engine.__file__)
pillow_plugin.register()
sample = resources.sample_pictures()[0]
with Image.open(sample) as image:
    image.crop((0, 0, 48, 32)).save("small.png")
assert main(["compress", "small.png"]) == main(["decompress", "small.lbb", "-o", "again.png"]) == 0
with Image.open("small.lbb") as image:
    print(image.size, image.getpixel((0, 0)))
print(sorted({"PySide6.QtCore", "lbbic_gui"} & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel was unpacked into."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("made")
    for name in ("lbbic_engine", "lbbic_gui", "resources", "training", "tests"):
        ignore = shutil.ignore_patterns("__pycache__", "*.float", "golden")
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build("sdist", source, made)
    (archive,) = made.glob("lbbic-*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(made, filter="data")
    build("wheel", made / archive.name.removesuffix(".tar.gz"), made)
    (wheel,) = made.glob("lbbic-*-py3-none-any.whl")
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    return folder


def build(kind: str, source: Path, made: Path) -> None:
    command = [sys.executable, "-c", BUILD.format(kind), made]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_installs_only_the_two_packages(installed: Path) -> None:
    names = {path.name for path in installed.iterdir()}
    (record,) = {name for name in names if name.endswith(".dist-info")}
    assert names == {"lbbic_engine", "lbbic_gui", record}


def test_all_data_is_in_the_package(installed: Path) -> None:
    data, resources = installed / "lbbic_engine" / "data", ROOT / "resources"
    assert {path.relative_to(data) for path in data.rglob("*")} == {
        path.relative_to(resources) for path in resources.rglob("*")
    }


def test_qt_and_matplotlib_are_extras(installed: Path) -> None:
    (record,) = installed.glob("*.dist-info")
    needs = Distribution.at(record).requires or []
    assert any(need.startswith("torch") and "extra" not in need for need in needs)
    for name, extra in (("PySide6", "gui"), ("matplotlib", "plot")):
        lines = [need for need in needs if need.startswith(name)]
        assert [line for line in lines if f'extra == "{extra}"' in line] == lines != []


def test_the_installed_codec_finds_its_models_without_qt(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, picture, imported = done.stdout.splitlines()[0], *done.stdout.splitlines()[-2:]
    assert Path(where).is_relative_to(installed)
    assert picture.startswith("(48, 32)")
    assert imported == "[]"


def test_the_window_names_the_extra_it_needs(installed: Path, tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['PySide6'] = None\n"
        "from lbbic_gui.app import main; sys.exit(main([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == ['lbbic-gui: The window needs Qt: pip install "lbbic[gui]"']


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such variables")
def test_without_a_display_the_window_names_the_command_line(tmp_path: Path) -> None:
    displays = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from lbbic_gui.app import main; sys.exit(main([]))"],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key not in displays},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "no display" in line
