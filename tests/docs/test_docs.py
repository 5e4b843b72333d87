"""What README and docs say is so: examples run, links lead somewhere, made pages are current."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lbbic_engine.cli import main as lbbic
from training.__main__ import main as training

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


def name(path: Path) -> str:
    return path.name


every_page = pytest.mark.parametrize("page", PAGES, ids=name)


@pytest.fixture
def desk(tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples name; the network is the tiny one."""
    with Image.open(ROOT / "resources" / "samples" / "chelsea.png") as picture:
        cat = Image.fromarray(np.asarray(picture))  # without its metadata
    for place in ("photo.jpg", "holiday/one.jpg", "holiday/beach/two.png", "pictures/three.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        cat.crop((60, 40, 160, 110)).save(tmp_path / place)
    for n in range(6):
        path = tmp_path / "PICTURES" / f"{n}.png"
        path.parent.mkdir(exist_ok=True)
        cat.crop((60 * n, 20 * n, 60 * n + 128, 20 * n + 96)).save(path)
    monkeypatch.chdir(tmp_path)
    assert lbbic(["compress", "photo.jpg", "-o", "half-loaded.lbb", "-q", "8"]) == 0
    data = Path("half-loaded.lbb").read_bytes()
    Path("half-loaded.lbb").write_bytes(data[: len(data) * 2 // 3])
    shutil.copytree(ROOT / "training" / "recipes", "training/recipes")
    return tmp_path


@pytest.mark.parametrize("page", [path for path in PAGES if blocks(path, "sh")], ids=name)
def test_the_command_lines_run(page: Path, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in "".join(blocks(page, "sh")).splitlines():
        words = shlex.split(line, comments=True)
        while "=" in words[0]:
            monkeypatch.setenv(*words.pop(0).split("="))
        if words[:3] == ["python", "-m", "training"]:
            training(words[3:])
        else:
            assert words[0] == "lbbic", line
            code = lbbic(words[1:])
            assert code == 0, line


@pytest.mark.parametrize("page", [path for path in PAGES if blocks(path, "python")], ids=name)
def test_the_python_examples_run(page: Path, desk: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)


@every_page
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for link in links:
        if link.startswith("https://"):
            continue
        file, _, heading = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
            slugs = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
            assert heading in slugs, link


@every_page
def test_the_make_targets_that_are_named_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = re.findall(r"(?:`|^    )make ([a-z-]+)", page.read_text(encoding="utf-8"), re.M)
    assert set(named) <= targets


def test_the_page_of_the_format_is_the_docstring() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "make" / "file_format.py"))
    current = (ROOT / "docs" / "file-format.md").read_text(encoding="utf-8")
    assert current == script["page"](), "run `make docs`"


def test_the_animation_is_small_enough_to_be_loaded() -> None:
    path = ROOT / "docs" / "decoding.webp"
    assert path.stat().st_size < 3e6
    with Image.open(path) as picture:
        assert picture.n_frames > 20


def test_the_version_stands_in_one_place() -> None:
    version = re.search(
        r'^version = "(.+?)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M
    )
    assert version is not None
    sources = [ROOT / "build_app.spec", ROOT / "Makefile"]
    for package in ("lbbic_gui", "lbbic_engine", "resources"):
        sources += (ROOT / package).rglob("*.py")
    assert not [path for path in sources if f'"{version[1]}"' in path.read_text(encoding="utf-8")]
