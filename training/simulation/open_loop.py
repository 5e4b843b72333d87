"""The loss of one optimiser step: all blocks in parallel, on contexts made beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbbic_engine.layout.wavefront import NEIGHBOURS
from lbbic_engine.networks.float_network import PIXEL_UNIT, BlockNetwork, to_pixels
from training.shared.losses import bits
from training.simulation.rdoq import choose_symbols, distortion_bits

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
    rate: Tensor,
    lmbdas: Tensor,
    noise: Tensor,
    grid: tuple[int, int],
) -> Losses:
    """Losses of blocks x (C, n, 3B²) whose neighbours were reconstructed as x_hat.

    Symbols are those of an encoder; their gradient is that of the identity. Scales learn from the
    rate of the symbols. Values learn from a rate with uniform noise (C, n, latents), since that of
    symbols has no gradient.
    """
    config = network.config
    context = neighbours_of(x_hat, grid)
    features = neighbours_of(network.features(x_hat, context, rate), grid)
    p, h = network.context_model(context, features, rate)
    y = network.analysis_transform(x.float(), p, h, rate)
    counted = x.new_zeros(len(x), dtype=torch.float32)
    parts: list[Tensor] = []
    first = 0
    steps = network.latent_steps(rate)
    worth = distortion_bits(steps.detach(), rate)
    for i, width in enumerate(config.latent_slices):
        part = slice(first, first + width)
        before = torch.cat(parts, -1) if parts else y.new_zeros(0)
        means, levels = network.entropy_parameters(i, h, before, rate)
        step, scales = steps[..., part], network.scales(levels)
        values = (y[..., part] - means) / step
        symbols = choose_symbols(values.detach(), scales.detach(), worth[..., part])
        smooth = bits(values + noise[..., part], scales.detach())
        counted = counted + (bits(symbols, scales) + smooth - smooth.detach()).sum((1, 2))
        parts.append(means + (values + (symbols - values).detach()) * step)
        first += width
    out = network.synthesis_transform(torch.cat(parts, -1), p, h, rate)
    mse = (out - x.float()).square().mean((1, 2)) * (PIXEL_UNIT / 255) ** 2
    bpp = counted / (x.shape[1] * config.block_size**2)
    total = ((bpp + lmbdas * mse) * lmbdas**LOSS_EXPONENT).mean()
    return Losses(total, bpp.detach(), mse.detach(), to_pixels(out.detach()))


class Step(nn.Module):
    """``open_loop_losses`` of a network, as a module whose gradients processes may average.

    Compiled for a GPU, whose memory is what elementwise work waits for.
    """

    def __init__(self, network: BlockNetwork, device: str) -> None:
        super().__init__()
        self._network = network
        self._losses: Callable[..., Losses] = (
            torch.compile(open_loop_losses) if device == "cuda" else open_loop_losses
        )

    def forward(self, *values: Tensor, grid: tuple[int, int]) -> Losses:
        return self._losses(self._network, *values, grid=grid)


def neighbours_of(values: Tensor, grid: tuple[int, int]) -> Tensor:
    """(C, n, K) to (C, n, 4·K): those of a block's neighbours, zeros outside of the picture."""
    rows, columns = grid
    outside = functional.pad(values.unflatten(1, grid), (0, 0, 1, 1, 1, 0))
    shifted = [
        outside[:, 1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
        for down, right in NEIGHBOURS
    ]
    return torch.cat(shifted, dim=-1).flatten(1, 2)
