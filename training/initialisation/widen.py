"""Widens the hidden state of a trained network without changing its function.

New hidden units get random input weights and zero output weights, so that the first step starts
from the same function (as in Net2Net, Chen et al. 2016, but without duplicated units).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lbbic_engine.networks.float_network import BlockNetwork, Dense


@torch.no_grad()
def widen(network: BlockNetwork, narrow: BlockNetwork) -> None:
    """Give ``network`` the function of one that has fewer hidden units and is otherwise equal."""
    for name, value in narrow.named_parameters():
        owner = name.rpartition(".")[0]
        layer, before = network.get_submodule(owner), narrow.get_submodule(owner)
        parameter = network.get_parameter(name)
        known = _with_new_inputs(value, before, layer) if name.endswith("weight") else value
        parameter[tuple(slice(0, length) for length in known.shape)] = known


def _with_new_inputs(weight: Tensor, before: nn.Module, layer: nn.Module) -> Tensor:
    """The weights with columns of zeros for inputs that are new."""
    assert isinstance(before, Dense)
    assert isinstance(layer, Dense)
    parts = weight.split(before.inputs, dim=1)
    new = [now - old for now, old in zip(layer.inputs, before.inputs, strict=True)]
    return torch.cat([functional.pad(p, (0, n)) for p, n in zip(parts, new, strict=True)], dim=1)
