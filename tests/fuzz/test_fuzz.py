"""A short run of every target with a fixed seed, and the files that were made to cost much."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

import pytest

from lbbic_engine import codec
from lbbic_engine.errors import LbbicError
from tests.fuzz import targets
from tests.fuzz.inputs import GOLDEN, corpus

COUNTS = {
    "container": 1500,
    "decode": 60,
    "partial": 30,
    "region": 40,
    "kernel": 20,
    "encode": 12,
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
    "wide drawing",
    "drawing of nothing",
    "drawing in place of blocks",
    "blocks in place of a drawing",
    "map of nothing",
    "map of large groups",
    "no map",
    "two maps",
    "map for large picture",
    "cut",
)


@pytest.fixture(autouse=True)
def _golden_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))


@pytest.mark.parametrize("target", COUNTS)
def test_whatever_is_read_is_taken_or_refused(target: str) -> None:
    assert set(COUNTS) == set(targets.TARGETS)
    taken = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow
        for data in islice(targets.made(target, 1), COUNTS[target]):
            taken += targets.attempt(target, data)
    assert taken > 0
    assert taken < COUNTS[target] or target == "encode"  # which takes everything


@pytest.mark.parametrize("name", CORPUS)
def test_files_that_were_made_to_cost_much_are_refused(name: str) -> None:
    files = corpus()
    assert set(files) == set(CORPUS)
    data = files[name]
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
