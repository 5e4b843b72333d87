"""The paper's context model and synthesis transform in exact integers, as decoders run them.

Everything is in fixed point: every number is an integer times a power of two. All integers have
bounds within which their types represent them exactly, so all machines compute the same. Formats:

    pixels       int8    value - 128; 0 outside the picture
    activations  int8    in the context model: within ±127, each channel in its own unit
    wide ones    int16   in the synthesis transform: within ±WIDE_ACTIVATION_BOUND, likewise
    y_hat        int16   the same, in 1/64 of a quantisation step
    squares      int16   0…2¹⁵: a wide activation's square in 2¹⁵ units², the input of a norm
    weights      int8    7 bits, each row in its own unit
    sums         int32   |W·a + bias| < 2²⁴ for int8 inputs (exact in float32, too), else < 2³¹

    layer        round((W·a + bias) · 2^-shift)       exact except ``round`` (half to even)
    LeakyReLU    max(v, 41·v >> 12), of a sum v
    norm         n = (Γ·squares + β) · 2^up, an integer with 0 ≤ n < 2⁵²
    inverse GDN  round(u · floor(√n) · 2^-shift), a product below 2⁴²

The synthesis transform needs wide activations because, unlike the production model, it has no
linear path beside them: 8 bits would cost 0.9 % of R + λD.

The integer square root in a norm is exact: IEEE 754's root is the float64 nearest to √n. Since
n < 2⁵², √n is either an integer or at least 2⁻²⁷ below the next one, and the nearest float64
differs by at most 2⁻²⁸, so its floor is the integer root. No sum is rounded, so neither the order
of additions nor fused multiply-adds can change a bit.

Matrices with a common input are stacked:

    context    (4·3B² →) [context_1 | synthesis_1's weights of the context, in their own units]

If the padding is not pixel value 128, a padding bias (the tensor ``border``) is added to the sums
of ``context`` for each missing neighbour. If the context model reads features of neighbours
(``networks/paper/float_network.py``), the state of a block includes its features and the block
above it: at the sides of the picture, features of blocks outside are computed, whose context is
the two blocks above.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lbbic_engine.config import PaperConfig
from lbbic_engine.layout.wavefront import NEIGHBOURS
from lbbic_engine.networks.block_model import Quality, SymbolPort
from lbbic_engine.networks.kernels import (
    WIDE_ACTIVATION_BOUND,
    Product,
    make_product,
    make_wide_product,
)
from lbbic_engine.networks.paper.float_network import GDN, Transform, to_unit

LATENT_UNIT = 64  # y_hat's integers per quantisation step
SCALE_UNIT = 2**12  # integers per unit of the scales, for comparison with the thresholds
SQUARE_BITS = 15
ACTIVATION_BOUND = 127
LEAKY_FACTOR, LEAKY_SHIFT = 41, 12  # nearest to the float networks' 0.01
LEFT, UPPER_LEFT, UPPER, UPPER_RIGHT = range(len(NEIGHBOURS))


@dataclass(frozen=True)
class Layer:
    """A product with bias and scale."""

    product: Product
    bias: Tensor  # int32 (outputs,)
    scale: Tensor  # (outputs,), powers of two: float32 for int8 inputs, float64 for int16

    def __call__(self, values: Tensor) -> Tensor:
        """Return the unrounded output, in the precision of the scale."""
        return self.finish(self.product(values))

    def finish(self, accumulator: Tensor) -> Tensor:
        """Return the unrounded output for given sums, which are overwritten."""
        return accumulator.add_(self.bias) * self.scale

    def rectified(self, accumulator: Tensor) -> Tensor:
        """Return int8 activations for given sums, which are overwritten."""
        value = accumulator.add_(self.bias)
        value = torch.maximum(value, (value * LEAKY_FACTOR) >> LEAKY_SHIFT) * self.scale
        return value.round_().clamp_(-ACTIVATION_BOUND, ACTIVATION_BOUND).to(torch.int8)


@dataclass(frozen=True)
class InverseGDN:
    """x · sqrt(β + Σ γ x²) on integers; the result is exact and unrounded."""

    norm: Layer
    scale: Tensor  # float64 (channels,), powers of two

    def __call__(self, u: Tensor) -> Tensor:
        """float64 (n, channels) for wide activations u in float64."""
        squares = u.square().mul_(1 / 2**SQUARE_BITS).round_().to(torch.int16)
        root = self.norm(squares).sqrt_().floor_()
        return root.mul_(u).mul_(self.scale)


class PaperAnalysis:
    """The encoder's float transform on the integers of the exact networks."""

    def __init__(self, transform: Transform, padding_value: float = 0.0) -> None:
        self._first = transform.value, transform.context
        self._layers = [
            layer.fixed() if isinstance(layer, GDN) else layer for layer in transform.layers
        ]
        self._padding_value = padding_value

    def __call__(
        self, x: Tensor, around: Tensor, padding_mask: Tensor | None = None, *, index: Quality
    ) -> Tensor:
        """y (n, latents) in y_hat's unit, of blocks x (n, 3B²): pixel values - 128, float32.

        ``around`` (n, 4·3B²) has the same unit, ``padding_mask`` (n, 4) is 1 for blocks outside the
        picture.
        """
        context = to_unit(around)
        if padding_mask is not None:
            padding = (padding_mask * self._padding_value)[..., None]
            context = (context.unflatten(1, (len(NEIGHBOURS), -1)) + padding).flatten(1)
        value, of_context = self._first
        y: Tensor = value(to_unit(x)) + of_context(context)
        for layer in self._layers:
            y = layer(y)
        return y * LATENT_UNIT


