"""The closed loop in floating point, over many crops side by side, without gradients.

The same wavefront as the codec's: what it leaves behind is exactly the context that a decoder
would see, up to the rounding of floating-point sums. It makes the contexts of on-policy
training and the figures of held-out pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from lbbic_engine import wavefront
from lbbic_engine.model import BlockNetwork, to_pixels
from training.losses import bits


@cache
def _order(rows: int, columns: int) -> tuple[list[Tensor], list[Tensor]]:
    fronts = [torch.from_numpy(front) for front in wavefront.fronts(rows, columns)]
    around = torch.from_numpy(wavefront.neighbours(rows, columns))
    return fronts, [around[front].flatten() for front in fronts]


@dataclass
class ClosedLoop:
    """x_hat (C, blocks, 3B²), 8-bit values in the networks' unit, and bits a block (C, blocks)."""

    x_hat: Tensor
    bits: Tensor


@torch.no_grad()
def run(
    network: BlockNetwork, x: Tensor, rate: Tensor, grid: tuple[int, int], *, count: bool = False
) -> ClosedLoop:
    """Codes x (C, rows·columns, 3B²); bits are left at zero unless ``count`` is set."""
    config = network.config
    dtype = x.dtype
    crops, blocks, pixels = x.shape
    # The row after the last block is the outside of the picture: zeros.
    state = x.new_zeros(crops, blocks + 1, pixels + config.features)
    counted = torch.zeros(crops, blocks, device=x.device)
    steps = network.latent_steps(rate)
    for front, around in zip(*_order(*grid), strict=True):
        front, around = front.to(x.device), around.to(x.device)
        n = len(front)
        gathered = state.index_select(1, around).view(crops, n, 4, -1)
        context = gathered[..., :pixels].reshape(crops, n, -1)
        features = gathered[..., pixels:].reshape(crops, n, -1)
        p, h = network.context_model(context, features, rate)
        y = network.analysis_transform(x.index_select(1, front), p, h, rate)
        parts: list[Tensor] = []
        coarse = y.new_zeros(0)
        first = 0
        for i, width in enumerate(config.latent_slices):
            means, levels = network.entropy_parameters(i, h, coarse, rate)
            step = steps[..., first : first + width]
            symbols = torch.round((y[..., first : first + width] - means) / step)
            if count:
                counted[:, front] += bits(symbols, network.scales(levels)).sum(-1)
            part = means + symbols * step
            parts.append(part)
            shown = network.coarse(part, dtype, first)
            coarse = torch.cat([coarse, shown], -1) if i else shown
            first += width
        x_hat = network.synthesis_transform(torch.cat(parts, -1), coarse, p, h, rate)
        x_hat = to_pixels(x_hat).to(dtype)
        state[:, front, :pixels] = x_hat
        state[:, front, pixels:] = network.features(x_hat, context, rate)
    return ClosedLoop(state[:, :blocks, :pixels].contiguous(), counted)
