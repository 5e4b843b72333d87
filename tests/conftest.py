"""Fixtures for all tests: a tiny network in place of the shipped one, and pictures."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.resources import FOLDER

GOLDEN = Path(__file__).parent / "golden"

# Two threads are very slow on products this small when anything else runs.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that starts the tests in the background lets them, and the commands that they start,
# ignore what they are to be interrupted by.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine must not decide a test, so hypothesis times neither examples nor their generation.
# A failure prints the line that repeats it.
settings.register_profile(
    "lbbic", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lbbic")


@pytest.fixture(scope="session", autouse=True)
def _hide_installed_weights(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the weights that are installed on this machine."""
    os.environ["LBBIC_WEIGHTS"] = str(tmp_path_factory.mktemp("no_weights"))


@pytest.fixture
def without_privileges() -> Iterator[None]:
    """Make file permissions apply to this thread even if root runs it."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None)
    header, privileges = (ctypes.c_uint32 * 2)(0x2008_0522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, privileges) == 0
    without = (ctypes.c_uint32 * 6)(*privileges)
    without[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, without) == 0
    yield
    assert libc.capset(header, privileges) == 0


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose default model is the tiny network (tests/golden/tiny.safetensors)."""
    from safetensors.torch import load_file

    from lbbic_engine.networks import model_files, weights

    folder = tmp_path_factory.mktemp("weights")
    description = next(d for d in weights.describe_folder(GOLDEN) if d.name == "tiny")
    tensors = load_file(description.path)
    weights.save_weights(
        folder / "tiny.safetensors",
        weights.DEFAULT,
        description.config,
        model_files.part(tensors, weights.INTEGER),
        model_files.part(tensors, weights.ANALYSIS),
        {},
    )
    return folder


@pytest.fixture
def tiny(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tiny network the engine's default model."""
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tiny_weights))


@pytest.fixture
def photograph() -> NDArray[np.uint8]:
    """A part of a real photograph (72, 104, 3), whose sides are not multiples of 16."""

    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        return np.asarray(image.convert("RGB"))[40:112, 100:204]


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Save a small noisy gradient below ``tmp_path``."""

    def save(name: str, width: int = 24, height: int = 16, seed: int = 1) -> Path:
        noise = np.random.default_rng(seed).normal(0, 12, (height, width, 3))
        slope = np.linspace(30, 220, width)[None, :, None]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((slope + noise).clip(0, 255).astype(np.uint8)).save(path)
        return path

    return save


@pytest.fixture(scope="session")
def shipped_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of a photograph coded with the shipped weights, at quality 6."""
    from lbbic_engine import compress, load_picture

    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        picture = load_picture(image.crop((80, 40, 200, 160)))
    path = tmp_path_factory.mktemp("shipped") / "cat.lbb"
    path.write_bytes(compress(picture, 6).data)
    return path
