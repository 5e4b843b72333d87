"""The bundled app works without the project, an environment or write access."""

from __future__ import annotations

import ast
import shlex
import shutil
import subprocess
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lbbic_engine.resources import FOLDER

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MAX_MEGABYTES = 720
FOREIGN = {"matplotlib", "compressai", "torchvision", "pytest", "hypothesis", "training", "tests"}


def run(program: Path, *arguments: str, cwd: Path, **environment: str) -> str:
    """Run a program in an empty environment; return its output, fail if it fails."""
    done = subprocess.run(
        [program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_bundle_checks_itself_without_display_environment_or_write_access(
    read_only: Path, tmp_path: Path
) -> None:
    assert "same pixels" in run(read_only / "lbbic-gui", "--smoke", cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_line_is_in_the_bundle(read_only: Path, tmp_path: Path) -> None:
    shutil.copy(FOLDER / "samples" / "chelsea.png", tmp_path / "Katze ü.png")
    lbbic = read_only / "lbbic"
    run(lbbic, "compress", "Katze ü.png", "-q", "2", cwd=tmp_path)
    run(lbbic, "decompress", "Katze ü.lbb", "-o", "again.png", cwd=tmp_path)
    assert "photo" in run(lbbic, "info", "Katze ü.lbb", cwd=tmp_path)
    with Image.open(tmp_path / "again.png") as picture:
        assert picture.size == (451, 300)
    assert run(lbbic, "--version", cwd=tmp_path).strip() != "lbbic (not installed)"


def test_the_bundle_reads_heic_in_a_separate_process(read_only: Path, tmp_path: Path) -> None:
    extra = ROOT / "tests" / "engine" / "pictures" / "extra"
    shutil.copy(extra / "turned.heic", tmp_path)
    run(read_only / "lbbic", "compress", "turned.heic", "-q", "2", cwd=tmp_path)
    run(read_only / "lbbic", "thumbnail", "turned.lbb", "small.png", cwd=tmp_path)
    with Image.open(tmp_path / "small.png") as picture:
        assert picture.size == (32, 48)


def test_the_command_line_of_the_bundle_starts_workers(read_only: Path, tmp_path: Path) -> None:
    with Image.open(FOLDER / "samples" / "chelsea.png") as picture:
        for n in range(4):  # enough for two to be worth their start
            picture.resize((800 + n, 800)).save(tmp_path / f"{n}.png")
    run(read_only / "lbbic", "compress", ".", "--jobs", "2", "-q", "1", cwd=tmp_path)
    assert {path.name for path in tmp_path.glob("*.lbb")} == {f"{n}.lbb" for n in range(4)}


def test_the_command_line_of_the_bundle_measures_codecs(read_only: Path, tmp_path: Path) -> None:
    with Image.open(FOLDER / "samples" / "chelsea.png") as picture:
        picture.crop((0, 0, 64, 64)).save(tmp_path / "a.png")
    table = run(read_only / "lbbic", "bench", "a.png", "--codecs", "lbbic,jpeg", cwd=tmp_path)
    assert "| lbbic |" in table
    assert (tmp_path / "bench" / "index.html").is_file()


def test_the_bundle_is_small_and_contains_nothing_foreign(bundle: Path) -> None:
    on_disk = sum(path.lstat().st_blocks * 512 for path in bundle.rglob("*"))
    assert on_disk / 2**20 <= MAX_MEGABYTES
    listing = (ROOT / "build" / "bundle" / "build_app" / "PYZ-00.toc").read_text(encoding="utf-8")
    modules = {entry[0].partition(".")[0] for entry in ast.literal_eval(listing)[1]}
    assert "lbbic_gui" in modules
    assert not modules & FOREIGN
    folders = {path.name.partition("-")[0] for path in (bundle / "_internal").iterdir()}
    assert not folders & FOREIGN


def test_the_licences_of_all_parts_are_in_the_bundle(bundle: Path) -> None:
    inside = bundle / "_internal"
    texts = {path.relative_to(inside / "licences") for path in (inside / "licences").rglob("*")}
    for package in ("torch", "numpy", "pillow"):
        files = distribution(package).files or []
        expected = [file for file in files if "licenses" in file.parts and "LICEN" in file.name]
        found = [path for path in texts if path.parts[0] == package and "LICEN" in path.name]
        assert 0 < len(expected) <= len(found)
    assert {Path("python/LICENSE.txt"), Path("lbbic/LICENSE")} <= texts
    if shutil.which("dpkg-query"):
        libraries = [path for path in inside.glob("lib*.so*") if not path.name.startswith("libpy")]
        assert len(list((inside / "licences" / "system").iterdir())) > len(libraries) / 3


def test_a_double_clicked_file_is_shown_in_a_window(
    read_only: Path, display: Any, shipped_file: Path
) -> None:
    program = [read_only / "lbbic-gui", shipped_file]
    with subprocess.Popen(program, env=display.environment, cwd="/") as app:
        try:
            seconds = display.wait(lambda shot: shot.getpixel((640, 780)) != (0, 0, 0))
            print(f"\nwindow visible after {seconds:.2f} s")
            display.wait(lambda shot: colours_in_the_middle(shot) > 1000)
        finally:
            folder = ROOT / "build" / "screenshots"
            folder.mkdir(parents=True, exist_ok=True)
            display.shot().save(folder / "bundle.png")
            app.terminate()


def test_the_menu_entry_starts_the_bundle(read_only: Path, tmp_path: Path) -> None:
    home = {"XDG_DATA_HOME": str(tmp_path)}
    run(read_only / "lbbic-gui", "--install-desktop", cwd=Path("/"), **home)
    entry = (tmp_path / "applications" / "lbbic.desktop").read_text(encoding="utf-8")
    (line,) = (line for line in entry.splitlines() if line.startswith("Exec="))
    program, files = shlex.split(line.removeprefix("Exec="))
    assert files == "%F"
    assert "same pixels" in run(Path(program), "--smoke", cwd=tmp_path)


def colours_in_the_middle(shot: Image.Image) -> int:
    """The number of colours where the picture is; a photograph has many."""
    pixels = np.asarray(shot.convert("RGB"))[200:600, 300:900].reshape(-1, 3)
    return len(np.unique(pixels, axis=0))
