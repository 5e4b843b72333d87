"""The paper's networks over whole grids of blocks: in the closed loop, and all blocks at once.

Crops lie side by side. A grid is extended by two blocks to either side and above, whose pixels
are the networks' ``outside``, so that every neighbour is at the same distance in its tensors,
and features are defined on the columns beyond the picture, too
(see ``networks/paper/float_network.py``).

``run_blocks`` codes in wavefront order, without gradients: its contexts are those of a decoder, up
to the rounding of floating-point sums. ``evaluate_blocks`` uses given reconstructions as contexts
and evaluates all blocks in one pass, for training.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from lbbic_engine.layout.blocks import grid, split_blocks
from lbbic_engine.layout.wavefront import NEIGHBOURS
from lbbic_engine.networks.float_network import PIXEL_OFFSET
from lbbic_engine.networks.paper.float_network import PIXEL_RANGE, PaperNetwork, to_pixels
from training.shared.losses import gaussian_bits

MARGIN = 2  # blocks


@dataclass(frozen=True)
class Coded:
    """Of C crops of n blocks: values (C, n, 3B²) - 128, and bits of each block (C, n)."""

    x_hat: Tensor
    bits: Tensor


@dataclass(frozen=True)
class Evaluated:
    """Of C crops of n blocks: x_hat (C, n, 3B²) in the networks' unit, not rounded; bits (C, n)."""

    x_hat: Tensor
    bits: Tensor


@dataclass(frozen=True)
class Front:
    """One front: the places of its blocks, of columns beyond the picture, too.

    ``real`` are the positions of the picture's own blocks among ``places``, ``blocks`` their
    raster indexes.
    """

    places: Tensor
    real: Tensor
    blocks: Tensor


class Geometry:
    """Places of a grid's blocks in its extension; ``wide``: features are read of neighbours."""

    def __init__(self, rows: int, columns: int, *, wide: bool) -> None:
        self.stride = columns + 2 * MARGIN
        self.size = (rows + MARGIN) * self.stride
        self.around = torch.tensor([r * self.stride + c for r, c in NEIGHBOURS])
        self.own_and_around = torch.cat([torch.zeros(1, dtype=torch.long), self.around])
        extra = 1 if wide else 0
        row, column = torch.meshgrid(
            torch.arange(rows), torch.arange(-extra, columns + extra), indexing="ij"
        )
        row, column = row.flatten(), column.flatten()
        places = self._place(row, column)
        inside = (column >= 0) & (column < columns)
        self.blocks = places[inside]
        # Places whose features are ever read, those above the picture included.
        above = self._place(torch.full((columns + 2,), -1), torch.arange(-1, columns + 1))
        self.feature_places = torch.cat([above, places]) if wide else places
        self.feature_index = torch.full((self.size,), -1)
        self.feature_index[self.feature_places] = torch.arange(len(self.feature_places))
        self.fronts: list[Front] = []
        number = column + 2 * row
        for k in number.unique().tolist():
            chosen = number == k
            real = inside[chosen].nonzero()[:, 0]
            blocks = (row * columns + column)[chosen][real]
            self.fronts.append(Front(places[chosen], real, blocks))

    def _place(self, row: Tensor, column: Tensor) -> Tensor:
        return (row + MARGIN) * self.stride + column + MARGIN


@cache
def geometry(rows: int, columns: int, *, wide: bool) -> Geometry:
    return Geometry(rows, columns, wide=wide)


def run(network: PaperNetwork, pixels: np.ndarray) -> Coded:
    """Code a picture (H, W, 3), uint8, as a single crop."""
    size = network.config.block_size
    blocks = torch.from_numpy(split_blocks(pixels, size))[None]
    return run_blocks(network, blocks, grid(pixels.shape[0], pixels.shape[1], size))


