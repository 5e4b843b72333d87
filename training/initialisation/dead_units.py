"""Reinitialises dead units.

A rectified unit whose input is negative on every block computes nothing and learns nothing. Many
units die while learning rates are high. They get random input weights and zero output weights, so
that the function of the network does not change.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from lbbic_engine.networks.float_network import BlockNetwork, Dense
from training.simulation import closed_loop


@torch.no_grad()
def revive(network: BlockNetwork, x: Tensor, rate: Tensor, grid: tuple[int, int]) -> int:
    """Reinitialise units that are zero on all blocks x (C, rows·columns, 3B²); return how many."""
    most: dict[Dense, Tensor] = {}
    inputs: dict[Dense, Tensor] = {}
    fronts: dict[Dense, int] = {}

    def watch(layer: torch.nn.Module, values: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, Dense)
        largest = output.amax(dim=(0, 1))
        mean = torch.cat([value.mean(dim=(0, 1)) for value in values])
        most[layer] = torch.maximum(most[layer], largest) if layer in most else largest
        inputs[layer] = inputs[layer] + mean if layer in inputs else mean
        fronts[layer] = fronts.get(layer, 0) + 1

    readers = dict(_readers(network))
    hooks = [layer.register_forward_hook(watch) for layer in readers]
    closed_loop.run(network, x, rate, grid)
    for hook in hooks:
        hook.remove()
    revived = 0
    for layer, columns in readers.items():
        dead = (most[layer] <= 0).nonzero().flatten()
        width = layer.weight.shape[1]
        weight = torch.randn(len(dead), width, device=x.device) * math.sqrt(2 / width)
        layer.weight[dead] = weight
        # Inputs are positive, so without this a unit would be always on or always off.
        layer.bias[:, dead] = -(weight @ (inputs[layer] / fronts[layer]))
        for reader, first in columns:
            reader.weight[:, first + dead] = 0
        revived += len(dead)
    return revived


def _readers(network: BlockNetwork) -> Iterator[tuple[Dense, list[tuple[Dense, int]]]]:
    """Hidden layers, each with the layers that read it and the first column of theirs."""
    slices = list(network.slice_hidden)
    of_h = [(network.analysis_1, network.config.pixels), (network.synthesis_1, 0)]
    yield network.context_1, [(network.context_2, 0)]
    yield network.context_2, [*of_h, *((layer, 0) for layer in slices)]
    yield network.analysis_1, [(network.analysis_2, 0)]
    yield network.analysis_2, [(network.analysis_3, 0)]
    for layer, parameters in zip(slices, network.slice_parameters, strict=True):
        yield layer, [(parameters, 0)]
    yield network.synthesis_1, [(network.synthesis_2, 0)]
    yield network.synthesis_2, [(network.synthesis_3, 0)]
