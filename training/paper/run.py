"""A run of the paper's networks: its folder is made, read, and gone on with."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

from training.paper.acl import train_acl
from training.paper.on_policy import train_on_policy
from training.paper.recipe import PaperRecipe, from_values
from training.paper.trainer import START, PaperTrainer


def start_run(recipe: PaperRecipe, run: Path, start: Path | None = None) -> None:
    """Makes the folder of a new run; FileExistsError if there is one already.

    ``start`` names float weights (``save_float``) to begin with, of this variant.
    """
    run.mkdir(parents=True)
    if start is not None:
        shutil.copy(start, run / START)
    text = json.dumps(dataclasses.asdict(recipe), indent=2)
    (run / "recipe.json").write_text(text + "\n", encoding="utf-8")


def read_run(run: Path) -> PaperRecipe:
    return from_values(json.loads((run / "recipe.json").read_text(encoding="utf-8")))


def train(run: Path, data: Path, *, device: str = "cpu") -> None:
    """Goes on with a run from its checkpoint or its beginning, up to its end."""
    recipe = read_run(run)
    trainer = PaperTrainer(recipe, run, data, device)
    (train_acl if recipe.method == "acl" else train_on_policy)(trainer)
    trainer.bar.close()
