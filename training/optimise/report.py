"""Reports on runs: a plot of the learning curve, and the speed of training steps."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean

import numpy as np
import torch

from lbbic_engine.config import LAMBDAS
from lbbic_engine.measure.rate_distortion import Point
from lbbic_engine.networks.float_network import BlockNetwork, to_unit
from training.initialisation import closed_form, precondition
from training.optimise.contexts import OnPolicy, draw_blocks
from training.optimise.train import Trainer
from training.shared.recipe import Recipe
from training.shared.run_folder import RunFolder

PASSES = 4  # closed loop, forward, and the two products of backward


def learning_curve(run: Path) -> list[tuple[float, float]]:
    """(hours, geometric mean of R + λD over the eight rate points) at every validation."""
    curve = []
    for seconds, row in RunFolder(run).validations():
        costs = [
            Point(row[f"bpp{quality}"], row[f"psnr{quality}"]).cost(lmbda)
            for quality, lmbda in enumerate(LAMBDAS, 1)
        ]
        curve.append((seconds / 3600, geometric_mean(costs)))
    return curve


def plot_run(run: Path, output: Path) -> None:
    """Draw the learning curve of a run."""
    from matplotlib.figure import Figure

    hours, costs = np.reshape(learning_curve(run), (-1, 2)).T  # none at a run's beginning
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(hours, costs, marker="o")
    axes.set(
        xlabel="hours",
        ylabel="R + λD, geometric mean of the eight rate points",
        title="Held-out pictures, closed loop, 8-bit",
    )
    axes.grid(alpha=0.3)
    figure.savefig(output, dpi=150)


@dataclass(frozen=True)
class Throughput:
    """Speed of training steps; products in multiply-accumulates."""

    steps_per_second: float
    blocks_per_second: float
    products_per_second: float
    machine_products_per_second: float

    def __str__(self) -> str:
        share = self.products_per_second / self.machine_products_per_second
        return (
            f"{self.steps_per_second:.2f} steps/s, {self.blocks_per_second:.0f} blocks/s; "
            f"{self.products_per_second / 1e9:.0f} of {self.machine_products_per_second / 1e9:.0f} "
            f"GMAC/s that bfloat16 products of these sizes reach here ({100 * share:.0f} %)"
        )


def measure_throughput(recipe: Recipe, device: str, rounds: int = 3) -> Throughput:
    """Time real training steps on noise, and the machine's bfloat16 products for comparison."""
    side = recipe.crop_blocks * recipe.model.block_size
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    pictures = [torch.from_numpy(noise)]
    grid = (recipe.crop_blocks, recipe.crop_blocks)
    network = BlockNetwork(recipe.model)
    x = to_unit(draw_blocks(recipe, pictures, 4, np.random.default_rng(0)))
    closed_form.fit(network, x, grid)
    trainer = Trainer(recipe, network, precondition.context_mixer(x, grid), device)
    source = OnPolicy(recipe, trainer.network, pictures, device)
    seconds, steps = math.inf, 0
    for _ in range(rounds):
        start = time.perf_counter()
        steps = 0
        for batch in source.batches(trainer.step):
            losses = trainer.losses(*batch.values, grid=grid)
            trainer.update(losses.total)
            steps += 1
        losses.total.item()
        seconds = min(seconds, time.perf_counter() - start)
    blocks = steps * recipe.crops * recipe.crop_blocks**2
    products = PASSES * sum(
        value.numel()
        for name, value in precondition.plain_copy(network).named_parameters()
        if "bias" not in name and "log_" not in name
    )
    return Throughput(
        steps / seconds,
        blocks / seconds,
        products * blocks / seconds,
        _product_rate(recipe, device),
    )


def _product_rate(recipe: Recipe, device: str) -> float:
    rows = recipe.crops * recipe.crop_blocks**2
    hidden = recipe.model.hidden
    values = torch.randn(rows, hidden, device=device).bfloat16()
    weight = torch.randn(hidden, hidden, device=device).bfloat16()
    best = math.inf
    for _ in range(8):
        start = time.perf_counter()
        torch.nn.functional.linear(values, weight).sum().item()
        best = min(best, time.perf_counter() - start)
    return rows * hidden**2 / best
