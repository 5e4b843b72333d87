"""Learning curves at one quality: a run of the paper's networks beside other runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lbbic_engine.config import lmbda
from training.paper.recipe import is_paper_recipe
from training.paper.run import read_run
from training.shared.run_log import read_rows

Curve = list[tuple[float, float]]  # (minutes, R + λD)


def curve_at(run: Path, quality: float) -> Curve:
    """R + λD in the closed loop against the minutes of training, of a run of either kind."""
    values = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    paper = is_paper_recipe(values)
    clock = [(0.0, 0.0)]
    for row in read_rows(run / "log.csv"):
        clock.append((row["step"], clock[-1][1] + row["seconds"]))
    found = []
    for row in read_rows(run / "validation.csv"):
        cost = row.get("cost") if paper else _cost(row, quality)
        if cost is not None:
            seconds = max(s for step, s in clock if step <= row["step"])
            found.append((seconds / 60, cost))
    return found


def _cost(row: dict[str, float], quality: float) -> float:
    return row[f"bpp{quality:g}"] + lmbda(quality) * 10 ** (-row[f"psnr{quality:g}"] / 10)


def plot_beside(run: Path, others: Sequence[Path], output: Path) -> None:
    """Draws the curve of a paper's run, and those of others at the same quality."""
    from matplotlib.figure import Figure

    recipe = read_run(run)
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
