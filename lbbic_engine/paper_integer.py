"""The exact twin of the paper's context model and synthesis transform: what a decoder runs.

Everything is in fixed point: every number is an integer times a power of two. Every value is an
integer of proved size in a float64 (or narrower), so every machine computes the same. Formats:

    pixels       int8    value - 128; 0 outside the picture
    activations  int16   within ±WIDE_ACTIVATION_BOUND, each channel in a unit of its own
    y_hat        int16   the same, in 1/64 of a quantisation step
    squares      int16   0…2¹⁵: an activation's square in 2¹⁵ units², the input of a norm
    weights      int16   fourteen bits, each row in a unit of its own; int8 where seven suffice
    accumulator  float64 an integer, |W·a + bias| < 2⁴⁴

    layer        round((W·a + bias) · 2^-shift)       exact but for ``round`` (half to even)
    LeakyReLU    max(v, 41/4096 · v) before ``round``: below 2⁵³ in units of the last bit, exact
    norm         n = (Γ·squares + β) · 2^up, an integer with 0 ≤ n < 2⁵²
    inverse GDN  round(u · floor(√n) · 2^-shift), a product below 2⁴²

The norm's surprise: its root is IEEE's, which is the nearest float64 to √n. As n < 2⁵², √n is
either an integer or at least 2⁻²⁷ below the next one, and the nearest float64 is at most 2⁻²⁸
away, so its floor is the integer square root: nothing depends on how the root is rounded. No sum
here is rounded, so neither order nor fused multiply-adds can change a bit.

Matrices that share their input are stacked:

    context    (4·3B² →) [context_1 | synthesis_1's share of the context]

Weights imported from the published networks need a bias for each missing neighbour (see
``paper.py``): integers to be added to the accumulators of ``context``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lbbic_engine.config import PaperConfig
from lbbic_engine.integer import Exchange
from lbbic_engine.kernels import WIDE_ACTIVATION_BOUND, Product, make_wide_product
from lbbic_engine.paper import LEAKY_SLOPE, Transform, to_unit

LATENT_UNIT = 64  # y_hat's integers per quantisation step
SCALE_UNIT = 2**12  # integers per unit of the scales, for comparison with the thresholds
SQUARE_BITS = 15


@dataclass(frozen=True)
class Layer:
    """An affine layer; what it returns is exact and not yet rounded."""

    product: Product
    bias: Tensor  # float64 integers (outputs,)
    scale: Tensor  # float64 (outputs,), powers of two

    def __call__(self, values: Tensor, share: Tensor | None = None) -> Tensor:
        """float64 (n, outputs); ``share`` is what other inputs add to the accumulators."""
        accumulator = self.product(values)
        if share is not None:
            accumulator = accumulator + share
        return self.finish(accumulator)

    def finish(self, accumulator: Tensor) -> Tensor:
        return (accumulator + self.bias).mul_(self.scale)


@dataclass(frozen=True)
class InverseGDN:
    """x · sqrt(β + Σ γ x²) on integers; what it returns is exact and not yet rounded."""

    norm: Layer
    scale: Tensor  # float64 (channels,), powers of two

    def __call__(self, u: Tensor) -> Tensor:
        """float64 (n, channels) of activations u, int16."""
        wide = u.double()
        squares = wide.square().mul_(1 / 2**SQUARE_BITS).round_().to(torch.int16)
        return self.norm(squares).sqrt_().floor_().mul_(wide).mul_(self.scale)


class PaperAnalysis:
    """The encoder's float transform, reading the exact networks' integers."""

    def __init__(self, transform: Transform) -> None:
        self._transform = transform

    def __call__(self, x: Tensor, around: Tensor, *, index: int) -> Tensor:
        """y (n, latents) in y_hat's unit, of blocks x (n, 3B²): pixel values - 128, float32."""
        return self._transform(to_unit(x), to_unit(around)) * LATENT_UNIT


