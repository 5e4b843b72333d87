"""A stand-in codec: quantise, deflate. It keeps the command line's tests fast and model-free."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import lbbic_engine
from lbbic_engine.errors import CorruptDataError, NotLbbicError, UnsupportedImageError

MAGIC = b"FAKE"


@pytest.fixture
def codec(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Put the stand-in codec where ``search``, ``evaluate`` and the commands look for it."""
    for name, fake in (("pixels", _fake_pixels()), ("metrics", _fake_metrics())):
        if importlib.util.find_spec(f"lbbic_engine.{name}") is None:
            _install(monkeypatch, name, fake)
    fake_codec = _fake_codec()
    _install(monkeypatch, "codec", fake_codec)
    for name in ("search", "evaluate"):
        spec = importlib.util.find_spec(f"lbbic_engine.{name}")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        _install(monkeypatch, name, module)
        spec.loader.exec_module(module)
    return fake_codec


@pytest.fixture
def search(codec: ModuleType) -> Any:
    return sys.modules["lbbic_engine.search"]


@pytest.fixture
def evaluate(codec: ModuleType) -> Any:
    return sys.modules["lbbic_engine.evaluate"]


@pytest.fixture
def pixels(codec: ModuleType) -> Any:
    return sys.modules["lbbic_engine.pixels"]


@pytest.fixture
def metrics(codec: ModuleType) -> Any:
    return sys.modules["lbbic_engine.metrics"]


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that saves a small noisy gradient below ``tmp_path``."""

    def save(name: str, width: int = 24, height: int = 16, seed: int = 1) -> Path:
        noise = np.random.default_rng(seed).normal(0, 12, (height, width, 3))
        slope = np.linspace(30, 220, width)[None, :, None]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((slope + noise).clip(0, 255).astype(np.uint8)).save(path)
        return path

    return save


def _install(monkeypatch: pytest.MonkeyPatch, name: str, module: ModuleType) -> None:
    monkeypatch.setitem(sys.modules, f"lbbic_engine.{name}", module)
    monkeypatch.setattr(lbbic_engine, name, module, raising=False)


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(f"lbbic_engine.{name}")
    vars(module).update(contents)
    return module


@dataclass(frozen=True)
class Compressed:
    data: bytes
    reconstruction: Any


@dataclass(frozen=True)
class Progress:
    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Info:
    width: int
    height: int
    quality: float
    weights: str
    weights_installed: bool
    metadata_bytes: dict[str, int]
    total_bytes: int
    bpp: float


def _fake_codec() -> ModuleType:
    from_array = Image.fromarray
    calls: list[dict[str, Any]] = []

    def compress(picture: Any, quality: float = 4.0, **options: Any) -> Compressed:
        calls.append({"quality": quality, **options})
        if progress := options.get("progress"):
            progress(Progress("encoding", 1, 2))
            progress(Progress("encoding", 2, 2))
        step = round(2 ** (8 - quality)) or 1
        rows = picture.pixels // step
        header = json.dumps([*picture.pixels.shape, quality, step]).encode()
        data = MAGIC + header + b"\n" + zlib.compress(rows.tobytes())
        return Compressed(data, _dequantise(rows, step))

    def decompress(data: bytes, *, partial: bool = False, **options: Any) -> Any:
        calls.append({"partial": partial, **options})
        height, width, _, _, step = _header(data)
        deflated = data.split(b"\n", 1)[1]
        notices: tuple[str, ...] = ()
        raw = zlib.decompressobj().decompress(deflated)
        if len(raw) < height * width * 3:
            if not partial:
                raise CorruptDataError("Truncated file", "try --partial")
            notices = ("only a part could be decoded",)
        raw = raw.ljust(height * width * 3, b"\0")
        rows = np.frombuffer(raw, np.uint8).reshape(height, width, 3)
        picture = sys.modules["lbbic_engine.pixels"].load_picture(
            from_array(_dequantise(rows, step))
        )
        return replace(picture, notices=notices)

    def read_info(data: bytes) -> Info:
        height, width, _, quality, _ = _header(data)
        bpp = 8 * len(data) / (width * height)
        return Info(width, height, quality, "fake", True, {"icc": 7}, len(data), bpp)

    return _module(
        "codec", compress=compress, decompress=decompress, read_info=read_info, calls=calls
    )


def _header(data: bytes) -> Any:
    if not data.startswith(MAGIC):
        raise NotLbbicError("Not an .lbb file", "it begins differently")
    return json.loads(data[len(MAGIC) :].split(b"\n", 1)[0])


def _dequantise(rows: Any, step: int) -> Any:
    return (rows.astype(int) * step + step // 2).clip(0, 255).astype(np.uint8)


# Until these modules are there; the real ones are used as soon as they can be imported.


@dataclass(frozen=True)
class Picture:
    pixels: Any
    alpha: Any = None
    notices: tuple[str, ...] = field(default=())


def _fake_pixels() -> ModuleType:
    def load_picture(source: Any) -> Picture:
        if not isinstance(source, Image.Image):
            try:
                source = Image.open(source)
            except UnidentifiedImageError:
                raise UnsupportedImageError("Not a picture", "of a known format") from None
        with source:
            return Picture(np.asarray(source.convert("RGB")))

    def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
        with path.open("wb" if overwrite else "xb") as file:
            file.write(data)

    def save_image(picture: Any, path: Path, *, overwrite: bool = False) -> None:
        write_atomically(path, b"", overwrite=overwrite)
        Image.fromarray(picture.pixels).save(path)

    return _module(
        "pixels",
        Picture=Picture,
        load_picture=load_picture,
        save_image=save_image,
        write_atomically=write_atomically,
    )


@dataclass(frozen=True)
class Curve:
    name: str
    source: str
    bpp: Any
    psnr: Any


def _fake_metrics() -> ModuleType:
    def psnr(a: Any, b: Any) -> float:
        error = float(np.mean((a.astype(float) - b.astype(float)) ** 2))
        return 10 * math.log10(255**2 / error) if error else math.inf

    def bd_rate(
        anchor_bpp: Any, anchor_psnr: Any, bpp: Any, psnr: Any, low: float, high: float
    ) -> float:
        grid = np.linspace(low, high, 100)
        ours = np.interp(grid, psnr, np.log(bpp))
        theirs = np.interp(grid, anchor_psnr, np.log(anchor_bpp))
        return float(np.expm1(np.mean(ours - theirs)) * 100)

    def load_curve(path: Path) -> Curve:
        content = json.loads(Path(path).read_text())
        return Curve(*(content[key] for key in ("name", "source", "bpp", "psnr")))

    return _module(
        "metrics",
        Curve=Curve,
        psnr=psnr,
        ms_ssim=lambda a, b: None if min(a.shape[:2]) < 176 else 0.5,
        bd_rate=bd_rate,
        load_curve=load_curve,
    )
