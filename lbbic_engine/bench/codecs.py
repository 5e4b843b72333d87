"""The codecs that ``lbbic bench`` measures, behind one interface; each runs in its own process.

``reference`` runs the production model's float networks as simply as possible (``reference``).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.errors import LbbicError
from lbbic_engine.measure import baselines
from lbbic_engine.resources import install_hint

Pixels = NDArray[np.uint8]
PILLOW = {
    "jpeg": (10, 30, 60, 80, 90, 96),
    "webp": (20, 50, 75, 90, 97),
    "avif": (30, 50, 65, 80, 90),
}
PLUG_INS = "lbbic.bench_codecs"  # entry points that return the codec of KIND:MODEL


@dataclass(frozen=True)
class Codec:
    """A codec to measure; ``encode`` returns the argument of ``decode`` and its size in bytes."""

    qualities: tuple[float, ...]
    encode: Callable[[Pixels, float], tuple[Any, int]]
    decode: Callable[[Any], Pixels]
    note: str = ""  # shown with its figures
    trained: bool = True  # False: its rates and distortions are meaningless


def make(name: str) -> Codec:
    """The codec of that name; LbbicError if it is unknown or not installed."""
    if name == "lbbic":
        return _lbbic()
    if name == "reference":
        return _reference()
    if name in PILLOW:
        return _pillow(name, PILLOW[name])
    if name == "jxl":
        return _jpeg_xl()
    kind, _, model = name.partition(":")
    for plug_in in entry_points(group=PLUG_INS, name=kind):
        return _plugged_in(plug_in, model)
    plugged_in = [f"{plug_in.name}:MODEL" for plug_in in entry_points(group=PLUG_INS)]
    known = ", ".join(["lbbic", "reference", *PILLOW, "jxl", *plugged_in])
    raise LbbicError("Unknown codec", f"{name} is not one of {known}.")


def _lbbic() -> Codec:
    from lbbic_engine import codec
    from lbbic_engine.pictures.read import load_picture

    def encode(pixels: Pixels, quality: float) -> tuple[Any, int]:
        data = codec.compress(load_picture(Image.fromarray(pixels)), quality).data
        return data, len(data)

    return Codec(tuple(range(1, 9)), encode, lambda data: codec.decompress(data).pixels)


def _pillow(name: str, qualities: tuple[int, ...]) -> Codec:
    Image.init()
    if name.upper() not in Image.SAVE:
        raise LbbicError(f"{name} is not installed", "This build of Pillow cannot write it.")

    def encode(pixels: Pixels, quality: float) -> tuple[Any, int]:
        data = baselines.encode_at_quality(pixels, name, int(quality)).data
        return data, len(data)

    return Codec(qualities, encode, _open)


def _jpeg_xl() -> Codec:
    try:
        import pillow_jxl  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        raise LbbicError("jxl is not installed", install_hint("pillow-jxl-plugin")) from error

    def encode(pixels: Pixels, quality: float) -> tuple[Any, int]:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "jxl", quality=int(quality))
        return file.getvalue(), len(file.getvalue())

    return Codec((30, 60, 80, 90, 96), encode, _open)


def _open(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _plugged_in(plug_in: EntryPoint, model: str) -> Codec:
    try:
        codec = plug_in.load()(model)
    except ImportError as error:
        raise LbbicError(
            f"{plug_in.name} is not installed",
            "It is part of the training environment: see docs/training.md.",
        ) from error
    assert isinstance(codec, Codec)
    return codec


def _reference() -> Codec:
    from safetensors.torch import load_file

    from lbbic_engine.bench import reference
    from lbbic_engine.config import ModelConfig
    from lbbic_engine.devices import CodingThread
    from lbbic_engine.networks import model_files, weights

    info = weights.by_name(weights.DEFAULT)
    assert isinstance(info.config, ModelConfig)
    tensors = load_file(info.path)
    parts = (model_files.part(tensors, prefix) for prefix in (weights.INTEGER, weights.ANALYSIS))
    network = reference.float_network(info.config, *parts)
    tables = weights.load(info, "cpu").tables

    def encode(pixels: Pixels, quality: float) -> tuple[Any, int]:
        with CodingThread() as thread:
            stream = thread.run(reference.Reference(network, tables, quality).encode, pixels)
        return (quality, stream, pixels.shape), len(stream)

    def decode(coded: Any) -> Pixels:
        quality, stream, (height, width, _) = coded
        decoder = reference.Reference(network, tables, quality)
        with CodingThread() as thread:
            return thread.run(decoder.decode, stream, height, width)

    return Codec((4,), encode, decode, "the float networks, block by block")
