"""README and docs are correct: examples run, links work, generated pages are current."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lbbic_engine.bitstream import container
from lbbic_engine.cli.program import main as lbbic
from lbbic_engine.config import PAPER_VARIANTS, paper_config
from lbbic_engine.networks.paper.float_network import PaperNetwork
from training.__main__ import main as training
from training.paper import checkpoint
from training.paper.export_run import write_weights

ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {"hidden": 64, "latents": 16}
FEW_PASSES = f"iterations = 1\nbatch = 2\ncrops = 4\nthreshold = {[1e9] * 8}"
FEW_STEPS = "\n[on_policy]\nclosed_form = false\nsteps = 2\nrollout_steps = 2\n"
SMALL_REFINEMENT = "steps = 2\ncrops = 2\nblocks = 8\n[model]\nring = 2\nhidden = 8\n"
SCALING_OUT = ROOT / "docs" / "scaling-out.md"  # whose example needs an extra, and has its own test
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


def name(path: Path) -> str:
    return path.name


every_page = pytest.mark.parametrize("page", PAGES, ids=name)


@pytest.fixture(scope="module")
def sample() -> Image.Image:
    """A sample picture without its metadata."""
    with Image.open(ROOT / "resources" / "samples" / "chelsea.png") as picture:
        return Image.fromarray(np.asarray(picture))


@pytest.fixture(scope="module")
def models(
    tiny_weights: Path, sample: Image.Image, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder of weights: the tiny network, and the paper's under the names in the examples."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(tiny_weights, folder, dirs_exist_ok=True)
    names = {f"low{q}": ("block8-low", q) for q in (1, 2, 3)}
    names |= {"b4": ("block4", 6), "b8": ("block8-high", 6), "b16": ("block16", 3)}
    for name, (variant, quality) in names.items():
        network = PaperNetwork(replace(paper_config(variant, quality), **SMALL))
        write_weights(network, str(folder / name), [np.asarray(sample)[:64, :64]], {})
    return folder


@pytest.fixture
def working_folder(
    models: Path, sample: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with the files named in the examples; networks are small, training is short."""
    monkeypatch.setenv("LBBIC_WEIGHTS", str(shutil.copytree(models, tmp_path / "mine")))
    for variant, (config, qualities) in PAPER_VARIANTS.items():
        monkeypatch.setitem(PAPER_VARIANTS, variant, (replace(config, **SMALL), qualities))
    shapes = checkpoint.expected_shapes(paper_config("block8-low", 4))
    published = {name: torch.rand(shape) / sum(shape) for name, shape in shapes.items()}
    torch.save({"state_dict0": published}, tmp_path / "best.pth.tar")
    photos = ("photo.jpg", "holiday/one.jpg", "holiday/beach/two.png", "pictures/three.png")
    for place in (*photos, "face.png", "logo.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        sample.crop((60, 40, 160, 110)).save(tmp_path / place)
    for n in range(6):
        path = tmp_path / "PICTURES" / f"{n}.png"
        path.parent.mkdir(exist_ok=True)
        sample.crop((30 * n, 5 * n, 30 * n + 264, 5 * n + 272)).save(path)
    Image.new("RGB", (64, 48), "navy").save(tmp_path / "logo.png")
    (tmp_path / "OTHERS").mkdir()
    sample.crop((0, 0, 64, 64)).save(tmp_path / "OTHERS" / "other.png")
    monkeypatch.chdir(tmp_path)
    assert lbbic(["compress", "photo.jpg", "-o", "half-loaded.lbb", "-q", "8"]) == 0
    data = Path("half-loaded.lbb").read_bytes()
    Path("half-loaded.lbb").write_bytes(data[: len(data) * 2 // 3])
    shutil.copytree(ROOT / "training" / "recipes", "training/recipes")
    for recipe in Path("training/recipes").glob("block*.toml"):
        text = recipe.read_text(encoding="utf-8").replace("iterations = 8", FEW_PASSES)
        recipe.write_text(f"crop_px = 64\n{text}{FEW_STEPS}", encoding="utf-8")
    Path("training/recipes/refinement.toml").write_text(SMALL_REFINEMENT, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("page", [path for path in PAGES if blocks(path, "sh")], ids=name)
def test_the_command_lines_run(
    page: Path, working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in "".join(blocks(page, "sh")).replace("\\\n", "").splitlines():
        words = shlex.split(line, comments=True)
        while "=" in words[0]:
            monkeypatch.setenv(*words.pop(0).split("="))
        if words[:3] == ["python", "-m", "training"]:
            training(words[3:])
        else:
            assert words[0] == "lbbic", line
            code = lbbic(words[1:])
            assert code == 0, line


@pytest.mark.parametrize(
    "page", [path for path in PAGES if blocks(path, "python") and path != SCALING_OUT], ids=name
)
def test_the_python_examples_run(page: Path, working_folder: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)


def test_a_cluster_of_two_workers_makes_the_same_files(
    working_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("distributed", reason="the extra `distributed` is not installed")
    shutil.copytree("PICTURES", "pictures", dirs_exist_ok=True)
    (example,) = blocks(SCALING_OUT, "python")
    exec(compile(example, SCALING_OUT.name, "exec"), {"__name__": "__main__"})
    assert lbbic(["compress", "pictures", "-o", "here/", "-q", "5"]) == 0
    here = {path.name: path.read_bytes() for path in Path("here").iterdir()}
    there = {path.name: path.read_bytes() for path in Path("coded").iterdir()}
    assert len(here) == 7
    assert here == there


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
def test_named_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = re.findall(r"(?:`|^    )make ([a-z-]+)", page.read_text(encoding="utf-8"), re.M)
    assert set(named) <= targets


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/file-format.md"]
)
def test_named_modules_exist(name: str) -> None:
    folders = ("docs", "lbbic_engine", "lbbic_gui", "tests", "training")
    modules = [
        f"/{path.as_posix()}" for folder in folders for path in (ROOT / folder).rglob("*.py")
    ]
    named = re.findall(r"`([\w/]+\.py)`", (ROOT / name).read_text(encoding="utf-8"))
    assert [each for each in named if not any(m.endswith(f"/{each}") for m in modules)] == []


def test_the_page_of_the_format_is_the_docstring() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "make" / "file_format.py"))
    current = (ROOT / "docs" / "file-format.md").read_text(encoding="utf-8")
    assert current == script["page"](), "run `make docs`"
    major, minor = container.VERSION
    assert f"The `.lbb` file format, version {major}.{minor}: " in current


def test_the_figure_of_the_architecture_matches_the_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs" / "make")  # where it imports from
    script = runpy.run_path(str(ROOT / "docs" / "make" / "architecture.py"))
    current = (ROOT / "docs" / "figures" / "architecture.svg").read_text(encoding="utf-8")
    assert current == script["drawing"](), "run `make docs`"


def test_the_animation_is_below_3_mb() -> None:
    path = ROOT / "docs" / "decoding.webp"
    assert path.stat().st_size < 3e6
    with Image.open(path) as picture:
        assert picture.n_frames > 20


def test_the_version_is_defined_in_one_place() -> None:
    version = re.search(
        r'^version = "(.+?)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M
    )
    assert version is not None
    sources = [ROOT / "build_app.spec", ROOT / "Makefile"]
    for package in ("lbbic_gui", "lbbic_engine"):
        sources += (ROOT / package).rglob("*.py")
    assert not [path for path in sources if f'"{version[1]}"' in path.read_text(encoding="utf-8")]
