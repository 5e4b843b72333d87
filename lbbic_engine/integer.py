"""The exact twin of the context model and the synthesis transform: what a decoder runs.

Every value is an integer of proved size, or a float64 that holds a multiple of a power of two
without rounding, so every machine computes the same. Formats:

    pixels       int8    value - 128; 0 outside the picture
    activations  int8    level - 128, level 0…255; -128 (level 0) for features outside
    coarse       int8    latents -127…127 for the non-linear layers
    y_hat        float64 integers, |y_hat| ≤ 2¹⁸, in 1/8 of an 8-bit step
    weights      int8    -64…63; the two linear matrices on wider numbers are named below
    accumulator  int32   |sum| < 2²⁴ by the bound of ``kernels``, |bias| < 2²⁴
    multiplier   float64 a multiple of 2⁻³² with |accumulator + bias| · multiplier · 2³² < 2⁵³

A layer is ``round((W·a + bias) * multiplier)``, clamped to its format: the product is exact, so
``round`` (half to even) is the only rounding. The rectifier is the clamp at level 0. Offsets of
128 in the inputs are part of the biases. Biases, and multipliers of layers without rectifier,
depend on the quality (57 rows). Matrices that share their input are stacked:

    context    (4·(3B²+F) →) [context_1 | 128·P_high + P_low, the linear prediction in 2⁻¹²
               steps, limbs apart | φ's share of the context]
    branches   (hidden →) [slice 0 | … | slice S-1 | synthesis_1]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lbbic_engine.config import MIN_QUALITY, QUALITY_STEPS, ModelConfig
from lbbic_engine.kernels import WEIGHT_LIMB, Product, make_product
from lbbic_engine.model import PIXEL_UNIT, BlockNetwork, rate_weights

LATENT_UNIT = 512  # y_hat's integers per networks' unit: 8 per 8-bit step
PIXELS_PER_LATENT = 0.125
PREDICTION_BITS = 12  # fraction bits of the linear prediction's weights
SYNTHESIS_BITS = 14  # fraction bits of synthesis_linear's weights
MULTIPLIER_BITS = 32
LATENT_BOUND = 2.0**18
STEP_BITS = 8  # fraction bits of the quantisation steps
OUTSIDE_FEATURE = -128


class Exchange(Protocol):
    """Where symbols come from: made from the picture, or taken from the stream."""

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        """Tells which blocks (n,) are next, and what the analysis transform needs to know."""

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> Tensor:
        """int32 symbols (n, width) of a slice, given means (y_hat's unit) and scale levels."""


@dataclass(frozen=True)
class Rated:
    """The part of a layer that depends on quality, at one quality."""

    bias: Tensor  # int32 (outputs,)
    multiplier: Tensor  # float64 (outputs,)

    def __call__(self, accumulator: Tensor) -> Tensor:
        """Rounded, not clamped; float64. Overwrites nothing."""
        return accumulator.add_(self.bias).double().mul_(self.multiplier).round_()

    def activation(self, accumulator: Tensor) -> Tensor:
        return self(accumulator).clamp_(-128, 127).to(torch.int8)


class AnalysisTransform:
    """The encoder's float transform, reading the exact networks' integers."""

    def __init__(self, network: BlockNetwork) -> None:
        self._network = network

    def __call__(self, x: Tensor, prediction: Tensor, h: Tensor, *, index: int) -> Tensor:
        """y (n, latents) in y_hat's unit, of blocks x (n, 3B²): pixel values - 128, float32."""
        network = self._network
        x = x / PIXEL_UNIT
        rate = rate_weights([MIN_QUALITY + index / QUALITY_STEPS]).to(x.device)
        p = prediction.float() / (PIXEL_UNIT << PREDICTION_BITS)
        hidden = (h.float() + 128) * network.context_2.output_step
        hidden = hidden.to(network.analysis_1.weight.dtype)
        return network.analysis_transform(x[None], p[None], hidden[None], rate)[0] * LATENT_UNIT


class IntegerNetwork:
    """Integer layers on one device; immutable. ``at_quality`` gives what a picture needs."""

    def __init__(
        self, config: ModelConfig, tensors: dict[str, Tensor], kernel: str, device: str
    ) -> None:
        self.config = config
        self.device = device
        self.tensors = {name: value.to(device) for name, value in tensors.items()}
        self.products: dict[str, Product] = {
            name.removesuffix(".weight"): make_product(value, kernel)
            for name, value in self.tensors.items()
            if name.endswith(".weight")
        }
        self.synthesis_linear = self.tensors["synthesis_linear"].double().t().contiguous()
        self.coarse_multiplier = self.tensors["coarse_multiplier"].double() / 2**MULTIPLIER_BITS

    def at_quality(self, index: int) -> IntegerModel:
        return IntegerModel(self, index)


class IntegerModel:
    """The integer networks at one quality index (0…56)."""

    def __init__(self, network: IntegerNetwork, index: int) -> None:
        self.config = network.config
        self.network = network
        self.steps = network.tensors["steps"][index].double() / 2**STEP_BITS
        # Squared error of a block's 8-bit values that a latent wrong by one step makes: the
        # synthesis is nearly orthonormal. For a sender's choice of symbols.
        self.step_energy: Tensor | None = (PIXELS_PER_LATENT * self.steps).float().square()

        def rated(name: str) -> Rated:
            bias = network.tensors[f"{name}.bias"][index]
            multiplier = network.tensors[f"{name}.multiplier"]
            if multiplier.ndim == 2:
                multiplier = multiplier[index]
            return Rated(bias, multiplier.double() / 2**MULTIPLIER_BITS)

        slices = range(len(self.config.latent_slices))
        self._feature, self._context_1, self._context_2 = (
            rated(name) for name in ("feature", "context_1", "context_2")
        )
        self._hidden = [rated(f"slice_hidden.{i}") for i in slices]
        self._parameters = [rated(f"slice_parameters.{i}") for i in slices]
        self._synthesis = [rated(f"synthesis_{i}") for i in (1, 2, 3)]

    def empty_state(self, blocks: int) -> Tensor:
        """State (blocks + 1, 3B²+F) int8 of which the last row is the outside of the picture."""
        config = self.config
        width = config.pixels + config.features
        state = torch.zeros((blocks + 1, width), dtype=torch.int8, device=self.network.device)
        state[-1, config.pixels :] = OUTSIDE_FEATURE
        return state

    def code_front(self, front: Tensor, around: Tensor, exchange: Exchange) -> Tensor:
        """State (n, 3B²+F) of blocks ``front`` from that of their neighbours (n, 4·(3B²+F))."""
        prediction, h, feature = self.context_model(around)
        exchange.begin(front, prediction, h)
        y_hat, coarse, synthesis = self.latents(h, exchange)
        x_hat = self.synthesis_transform(y_hat, coarse, prediction, synthesis)
        return torch.cat([x_hat, self.features(x_hat, feature)], dim=1)

    def context_model(self, around: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From the neighbours' pixels and features (n, 4·(3B²+F)):

        the linear prediction (n, 3B²), int32 in 2⁻¹² of an 8-bit step; the hidden state; φ's
        accumulator for the context.
        """
        config, product = self.config, self.network.products
        sizes = (config.hidden, config.pixels, config.pixels, config.features)
        first, high, low, feature = product["context"](around).split(sizes, dim=1)
        h = self._context_2.activation(product["context_2"](self._context_1.activation(first)))
        return high * WEIGHT_LIMB + low + self.network.tensors["prediction_bias"], h, feature

    def latents(self, h: Tensor, exchange: Exchange) -> tuple[Tensor, Tensor, Tensor]:
        """Goes through the slices; ``exchange`` gives the symbols.

        Returns y_hat (n, latents), its coarse form and synthesis_1's share of h.
        """
        config, product = self.config, self.network.products
        widths = [config.slice_hidden] * len(config.latent_slices) + [config.hidden]
        *branches, synthesis = product["branches"](h).split(widths, dim=1)
        y_hat = torch.empty((len(h), config.latents), dtype=torch.double, device=h.device)
        coarse = torch.empty((len(h), config.latents), dtype=torch.int8, device=h.device)
        first = 0
        for i, (width, accumulator) in enumerate(zip(config.latent_slices, branches, strict=True)):
            if i:
                accumulator = accumulator + product[f"slice_hidden.{i}"](coarse[:, :first])
            hidden = self._hidden[i].activation(accumulator)
            parameters = self._parameters[i](product[f"slice_parameters.{i}"](hidden))
            levels, means = parameters.split(width, dim=1)
            levels = levels.clamp_(0, config.scale_levels - 1).to(torch.uint8)
            last = first + width
            symbols = exchange.symbols(i, means, levels)
            part = y_hat[:, first:last]
            torch.mul(symbols, self.steps[first:last], out=part)
            part.round_().add_(means).clamp_(-LATENT_BOUND, LATENT_BOUND)
            scaled = part * self.network.coarse_multiplier[first:last]
            coarse[:, first:last] = scaled.round_().clamp_(-127, 127)
            first = last
        return y_hat, coarse, synthesis

    def synthesis_transform(
        self, y_hat: Tensor, coarse: Tensor, prediction: Tensor, accumulator: Tensor
    ) -> Tensor:
        """x_hat (n, 3B²), int8."""
        product = self.network.products
        one, two, three = self._synthesis
        hidden = one.activation(accumulator + product["synthesis_1"](coarse))
        hidden = two.activation(product["synthesis_2"](hidden))
        correction = product["synthesis_3"](hidden).add_(three.bias).double()
        # Multiples of 2⁻³² below 2¹⁶ each: their sum is exact.
        total = correction.mul_(three.multiplier)
        total += torch.mm(y_hat, self.network.synthesis_linear) * (
            PIXELS_PER_LATENT / 2**SYNTHESIS_BITS
        )
        total += prediction.double() / 2**PREDICTION_BITS
        return total.round_().clamp_(-128, 127).to(torch.int8)

    def features(self, x_hat: Tensor, accumulator: Tensor) -> Tensor:
        """φ of the blocks just reconstructed (n, F), int8."""
        return self._feature.activation(accumulator + self.network.products["feature"](x_hat))
