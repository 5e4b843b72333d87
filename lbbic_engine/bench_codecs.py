"""The codecs that ``lbbic bench`` measures, behind one interface; imported in a process each.

``reference`` runs the production model's float networks as simply as can be (``bench_reference``).
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine import baselines
from lbbic_engine.errors import LbbicError

Pixels = NDArray[np.uint8]
PILLOW = {
    "jpeg": (10, 30, 60, 80, 90, 96),
    "webp": (20, 50, 75, 90, 97),
    "avif": (30, 50, 65, 80, 90),
}
COMPRESSAI = "compressai:"


@dataclass(frozen=True)
class Codec:
    """``encode`` gives what ``decode`` takes, and its size in bytes."""

    qualities: tuple[float, ...]
    encode: Callable[[Pixels, float], tuple[Any, int]]
    decode: Callable[[Any], Pixels]
    note: str = ""  # what a reader of its figures must know
    trained: bool = True  # False: its rates and distortions mean nothing


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
    if name.startswith(COMPRESSAI):
        return _compressai(name.removeprefix(COMPRESSAI))
    known = ", ".join(["lbbic", "reference", *PILLOW, "jxl", COMPRESSAI + "MODEL"])
    raise LbbicError("Unknown codec", f"{name} is none of {known}.")


def _lbbic() -> Codec:
    from lbbic_engine import codec
    from lbbic_engine.pixels import load_picture

    def encode(pixels: Pixels, quality: float) -> tuple[Any, int]:
        data = codec.compress(load_picture(Image.fromarray(pixels)), quality).data
        return data, len(data)

    return Codec(tuple(range(1, 9)), encode, lambda data: codec.decompress(data).pixels)


def _pillow(name: str, qualities: tuple[int, ...]) -> Codec:
    def encode(pixels: Pixels, quality: float) -> tuple[Any, int]:
        data = baselines.encode_at_quality(pixels, name, int(quality)).data
        return data, len(data)

    return Codec(qualities, encode, _open)


def _jpeg_xl() -> Codec:
    try:
        import pillow_jxl  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        raise LbbicError("jxl is not installed", "It needs the Pillow plugin.") from error

    def encode(pixels: Pixels, quality: float) -> tuple[Any, int]:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "jxl", quality=int(quality))
        return file.getvalue(), len(file.getvalue())

    return Codec((30, 60, 80, 90, 96), encode, _open)


def _open(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _compressai(model: str) -> Codec:
    """A model of CompressAI's zoo, with pretrained weights where they can be had."""
    try:
        import torch

        # CompressAI belongs to the training environment, and so does the door to it.
        importlib.import_module("training.compressai_shim")
        from compressai.zoo import image_models
    except ImportError as error:
        raise LbbicError("CompressAI is not installed", "See README, 'Training'.") from error
    if model not in image_models:
        raise LbbicError("Unknown model", f"CompressAI has no {model}.")
    networks: dict[float, Any] = {}
    trained = True
    try:
        image_models[model](1, "mse", pretrained=True)
    except Exception:  # no network, or no such file: whatever the download raises
        trained = False

    def network(quality: float) -> Any:
        if quality not in networks:
            made = image_models[model](int(quality), "mse", pretrained=trained).eval()
            made.update(force=True)
            networks[quality] = made
        return networks[quality]

    @torch.no_grad()
    def encode(pixels: Pixels, quality: float) -> tuple[Any, int]:
        x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        coded = network(quality).compress(x)
        size = sum(len(part) for strings in coded["strings"] for part in strings)
        return (quality, coded, pixels.shape), size

    @torch.no_grad()
    def decode(coded: Any) -> Pixels:
        quality, content, (height, width, _) = coded
        found = network(quality).decompress(content["strings"], content["shape"])["x_hat"][0]
        rounded = (found * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        return np.asarray(rounded[:height, :width])

    note = "" if trained else "random weights: only the times count"
    return Codec((1, 4) if trained else (1,), encode, decode, note, trained)


def _reference() -> Codec:
    from safetensors.torch import load_file

    from lbbic_engine import bench_reference, weights
    from lbbic_engine.config import ModelConfig
    from lbbic_engine.devices import few_threads

    description = weights.by_name(weights.DEFAULT)
    assert isinstance(description.config, ModelConfig)
    tensors = load_file(description.path)
    parts = (weights.part(tensors, prefix) for prefix in (weights.INTEGER, weights.ANALYSIS))
    network = bench_reference.float_network(description.config, *parts)
    tables = weights.load(description, "cpu").tables

    @few_threads()
    def encode(pixels: Pixels, quality: float) -> tuple[Any, int]:
        stream = bench_reference.Reference(network, tables, quality).encode(pixels)
        return (quality, stream, pixels.shape), len(stream)

    @few_threads()
    def decode(coded: Any) -> Pixels:
        quality, stream, (height, width, _) = coded
        return bench_reference.Reference(network, tables, quality).decode(stream, height, width)

    return Codec((4,), encode, decode, "the float networks, block by block")
