"""The pages name only files, classes and functions that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = ("lbbic_engine", "lbbic_gui", "training")
UPSTREAM = {"extract_model_weights_only.py", "utils/bjontegaard_get.py"}  # scripts of the paper


def code_of(page: Path) -> list[str]:
    """The code spans of a page, and the lines of its indented or fenced blocks."""
    text = page.read_text(encoding="utf-8")
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    return [*re.findall(r"`([^`\n]+)`", text), *"".join(fenced).splitlines()]


def defined_names() -> set[str]:
    """All modules, classes, functions, methods, attributes and constants of the packages."""
    names: set[str] = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        names |= {path.stem, path.parent.name}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_python_files_that_a_page_names_exist(page: Path) -> None:
    places = [ROOT, ROOT / "docs", *(ROOT / package for package in PACKAGES)]
    places += [path.parent for path in (ROOT / "lbbic_engine").rglob("__init__.py")]
    places += [path.parent for path in (ROOT / "lbbic_gui").rglob("__init__.py")]
    places += [path.parent for path in (ROOT / "tests").rglob("test_*.py")]
    named = {word for code in code_of(page) for word in re.findall(r"[\w./-]+\.py\b", code)}
    missing = [name for name in named if not any((at / name).exists() for at in places)]
    assert sorted(set(missing) - UPSTREAM) == []


def test_names_of_the_architecture_are_defined() -> None:
    """Names with capitals, underscores or dots; plain words of the blocks may be prose."""
    known = defined_names()
    page = ROOT / "docs" / "architecture.md"
    words = {
        word
        for code in code_of(page)
        for word in re.findall(r"[A-Za-z_][\w.]*[\w]", code)
        if not re.search(r"\.(py|md|svg|lbb)$", word)
        and re.search(r"[_.]|^[A-Z]", word)
        and "/" not in code.replace("://", "")
    }
    unknown = {word for word in words if not set(word.split(".")) <= known}
    assert unknown == set()
