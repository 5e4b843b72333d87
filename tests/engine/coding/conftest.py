"""A model that is refined, for tests of what follows the decoding of a tile."""

import shutil
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def refinement_file(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The engine's default model is the tiny one, and this is a refinement of it."""
    for path in (tiny_weights / "tiny.safetensors", GOLDEN / "tiny-refinement.safetensors"):
        shutil.copy(path, tmp_path)
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path))
    return tmp_path / "tiny-refinement.safetensors"
