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

Networks whose outside is not pixel value 128 have a ``border``: integers that are added to the
accumulators of ``context`` for each missing neighbour. Where features are read of neighbours, too
(see ``paper.py``), a block's state holds them, and the block above it: at the picture's sides
features are read that belong to no block, whose contexts are the two blocks above.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lbbic_engine.config import PaperConfig
from lbbic_engine.integer import Exchange
from lbbic_engine.kernels import WIDE_ACTIVATION_BOUND, Product, make_wide_product
from lbbic_engine.paper import Transform, to_unit
from lbbic_engine.wavefront import NEIGHBOURS

LATENT_UNIT = 64  # y_hat's integers per quantisation step
SCALE_UNIT = 2**12  # integers per unit of the scales, for comparison with the thresholds
SQUARE_BITS = 15
LEAKY_SLOPE = 41 / 4096  # the multiple of 1/4096 that is nearest to the float networks' 0.01
LEFT, UPPER_LEFT, UPPER, UPPER_RIGHT = range(len(NEIGHBOURS))


@dataclass(frozen=True)
class Affine:
    """What a layer does with its accumulators; the result is exact and not yet rounded."""

    bias: Tensor  # float64 integers (outputs,)
    scale: Tensor  # float64 (outputs,), powers of two

    def __call__(self, accumulator: Tensor) -> Tensor:
        return (accumulator + self.bias).mul_(self.scale)


@dataclass(frozen=True)
class InverseGDN:
    """x · sqrt(β + Σ γ x²) on integers; the result is exact and not yet rounded."""

    product: Product
    norm: Affine
    scale: Tensor  # float64 (channels,), powers of two

    def __call__(self, u: Tensor) -> Tensor:
        """float64 (n, channels) of activations u, int16."""
        wide = u.double()
        squares = wide.square().mul_(1 / 2**SQUARE_BITS).round_().to(torch.int16)
        root = self.norm(self.product(squares)).sqrt_().floor_()
        return root.mul_(wide).mul_(self.scale)


class PaperAnalysis:
    """The encoder's float transform, reading the exact networks' integers."""

    def __init__(self, transform: Transform, outside: float = 0.0) -> None:
        self._transform = transform
        self._outside = outside

    def __call__(
        self, x: Tensor, around: Tensor, missing: Tensor | None = None, *, index: int
    ) -> Tensor:
        """y (n, latents) in y_hat's unit, of blocks x (n, 3B²): pixel values - 128, float32.

        ``around`` (n, 4·3B²) has the same unit, ``missing`` (n, 4) is 1 for blocks outside.
        """
        context = to_unit(around)
        if missing is not None:
            outside = (missing * self._outside)[..., None]
            context = (context.unflatten(1, (len(NEIGHBOURS), -1)) + outside).flatten(1)
        return self._transform(to_unit(x), context) * LATENT_UNIT


