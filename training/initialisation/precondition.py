"""Preconditioning of the matrices that read pixels, for training only.

Neighbouring pixels are nearly equal, so the eigenvalues of a context's covariance differ by five
orders of magnitude, and an optimiser's step is either far too long for the mean brightness or far
too short for detail. The matrices W that read contexts are therefore trained as V in W = V·S, where
S is a power of the contexts' covariance. The network is the same; W is what is saved and exported.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lbbic_engine.layout import wavefront
from lbbic_engine.networks.float_network import BlockNetwork

POWER = -0.25
FLOOR = 1e-2  # of the covariance's eigenvalues, where noise takes over


class Precondition(nn.Module):
    """W = [V₁·S | V₂], S over the first columns."""

    mixer: Tensor
    inverse: Tensor

    def __init__(self, mixer: Tensor) -> None:
        super().__init__()
        self.register_buffer("mixer", mixer)
        self.register_buffer("inverse", torch.linalg.inv(mixer.double()).float())

    def forward(self, values: Tensor) -> Tensor:
        return _mix(values, self.mixer)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return _mix(weight, self.inverse)


def _mix(values: Tensor, mixer: Tensor) -> Tensor:
    count = len(mixer)
    return torch.cat([values[:, :count] @ mixer, values[:, count:]], dim=1)


def context_mixer(x: Tensor, grid: tuple[int, int]) -> Tensor:
    """S for contexts of blocks x (C, rows·columns, 3B²)."""
    around = torch.from_numpy(wavefront.neighbours(wavefront.Grid(*grid)))
    inside = (around < grid[0] * grid[1]).all(dim=1)
    context = x[:, around[inside]].flatten(0, 1).flatten(1).double()
    values, vectors = torch.linalg.eigh(context.T @ context / len(context))
    gains = (values.clamp(min=0) + FLOOR) ** POWER
    return ((vectors * gains) @ vectors.T).float()


def apply(network: BlockNetwork, mixer: Tensor) -> None:
    """Train the matrices that read contexts in the mixer's coordinates."""
    parametrize.register_parametrization(network, "prediction", Precondition(mixer))
    parametrize.register_parametrization(network.context_1, "weight", Precondition(mixer))


@torch.no_grad()
def plain_copy(network: BlockNetwork) -> BlockNetwork:
    """The same network with plain weights."""
    twin = BlockNetwork(network.config).requires_grad_(False).to(network.log_step.device)
    refresh_plain(twin, network)
    return twin


@torch.no_grad()
def refresh_plain(twin: BlockNetwork, network: BlockNetwork) -> None:
    """Brings a plain copy up to date."""
    for name, value in itertools.chain(twin.named_parameters(), twin.named_buffers()):
        owner, _, attribute = name.rpartition(".")
        value.copy_(getattr(network.get_submodule(owner), attribute))
