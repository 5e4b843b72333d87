"""The refinement network in floating point, as it is trained.

The network reads a block and a ring of decoded pixels around it, flipped as the block was for
coding, so that blocks decoded earlier are always to the left and above. Units are those of
``lbbic_engine.networks.float_network``.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from lbbic_engine.config import RefinementConfig
from lbbic_engine.networks.float_network import Dense
from lbbic_engine.networks.refinement import MEAN_INPUTS


def input_count(config: RefinementConfig) -> int:
    """How many numbers the network reads for a block."""
    return config.patch_pixels + MEAN_INPUTS


class RefinementNetwork(nn.Module):
    """Predicts what to add to a block from its patch; untrained, it predicts zeros."""

    __call__: Callable[..., Tensor]

    def __init__(self, config: RefinementConfig) -> None:
        super().__init__()
        self.config = config
        self.layer_1 = Dense((input_count(config),), config.hidden)
        self.layer_2 = Dense((config.hidden,), config.hidden)
        self.layer_3 = Dense((config.hidden,), config.pixels, rectified=False)
        nn.init.zeros_(self.layer_3.weight)

    def layers(self) -> tuple[Dense, Dense, Dense]:
        return self.layer_1, self.layer_2, self.layer_3

    def forward(self, inputs: Tensor, rate: Tensor) -> Tensor:
        """Residuals (C, n, 3B²), float32, of inputs (C, n, inputs); ``rate`` is (C, 8)."""
        hidden = self.layer_2(self.layer_1(inputs, rate=rate), rate=rate)
        return self.layer_3(hidden, rate=rate).float()
