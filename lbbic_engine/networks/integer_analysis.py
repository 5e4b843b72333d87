"""The production model's analysis transform in integers, as the encoder runs it.

It computes ``float_network.BlockNetwork.analysis_transform`` with the layers and formats of
``integer_network``. It is therefore as fast as the decoder's networks, and every kernel gives the
same y, but decoders do not depend on it. Additional formats:

    residual   float64  a block minus its prediction, in 8-bit steps, multiples of 2⁻¹²
    coarse     int8     the residual for the non-linear layers, in eighths of a step, as two digits
    hidden     int8     level - 128 of every unit, then a low digit (sixteenths of a level) of the
                        ``fine`` units
    linear     float64  weights of the residual, multiples of 2⁻¹⁴; the products are exact

``analysis_1`` reads the coarse residual and the context's hidden state. Weights of ``analysis_2``
have two limbs, 128·high + low; all high limbs come first. With a single digit and limb, smooth
pictures would cost about 1 % more.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lbbic_engine.networks.block_model import Quality
from lbbic_engine.networks.float_network import PIXEL_UNIT
from lbbic_engine.networks.integer_network import (
    DIGIT,
    LATENT_UNIT,
    PREDICTION_BITS,
    Layers,
    LayersByQuality,
    TwoDigits,
)
from lbbic_engine.networks.kernels import WEIGHT_LIMB

LINEAR_BITS = 14  # fraction bits of the residual's weights
COARSE_PARTS = 8  # of a step


class AnalysisTransform:
    """The transform on one device, at every quality."""

    def __init__(self, tensors: dict[str, Tensor], kernel: str, device: str) -> None:
        self._tensors = {name: value.to(device) for name, value in tensors.items()}
        linear = self._tensors["linear"].t().double().contiguous()
        self._linear = linear * (LATENT_UNIT / PIXEL_UNIT / 2**LINEAR_BITS)
        self._two_digits = TwoDigits(device)
        self._fine = {name: self._tensors[f"{name}.fine"] for name in ("analysis_1", "analysis_2")}
        self._layers = LayersByQuality(self._tensors, kernel)

    def __call__(self, x: Tensor, prediction: Tensor, h: Tensor, *, index: Quality) -> Tensor:
        """y (n, latents), float64 in y_hat's unit, of blocks x (n, 3B²), pixel values - 128.

        ``prediction`` and ``h`` come from the context model; ``index`` is the quality index.
        """
        layers = self._layers.at(index)
        residual = torch.sub(x.double(), prediction, alpha=2.0**-PREDICTION_BITS)
        coarse = self._two_digits((residual * COARSE_PARTS).round_()).view(torch.int8)
        accumulator = layers.accumulate("analysis_1", torch.cat([coarse, h], dim=1))
        hidden = self._hidden("analysis_1", accumulator, layers)
        high, low = layers.product["analysis_2"](hidden).chunk(2, dim=1)
        accumulator = torch.add(low, high, alpha=WEIGHT_LIMB).add_(layers.bias["analysis_2"])
        hidden = self._hidden("analysis_2", accumulator, layers)
        y = layers.accumulate("analysis_3", hidden) * layers.multiplier["analysis_3"]
        return y.addmm_(residual, self._linear)

    def _hidden(self, name: str, accumulator: Tensor, layers: Layers) -> Tensor:
        """A rectified layer's output, int8, from accumulators that include the bias."""
        level = accumulator.float().mul_(layers.multiplier[name]).clamp_(min=-128)
        high = level.round().clamp_(max=127)
        rest = level.sub_(high).index_select(1, self._fine[name])
        low = rest.mul_(DIGIT).round_().clamp_(max=127)
        return torch.cat([high, low], dim=1).to(torch.int8)
