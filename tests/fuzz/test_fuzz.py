"""A short run of every target with a fixed seed, and the files made to be expensive."""

from __future__ import annotations

import subprocess
import sys
import threading
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from lbbic_engine import codec
from lbbic_engine.bitstream.bodies import MAX_METADATA_BYTES
from lbbic_engine.coding import decoder
from lbbic_engine.errors import LbbicError
from tests.fuzz import targets
from tests.fuzz.__main__ import run_guided, total
from tests.fuzz.inputs import GOLDEN, corpus

COUNTS = {
    "container": 1500,
    "decode": 60,
    "partial": 30,
    "region": 40,
    "kernel": 20,
    "encode": 12,
    "weights": 60,
    "thumbnail": 60,
    "picture": 300,
    "extra": 10,
}
TAKE_ALL = ("encode", "extra")  # the latter refuses some files that others read
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
    "map of many groups",
    "cut",
)


@pytest.fixture(autouse=True)
def _golden_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))


@pytest.mark.parametrize("target", COUNTS)
def test_inputs_are_accepted_or_refused_with_an_engine_error(target: str) -> None:
    assert set(COUNTS) == set(targets.TARGETS)
    taken = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow
        for data in islice(targets.made(target, 1), COUNTS[target]):
            taken += targets.attempt(target, data)
    assert taken > 0
    assert taken < COUNTS[target] or target in TAKE_ALL


@pytest.mark.parametrize("name", CORPUS)
def test_files_made_to_be_expensive_are_refused(name: str) -> None:
    files = corpus()
    assert set(files) == set(CORPUS)
    data = files[name]
    uses: list[Callable[[], object]] = [
        lambda: codec.decompress(data),
        lambda: next(codec.decode_progressively(data)),
        lambda: codec.decompress_region(data, 0, 0, 8, 8),
    ]
    for use in uses[: 1 if name == "transparency" else 3]:  # which the others do not decompress
        with pytest.raises(LbbicError):
            use()
    with suppress(LbbicError):
        codec.decompress(data, partial=True, max_pixels=2**24)
    codec.read_info(data)


@pytest.mark.parametrize("name", CORPUS)
def test_expensive_files_cost_no_more_than_their_bytes_justify(name: str) -> None:
    """Allocations, blocks and calls are counted, not seconds; metadata may have 8 MiB each."""
    data = corpus()[name]
    uses: list[Callable[[], object]] = [
        lambda: codec.decompress(data, max_pixels=targets.MOST_PIXELS),
        lambda: codec.decompress(data, max_pixels=targets.MOST_PIXELS, partial=True),
        lambda: list(codec.decode_progressively(data, max_pixels=targets.MOST_PIXELS)),
        lambda: codec.decompress_region(data, 0, 0, 8, 8),
        lambda: codec.read_info(data),
    ]
    for use in uses:
        with suppress(LbbicError):
            use()  # loads what is loaded only once
        with cost() as found, suppress(LbbicError):
            use()
        assert found["bytes"] < 3 * MAX_METADATA_BYTES + 8 * len(data)
        assert found["blocks"] <= 64
        assert found["calls"] < 20_000 + 20 * len(data)


def test_a_guided_run_that_is_killed_is_logged_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = subprocess.CompletedProcess(
        [], 1, stdout=b"no counts\n", stderr=b"cov: 7 ft: 9 corp: 3"
    )
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: killed)
    assert not run_guided("decode", 1, 1.0, tmp_path)
    sums = total(tmp_path)["decode"]
    assert (sums["failed"], sums["runs"], sums["edges"]) == (True, 1, 7)


@contextmanager
def cost() -> Iterator[dict[str, int]]:
    """Count the maximum of allocated bytes, blocks that went through networks, and calls."""
    found = dict.fromkeys(("bytes", "blocks", "calls"), 0)
    code_grids = decoder.code_grids

    def counting(*args: Any) -> Iterator[Any]:
        for front, state in code_grids(*args):
            found["blocks"] += len(front)
            yield front, state

    def count(_frame: object, event: str, _argument: object) -> None:
        found["calls"] += event in ("call", "c_call")

    tracemalloc.start()
    threading.setprofile(count)
    sys.setprofile(count)
    try:
        with patch.object(decoder, "code_grids", counting):
            yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        found["bytes"] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
