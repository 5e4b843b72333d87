"""Initialises the paper's networks in closed form, as a linear codec.

The codec is that of ``initialisation.closed_form.fit_linear``: a least-squares predictor and the
principal components of its residual. GDN is nearly linear for small values, so the first channels
of every hidden layer carry small multiples of the latents (in the analysis transform) or pixels (in
the synthesis transform). All other channels remain random.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lbbic_engine.config import lmbda
from lbbic_engine.networks.paper.float_network import PIXEL_RANGE, PaperNetwork, Transform
from training.initialisation.closed_form import CONTEXT_NOISE, fit_linear

LATENT_AMPLITUDE = 0.2  # of a latent's standard deviation in the hidden layers
PIXEL_AMPLITUDE = 0.5


@torch.no_grad()
def fit(network: PaperNetwork, x: Tensor, grid: tuple[int, int]) -> None:
    """Set the networks from blocks x (C, rows·columns, 3B²) in their unit."""
    config = network.config
    linear = fit_linear(x, grid, config.latents, CONTEXT_NOISE / PIXEL_RANGE)
    prediction, basis, deviation = (
        value.float() for value in (linear.prediction, linear.basis, linear.deviation)
    )
    # The best step at high rates: the slope of R + λD vanishes for a uniform error Δ²/12.
    step = math.sqrt(18 / math.log(2) / lmbda(config.quality))

    scale = LATENT_AMPLITUDE / deviation
    _carry(
        network.analysis_transform,
        basis * scale[:, None],
        -(basis @ prediction) * scale[:, None],
        1 / (scale * step),
    )
    _carry(
        network.synthesis_transform,
        basis.T * (PIXEL_AMPLITUDE * step),
        prediction * PIXEL_AMPLITUDE,
        torch.full((config.pixels,), 1 / PIXEL_AMPLITUDE),
    )
    last = network.context_model.layers[-1]
    assert isinstance(last, nn.Linear)
    last.weight.mul_(0.01)
    last.bias.zero_()
    last.bias[: len(deviation)] = deviation / step


def _carry(transform: Transform, value: Tensor, context: Tensor, gain: Tensor) -> None:
    """Set the first channels: gain · (value · v + context · c), an identity in between."""
    count = len(gain)
    transform.value.weight[:count, : value.shape[1]] = value
    transform.value.bias.zero_()
    transform.context.weight[:count] = context
    *middle, last = (m for m in transform.layers if isinstance(m, nn.Linear))
    for layer in middle:
        layer.weight[:count] = torch.eye(count, layer.in_features)
        layer.bias.zero_()
    last.weight.zero_()
    last.weight[:count, :count] = torch.diag(gain)
    last.bias.zero_()
