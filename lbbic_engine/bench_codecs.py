"""The codecs that ``lbbic bench`` measures, behind one interface; imported in a process each.

``reference`` is the production model run as simply as can be: block after block in raster order,
float32 products, one call of the entropy coder for each slice of a block.
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
PILLOW = {"jpeg": (30, 60, 80, 90, 96), "webp": (20, 50, 75, 90, 97), "avif": (30, 50, 65, 80, 90)}
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
    import torch
    from safetensors.torch import load_file

    from lbbic_engine import exchange, segments, weights
    from lbbic_engine.blocks import grid, merge_blocks, split_blocks
    from lbbic_engine.config import quality_index
    from lbbic_engine.devices import few_threads
    from lbbic_engine.integer import IntegerNetwork
    from lbbic_engine.wavefront import neighbours

    description = weights.by_name(weights.DEFAULT)
    network = weights.load(description, "cpu")
    tensors = weights.part(load_file(description.path), weights.INTEGER)
    config = network.integer.config
    exact = IntegerNetwork(config, tensors, "float32", "cpu")  # type: ignore[arg-type]

    def loop(quality: float, rows: int, columns: int, side: Any) -> Pixels:
        model = exact.at_quality(quality_index(quality))
        state = model.empty_state(rows * columns)
        around = neighbours(rows, columns)
        with few_threads():
            for block in range(rows * columns):
                context = state[around[block]].reshape(1, -1)
                front = torch.tensor([block])
                state[block] = model.code_front(front, context, side)[0]
        values: Pixels = state[:-1, : config.pixels].numpy().view(np.uint8) ^ np.uint8(128)
        return values

    def encode(pixels: Pixels, quality: float) -> tuple[Any, int]:
        blocks = split_blocks(pixels, config.block_size)
        sink = segments.SegmentWriter(network.tables, 0)
        writer = exchange.LatentWriter(network, quality_index(quality), sink, blocks)
        loop(quality, *grid(pixels.shape[0], pixels.shape[1], config.block_size), writer)
        found = sink.segments()
        return (quality, found, pixels.shape), sum(len(part.stream) for part in found)

    def decode(coded: Any) -> Pixels:
        quality, parts, (height, width, _) = coded
        source = segments.SegmentReader(network.tables, parts)
        side = exchange.LatentReader(network, source)
        blocks = loop(quality, *grid(height, width, config.block_size), side)
        return merge_blocks(blocks, height, width, config.block_size)

    return Codec((4,), encode, decode, "block by block in float32")