class PaperIntegerNetwork:
    """Integer layers on one device; immutable. It has a single quality."""

    def __init__(
        self, config: PaperConfig, tensors: dict[str, Tensor], kernel: str, device: str
    ) -> None:
        self.config = config
        self.device = device
        self.steps = torch.full(
            (config.latents,), float(LATENT_UNIT), dtype=torch.double, device=device
        )
        self._thresholds = tensors["thresholds"].double().to(device)

        def power(name: str) -> Tensor:
            # Not torch's ldexp, which takes a power of two to be anything near it.
            return torch.from_numpy(np.ldexp(1.0, tensors[name].numpy())).to(device)

        def layer(name: str) -> Layer:
            weight = tensors.get(f"{name}.weight")
            product = (
                _no_product if weight is None else make_wide_product(weight.to(device), kernel)
            )
            bias = tensors[f"{name}.bias"].double().to(device)
            return Layer(product, bias, power(f"{name}.exponent"))

        self._context = make_wide_product(tensors["context.weight"].to(device), kernel)
        self._context_layers = [layer(f"context_{i}") for i in (1, 2, 3)]
        self._parameters = layer("parameters")
        self._synthesis = [layer(f"synthesis_{i}") for i in (1, 2, 3, 4)]
        self._inverse_gdn = [
            InverseGDN(layer(f"norm_{i}"), power(f"gdn_{i}.exponent")) for i in (1, 2, 3)
        ]

    def at_quality(self, index: int) -> PaperIntegerNetwork:
        """This network, whatever the quality: its configuration says which it offers."""
        return self

    def empty_state(self, blocks: int) -> Tensor:
        """State (blocks + 1, 3B²) int8 of which the last row is the outside of the picture."""
        return torch.zeros((blocks + 1, self.config.pixels), dtype=torch.int8, device=self.device)

    def code_front(self, front: Tensor, around: Tensor, exchange: Exchange) -> Tensor:
        """State (n, 3B²) of blocks ``front`` from that of their neighbours (n, 4·3B²)."""
        first, accumulator = self._context(around).split(
            (self.config.context_widths[0], self.config.hidden), dim=1
        )
        means, levels = self.context_model(first)
        exchange.begin(front, around)
        symbols = exchange.symbols(0, means, levels)
        y_hat = _activation(symbols.double().mul_(LATENT_UNIT).add_(means))
        return self.synthesis_transform(y_hat, accumulator)

    def context_model(self, accumulator: Tensor) -> tuple[Tensor, Tensor]:
        """Means (n, latents) in y_hat's unit and scale levels, from context_1's accumulators."""
        one, two, three = self._context_layers
        hidden = _rectified(one.finish(accumulator))
        hidden = _rectified(three(_rectified(two(hidden))))
        scales, means = self._parameters(hidden).round_().chunk(2, dim=1)
        return means, torch.bucketize(scales.contiguous(), self._thresholds)

    def synthesis_transform(self, y_hat: Tensor, accumulator: Tensor) -> Tensor:
        """x_hat (n, 3B²) int8, from y_hat and the context's share of synthesis_1."""
        first, *rest = self._synthesis
        value = first(y_hat, accumulator)
        for gdn, layer in zip(self._inverse_gdn, rest, strict=True):
            value = layer(_activation(gdn(_activation(value))))
        return value.round_().clamp_(-128, 127).to(torch.int8)


def _activation(value: Tensor) -> Tensor:
    """Rounded and clamped, int16; overwrites ``value``."""
    value.round_().clamp_(-WIDE_ACTIVATION_BOUND, WIDE_ACTIVATION_BOUND)
    return value.to(torch.int16)


def _rectified(value: Tensor) -> Tensor:
    return _activation(torch.maximum(value, value * LEAKY_SLOPE))


def _no_product(values: Tensor) -> Tensor:
    raise NotImplementedError("this layer's matrix is part of a stack")
