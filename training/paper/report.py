"""Plots learning curves at one quality: a run of the paper's networks and other runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lbbic_engine.config import lmbda
from lbbic_engine.measure.rate_distortion import Point
from training.paper.recipe import from_values
from training.shared.run_folder import RunFolder

Curve = list[tuple[float, float]]  # (minutes, R + λD)


def curve_at(run: Path, quality: float) -> Curve:
    """R + λD in the closed loop against the minutes of training, of a run of either kind."""
    points = []
    for seconds, row in RunFolder(run).validations():
        if "cost" in row:  # one of the paper's, where the closed loop was measured
            points.append((seconds / 60, row["cost"]))
        elif f"bpp{quality:g}" in row:
            point = Point(row[f"bpp{quality:g}"], row[f"psnr{quality:g}"])
            points.append((seconds / 60, point.cost(lmbda(quality))))
    return points


def plot_beside(run: Path, others: Sequence[Path], output: Path) -> None:
    """Draw the curves of a run of the paper's networks and of other runs at the same quality."""
    from matplotlib.figure import Figure

    recipe = from_values(RunFolder(run).recipe_values())
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for each in (run, *others):
        points = np.reshape(curve_at(each, recipe.quality), (-1, 2))  # none at a run's beginning
        axes.plot(*points.T, marker="o", markersize=4, label=each.name)
    axes.set(
        xlabel="minutes of training",
        ylabel=f"R + λD, λ = {lmbda(recipe.quality):g}",
        title="Held-out pictures, closed loop, 8-bit",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(output, dpi=150)
