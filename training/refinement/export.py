"""Exports a run's checkpoint as a refinement file: calibrates, rounds and checks bounds.

The formats are those of ``lbbic_engine.networks.refinement``. Layers are converted to integers like
those of the networks that they refine (``training.export.integers``).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lbbic_engine.networks import refinement_files, weights
from lbbic_engine.networks.float_network import PIXEL_UNIT, Dense
from lbbic_engine.networks.refinement import RESIDUAL_BITS
from training.export.calibrate import activation_steps
from training.export.integers import OFFSET, checked_weight, integer_layer
from training.export.rounding import Moments
from training.refinement.network import RefinementNetwork
from training.refinement.train import Batch, Examples, Recipe, from_values, trained
from training.shared.run_folder import RunFolder, save_float

CALIBRATION_BATCHES = 32


def export_run(
    run: Path, crops: Path, name: str, folder: Path, float_path: Path | None = None
) -> Path:
    """Write NAME-refinement.safetensors, for the weights NAME, to ``folder``; return its path.

    The float weights are written to ``float_path``, if given. Raises BoundError if a sum could be
    rounded, UnknownWeightsError if there are no weights NAME.
    """
    run_folder = RunFolder(run)
    recipe = from_values(run_folder.recipe_values())
    network, step = trained(run_folder, recipe)
    if float_path is not None:
        save_float(float_path, dict(network.named_parameters()), half=True)
    moments = calibrate(network, calibration(crops, recipe))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-refinement.safetensors"
    config = dataclasses.replace(recipe.model, weights=weights.by_name(name).id.hex())
    record = run_folder.record(recipe, step)
    refinement_files.save(path, config, integer_tensors(network, moments), record)
    return path


def calibration(crops: Path, recipe: Recipe) -> list[Batch]:
    """Draw the batches of training crops that calibrate the activations."""
    examples = Examples(crops, recipe.model)
    random = np.random.default_rng(recipe.seed)
    return [examples.draw(recipe.crops, recipe.blocks, random) for _ in range(CALIBRATION_BATCHES)]


@torch.no_grad()
def calibrate(network: RefinementNetwork, batches: list[Batch]) -> Moments:
    """Set the steps of the activations; return sums of a·aᵀ over the inputs a of each layer."""
    first, second, third = network.layers()
    first.input_step.fill_(1 / PIXEL_UNIT)
    for layer, reader in ((first, second), (second, third)):
        largest = torch.stack([_inputs(network, reader, batch).amax(dim=0) for batch in batches])
        layer.output_step.copy_(activation_steps(largest.amax(dim=0)))
        reader.input_step.copy_(layer.output_step)
    moments = {}
    for layer in (first, second, third):
        moments[layer] = torch.zeros(2 * [layer.weight.shape[1]])
        for batch in batches:
            values = _inputs(network, layer, batch) / layer.input_step
            moments[layer].addmm_(values.T, values)
    return moments


@torch.no_grad()
def integer_tensors(network: RefinementNetwork, moments: Moments) -> dict[str, Tensor]:
    """Return all tensors of the integer network; BoundError if a sum could be rounded.

    The network must be calibrated.
    """
    tensors: dict[str, Tensor] = {}
    for number, layer in enumerate(network.layers(), 1):
        unit = 1.0 if layer.rectified else float(PIXEL_UNIT * 2**RESIDUAL_BITS)
        offset = torch.full((layer.weight.shape[1],), 0.0 if number == 1 else float(OFFSET))
        name = f"layer_{number}"
        weight, bias, multiplier = integer_layer(name, layer, moments[layer], unit, offset)
        tensors[f"{name}.weight"] = checked_weight(name, weight)
        tensors[f"{name}.bias"], tensors[f"{name}.multiplier"] = bias, multiplier
    return tensors


def _inputs(network: RefinementNetwork, layer: Dense, batch: Batch) -> Tensor:
    """Return what a layer reads in a batch (blocks, inputs)."""
    values = batch.inputs
    for before in network.layers():
        if before is layer:
            break
        values = before(values, rate=batch.rate)
    return values.flatten(0, 1)
