"""The import rule: lbbic_gui.jobs → lbbic_engine ← training, and nothing else crosses.

`resources` holds data only; every package may read it. The rules are read off whatever files
there are, so they hold for the ones to come.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("lbbic_gui", "lbbic_engine", "resources", "training")
QT = {"PySide6", "PyQt5", "PyQt6", "shiboken6", "qtpy"}
ENGINE_LEAVES = ("errors", "config", "tables", "wavefront")  # know no sibling but errors


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
}


def imported_modules(source: str, package: str) -> set[str]:
    """Return the absolute names of all that a module of `package` imports, lazily or not."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join((above if node.level else []) + ([node.module] if node.module else []))
            members = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if name in SOURCES else base for name in members}
    return found


def imports_of(module: str) -> set[str]:
    path = SOURCES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return imported_modules(path.read_text(encoding="utf-8"), package)


def top_levels(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_the_reader_of_imports_sees_every_form() -> None:
    source = """
import torch.nn
from lbbic_engine import errors, compress
from .metrics import psnr
def lazily():
    from . import baselines
    from PySide6.QtCore import Signal
"""
    assert imported_modules(source, "lbbic_engine") == {
        "torch.nn",
        "lbbic_engine",
        "lbbic_engine.errors",
        "lbbic_engine.metrics",
        "lbbic_engine.baselines",
        "PySide6.QtCore",
    }


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_nothing_crosses_between_packages_but_by_the_rule(module: str) -> None:
    own = module.partition(".")[0]
    allowed = {own, "resources"}
    if own == "training" or module == "lbbic_gui.jobs":
        allowed.add("lbbic_engine")
    if own == "resources":
        allowed = {own}
    crossing = top_levels(imports_of(module)) & {*PACKAGES, "tests"}
    assert crossing <= allowed


@pytest.mark.parametrize(
    "module", sorted(name for name in SOURCES if not name.startswith("lbbic_gui"))
)
def test_qt_is_known_to_the_gui_alone(module: str) -> None:
    assert not top_levels(imports_of(module)) & QT


@pytest.mark.parametrize("leaf", ENGINE_LEAVES)
def test_the_leaves_of_the_engine_know_no_sibling_but_errors(leaf: str) -> None:
    module = f"lbbic_engine.{leaf}"
    if module in SOURCES:
        siblings = {name for name in imports_of(module) if name.startswith("lbbic_engine")}
        assert siblings <= ({"lbbic_engine.errors"} - {module})


def test_the_errors_import_nothing() -> None:
    assert imports_of("lbbic_engine.errors") == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_imports_go_in_a_circle(package: str) -> None:
    edges = {
        module: {name for name in imports_of(module) if name in SOURCES and name != module}
        for module in SOURCES
        if module.partition(".")[0] == package
    }
    while edges:
        ends = {module for module, targets in edges.items() if not targets & edges.keys()}
        assert ends, f"a circle within {sorted(edges)}"
        edges = {module: targets for module, targets in edges.items() if module not in ends}


@pytest.mark.parametrize("module", ["lbbic_engine", "lbbic_engine.cli"])
def test_importing_the_face_or_the_command_line_brings_in_neither_torch_nor_qt(
    module: str,
) -> None:
    if module in SOURCES:
        check = f"import sys, {module}; print(sorted({{'torch', 'PySide6'}} & sys.modules.keys()))"
        run = subprocess.run(
            [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == "[]"
