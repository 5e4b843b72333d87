"""The refinement: a residual to add to each block once its surroundings are decoded.

Blocks are predicted from unrefined ones. The refinement is therefore not part of the coding loop,
and all blocks of a picture are refined in one pass. It is exact, with the layers and formats of
``integer_network``:

    inputs    int8    a patch, that is the block and a ring of pixels around it: each pixel minus
                      the mean of the block's colour, clipped; then these means minus 128
    hidden    int8    two rectified layers
    residual  int16   eighths of an 8-bit step

A patch is flipped as its block was for coding, so that blocks decoded earlier are always to the
left and above.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lbbic_engine.config import RefinementConfig
from lbbic_engine.networks.block_model import Quality
from lbbic_engine.networks.integer_network import LayersByQuality, rounded

MEAN_INPUTS = 8  # three means and five zeros: products on GPUs need multiples of eight
RESIDUAL_BITS = 3  # fraction bits of the residual, in 8-bit steps
RESIDUAL_BOUND = 255 << RESIDUAL_BITS


class Refinement:
    """The network on one device; immutable."""

    def __init__(
        self, config: RefinementConfig, tensors: dict[str, Tensor], kernel: str, device: str
    ) -> None:
        self.config = config
        self.device = device
        on_device = {name: value.to(device) for name, value in tensors.items()}
        self._layers = LayersByQuality(on_device, kernel)

    @torch.inference_mode()
    def residuals(self, patches: Tensor, index: Quality) -> Tensor:
        """int16 (n, 3B²) at their quality, for patches (n, side, side, 3), uint8."""
        layers = self._layers.at(index)
        inputs = patch_inputs(patches.to(self.device), self.config)
        hidden = layers.activation("layer_2", layers.activation("layer_1", inputs))
        residuals = rounded(layers.accumulate("layer_3", hidden), layers.multiplier["layer_3"])
        return residuals.clamp_(-RESIDUAL_BOUND, RESIDUAL_BOUND).to(torch.int16)


def patch_inputs(patches: Tensor, config: RefinementConfig) -> Tensor:
    """int8 inputs (n, 3·side² + MEAN_INPUTS) of patches (n, side, side, 3), uint8."""
    count, side, ring = config.block_size**2, config.side, config.ring
    values = patches.to(torch.int16)
    inner = values[:, ring:-ring, ring:-ring]
    sums = inner.sum(dim=1, dtype=torch.int16).sum(dim=1, dtype=torch.int32)
    means = ((sums + count // 2) // count).to(torch.int16)
    inputs = torch.zeros(
        (len(values), config.patch_pixels + MEAN_INPUTS), dtype=torch.int8, device=values.device
    )
    differences = values.flatten(2).sub_(means.repeat(1, side)[:, None]).clamp_(-128, 127)
    inputs[:, : config.patch_pixels] = differences.flatten(1)
    inputs[:, config.patch_pixels : config.patch_pixels + 3] = means - 128
    return inputs
