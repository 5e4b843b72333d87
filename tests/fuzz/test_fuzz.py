"""A short run of every target with a fixed seed, and the files that were made to cost much."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest

from lbbic_engine import codec
from lbbic_engine.errors import LbbicError

GOLDEN = Path(__file__).parents[1] / "golden"
COUNTS = {
    "container": 1500,
    "decode": 60,
    "partial": 30,
    "region": 40,
    "weights": 60,
    "picture": 300,
}
CORPUS = (
    "many pixels",
    "low tiles",
    "one tile",
    "transparency",
    "profile",
    "packet",
    "many chunks",
    "false starts",
    "only S",
    "empty stream",
    "no stream",
    "cut",
)


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz", Path(__file__).with_name("fuzz.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _golden_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))


@pytest.mark.parametrize("target", COUNTS)
def test_whatever_is_read_is_taken_or_refused(fuzz: ModuleType, target: str) -> None:
    assert set(COUNTS) == set(fuzz.TARGETS)
    taken = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow
        for data in islice(fuzz.inputs(target, 1), COUNTS[target]):
            taken += fuzz.attempt(target, data)
    assert 0 < taken < COUNTS[target]


@pytest.mark.parametrize("name", CORPUS)
def test_files_that_were_made_to_cost_much_are_refused(fuzz: ModuleType, name: str) -> None:
    corpus = fuzz.corpus()
    assert set(corpus) == set(CORPUS)
    data = corpus[name]
    uses: list[Callable[[], object]] = [
        lambda: codec.decompress(data),
        lambda: next(codec.decode_progressively(data)),
        lambda: codec.decompress_region(data, 0, 0, 8, 8),
    ]
    for use in uses[: 1 if name == "transparency" else 3]:  # which the others leave packed
        with pytest.raises(LbbicError):
            use()
    with suppress(LbbicError):
        codec.decompress(data, partial=True, max_pixels=2**24)
    codec.read_info(data)
