"""The closed loop of the paper's architecture in floating point, a picture at a time.

The codec's own loop over blocks, with the float networks in it: the contexts it makes are those
that a decoder would see, up to the rounding of floating-point sums. For calibration and figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lbbic_engine.blocks import grid, split_blocks
from lbbic_engine.paper import PaperNetwork, to_pixels, to_unit
from lbbic_engine.wavefront import code_blocks
from training.losses import gaussian_bits

PIXEL_OFFSET = 128


@dataclass(frozen=True)
class Coded:
    """Values (blocks, 3B²) - 128 of a picture's blocks, and the bits of its symbols."""

    x_hat: Tensor
    bits: float


class FloatModel:
    """The float networks as ``wavefront`` runs them; the exchange is the blocks' values - 128."""

    def __init__(self, network: PaperNetwork) -> None:
        self.network = network
        self.bits = 0.0

    def empty_state(self, blocks: int) -> Tensor:
        return torch.zeros(blocks + 1, self.network.config.pixels)

    def code_front(self, front: Tensor, around: Tensor, exchange: Tensor) -> Tensor:
        network, context = self.network, to_unit(around)
        scales, means = network.context_model(context)
        y = network.analysis_transform(to_unit(exchange[front]), context)
        symbols = (y - means).round()
        self.bits += gaussian_bits(symbols, scales).sum().item()
        return to_pixels(network.synthesis_transform(symbols + means, context))


@torch.no_grad()
def run(network: PaperNetwork, pixels: np.ndarray) -> Coded:
    """Codes a picture (H, W, 3), uint8."""
    size = network.config.block_size
    x = torch.from_numpy(split_blocks(pixels, size)).float() - PIXEL_OFFSET
    model = FloatModel(network)
    x_hat = torch.empty_like(x)
    rows, columns = grid(pixels.shape[0], pixels.shape[1], size)
    for front, coded in code_blocks(model, rows, columns, x):
        x_hat[front] = coded
    return Coded(x_hat, model.bits)