class PaperIntegerNetwork:
    """Integer layers on one device, for a single quality; immutable.

    The state of a block, int8, contains its pixels. If there is a padding bias or features of
    neighbours are read, it also contains whether the block is missing; in the latter case, also
    pixels and flag of the block above, and the block's features.
    """

    def __init__(
        self, config: PaperConfig, tensors: dict[str, Tensor], kernel: str, device: str
    ) -> None:
        self.config = config
        self.block_size = config.block_size
        self.device = device
        self._thresholds = tensors["thresholds"].float().to(device)
        padding_bias = tensors.get("border")
        self._padding_bias = None if padding_bias is None else padding_bias.double().to(device)
        self._wide = config.feature_blocks > 1

        def power(name: str) -> Tensor:
            # numpy's ldexp is exact; torch's is not.
            exponents = tensors[f"{name}.exponent"].numpy()
            return torch.from_numpy(np.ldexp(1.0, exponents)).to(device)

        def narrow(name: str, matrix: str) -> Layer:
            weight, bias = tensors[f"{matrix}.weight"], tensors[f"{name}.bias"]
            product = make_product(weight.to(device), kernel)
            return Layer(product, bias.to(device), power(name).float())

        def wide(name: str) -> Layer:
            weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
            product = make_wide_product(weight.to(device), kernel)
            return Layer(product, bias.to(device), power(name))

        self._context = narrow("context_1", "context")
        self._context_2, self._context_3, self._parameters = (
            narrow(name, name) for name in ("context_2", "context_3", "parameters")
        )
        self._context_share_scale = power("share")
        self._synthesis = [wide(f"synthesis_{i}") for i in (1, 2, 3, 4)]
        self._inverse_gdn = [InverseGDN(wide(f"norm_{i}"), power(f"gdn_{i}")) for i in (1, 2, 3)]

    def at_quality(self, index: Quality) -> PaperIntegerNetwork:
        """Return this network, which has a single quality."""
        return self

    def steps(self, index: Quality) -> Tensor:
        """Quantisation steps (latents,), float64 in y_hat's unit."""
        return torch.full(
            (self.config.latents,), LATENT_UNIT, dtype=torch.double, device=self.device
        )

    def empty_state(self, blocks: int) -> Tensor:
        """State (blocks + 1, width), int8; the last row is the outside of the picture."""
        outside = self._outside_cells(1)[:, 0]
        if self._wide:
            first, _ = self._first_layers(self._outside_cells(1))
            outside = torch.cat([outside, outside, self._features(first)], dim=1)
        elif self._padding_bias is None:
            outside = outside[:, : self.config.pixels]
        state = outside.new_zeros((blocks + 1, outside.shape[1]))
        state[-1] = outside
        return state

    @torch.inference_mode()
    def code_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        """State (n, width) of blocks ``front``, given their neighbours' (n, 4·width)."""
        cells = around.view(len(front), len(NEIGHBOURS), -1)
        if self._wide:
            return self._code_wide_front(front, cells, port)
        first, context_share = self._first_layers(cells)
        means, levels = self.context_model(self._features(first))
        x_hat = self._code(front, cells, context_share, means, levels, port)
        if self._padding_bias is None:
            return x_hat
        return torch.cat([x_hat, x_hat.new_zeros((len(front), 1))], dim=1)

    def _code_wide_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        """The same if features of neighbours are read; ``around`` is (n, 4, width)."""
        count, width = len(front), self.config.pixels + 1
        cells, above = around[..., :width], around[:, UPPER, : 2 * width]
        features = around[..., 2 * width :].clone()
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

        first, context_share = self._first_layers(torch.cat([cells, beyond]))
        own, *sides = self._features(first).split([count, len(left), len(left), len(right)])
        features[left, LEFT], features[left, UPPER_LEFT], features[right, UPPER_RIGHT] = sides
        means, levels = self.context_model(torch.cat([own, features.flatten(1)], dim=1))
        x_hat = self._code(front, cells, context_share[:count], means, levels, port)
        present = x_hat.new_zeros((count, 1))
        return torch.cat([x_hat, present, upper, own], dim=1)

    def _code(
        self,
        front: Tensor,
        cells: Tensor,
        context_share: Tensor,
        means: Tensor,
        levels: Tensor,
        port: SymbolPort,
    ) -> Tensor:
        """x_hat (n, 3B²), int8, with the symbols of ``port``."""
        pixels, padding_mask = self._pixels(cells), cells[..., self.config.pixels :].flatten(1)
        port.begin(front, pixels, *([padding_mask] if padding_mask.shape[1] else []))
        symbols, _ = port.symbols(0, means, levels)
        y_hat = _activation(symbols.double().mul_(LATENT_UNIT).add_(means))
        return self.synthesis_transform(y_hat.to(torch.int16), context_share)

    def _outside_cells(self, count: int) -> Tensor:
        """Contexts (count, 4, 3B² + 1) that are entirely outside the picture."""
        shape = (count, len(NEIGHBOURS), self.config.pixels + 1)
        cells = torch.zeros(shape, dtype=torch.int8, device=self.device)
        cells[..., -1] = 1
        return cells

    def _pixels(self, cells: Tensor) -> Tensor:
        """Pixels (n, 4·3B²) of contexts (n, 4, 3B² or more)."""
        return cells[..., : self.config.pixels].reshape(len(cells), -1)

    def _first_layers(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of context_1 and of synthesis_1's weights of the context, for (n, 4, 3B² + 1)."""
        sums = self._context.product(self._pixels(cells))
        if self._padding_bias is not None:
            sums += (cells[..., -1].double() @ self._padding_bias).to(torch.int32)
        first, context_share = sums.split(
            (self.config.context_widths[0], self.config.hidden), dim=1
        )
        return first, context_share

    def _features(self, first: Tensor) -> Tensor:
        """The context model's first layer (n, 12N/8), int8, from its sums."""
        return self._context.rectified(first)

    def context_model(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Means (n, latents) in y_hat's unit and scale levels, from features (n, …), int8."""
        hidden = features
        for layer in (self._context_2, self._context_3):
            hidden = layer.rectified(layer.product(hidden))
        scales, means = self._parameters(hidden).round_().chunk(2, dim=1)
        return means.double(), torch.bucketize(scales.contiguous(), self._thresholds)

    def synthesis_transform(self, y_hat: Tensor, context_share: Tensor) -> Tensor:
        """x_hat (n, 3B²) int8, from y_hat, int16, and the context's share of synthesis_1."""
        first, *rest = self._synthesis
        value = first(y_hat) + context_share * self._context_share_scale
        for gdn, layer in zip(self._inverse_gdn, rest, strict=True):
            hidden = gdn(_activation(value))
            value = layer(_activation(hidden).to(torch.int16))
        return value.round_().clamp_(-128, 127).to(torch.int8)


def _activation(value: Tensor) -> Tensor:
    """Wide activations, float64: rounded and clamped in place."""
    return value.round_().clamp_(-WIDE_ACTIVATION_BOUND, WIDE_ACTIVATION_BOUND)
