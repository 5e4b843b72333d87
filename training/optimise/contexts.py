"""Two sources of batches for training, which differ in their contexts.

``OnPolicy`` is exact: fresh crops are coded in wavefront order without gradients, so that contexts
are those of a decoder. One run of the loop serves a few steps.

``Asymptotic`` is ACL training (Kamisli 2024). Contexts are the reconstructions from the last step
with the same crop, initially the crop itself. Closed and open loop agree once the networks
converge. It is cheap, but with many crops contexts become stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.config import MAX_QUALITY, MIN_QUALITY, QUALITY_STEPS, spread_lmbda
from lbbic_engine.networks.float_network import (
    PIXEL_OFFSET,
    PIXEL_UNIT,
    BlockNetwork,
    rate_weights,
    to_unit,
)
from training.initialisation.precondition import plain_copy, refresh_plain
from training.shared import dataset, processes
from training.shared.recipe import Recipe
from training.shared.run_folder import replacing
from training.shared.steps import seeded_random
from training.simulation import closed_loop

BUFFER = "reconstructions.npy"
LMBDA_SPREAD = 1.15  # widens the range of rates


@dataclass(frozen=True)
class Batch:
    """C crops of n blocks for a training step, this process's share of all (``processes``)."""

    x: Tensor  # (C, n, 3B²), bfloat16
    x_hat: Tensor  # (C, n, 3B²), bfloat16: reconstructions for the contexts
    rate: Tensor  # (C, 8)
    lmbdas: Tensor  # (C,)
    noise: Tensor  # (C, n, latents), -0.5…0.5
    crops: NDArray[np.int64]  # numbers of the crops, if they are fixed

    @property
    def values(self) -> tuple[Tensor, ...]:
        """What ``open_loop.Step`` takes."""
        return self.x, self.x_hat, self.rate, self.lmbdas, self.noise


class Source(Protocol):
    def batches(self, step: int) -> Iterator[Batch]:
        """Batches for the next few steps; they depend on the seed, the step and the networks."""

    def keep(self, batch: Batch, x_hat: Tensor) -> None:
        """Store the reconstructions made by a step."""

    def save(self, run: Path) -> None: ...

    def restore(self, run: Path) -> None: ...


def make_source(
    recipe: Recipe, network: BlockNetwork, pictures: Sequence[Tensor], device: str
) -> Source:
    """Return the source that the recipe selects.

    ValueError for ACL training by several processes: each would lack the others' reconstructions.
    """
    if recipe.acl_crops:
        if processes.count() > 1:
            raise ValueError("ACL training is done by one process")
        return Asymptotic(recipe, pictures, device)
    return OnPolicy(recipe, network, pictures, device)


class OnPolicy:
    def __init__(
        self,
        recipe: Recipe,
        network: BlockNetwork,
        pictures: Sequence[Tensor],
        device: str,
    ) -> None:
        self._recipe = recipe
        self._network = network
        self._pictures = [picture.to(device) for picture in pictures]
        self._device = device
        self._twin = plain_copy(network)
        for name, value in self._twin.named_parameters():
            if "weight" in name:  # the linear path stays as it is
                value.data = value.data.bfloat16()
        self._captured: closed_loop.Captured | None = None

    def batches(self, step: int) -> Iterator[Batch]:
        recipe = self._recipe
        random = seeded_random(recipe.seed, step)
        crops = recipe.crops * processes.count()  # of a step, of all processes
        count = crops * recipe.rollout_steps
        blocks = to_unit(draw_blocks(recipe, self._pictures, count, random)).bfloat16()
        qualities = draw_qualities(crops, count, random)
        weights = rate_weights(qualities).to(self._device)
        spread = torch.tensor([spread_lmbda(q, LMBDA_SPREAD) for q in qualities]).to(self._device)
        x, rate, lmbdas, noise = (
            torch.cat([processes.share(part) for part in values.split(crops)])
            for values in (blocks, weights, spread, _draw_noise(recipe, blocks))
        )
        x_hat = self._closed_loop(x, rate)
        parts = (values.split(recipe.crops) for values in (x, x_hat, rate, lmbdas, noise))
        numbers = np.arange(len(x)).reshape(-1, recipe.crops)
        yield from map(Batch, *parts, numbers)

    def _closed_loop(self, x: Tensor, rate: Tensor) -> Tensor:
        """x_hat of the current network, with layers in bfloat16."""
        refresh_plain(self._twin, self._network)
        grid = (self._recipe.crop_blocks, self._recipe.crop_blocks)
        if not x.is_cuda:
            return closed_loop.run(self._twin, x, rate, grid).x_hat
        if self._captured is None:
            self._captured = closed_loop.Captured(self._twin, x, rate, grid)
        return self._captured.run(x, rate)

    def keep(self, batch: Batch, x_hat: Tensor) -> None:
        pass

    def save(self, run: Path) -> None:
        pass

    def restore(self, run: Path) -> None:
        pass