class PaperIntegerNetwork:
    """Integer layers on one device; immutable. It has a single quality.

    A block's state is int8: its pixels; if there is a border or features are read of neighbours,
    whether it is missing; in the latter case the same of the block above, and the features.
    """

    def __init__(
        self, config: PaperConfig, tensors: dict[str, Tensor], kernel: str, device: str
    ) -> None:
        self.config = config
        self.device = device
        self.steps = torch.full(
            (config.latents,), float(LATENT_UNIT), dtype=torch.double, device=device
        )
        self.step_energy: Tensor | None = None  # unknown: the sender takes the nearest symbols
        self._thresholds = tensors["thresholds"].double().to(device)
        border = tensors.get("border")
        self._border = None if border is None else border.double().to(device)
        self._wide = config.feature_blocks > 1
        product: dict[str, Product] = {
            name.removesuffix(".weight"): make_wide_product(value.to(device), kernel)
            for name, value in tensors.items()
            if name.endswith(".weight")
        }
        self._product = product

        def power(name: str) -> Tensor:
            # Not torch's ldexp, which takes a power of two to be anything near it.
            exponents = tensors[f"{name}.exponent"].numpy()
            return torch.from_numpy(np.ldexp(1.0, exponents)).to(device)

        def affine(name: str) -> Affine:
            return Affine(tensors[f"{name}.bias"].double().to(device), power(name))

        context = ("context_1", "context_2", "context_3", "parameters")
        self._context = {name: affine(name) for name in context}
        self._synthesis = [affine(f"synthesis_{i}") for i in (1, 2, 3, 4)]
        self._inverse_gdn = [
            InverseGDN(product[f"norm_{i}"], affine(f"norm_{i}"), power(f"gdn_{i}"))
            for i in (1, 2, 3)
        ]

    def at_quality(self, index: int) -> PaperIntegerNetwork:
        """This network, whatever the quality: its configuration says which it offers."""
        return self

    def empty_state(self, blocks: int) -> Tensor:
        """State (blocks + 1, width) int8 of which the last row is the outside of the picture."""
        outside = self._outside_cells(1)[:, 0]
        if self._wide:
            first, _ = self._first_layers(self._outside_cells(1))
            outside = torch.cat([outside, outside, _bytes(self._features(first))], dim=1)
        elif self._border is None:
            outside = outside[:, : self.config.pixels]
        state = outside.new_zeros((blocks + 1, outside.shape[1]))
        state[-1] = outside
        return state

    def code_front(self, front: Tensor, around: Tensor, exchange: Exchange) -> Tensor:
        """State (n, width) of blocks ``front`` from that of their neighbours (n, 4·width)."""
        cells = around.view(len(front), len(NEIGHBOURS), -1)
        if self._wide:
            return self._code_wide_front(front, cells, exchange)
        first, share = self._first_layers(cells)
        means, levels = self.context_model(self._features(first))
        x_hat = self._code(front, cells, share, means, levels, exchange)
        if self._border is None:
            return x_hat
        return torch.cat([x_hat, x_hat.new_zeros((len(front), 1))], dim=1)

    def _code_wide_front(self, front: Tensor, around: Tensor, exchange: Exchange) -> Tensor:
        """The same where features are read of neighbours; ``around`` is (n, 4, width)."""
        count, width = len(front), self.config.pixels + 1
        cells, above = around[..., :width], around[:, UPPER, : 2 * width]
        features = around[..., 2 * width :].contiguous().view(torch.int16)
        inside = cells[:, UPPER, -1] == 0
        left = (inside & (cells[:, LEFT, -1] == 1)).nonzero()[:, 0]
        right = (inside & (cells[:, UPPER_RIGHT, -1] == 1)).nonzero()[:, 0]
        upper, second = above.unflatten(1, (2, width)).unbind(1)
        beyond = self._outside_cells(2 * len(left) + len(right))
        at_left, at_upper_left, at_upper_right = beyond.split([len(left), len(left), len(right)])
        at_left[:, UPPER_RIGHT] = upper[left]
        at_upper_left[:, UPPER_RIGHT] = second[left]
        at_upper_right[:, LEFT] = upper[right]
        at_upper_right[:, UPPER_LEFT] = second[right]

        first, share = self._first_layers(torch.cat([cells, beyond]))
        own, *sides = self._features(first).split([count, len(left), len(left), len(right)])
        features[left, LEFT], features[left, UPPER_LEFT], features[right, UPPER_RIGHT] = sides
        means, levels = self.context_model(torch.cat([own, features.flatten(1)], dim=1))
        x_hat = self._code(front, cells, share[:count], means, levels, exchange)
        present = x_hat.new_zeros((count, 1))
        return torch.cat([x_hat, present, upper, _bytes(own)], dim=1)

    def _code(
        self,
        front: Tensor,
        cells: Tensor,
        share: Tensor,
        means: Tensor,
        levels: Tensor,
        exchange: Exchange,
    ) -> Tensor:
        """x_hat (n, 3B²) int8, once the symbols are exchanged."""
        pixels, missing = self._pixels(cells), cells[..., self.config.pixels :].flatten(1)
        exchange.begin(front, pixels, *([missing] if missing.shape[1] else []))
        symbols = exchange.symbols(0, means, levels)
        y_hat = _activation(symbols.double().mul_(LATENT_UNIT).add_(means))
        return self.synthesis_transform(y_hat, share)

    def _outside_cells(self, count: int) -> Tensor:
        """Contexts (count, 4, 3B² + 1) of nothing but blocks outside."""
        shape = (count, len(NEIGHBOURS), self.config.pixels + 1)
        cells = torch.zeros(shape, dtype=torch.int8, device=self.device)
        cells[..., -1] = 1
        return cells

    def _pixels(self, cells: Tensor) -> Tensor:
        """(n, 4·3B²) of contexts (n, 4, 3B² or more)."""
        return cells[..., : self.config.pixels].reshape(len(cells), -1)

    def _first_layers(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Accumulators of context_1 and synthesis_1's share, of contexts (n, 4, 3B² + 1)."""
        accumulators = self._product["context"](self._pixels(cells))
        if self._border is not None:
            accumulators += cells[..., -1].double() @ self._border
        first, share = accumulators.split(
            (self.config.context_widths[0], self.config.hidden), dim=1
        )
        return first, share

    def _features(self, first: Tensor) -> Tensor:
        """The context model's first layer (n, 12N/8), int16, from its accumulators."""
        return _rectified(self._context["context_1"](first))

    def context_model(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Means (n, latents) in y_hat's unit and scale levels, from features (n, …), int16."""
        affine, product = self._context, self._product
        hidden = _rectified(affine["context_2"](product["context_2"](features)))
        hidden = _rectified(affine["context_3"](product["context_3"](hidden)))
        parameters = affine["parameters"](product["parameters"](hidden)).round_()
        scales, means = parameters.chunk(2, dim=1)
        return means, torch.bucketize(scales.contiguous(), self._thresholds)

    def synthesis_transform(self, y_hat: Tensor, share: Tensor) -> Tensor:
        """x_hat (n, 3B²) int8, from y_hat and the context's share of synthesis_1."""
        product = self._product
        value = self._synthesis[0](product["synthesis_1"](y_hat) + share)
        for i, gdn in enumerate(self._inverse_gdn, start=1):
            hidden = _activation(gdn(_activation(value)))
            value = self._synthesis[i](product[f"synthesis_{i + 1}"](hidden))
        return value.round_().clamp_(-128, 127).to(torch.int8)


def _activation(value: Tensor) -> Tensor:
    """Rounded and clamped, int16; overwrites ``value``."""
    value.round_().clamp_(-WIDE_ACTIVATION_BOUND, WIDE_ACTIVATION_BOUND)
    return value.to(torch.int16)


def _rectified(value: Tensor) -> Tensor:
    return _activation(torch.maximum(value, value * LEAKY_SLOPE))


def _bytes(values: Tensor) -> Tensor:
    """int16 (n, k) as int8 (n, 2k), which ``view`` takes back."""
    return values.contiguous().view(torch.int8)
