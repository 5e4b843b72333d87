"""The closed loop in floating point, over many crops side by side, without gradients.

Order and choice of symbols are those of the codec, so reconstructions are those of a decoder, up to
the rounding of floating-point sums and the probability tables, which are counted later. They are
the contexts of on-policy training, and validation measures them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from lbbic_engine.layout import wavefront
from lbbic_engine.networks.float_network import BlockNetwork, to_pixels
from training.shared.losses import bits
from training.simulation.rdoq import choose_symbols, distortion_bits


@cache
def _order(rows: int, columns: int, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    grid = wavefront.Grid(rows, columns)
    around = torch.from_numpy(wavefront.neighbours(grid))
    fronts = [torch.from_numpy(front) for front in wavefront.fronts(grid)]
    return [(front.to(device), around[front].flatten().to(device)) for front in fronts]


@dataclass
class ClosedLoop:
    """x_hat (C, blocks, 3B²), 8-bit values in the networks' unit, and bits a block (C, blocks)."""

    x_hat: Tensor
    bits: Tensor


@torch.no_grad()
def run(
    network: BlockNetwork, x: Tensor, rate: Tensor, grid: tuple[int, int], *, count: bool = False
) -> ClosedLoop:
    """Code x (C, rows·columns, 3B²); bits are left at zero unless ``count`` is set."""
    config = network.config
    dtype = x.dtype
    crops, blocks, pixels = x.shape
    # The row after the last block is the outside of the picture: zeros.
    state = x.new_zeros(crops, blocks + 1, pixels + config.features)
    counted = torch.zeros(crops, blocks, device=x.device)
    steps = network.latent_steps(rate)
    worth = distortion_bits(steps, rate)
    for front, around in _order(*grid, x.device):
        n = len(front)
        gathered = state.index_select(1, around).view(crops, n, 4, -1)
        context = gathered[..., :pixels].reshape(crops, n, -1)
        features = gathered[..., pixels:].reshape(crops, n, -1)
        p, h = network.context_model(context, features, rate)
        y = network.analysis_transform(x.index_select(1, front), p, h, rate)
        y_hat = y.new_zeros(0)
        first = 0
        for i, width in enumerate(config.latent_slices):
            means, levels = network.entropy_parameters(i, h, y_hat, rate)
            part = slice(first, first + width)
            step, scales = steps[..., part], network.scales(levels)
            symbols = choose_symbols((y[..., part] - means) / step, scales, worth[..., part])
            if count:
                counted[:, front] += bits(symbols, scales).sum(-1)
            slice_y_hat = means + symbols * step
            y_hat = torch.cat([y_hat, slice_y_hat], -1) if i else slice_y_hat
            first += width
        x_hat = network.synthesis_transform(y_hat, p, h, rate)
        x_hat = to_pixels(x_hat).to(dtype)
        state[:, front, :pixels] = x_hat
        state[:, front, pixels:] = network.features(x_hat, context, rate)
    return ClosedLoop(state[:, :blocks, :pixels].contiguous(), counted)


class Captured:
    """The loop of one network on crops of one shape as a CUDA graph.

    One launch instead of some ten thousand. The graph reads the network's current values.
    """

    def __init__(
        self, network: BlockNetwork, x: Tensor, rate: Tensor, grid: tuple[int, int]
    ) -> None:
        self._x, self._rate = x.clone(), rate.clone()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # once beforehand, as capturing wants it
            run(network, self._x, self._rate, grid)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._x_hat = run(network, self._x, self._rate, grid).x_hat

    def run(self, x: Tensor, rate: Tensor) -> Tensor:
        """x_hat of the blocks."""
        self._x.copy_(x)
        self._rate.copy_(rate)
        self._graph.replay()
        return self._x_hat.clone()
