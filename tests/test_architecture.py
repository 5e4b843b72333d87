"""The import rule: lbbic_gui.jobs → lbbic_engine ← training, and nothing else crosses.

`lbbic_engine.resources` finds the shipped data; every package may import it. The rules apply to all
files found, so they also hold for new ones.
"""

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("lbbic_gui", "lbbic_engine", "training")
FOR_ALL = {"lbbic_engine.resources"}
QT = {"PySide6", "PyQt5", "PyQt6", "shiboken6", "qtpy"}
ROOMS = runpy.run_path(str(ROOT / "docs" / "make" / "rooms.py"))["ROOMS"]
MAX_MODULES = 12  # in a room


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
        if isinstance(node, ast.Constant) and node.value in SOURCES:
            found.add(node.value)  # for import_module
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


def test_every_form_of_import_is_detected() -> None:
    source = """
import torch.nn
from lbbic_engine import errors, compress
from .measure.metrics import psnr
def lazily():
    from .measure import baselines
    from PySide6.QtCore import Signal
    import_module("training.shared.recipe")
"""
    assert imported_modules(source, "lbbic_engine") == {
        "training.shared.recipe",
        "torch.nn",
        "lbbic_engine",
        "lbbic_engine.errors",
        "lbbic_engine.measure.metrics",
        "lbbic_engine.measure.baselines",
        "PySide6.QtCore",
    }


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_packages_import_only_what_the_rules_allow(module: str) -> None:
    own = module.partition(".")[0]
    allowed = {own}
    if own == "training" or module.startswith("lbbic_gui.jobs."):
        allowed.add("lbbic_engine")
    crossing = top_levels(imports_of(module) - FOR_ALL) & {*PACKAGES, "tests"}
    assert crossing <= allowed


@pytest.mark.parametrize(
    "module", sorted(name for name in SOURCES if not name.startswith("lbbic_gui"))
)
def test_only_the_gui_imports_qt(module: str) -> None:
    assert not top_levels(imports_of(module)) & QT


def room_of(module: str) -> str:
    package, _, rest = module.partition(".")
    first = rest.partition(".")[0]
    tops = {name: room for room, names in ROOMS[package].items() for name in names}
    return tops.get(first, first)


@pytest.mark.parametrize("module", sorted(name for name in SOURCES if name.count(".")))
def test_a_module_imports_only_its_own_room_and_those_below(module: str) -> None:
    package = module.partition(".")[0]
    if package not in ROOMS:
        return
    order = list(ROOMS[package])
    own = order.index(room_of(module))
    imported = {name for name in imports_of(module) if name.startswith(f"{package}.")}
    assert [name for name in sorted(imported) if order.index(room_of(name)) > own] == []


@pytest.mark.parametrize("package", ROOMS)
def test_no_room_has_too_many_modules(package: str) -> None:
    folders = [path.parent for name, path in SOURCES.items() if name.startswith(f"{package}.")]
    counts = {folder: folders.count(folder) for folder in folders}
    assert {str(folder): n for folder, n in counts.items() if n > MAX_MODULES + 1} == {}


def test_the_errors_import_nothing() -> None:
    assert imports_of("lbbic_engine.errors") == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_there_are_no_circular_imports(package: str) -> None:
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
def test_importing_the_package_or_the_command_line_imports_neither_torch_nor_qt(
    module: str,
) -> None:
    if module in SOURCES:
        check = f"import sys, {module}; print(sorted({{'torch', 'PySide6'}} & sys.modules.keys()))"
        run = subprocess.run(
            [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == "[]"
