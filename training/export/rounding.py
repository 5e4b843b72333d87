"""Rounds weights, mostly to eight bits, so that a layer's outputs hardly change.

Rounding each weight separately ignores that inputs are correlated: the errors of the 768 weights of
a context's pixels add up. Weights of a row are therefore rounded one after another, and the
remaining weights compensate for each error as well as the inputs' second moments allow (Frantar et
al. 2023, "GPTQ"; the update is that of the optimal brain surgeon, Hassibi & Stork 1992). This costs
decoders nothing.

Neighbouring weights of the same sign stay within ``kernels.PAIR_BOUND``. Clipping a weight costs
far more than rounding it, so the unit of a row is large enough that hardly any is clipped
(``row_units``).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lbbic_engine.networks.float_network import BlockNetwork, Dense
from lbbic_engine.networks.kernels import PAIR_BOUND, WEIGHT_BOUND
from training.export.calibrate import dense_layers
from training.simulation import closed_loop

DAMPING = 0.01  # of the mean second moment, because few pictures show the true moments
ROW_DAMPING = 0.001  # the same in ``round_rows``: 0.01 costs the paper's networks 0.8 % more
_BLOCK = 128  # inputs whose errors are passed to the rest together, for speed

Moments = Mapping[Dense, Tensor]


@torch.no_grad()
def input_moments(network: BlockNetwork, x: Tensor, rate: Tensor, grid: tuple[int, int]) -> Moments:
    """Sums of a·aᵀ over the inputs a of every layer, in integer steps, float32.

    Taken from the closed loop on blocks x (C, rows·columns, 3B²) with a calibrated network.
    """
    layers = dense_layers(network)
    moments = {layer: torch.zeros(2 * [layer.weight.shape[1]], device=x.device) for layer in layers}

    def watch(layer: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, Dense)
        values = torch.cat([value.flatten(0, 1) for value in inputs], dim=1) / layer.input_step
        moments[layer].addmm_(values.T, values)

    hooks = [layer.register_forward_pre_hook(watch) for layer in layers]
    closed_loop.run(network, x, rate, grid)
    for hook in hooks:
        hook.remove()
    return moments


def row_units(weight: Tensor, bound: float) -> Tensor:
    """The smallest units (outputs,) in which weights (outputs, inputs) are within the bounds.

    The bound on pairs is reduced by one, because rounding may add to their sum.
    """
    first, second = weight.unflatten(1, (-1, 2)).unbind(2)
    pair = (first + second).abs().where(first * second > 0, 0).amax(dim=1)
    return torch.maximum(weight.abs().amax(dim=1) / bound, pair / (PAIR_BOUND - 1))


def round_weights(
    weight: Tensor,
    moment: Tensor,
    low: int = -WEIGHT_BOUND,
    high: int = WEIGHT_BOUND,
    damping: float = DAMPING,
    pair_bound: int = PAIR_BOUND,
) -> Tensor:
    """Integers ``low``…``high`` near weights (outputs, inputs) given in integer steps, float64.

    The number of inputs is even. Inputs with the largest moments are rounded first, so that the
    others can compensate for their errors.
    """
    damped = moment.double().clone()
    damped.diagonal().add_(damping * damped.diagonal().mean().clamp(min=1e-12))
    order = damped.diagonal().argsort(descending=True, stable=True)
    place = order.argsort()
    damped = damped[order][:, order]
    # Row i of this factor tells how weights after i compensate for an error of weight i.
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    spread = torch.linalg.cholesky(inverse, upper=True)
    left = weight.double().t()[order]  # (inputs, outputs)
    rounded = torch.zeros_like(left)
    for first in range(0, len(spread), _BLOCK):
        block = slice(first, first + _BLOCK)
        errors = torch.empty_like(left[block])
        for i, row in enumerate(spread[block], start=first):
            other = rounded[place[order[i] ^ 1]]  # its neighbour; zero if not rounded yet
            least = (-pair_bound - other.clamp(max=0)).clamp(min=low)
            most = (pair_bound - other.clamp(min=0)).clamp(max=high)
            rounded[i] = left[i].round().clamp(least, most)
            errors[i - first] = (left[i] - rounded[i]) / row[i]
            left[i : block.stop] -= row[i : block.stop, None] * errors[i - first]
        left[block.stop :] -= spread[block, block.stop :].T @ errors
    in_order = torch.empty_like(rounded)
    in_order[order] = rounded
    return in_order.t()


def round_rows(
    weight: Tensor,
    moment: Tensor,
    units: Tensor,
    low: int = -WEIGHT_BOUND,
    high: int = WEIGHT_BOUND,
) -> tuple[Tensor, Tensor]:
    """Integers near weights (outputs, inputs), and each row's unit: of those in ``units``
    (choices, outputs) the one whose integers change the row's outputs least; float64.
    """
    moment = moment.double()
    scaled = weight.double() / units[..., None]
    flat = round_weights(scaled.flatten(0, 1), moment, low, high, ROW_DAMPING)
    rounded = flat.reshape(scaled.shape)
    errors = (rounded - scaled) * units[..., None]
    best = ((errors @ moment) * errors).sum(dim=2).argmin(dim=0)
    rows = torch.arange(len(best))
    return rounded[best, rows], units[best, rows]
