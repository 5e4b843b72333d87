"""Initialises the network in closed form, as a linear codec.

A least-squares predictor, the principal components of its residual as latents, and their deviations
as scales. Training starts from here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lbbic_engine.layout import wavefront
from lbbic_engine.networks.float_network import PIXEL_UNIT, BlockNetwork

# Deviation of the noise added to contexts, in 8-bit steps, since decoded contexts are noisy.
CONTEXT_NOISE = 4.0
RIDGE = 1e-4


@dataclass(frozen=True)
class LinearCodec:
    """x ≈ prediction · context + basisᵀ · latents; ``deviation`` is that of each latent."""

    prediction: Tensor  # (3B², 4·3B²)
    basis: Tensor  # (latents, 3B²), orthonormal rows
    deviation: Tensor  # (latents,)


@torch.no_grad()
def fit_linear(x: Tensor, grid: tuple[int, int], latents: int, noise: float) -> LinearCodec:
    """The linear codec of blocks x (C, rows·columns, 3B²), contexts with noise of that strength."""
    around = torch.from_numpy(wavefront.neighbours(wavefront.Grid(*grid)))
    inside = (around < grid[0] * grid[1]).all(dim=1)
    noisy = x.double() + torch.randn_like(x, dtype=torch.double) * noise
    context = noisy[:, around[inside]].flatten(0, 1).flatten(1)
    target = x[:, inside].double().flatten(0, 1)
    gram = context.T @ context / len(target)
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.double)
    prediction = torch.linalg.solve(gram, context.T @ target / len(target)).T
    residual = target - context @ prediction.T
    energy, components = torch.linalg.eigh(residual.T @ residual / len(residual))
    strongest = energy.argsort(descending=True)[:latents]
    return LinearCodec(prediction, components[:, strongest].T, energy[strongest].sqrt())


@torch.no_grad()
def fit(network: BlockNetwork, x: Tensor, grid: tuple[int, int]) -> None:
    """Set the linear path and the scales' biases from blocks x (C, rows·columns, 3B²)."""
    config = network.config
    linear = fit_linear(x, grid, config.latents, CONTEXT_NOISE / PIXEL_UNIT)
    network.prediction.copy_(linear.prediction)
    network.analysis_linear.copy_(linear.basis)
    network.synthesis_linear.copy_(linear.basis.T)
    slope = math.log(config.max_scale / config.min_scale) / (config.scale_levels - 1)
    deviation = linear.deviation.split(config.latent_slices)
    log_step = network.log_step.double().split(config.latent_slices, dim=1)
    for layer, spread, log in zip(network.slice_parameters, deviation, log_step, strict=True):
        # A logistic distribution of scale s has the standard deviation π s / √3.
        scale = spread * math.sqrt(3) / math.pi
        level = (torch.log(scale) - log - math.log(config.min_scale)) / slope
        layer.bias[:, : len(spread)] = level.clamp(0, config.scale_levels - 1).float()
        # A unit of these outputs is a level: give them the reach of one.
        layer.log_gain[:, : len(spread)] = math.log(4.0)
