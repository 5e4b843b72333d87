"""The range coder in Python writes and reads the same words as constriction's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbbic_engine.bitstream import entropy, range_coder

GOLDEN = Path(__file__).parents[2] / "golden"
SEEDS = st.integers(0, 2**32 - 1)
OTHERS = constriction.stream


def test_constriction_is_used_if_it_is_installed() -> None:
    assert entropy.queue is constriction.stream.queue
    assert entropy.model is constriction.stream.model


def calls(seed: int) -> list[tuple[str, Any, np.ndarray, Any]]:
    """The kind of a model, its arguments, symbols, and the parameters of each symbol."""
    random = np.random.default_rng(seed)
    made: list[tuple[str, Any, np.ndarray, Any]] = []
    for _ in range(random.integers(0, 8)):
        count, width = random.integers(0, 60), random.integers(2, 70)
        rows = (random.random((count, width)) ** random.integers(1, 30)).astype(np.float32)
        rows[:, random.integers(width)] += random.choice([1e-7, 1, 1e4])
        rows /= rows.sum(axis=1, keepdims=True)
        likely = (random.random((count, 1)) > rows.cumsum(axis=1)).sum(axis=1) % width
        made.append(("Categorical", (), likely.astype(np.int32), rows))
        sizes = random.integers(2, 2**16, count).astype(np.int32)
        made.append(("Uniform", (), (random.random(count) * sizes).astype(np.int32), sizes))
        made.append(("Uniform", (34,), random.integers(0, 34, count).astype(np.int32), None))
        rare = np.array([1 - 2**-12, 2**-12], np.float32)
        bits = (random.random(count) < random.choice([0.0, 0.5])).astype(np.int32)
        made.append(("Categorical", (rare,), bits, None))
    return made


def model(kind: str, made_of: Any, library: Any) -> Any:
    options = {"perfect": False} if kind == "Categorical" else {}
    return getattr(library, kind)(*made_of, **options)


@settings(max_examples=25)
@given(SEEDS)
def test_words_and_symbols_equal_constrictions(seed: int) -> None:
    ours, others = range_coder.RangeEncoder(), OTHERS.queue.RangeEncoder()
    for kind, made_of, symbols, own in calls(seed):
        parameters = () if own is None else (own,)
        ours.encode(symbols, model(kind, made_of, range_coder), *parameters)
        others.encode(symbols, model(kind, made_of, OTHERS.model), *parameters)
        np.testing.assert_array_equal(ours.get_compressed(), others.get_compressed())
    decoder = range_coder.RangeDecoder(others.get_compressed())
    for kind, made_of, symbols, own in calls(seed):
        parameter = len(symbols) if own is None else own
        found = decoder.decode(model(kind, made_of, range_coder), parameter)
        np.testing.assert_array_equal(found, symbols)


@settings(max_examples=25)
@given(SEEDS, st.binary(max_size=80))
def test_arbitrary_words_decode_as_in_constriction(seed: int, data: bytes) -> None:
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
    ours, others = range_coder.RangeDecoder(words), OTHERS.queue.RangeDecoder(words)
    for kind, made_of, symbols, own in calls(seed):
        parameter = len(symbols) if own is None else own
        try:
            wanted = others.decode(model(kind, made_of, OTHERS.model), parameter)
        except AssertionError:
            with pytest.raises(AssertionError):
                ours.decode(model(kind, made_of, range_coder), parameter)
            return
        found = ours.decode(model(kind, made_of, range_coder), parameter)
        np.testing.assert_array_equal(found, wanted)


def test_a_carry_propagates_through_waiting_words() -> None:
    """Symbols that keep the interval across a carry, so that words wait, and then resolve it."""
    halves = np.array([0.5, 0.5], np.float32)
    for last in (0, 1):
        symbols = np.array([0] + [1] * 200 + [last] * 40, np.int32)
        encoders = []
        for library, queue in ((range_coder, range_coder), (OTHERS.model, OTHERS.queue)):
            encoder = queue.RangeEncoder()
            encoder.encode(symbols, model("Categorical", (halves,), library))
            encoders.append(encoder)
        ours, others = (encoder.get_compressed() for encoder in encoders)
        np.testing.assert_array_equal(ours, others)


WITHOUT_CONSTRICTION = """
import sys
from pathlib import Path
sys.modules["constriction"] = None
import numpy as np
from lbbic_engine import compress, decompress, load_picture
data = Path(sys.argv[1]).read_bytes()
np.save(sys.argv[2], decompress(data).pixels)
compressed = compress(load_picture(sys.argv[3]), 5, weights="tiny")
sys.stdout.buffer.write(compressed.data)
"""


def test_a_machine_without_constriction_codes_the_same_files(
    draw: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_engine import compress, load_picture

    picture, pixels = draw("picture.png"), tmp_path / "pixels.npy"
    program = [sys.executable, "-c", WITHOUT_CONSTRICTION, GOLDEN / "high.lbb", pixels, picture]
    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))
    done = subprocess.run(program, capture_output=True, check=True)
    assert f"{sha256(np.load(pixels)).hexdigest()}  high.lbb" in (GOLDEN / "SHA256").read_text()
    assert done.stdout == compress(load_picture(picture), 5, weights="tiny").data
