"""The production model's analysis transform as the encoder runs it: in floating point, fast.

It reads the exact networks' integers, and no decoder depends on it. What it computes is
``model.BlockNetwork.analysis_transform``, in three products a front: the residual and the hidden
state, in levels, are one input; units and gains are part of the weights.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lbbic_engine.config import MIN_QUALITY, QUALITY_STEPS
from lbbic_engine.integer import LATENT_UNIT, PREDICTION_BITS
from lbbic_engine.model import PIXEL_UNIT, BlockNetwork, rate_weights


class AnalysisTransform:
    """The transform at every quality."""

    def __init__(self, network: BlockNetwork) -> None:
        self._network = network
        self._models: dict[int, AnalysisModel] = {}

    def __call__(self, x: Tensor, prediction: Tensor, h: Tensor, *, index: int) -> Tensor:
        """y (n, latents) in y_hat's unit, of blocks x (n, 3B²): pixel values - 128, float32."""
        if index not in self._models:
            self._models[index] = AnalysisModel(self._network, index)
        return self._models[index](x, prediction, h)


class AnalysisModel:
    """The transform at one quality index."""

    @torch.no_grad()
    def __init__(self, network: BlockNetwork, index: int) -> None:
        one, two, three = network.analysis_1, network.analysis_2, network.analysis_3
        dtype, device = one.weight.dtype, one.weight.device
        rate = rate_weights([MIN_QUALITY + index / QUALITY_STEPS]).to(device)
        self._pixels = one.inputs[0]
        of_pixels, of_levels = one.weight.float().split(one.inputs, dim=1)
        weight = torch.cat([of_pixels / PIXEL_UNIT, of_levels], dim=1)
        offset = 128 * of_levels.sum(dim=1)  # h's levels begin at -128
        self._first = weight.to(dtype), (rate @ one.bias + offset)[0].to(dtype)
        self._second = two.weight, (rate @ two.bias)[0].to(dtype)
        gain = (rate @ three.log_gain).exp().t()
        linear = network.analysis_linear.float() / PIXEL_UNIT
        last = torch.cat([linear, three.weight.float() * gain], dim=1) * LATENT_UNIT
        self._last = last.to(dtype), (rate @ three.bias * LATENT_UNIT)[0].to(dtype)

    def __call__(self, x: Tensor, prediction: Tensor, h: Tensor) -> Tensor:
        weight, bias = self._first
        values = torch.empty((len(x), weight.shape[1]), dtype=weight.dtype, device=x.device)
        values[:, : self._pixels] = torch.sub(x, prediction, alpha=2.0**-PREDICTION_BITS)
        values[:, self._pixels :] = h
        hidden = functional.linear(values, weight, bias).relu_()
        values[:, self._pixels :] = functional.linear(hidden, *self._second).relu_()
        return functional.linear(values, *self._last).float()
