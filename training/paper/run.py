"""A run of the paper's networks, by either method."""

from __future__ import annotations

from pathlib import Path

from training.paper.acl import train_acl
from training.paper.on_policy import train_on_policy
from training.paper.recipe import from_values
from training.paper.trainer import PaperTrainer
from training.shared.run_folder import RunFolder


def train(run: Path, data: Path, *, device: str = "cpu") -> None:
    """Train until the end of a run, from its checkpoint if there is one."""
    folder = RunFolder(run)
    recipe = from_values(folder.recipe_values())
    trainer = PaperTrainer(recipe, folder, data, device)
    (train_acl if recipe.method == "acl" else train_on_policy)(trainer)
    trainer.bar.close()
