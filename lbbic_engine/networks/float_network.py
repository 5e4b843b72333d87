"""The networks in floating point: analysis transform, context model, synthesis transform.

Training optimises these networks. The codec runs their integer counterparts in
``networks/integer_network.py`` and, for the analysis transform, ``networks/integer_analysis.py``.

Units: a pixel value v enters as (v - 128) / 64, and the outside of a picture is 0. Latents have the
same unit, before division by the quantisation step. Activations are rectified; the integer networks
store them in 8 bits.

Shapes: C pictures (or crops) of n blocks each; ``rate`` is (C, 8), the interpolation weights of
``rate_weights``.

The chain for one block (Kamisli 2024, with the latents in slices as in Minnen & Singh 2020):

    features     f       = φ(x_hat, context)             stored, read by later blocks
    context      p, h    = context_model(context, features of the neighbours)
    analysis     y       = g_a(x, context)               encoder only
    per slice    μ, σ    = slice_model(h, y_hat of earlier slices)
                 y_hat   = μ + Δ·round((y - μ) / Δ)
    synthesis    x_hat   = g_s(y_hat, context)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbbic_engine.config import LAMBDAS, ModelConfig
from lbbic_engine.layout.wavefront import NEIGHBOURS

PIXEL_OFFSET = 128
PIXEL_UNIT = 64
ACTIVATION_LEVELS = 255
LATENT_LEVELS = 16 * 127


def rate_weights(qualities: Iterable[float]) -> Tensor:
    """Weights (C, 8) that interpolate between values at the eight rate points."""
    points = torch.arange(1.0, len(LAMBDAS) + 1)
    return (1 - (torch.tensor(list(qualities))[:, None] - points).abs()).clamp(min=0)


class Dense(nn.Module):
    """A layer with one or more inputs and a bias (and, if not rectified, a gain) per rate point."""

    __call__: Callable[..., Tensor]
    input_step: Tensor
    output_step: Tensor

    def __init__(self, inputs: tuple[int, ...], outputs: int, *, rectified: bool = True) -> None:
        super().__init__()
        self.inputs = inputs
        self.rectified = rectified
        self.weight = nn.Parameter(torch.empty(outputs, sum(inputs)))
        self.bias = nn.Parameter(torch.zeros(len(LAMBDAS), outputs))
        if not rectified:
            self.log_gain = nn.Parameter(torch.zeros(len(LAMBDAS), outputs))
        # The value of one integer step of each input and of each rectified output.
        self.register_buffer("input_step", torch.ones(sum(inputs)))
        if rectified:
            self.register_buffer("output_step", torch.ones(outputs))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    def forward(self, *values: Tensor, rate: Tensor) -> Tensor:
        dtype = values[0].dtype
        weights = self.weight.to(dtype).split(self.inputs, dim=1)
        result = functional.linear(values[0], weights[0])
        for value, weight in zip(values[1:], weights[1:], strict=True):
            result = result + functional.linear(value, weight)
        bias = (rate @ self.bias)[:, None].to(dtype)
        if not self.rectified:
            return result * (rate @ self.log_gain).exp()[:, None].to(dtype) + bias
        return functional.relu(result + bias)


class BlockNetwork(nn.Module):
    """The production model; attributes are named as in the module docstring."""

    latent_step: Tensor
    slice_hidden: Sequence[Dense]
    slice_parameters: Sequence[Dense]

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        pixels, hidden, features = config.pixels, config.hidden, config.features
        around = len(NEIGHBOURS)
        slices = config.latent_slices
        self.feature_layer = Dense((pixels, around * pixels), features)
        self.context_1 = Dense((around * pixels, around * features), hidden)
        self.context_2 = Dense((hidden,), hidden)
        self.analysis_1 = Dense((pixels, hidden), hidden)
        self.analysis_2 = Dense((hidden,), hidden)
        self.analysis_3 = Dense((hidden,), config.latents, rectified=False)
        before = [sum(slices[:i]) for i in range(len(slices))]
        self.slice_hidden = nn.ModuleList(  # type: ignore[assignment]
            Dense((hidden, n) if n else (hidden,), config.slice_hidden) for n in before
        )
        self.slice_parameters = nn.ModuleList(  # type: ignore[assignment]
            Dense((config.slice_hidden,), 2 * n, rectified=False) for n in slices
        )
        self.synthesis_1 = Dense((hidden, config.latents), hidden)
        self.synthesis_2 = Dense((hidden,), hidden)
        self.synthesis_3 = Dense((hidden,), pixels, rectified=False)
        # The linear path; it is initialised in closed form.
        self.prediction = nn.Parameter(torch.zeros(pixels, around * pixels))
        self.prediction_features = nn.Parameter(torch.zeros(pixels, around * features))
        self.analysis_linear = nn.Parameter(torch.zeros(config.latents, pixels))
        self.synthesis_linear = nn.Parameter(torch.zeros(pixels, config.latents))
        steps = [math.log(255 / PIXEL_UNIT * math.sqrt(12 * 2.16 / value)) for value in LAMBDAS]
        self.log_step = nn.Parameter(torch.tensor([[step] * config.latents for step in steps]))
        # The value of one integer step of each latent as an input of non-linear layers.
        self.register_buffer("latent_step", torch.full((config.latents,), 1 / 16))
        for layer in (self.analysis_3, self.synthesis_3, *self.slice_parameters):
            nn.init.zeros_(layer.weight)

    def latent_steps(self, rate: Tensor) -> Tensor:
        """Quantisation step Δ of every latent, (C, 1, latents)."""
        return (rate @ self.log_step).exp()[:, None]

    def features(self, x_hat: Tensor, context: Tensor, rate: Tensor) -> Tensor:
        """φ: (C, n, 3B²) and (C, n, 4·3B²) to (C, n, features)."""
        return self.feature_layer(x_hat, context, rate=rate)

    def context_model(
        self, context: Tensor, features: Tensor, rate: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The linear prediction p (C, n, 3B²), float32, and the hidden state h."""
        p = functional.linear(context.float(), self.prediction)
        p = p + functional.linear(features.float(), self.prediction_features)
        h = self.context_2(self.context_1(context, features, rate=rate), rate=rate)
        return p, h

    def analysis_transform(self, x: Tensor, p: Tensor, h: Tensor, rate: Tensor) -> Tensor:
        """y of blocks x (C, n, 3B²), float32."""
        residual = x - p
        hidden = self.analysis_2(self.analysis_1(residual.to(h.dtype), h, rate=rate), rate=rate)
        linear = functional.linear(residual, self.analysis_linear)
        return linear + self.analysis_3(hidden, rate=rate)

    def entropy_parameters(
        self, index: int, h: Tensor, y_hat: Tensor, rate: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Means (in latent units) and scale levels (0…levels - 1, not rounded) of a slice.

        ``y_hat`` holds the earlier slices, float32.
        """
        values = (h, y_hat.to(h.dtype)) if index else (h,)
        hidden = self.slice_hidden[index](*values, rate=rate)
        scale_levels, means = self.slice_parameters[index](hidden, rate=rate).float().chunk(2, -1)
        return means, scale_levels

    def scales(self, scale_levels: Tensor) -> Tensor:
        """Scale of the distribution, in quantisation steps, at real-valued scale levels."""
        config = self.config
        slope = math.log(config.max_scale / config.min_scale) / (config.scale_levels - 1)
        clamped = scale_levels.clamp(0, config.scale_levels - 1)
        return config.min_scale * torch.exp(clamped * slope)

    def synthesis_transform(self, y_hat: Tensor, p: Tensor, h: Tensor, rate: Tensor) -> Tensor:
        """x_hat (C, n, 3B²), float32, neither rounded nor clamped."""
        latents = y_hat.to(h.dtype)
        hidden = self.synthesis_2(self.synthesis_1(h, latents, rate=rate), rate=rate)
        linear = functional.linear(y_hat, self.synthesis_linear)
        return p + linear + self.synthesis_3(hidden, rate=rate)


def to_unit(pixels: Tensor) -> Tensor:
    """8-bit values to the networks' unit, float32."""
    return (pixels.float() - PIXEL_OFFSET) / PIXEL_UNIT


def to_pixels(x_hat: Tensor) -> Tensor:
    """x_hat rounded to the nearest 8-bit value, still in the networks' unit."""
    rounded = (x_hat * PIXEL_UNIT).round()
    return rounded.clamp(-PIXEL_OFFSET, 255 - PIXEL_OFFSET) / PIXEL_UNIT
