"""What the steps of every kind of training share: randomness, learning rates, averaging."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn


def seeded_random(seed: int, *number: int) -> np.random.Generator:
    """Randomness of a step, torch's noise included, so that a resumed run repeats it."""
    random = np.random.default_rng([seed, *number])
    torch.manual_seed(int(random.integers(2**31)))
    return random


def rate_share(step: int, steps: int, *, warm_up_steps: int, decay_share: float) -> float:
    """Share of the full learning rate at a step: warm-up, plateau, linear decay to 0 at the end."""
    decay = (steps - step) / (decay_share * steps)
    return min(1.0, (step + 1) / warm_up_steps, decay)


def make_optimisers(
    matrices: Sequence[Tensor], others: Sequence[Tensor], matrix_rate: float, rate: float
) -> list[torch.optim.Optimizer]:
    """Muon for hidden matrices (Adam if ``matrix_rate`` is 0), Adam for all other parameters."""
    adam = partial(torch.optim.Adam, lr=rate, betas=(0.9, 0.98))
    muon = partial(
        torch.optim.Muon, lr=matrix_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
    )
    return [muon(matrices) if matrix_rate else adam(matrices), adam(others)]


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, step: int, decay: float) -> None:
    """Move the exponential moving average towards the network's parameters after step ``step``.

    Early on the mean is over fewer steps than ``decay`` asks for.
    """
    share = 1 - min(decay, (step + 1) / (step + 10))
    averages: list[Tensor] = list(average.parameters())
    torch._foreach_lerp_(averages, list(network.parameters()), share)
