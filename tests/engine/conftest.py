"""Makes the functions that create unusual pictures available to tests."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def make() -> ModuleType:
    """The functions of ``pictures/cases.py``."""
    script = Path(__file__).with_name("pictures") / "cases.py"
    spec = importlib.util.spec_from_file_location("cases", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