@torch.no_grad()
def run_blocks(network: PaperNetwork, blocks: Tensor, shape: tuple[int, int]) -> Coded:
    """The closed loop over crops (C, rows·columns, 3B²), uint8."""
    wide = network.config.feature_blocks > 1
    layout = geometry(*shape, wide=wide)
    x = _unit(network, blocks)
    model = network.context_model
    exact = network.outside.dtype  # whatever narrower type products are computed in
    state = network.outside.expand(len(x), layout.size, x.shape[2]).clone()
    outside = network.outside.expand(1, len(NEIGHBOURS) * x.shape[2])
    features = model.features(outside).expand(len(x), layout.size, -1).clone() if wide else state
    decoded = torch.empty_like(x)
    bits = x.new_zeros(x.shape[:2])
    for front in layout.fronts:
        context = _gather(state, front.places, layout.around)
        if wide:
            features[:, front.places] = model.features(context).to(features.dtype)
            if not len(front.blocks):
                continue
            context = context[:, front.real]
            own = front.places[front.real]
            scales, means = model(_gather(features, own, layout.own_and_around))
        else:
            own = front.places
            scales, means = model(model.features(context))
        scales, means = scales.to(exact), means.to(exact)
        y = network.analysis_transform(x[:, front.blocks], context)
        symbols = (y - means).round()
        bits[:, front.blocks] = gaussian_bits(symbols, scales).sum(-1)
        x_hat = network.synthesis_transform(symbols + means, context)
        x_hat = to_pixels(x_hat.to(exact))
        decoded[:, front.blocks] = x_hat
        state[:, own] = x_hat / PIXEL_RANGE
    return Coded(decoded, bits)


def evaluate_blocks(
    network: PaperNetwork, x: Tensor, x_hat: Tensor, shape: tuple[int, int]
) -> Evaluated:
    """All blocks x (C, n, 3B²) at once, whose neighbours were reconstructed as x_hat; both in unit.

    Rates are those of latents with uniform noise, reconstructions those of rounded latents, whose
    gradient is that of the identity.
    """
    context, scales, means = read_contexts(network, x_hat, shape)
    exact = network.outside.dtype
    scales, means = scales.to(exact), means.to(exact)
    y = network.analysis_transform(x, context).to(exact)
    residual = y - means
    noisy = residual + torch.rand_like(y) - 0.5
    # Gradients pass through the rounding as if there were none.
    y_hat = residual + (residual.round() - residual).detach() + means
    out = network.synthesis_transform(y_hat, context).to(exact)
    return Evaluated(out, gaussian_bits(noisy, scales).sum(-1))


def read_contexts(
    network: PaperNetwork, x_hat: Tensor, shape: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Contexts (C, n, 4·3B²) of all blocks, and scales and means (C, n, M) from them."""
    wide = network.config.feature_blocks > 1
    layout = geometry(*shape, wide=wide)
    state = network.outside.to(x_hat.dtype).expand(len(x_hat), layout.size, x_hat.shape[2])
    state = state.index_copy(1, layout.blocks.to(x_hat.device), x_hat)
    context = _gather(state, layout.blocks, layout.around)
    model = network.context_model
    if not wide:
        return context, *model(model.features(context))
    features = model.features(_gather(state, layout.feature_places, layout.around))
    read = layout.feature_index[layout.blocks[:, None] + layout.own_and_around]
    flat = features.index_select(1, read.flatten().to(x_hat.device))
    return context, *model(flat.unflatten(1, read.shape).flatten(2))


def _unit(network: PaperNetwork, blocks: Tensor) -> Tensor:
    """uint8 blocks in the networks' unit, precision and device."""
    outside = network.outside
    return (blocks.to(outside.device, outside.dtype) - PIXEL_OFFSET) / PIXEL_RANGE


def _gather(values: Tensor, places: Tensor, offsets: Tensor) -> Tensor:
    """Values (C, places, offsets·width) at the places and offsets, of (C, size, width)."""
    index = (places[:, None] + offsets).flatten().to(values.device)
    gathered = values.index_select(1, index)
    return gathered.view(len(values), len(places), -1)
