"""Rate-distortion optimised quantisation (RDOQ) in floating point, as training needs it.

``latents.LatentWriter`` takes the cost of a symbol from the tables; this module takes it from the
logistic distribution that they start from.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lbbic_engine.coding.latents import RDOQ_DISTORTION
from lbbic_engine.config import LAMBDAS
from lbbic_engine.networks.float_network import PIXEL_UNIT
from training.shared.losses import bits


def distortion_bits(steps: Tensor, rate: Tensor) -> Tensor:
    """Bits of a block that an error of one quantisation step is worth, squared; as ``steps``.

    ``steps`` (C, 1, latents) in the networks' unit, ``rate`` as ``rate_weights`` gives it.
    """
    # λ is geometric between the rate points.
    parts = torch.stack([rate[:, i] * math.log(value) for i, value in enumerate(LAMBDAS)])
    weight = parts.sum(0).exp() * (RDOQ_DISTORTION / (3 * 255**2))
    return weight[:, None, None] * (PIXEL_UNIT * steps).square()


@torch.no_grad()
def choose_symbols(values: Tensor, scales: Tensor, worth: Tensor) -> Tensor:
    """The nearest symbol or the next towards zero, whichever costs less in R + λD.

    ``values`` and ``scales`` in quantisation steps; ``worth`` is what ``distortion_bits`` gives.
    """
    nearest = values.round()
    sign = nearest.sign()
    saved = bits(nearest, scales) - bits(nearest - sign, scales)
    worse = (1 + 2 * sign * (values - nearest)) * worth
    return nearest - sign * (saved > worse)
