"""Weights of seven bits, rounded so that a layer's outputs hardly change.

Rounding every weight for itself ignores that inputs move together: in a context all pixels do,
and the errors of 768 weights add up. So the weights of a row are rounded one after another, and
each error is made good by the weights still to come, as well as the inputs' second moments allow
(Frantar et al. 2023, "GPTQ"; the update is the optimal brain surgeon's of Hassibi & Stork 1992).
It costs a decoder nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lbbic_engine.kernels import WEIGHT_HIGH
from lbbic_engine.model import BlockNetwork, Dense, rate_weights
from training import closed_loop
from training.quantise import decoder_layers

DAMPING = 0.01  # of the mean second moment, for what few pictures cannot show

Moments = Mapping[Dense, Tensor]


@torch.no_grad()
def input_moments(
    network: BlockNetwork, x: Tensor, qualities: list[float], grid: tuple[int, int]
) -> Moments:
    """Sums of a·aᵀ over the inputs a of every decoder layer, in integer steps, float32.

    Taken from the closed loop on blocks x (C, rows·columns, 3B²) with a calibrated network.
    """
    layers = decoder_layers(network)
    moments = {layer: torch.zeros(2 * [layer.weight.shape[1]], device=x.device) for layer in layers}

    def watch(layer: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, Dense)
        values = torch.cat([value.flatten(0, 1) for value in inputs], dim=1) / layer.input_step
        moments[layer].addmm_(values.T, values)

    hooks = [layer.register_forward_pre_hook(watch) for layer in layers]
    closed_loop.run(network, x, rate_weights(qualities).to(x.device), grid)
    for hook in hooks:
        hook.remove()
    return moments


def round_weights(weight: Tensor, moment: Tensor) -> Tensor:
    """Integers -63…63 near weights (outputs, inputs) given in integer steps, float64."""
    # Inputs that matter most come first, while there are others left to make their errors good.
    order = moment.diagonal().argsort(descending=True)
    damped = moment[order][:, order].double()
    damped.diagonal().add_(DAMPING * damped.diagonal().mean().clamp(min=1e-12))
    # Row i of this factor says how weights after i make good an error of weight i.
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    spread = torch.linalg.cholesky(inverse, upper=True)
    left = weight[:, order].double()
    rounded = torch.empty_like(left)
    for i, row in enumerate(spread):
        rounded[:, order[i]] = left[:, i].round().clamp(-WEIGHT_HIGH, WEIGHT_HIGH)
        error = (left[:, i] - rounded[:, order[i]]) / row[i]
        left[:, i:] -= error[:, None] * row[i:]
    return rounded
