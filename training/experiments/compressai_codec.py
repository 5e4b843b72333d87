"""A model of CompressAI's zoo as a codec that ``lbbic bench`` measures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lbbic_engine.bench.codecs import Codec, Pixels
from lbbic_engine.errors import LbbicError
from training.experiments.compressai_shim import compressai

image_models = compressai.zoo.image_models


def make_codec(model: str) -> Codec:
    """A model of CompressAI's zoo, with pretrained weights where they can be had."""
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
            zoo_model = image_models[model](int(quality), "mse", pretrained=trained).eval()
            zoo_model.update(force=True)
            networks[quality] = zoo_model
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
        x_hat = network(quality).decompress(content["strings"], content["shape"])["x_hat"][0]
        rounded = (x_hat * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        return np.asarray(rounded[:height, :width])

    note = "" if trained else "random weights: only the times count"
    return Codec((1, 4) if trained else (1,), encode, decode, note, trained)
