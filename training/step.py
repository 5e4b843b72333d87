"""The loss of one optimiser step: all blocks in parallel, on contexts made beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lbbic_engine import wavefront
from lbbic_engine.config import MAX_QUALITY, MIN_QUALITY, lmbda
from lbbic_engine.model import PIXEL_UNIT, BlockNetwork, rate_weights, round_through, to_pixels
from training.losses import bits

# R + λD grows about as λ^0.44 along the curve: dividing by it weighs all rates alike.
LOSS_EXPONENT = -0.44


@dataclass(frozen=True)
class Losses:
    """``total`` to minimise; per crop bits per pixel and mean squared error on the 0…1 range.

    ``x_hat`` (C, n, 3B²) is the 8-bit reconstruction, in the networks' unit.
    """

    total: Tensor
    bpp: Tensor
    mse: Tensor
    x_hat: Tensor


def open_loop_losses(
    network: BlockNetwork,
    x: Tensor,
    x_hat: Tensor,
    qualities: list[float],
    grid: tuple[int, int],
    lmbda_spread: float,
) -> Losses:
    """Losses of blocks x (C, n, 3B²) whose neighbours were reconstructed as x_hat."""
    config = network.config
    crops, blocks, _ = x.shape
    rate = rate_weights(qualities).to(x.device)
    around = torch.from_numpy(wavefront.neighbours(*grid)).flatten().to(x.device)

    def neighbours_of(values: Tensor) -> Tensor:
        outside = values.new_zeros(crops, 1, values.shape[-1])
        gathered = torch.cat([values, outside], 1).index_select(1, around)
        return gathered.view(crops, blocks, -1)

    context = neighbours_of(x_hat)
    features = neighbours_of(network.features(x_hat, context, rate))
    p, h = network.context_model(context, features, rate)
    y = network.analysis_transform(x.float(), p, h, rate)
    counted = x.new_zeros(crops, dtype=torch.float32)
    parts: list[Tensor] = []
    coarse: list[Tensor] = []
    first = 0
    steps = network.latent_steps(rate)
    for i, width in enumerate(config.latent_slices):
        before = torch.cat(coarse, -1) if coarse else y.new_zeros(0)
        means, levels = network.entropy_parameters(i, h, before, rate)
        step = steps[..., first : first + width]
        values = (y[..., first : first + width] - means) / step
        noisy = values + torch.rand_like(values) - 0.5
        counted = counted + bits(noisy, network.scales(levels)).sum((1, 2))
        part = means + round_through(values) * step
        parts.append(part)
        coarse.append(network.coarse(part, x.dtype, first))
        first += width
    out = network.synthesis_transform(torch.cat(parts, -1), torch.cat(coarse, -1), p, h, rate)
    mse = (out - x.float()).square().mean((1, 2)) * (PIXEL_UNIT / 255) ** 2
    bpp = counted / (blocks * config.block_size**2)
    weights = torch.tensor([_trained_lmbda(q, lmbda_spread) for q in qualities], device=x.device)
    total = ((bpp + weights * mse) * weights**LOSS_EXPONENT).mean()
    return Losses(total, bpp.detach(), mse.detach(), to_pixels(out.detach()))


def _trained_lmbda(quality: float, spread: float) -> float:
    """λ of a quality, moved outwards a little so that the range of rates is as wide as wanted."""
    middle = (MIN_QUALITY + MAX_QUALITY) / 2
    return lmbda(quality) * float(spread ** ((quality - middle) / (MAX_QUALITY - middle)))
