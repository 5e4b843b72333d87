"""The paper's architecture in floating point (Kamisli 2024): one autoencoder for blocks.

Training optimises these networks, and the encoder runs the analysis transform. Decoders run the
integer counterparts in ``networks/paper/integer_network.py``.

The chain for one block x, whose context is the reconstructed left, upper-left, upper and
upper-right blocks (``NEIGHBOURS``):

    context    scales, means = context_model(features(context))
    analysis   y             = analysis_transform(x, context)          encoder only
               y_hat         = round(y - means) + means
    synthesis  x_hat         = synthesis_transform(y_hat, context)     clamped, rounded to 8 bits

    analysis transform    x → N  + context → N, GDN, 7N/8, GDN, 6N/8, GDN, M
    synthesis transform   y_hat → N + context → N, IGDN, 7N/8, IGDN, 6N/8, IGDN, 3B²
    context model         12N/8, LeakyReLU, 10N/8, LeakyReLU, N, LeakyReLU, 2M: scales, then means

A block is a vector of 3B² values, ordered by row, column, colour. Every layer is a matrix on such
vectors. The paper's masked 3×3 convolution over blocks is a matrix on the concatenated blocks that
are not masked: the four of ``NEIGHBOURS`` (mask 'A'), or the block itself and these (mask 'B', in a
second layer). A second layer of kernel size 3 (in block8-high and block4) reads features, the first
layer's outputs. These are also computed for blocks one column outside the picture on either side
and one row above it. So a picture is padded by two blocks of pixels, and features are not padded.

Units: a pixel value v enters as (v - 128) / 255, and the padding is ``outside``, which is 0. The
published networks use v / 255 - 1/2, with a padding of 0, which is pixel value 127.5. In imported
networks, the biases of the first and the last layers account for the difference, and ``outside`` is
-1/510. Latents and scales are in quantisation steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbbic_engine.config import PaperConfig
from lbbic_engine.layout.wavefront import NEIGHBOURS

PIXEL_RANGE = 255
LEAKY_SLOPE = 0.01


class LowerBound(torch.autograd.Function):
    """max(value, bound), with a gradient that can still raise values below the bound."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, value: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(value)
        ctx.bound = bound  # type: ignore[attr-defined]
        return value.clamp(min=bound)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor
    ) -> tuple[Tensor, None]:
        (value,) = ctx.saved_tensors  # type: ignore[attr-defined]
        (gradient,) = gradients
        bound: float = ctx.bound  # type: ignore[attr-defined]
        return gradient * ((value >= bound) | (gradient < 0)), None


def lower_bound(value: Tensor, bound: float) -> Tensor:
    bounded: Tensor = LowerBound.apply(value, bound)  # type: ignore[no-untyped-call]
    return bounded


class GDN(nn.Module):
    """x / sqrt(β + Σ γ x²) over channels, or x · sqrt(β + Σ γ x²) if ``inverse``.

    Like CompressAI's layer, with the same parameters: they are stored as square roots, so that
    β ≥ 10⁻⁶ and γ ≥ 0 (``coefficients``).
    """

    __call__: Callable[..., Tensor]

    PEDESTAL = 2.0**-36
    BETA_MIN = 1e-6
    GAMMA_START = 0.1

    def __init__(self, channels: int, *, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter(torch.full((channels,), math.sqrt(1 + self.PEDESTAL)))
        gamma = torch.full((channels, channels), math.sqrt(self.PEDESTAL))
        gamma.fill_diagonal_(math.sqrt(self.GAMMA_START + self.PEDESTAL))
        self.gamma = nn.Parameter(gamma)

    def coefficients(self) -> tuple[Tensor, Tensor]:
        """β (channels,) and γ (channels, channels)."""
        beta = lower_bound(self.beta, (self.BETA_MIN + self.PEDESTAL) ** 0.5)
        gamma = lower_bound(self.gamma, self.PEDESTAL**0.5)
        return beta.square() - self.PEDESTAL, gamma.square() - self.PEDESTAL

    def forward(self, x: Tensor) -> Tensor:
        return self._normalised(x, *self.coefficients())

    def fixed(self) -> Callable[[Tensor], Tensor]:
        """The layer as a function whose coefficients are computed only once."""
        beta, gamma = self.coefficients()
        return lambda x: self._normalised(x, beta, gamma)

    def _normalised(self, x: Tensor, beta: Tensor, gamma: Tensor) -> Tensor:
        norm = functional.linear(x.square(), gamma, beta)
        return x * (norm.sqrt() if self.inverse else norm.rsqrt())


class Transform(nn.Module):
    """The analysis or the synthesis transform of values (…, inputs) and context (…, 4·3B²)."""

    __call__: Callable[..., Tensor]

    def __init__(self, config: PaperConfig, inputs: int, outputs: int, *, inverse: bool) -> None:
        super().__init__()
        first, second, third = config.transform_widths
        self.value = nn.Linear(inputs, first)
        self.context = context_layer(config, first)
        self.layers = nn.Sequential(
            GDN(first, inverse=inverse),
            nn.Linear(first, second),
            GDN(second, inverse=inverse),
            nn.Linear(second, third),
            GDN(third, inverse=inverse),
            nn.Linear(third, outputs),
        )

    def forward(self, value: Tensor, context: Tensor) -> Tensor:
        result: Tensor = self.layers(self.value(value) + self.context(context))
        return result


class ContextModel(nn.Module):
    """Entropy parameters of a block from its features and, in some variants, its neighbours'."""

    __call__: Callable[..., tuple[Tensor, Tensor]]

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        first, second, third = config.context_widths
        self.min_scale = config.min_scale
        self.layers = nn.Sequential(
            context_layer(config, first, bias=True),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Linear(config.feature_blocks * first, second),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Linear(second, third),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.Linear(third, 2 * config.latents),
        )

    def features(self, context: Tensor) -> Tensor:
        """The first layer's output (…, 12N/8) for contexts (…, 4·3B²)."""
        features: Tensor = self.layers[:2](context)
        return features

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Scales, bounded from below as in CompressAI's Gaussian model, and means (…, M).

        ``features`` (…, feature_blocks·12N/8) are the block's own, then those of ``NEIGHBOURS``.
        """
        scales, means = self.layers[2:](features).chunk(2, dim=-1)
        return lower_bound(scales, self.min_scale), means


class PaperNetwork(nn.Module):
    """The three networks; the units are in the module docstring."""

    outside: Tensor

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        pixels, latents = config.pixels, config.latents
        self.register_buffer("outside", torch.zeros(()))
        self.analysis_transform = Transform(config, pixels, latents, inverse=False)
        self.context_model = ContextModel(config)
        self.synthesis_transform = Transform(config, latents, pixels, inverse=True)


def context_layer(config: PaperConfig, outputs: int, *, bias: bool = False) -> nn.Linear:
    """The masked 3×3 convolution over blocks as a matrix on the four neighbours."""
    return nn.Linear(len(NEIGHBOURS) * config.pixels, outputs, bias=bias)


def to_unit(pixels: Tensor) -> Tensor:
    """Pixel values - 128 to the networks' unit, float32."""
    return pixels.float() / PIXEL_RANGE


def to_pixels(x_hat: Tensor) -> Tensor:
    """x_hat rounded to 8 bits: pixel values - 128, float32."""
    return (x_hat * PIXEL_RANGE).round().clamp(-128, 127)
