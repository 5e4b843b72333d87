"""From a run's checkpoint to a weights file: calibration, export, probability tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from lbbic_engine.networks import weights
from lbbic_engine.networks.float_network import BlockNetwork
from training.export.calibrate import calibrate
from training.export.integer_cost import Comparison, compare
from training.export.integers import analysis_tensors, integer_tensors
from training.export.rounding import Moments, input_moments
from training.export.tables import fitted_counts
from training.initialisation import precondition
from training.optimise.train import (
    VALIDATION_CROPS,
    calibration,
    load_float,
)
from training.shared import dataset
from training.shared.recipe import Recipe, from_values
from training.shared.run_folder import RunFolder, load_state, save_float

TABLE_ROUNDS = 2  # an encoder's choices depend on the tables


def export_run(
    run: Path, data: Path, name: str, folder: Path, float_path: Path | None = None
) -> Path:
    """Write NAME.safetensors of a run's averaged weights to ``folder``."""
    run_folder = RunFolder(run)
    recipe = from_values(run_folder.recipe_values())
    pictures = dataset.load(data, recipe.crop_blocks * recipe.model.block_size)
    network, moments, step = calibrated(run_folder, recipe, pictures)
    if float_path is not None:
        save_float(float_path, network.state_dict(), half=True)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    record = run_folder.record(recipe, step)
    integer, analysis = integer_tensors(network, moments), analysis_tensors(network, moments)
    crops = table_crops(pictures, recipe)
    description = weights.save_weights(path, name, recipe.model, integer, analysis, record)
    for _ in range(TABLE_ROUNDS):
        counts, widths = fitted_counts(weights.load(description, "cpu"), crops)
        integer["table_counts"] = torch.from_numpy(counts)
        integer["table_widths"] = torch.from_numpy(widths)
        description = weights.save_weights(path, name, recipe.model, integer, analysis, record)
    return path


def evaluate_run(run: Path, data: Path) -> Comparison:
    """The float network of a run against its integer twin, on the held-out pictures."""
    run_folder = RunFolder(run)
    recipe = from_values(run_folder.recipe_values())
    side = recipe.crop_blocks * recipe.model.block_size
    pictures = dataset.load(data, side)
    network, moments, _ = calibrated(run_folder, recipe, pictures)
    crops = dataset.centre_crops(pictures.held_out, VALIDATION_CROPS, side, side)
    return compare(network, moments, crops)


def calibrated(
    folder: RunFolder, recipe: Recipe, pictures: dataset.Dataset
) -> tuple[BlockNetwork, Moments, int]:
    """The averaged network of a run, its activations' steps set, its layers' moments, its step.

    A ``start_share`` of its weights are those it started from, if any: the mean of two networks
    with most of their training in common is often better than both (Wortsman et al. 2022, "Model
    soups").
    """
    state = load_state(folder.checkpoint)
    network = BlockNetwork(recipe.model)
    precondition.apply(network, torch.eye(4 * recipe.model.pixels))
    network.load_state_dict(state["average"])
    network = precondition.plain_copy(network)
    if recipe.start_share and folder.start.exists():
        start = BlockNetwork(recipe.model)
        load_float(start, folder.start)
        with torch.no_grad():
            for value, first in zip(network.parameters(), start.parameters(), strict=True):
                value.lerp_(first, recipe.start_share)
    grid = (recipe.crop_blocks, recipe.crop_blocks)
    x, rate = calibration(pictures, recipe)
    calibrate(network, x, rate, grid)
    return network, input_moments(network, x, rate, grid), int(state["step"])


def table_crops(pictures: dataset.Dataset, recipe: Recipe) -> list[dataset.Pixels]:
    """Crops of training pictures on which the probability tables are counted."""
    side = recipe.crop_blocks * recipe.model.block_size
    random = np.random.default_rng(recipe.seed + 1)
    crops = dataset.draw_crops(
        pictures.pictures, recipe.table_crops, side, random, recipe.soft_share
    )
    return list(crops.numpy())