class Asymptotic:
    def __init__(self, recipe: Recipe, pictures: Sequence[Tensor], device: str) -> None:
        self._recipe = recipe
        self._device = device
        random = np.random.default_rng(recipe.seed)
        self._x = draw_blocks(recipe, pictures, recipe.acl_crops, random)
        qualities = draw_qualities(recipe.crops, recipe.acl_crops, random)
        self._rate = rate_weights(qualities)
        self._lmbdas = torch.tensor([spread_lmbda(q, LMBDA_SPREAD) for q in qualities])
        self._x_hat = self._x.clone()

    def batches(self, step: int) -> Iterator[Batch]:
        """One batch; a pass covers all crops, each with its fixed quality."""
        steps_per_pass = len(self._x) // self._recipe.crops
        number, place = divmod(step, steps_per_pass)
        order = np.random.default_rng([self._recipe.seed, number]).permutation(len(self._x))
        crops = order[place * self._recipe.crops :][: self._recipe.crops]
        seeded_random(self._recipe.seed, step)
        x, x_hat = (
            to_unit(values[crops].to(self._device)).bfloat16() for values in (self._x, self._x_hat)
        )
        rate, lmbdas = (values[crops].to(self._device) for values in (self._rate, self._lmbdas))
        yield Batch(x, x_hat, rate, lmbdas, _draw_noise(self._recipe, x), crops)

    def keep(self, batch: Batch, x_hat: Tensor) -> None:
        pixels = (x_hat * PIXEL_UNIT + PIXEL_OFFSET).to(torch.uint8)
        self._x_hat[batch.crops] = pixels.cpu()

    def save(self, run: Path) -> None:
        with replacing(run / BUFFER) as file:
            np.save(file, self._x_hat.numpy())

    def restore(self, run: Path) -> None:
        if (run / BUFFER).exists():
            self._x_hat = torch.from_numpy(np.load(run / BUFFER))


def draw_blocks(
    recipe: Recipe, pictures: Sequence[Tensor], count: int, random: np.random.Generator
) -> Tensor:
    """uint8 blocks (count, n, 3B²) of random crops."""
    size = recipe.model.block_size
    side = recipe.crop_blocks * size
    return to_blocks(dataset.draw_crops(pictures, count, side, random, recipe.soft_share), size)


def _draw_noise(recipe: Recipe, x: Tensor) -> Tensor:
    """(C, n, latents), -0.5…0.5, for blocks x (C, n, 3B²)."""
    shape = (*x.shape[:2], recipe.model.latents)
    return torch.rand(shape, device=x.device) - 0.5


def to_blocks(crops: Tensor, block_size: int) -> Tensor:
    """Crops (C, H, W, 3) as blocks (C, rows·columns, 3B²), in the order of ``split_blocks``."""
    cut = crops.unflatten(2, (-1, block_size)).unflatten(1, (-1, block_size))
    return cut.transpose(2, 3).flatten(3).flatten(1, 2)


def draw_qualities(crops: int, count: int, random: np.random.Generator) -> list[float]:
    """Random qualities; each group of ``crops`` covers the whole range evenly."""
    group = min(crops, count)
    part = (np.arange(count) % group + random.random(count)) / group
    chosen = MIN_QUALITY + part * (MAX_QUALITY - MIN_QUALITY)
    return [round(float(q) * QUALITY_STEPS) / QUALITY_STEPS for q in chosen]
