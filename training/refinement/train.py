"""Trains the refinement: plain regression on pictures that the codec has decoded.

The contents of a run's folder are described in ``shared.run_folder``.

Squared errors are divided by those of their crop as decoded, so that the loss measures relative
improvement, like decibels. Otherwise smooth pictures, whose errors are small, would hardly count.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.utils import parametrize
from tqdm import tqdm

from lbbic_engine.coding.refine import STRENGTHS
from lbbic_engine.config import MIN_QUALITY, QUALITY_STEPS, RefinementConfig
from lbbic_engine.layout.wavefront import Grid, block_flips, flip_blocks
from lbbic_engine.networks.float_network import PIXEL_UNIT, rate_weights
from lbbic_engine.networks.refinement import patch_inputs
from training.initialisation.precondition import FLOOR, POWER, Precondition
from training.refinement.decoded import Crop, read_crops
from training.refinement.network import RefinementNetwork, input_count
from training.shared.recipe import read_values
from training.shared.run_folder import RunFolder, load_state
from training.shared.steps import make_optimisers

LOG_EVERY = 100
MIN_ERROR = 1.0  # of a crop, mean square in 8-bit steps: below that, it is mostly rounding
VALIDATION_BLOCKS = 1024  # of a crop
MIXER_BATCHES = 8


@dataclass(frozen=True)
class Recipe:
    """The settings of a run; learning rates fall linearly to zero."""

    model: RefinementConfig = field(default_factory=RefinementConfig)
    steps: int = 10000
    crops: int = 64
    blocks: int = 64  # of each crop
    learning_rate: float = 5e-4
    matrix_learning_rate: float = 2e-3
    warm_up_steps: int = 200
    seed: int = 1
    validate_every: int = 1000
    save_every_s: float = 120.0


@dataclass(frozen=True)
class Batch:
    """n blocks of each of C crops, float32, in units of ``PIXEL_UNIT`` 8-bit steps."""

    inputs: Tensor  # (C, n, inputs)
    targets: Tensor  # (C, n, 3B²), the original less the decoded block
    rate: Tensor  # (C, 8), from ``rate_weights``
    weights: Tensor  # (C,), one over the crops' mean squared errors


class Example:
    """A crop whose blocks are flipped as they were coded (``wavefront.block_flips``)."""

    def __init__(self, crop: Crop, config: RefinementConfig) -> None:
        size, ring = config.block_size, config.ring
        rows, columns = crop.bits.shape
        self._config = config
        self._flips = _flips(Grid(rows, columns, from_middle=True))
        self._columns = columns
        original, decoded = crop.original.numpy(), crop.decoded.numpy()
        # Beyond the crop, its outermost pixels are repeated.
        padded = np.pad(decoded, ((ring, ring), (ring, ring), (0, 0)), mode="edge")
        self._patches = _windows(padded, config.side, size)
        self._originals = _windows(original, size, size)
        self.count = rows * columns
        self.quality = crop.quality
        self.error = float(np.square(original.astype(np.float32) - decoded).mean())

    def cut(self, blocks: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return patches (n, side, side, 3), uint8, and missing residuals (n, 3B²), int16.

        ``blocks`` are raster indexes (n,).
        """
        config, ring = self._config, self._config.ring
        count, place = len(blocks), np.divmod(blocks, self._columns)
        patches = self._patches[place].reshape(count, config.patch_pixels)
        originals = self._originals[place].reshape(count, config.pixels)
        flip_blocks(patches, self._flips[blocks], config.side)
        flip_blocks(originals, self._flips[blocks], config.block_size)
        square = patches.reshape(count, config.side, config.side, 3)
        inner = square[:, ring:-ring, ring:-ring].reshape(count, config.pixels)
        missing = np.subtract(originals, inner, dtype=np.int16)
        return torch.from_numpy(square), torch.from_numpy(missing)


class Examples:
    """The crops of a folder, from which batches are drawn; ValueError if there are none."""

    def __init__(self, folder: Path, config: RefinementConfig) -> None:
        self.crops = [Example(crop, config) for crop in read_crops(folder)]
        if not self.crops:
            raise ValueError(f"there are no decoded crops in {folder}")
        self._config = config

    def draw(self, crops: int, blocks: int, random: np.random.Generator) -> Batch:
        chosen = [self.crops[i] for i in random.integers(len(self.crops), size=crops)]
        return self.batch(chosen, [random.integers(crop.count, size=blocks) for crop in chosen])

    def batch(self, crops: Sequence[Example], blocks: Sequence[NDArray[np.int64]]) -> Batch:
        """Return a batch of blocks, given as raster indexes (n,) in each of the crops."""
        parts = [crop.cut(which) for crop, which in zip(crops, blocks, strict=True)]
        inputs = patch_inputs(torch.cat([patches for patches, _ in parts]), self._config)
        targets = torch.stack([missing for _, missing in parts]).float() / PIXEL_UNIT
        qualities = [MIN_QUALITY + crop.quality / QUALITY_STEPS for crop in crops]
        weights = torch.tensor([1 / max(crop.error, MIN_ERROR) for crop in crops])
        return Batch(
            inputs.view(len(parts), -1, inputs.shape[1]).float() / PIXEL_UNIT,
            targets,
            rate_weights(qualities),
            weights,
        )


class Trainer:
    """The state of a run: network, optimisers and step.

    ``mixer`` (inputs, inputs) is from ``input_mixer``; ``start`` is a file of float weights.
    """

    def __init__(self, recipe: Recipe, mixer: Tensor, start: Path | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.network = RefinementNetwork(recipe.model)
        if start is not None:
            load_float(self.network, start)
        parametrize.register_parametrization(self.network.layer_1, "weight", Precondition(mixer))
        self.step = 0
        hidden = [*self.network.layer_1.parameters(), *self.network.layer_2.parameters()]
        matrices = [v for v in hidden if v.shape[0] == recipe.model.hidden]
        others = [v for v in self.network.parameters() if all(v is not m for m in matrices)]
        self.optimisers = make_optimisers(
            matrices, others, recipe.matrix_learning_rate, recipe.learning_rate
        )
        self.base_rates = [o.param_groups[0]["lr"] for o in self.optimisers]

    def update(self, batch: Batch) -> float:
        """Make one step; return the squared error relative to that of the decoded blocks."""
        share = min((self.step + 1) / self.recipe.warm_up_steps, 1 - self.step / self.recipe.steps)
        for optimiser, base in zip(self.optimisers, self.base_rates, strict=True):
            optimiser.param_groups[0]["lr"] = base * share
            optimiser.zero_grad()
        residuals = self.network(batch.inputs.bfloat16(), batch.rate)
        errors = (batch.targets - residuals).square().mean(dim=(1, 2)) * PIXEL_UNIT**2
        loss = (errors * batch.weights).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        before = batch.targets.square().mean(dim=(1, 2)) * PIXEL_UNIT**2
        return loss.item() / float((before * batch.weights).mean())

    def state(self) -> dict[str, object]:
        optimisers = [o.state_dict() for o in self.optimisers]
        return {"step": self.step, "network": self.network.state_dict(), "optimisers": optimisers}

    def restore(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        for optimiser, values in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(values)


def train(
    run: Path, recipe: Recipe, crops: Path, held_out: Path, start: Path | None = None
) -> None:
    """Continue a run up to its end, or start it, from float weights if ``start`` is given."""
    run.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(run)
    folder.write_recipe(recipe)
    examples = Examples(crops, recipe.model)
    validation = Examples(held_out, recipe.model)
    trainer = Trainer(recipe, input_mixer(examples, recipe), start)
    if (state := folder.load("cpu")) is not None:
        trainer.restore(state)
    logged = saved = time.monotonic()
    losses: list[float] = []
    for step in tqdm(range(trainer.step, recipe.steps), unit="step", mininterval=5):
        random = np.random.default_rng([recipe.seed, step])
        losses.append(trainer.update(examples.draw(recipe.crops, recipe.blocks, random)))
        now, last = time.monotonic(), trainer.step == recipe.steps
        if trainer.step % LOG_EVERY == 0 or last:
            row = {
                "step": trainer.step,
                "loss": round(float(np.mean(losses)), 5),
                "dead": dead_units(trainer.network, examples, recipe),
                "seconds": round(now - logged, 2),
            }
            folder.log(row)
            logged = now
            losses.clear()
        if trainer.step % recipe.validate_every == 0 or last:
            figures = validate(trainer.network, validation)
            folder.log_validation({"step": trainer.step, **figures})
            tqdm.write(f"step {trainer.step}: {figures}")
        if now - saved > recipe.save_every_s or last:
            folder.save(trainer.state())
            saved = now


def save_float(network: RefinementNetwork, path: Path) -> None:
    """Save the plain weights, from which further training can start, in half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().half().contiguous() for k, v in network.named_parameters()}, path)


@torch.no_grad()
def load_float(network: RefinementNetwork, path: Path) -> None:
    """Load weights saved by ``save_float``."""
    values = load_file(path)
    for name, parameter in network.named_parameters():
        parameter.copy_(values[name])


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; unknown names raise TypeError."""
    return from_values(read_values(path))


def from_values(values: Mapping[str, Any]) -> Recipe:
    """Return a recipe from nested dictionaries, as read from TOML or JSON."""
    return Recipe(**{**values, "model": RefinementConfig(**values.get("model", {}))})


def trained(folder: RunFolder, recipe: Recipe) -> tuple[RefinementNetwork, int]:
    """Return the network of a run, with plain weights, and its step."""
    trainer = Trainer(recipe, torch.eye(input_count(recipe.model)))
    trainer.restore(load_state(folder.checkpoint))
    parametrize.remove_parametrizations(trainer.network.layer_1, "weight")
    return trainer.network, trainer.step


@torch.no_grad()
def input_mixer(examples: Examples, recipe: Recipe) -> Tensor:
    """Return the matrix (inputs, inputs) by which the first layer is preconditioned.

    See ``initialisation.precondition``.
    """
    random = np.random.default_rng(recipe.seed)
    inputs = torch.cat(
        [
            examples.draw(recipe.crops, recipe.blocks, random).inputs.flatten(0, 1)
            for _ in range(MIXER_BATCHES)
        ]
    ).double()
    values, vectors = torch.linalg.eigh(inputs.T @ inputs / len(inputs))
    gains = (values.clamp(min=0) + FLOOR) ** POWER
    return ((vectors * gains) @ vectors.T).float()


@torch.no_grad()
def dead_units(network: RefinementNetwork, examples: Examples, recipe: Recipe) -> int:
    """Count the hidden units that are zero for every block of a batch."""
    batch = examples.draw(recipe.crops, recipe.blocks, np.random.default_rng(0))
    first = network.layer_1(batch.inputs, rate=batch.rate)
    second = network.layer_2(first, rate=batch.rate)
    return sum(int((values.amax(dim=(0, 1)) <= 0).sum()) for values in (first, second))


@torch.no_grad()
def validate(network: RefinementNetwork, examples: Examples) -> dict[str, float]:
    """Return mean gains in dB at each quality of the held-out crops.

    ``gain`` is at the best strength for each crop, ``full`` at full strength.
    """
    gains: dict[int, list[tuple[float, float]]] = {}
    for number, crop in enumerate(examples.crops):
        random = np.random.default_rng(number)
        batch = examples.batch([crop], [random.permutation(crop.count)[:VALIDATION_BLOCKS]])
        residual = network(batch.inputs, batch.rate) * PIXEL_UNIT
        missing = batch.targets * PIXEL_UNIT
        errors = [
            float((missing - (strength / 2 * residual).round()).square().mean())
            for strength in (0, *STRENGTHS)
        ]
        gain_db = 10 * np.log10(errors[0] / np.array(errors))
        gains.setdefault(crop.quality, []).append((float(gain_db.max()), float(gain_db[-1])))
    figures: dict[str, float] = {}
    for index in sorted(gains):
        best, full = np.mean(gains[index], axis=0)
        quality = MIN_QUALITY + index / QUALITY_STEPS
        figures |= {
            f"gain{quality:g}": round(float(best), 4),
            f"full{quality:g}": round(float(full), 4),
        }
    return figures


@cache
def _flips(grid: Grid) -> NDArray[np.int64]:
    return block_flips(grid)


def _windows(picture: NDArray[np.uint8], side: int, step: int) -> NDArray[np.uint8]:
    """Squares (rows, columns, side, side, 3) of a picture, one every ``step`` pixels."""
    windows = sliding_window_view(picture, (side, side), axis=(0, 1))[::step, ::step]
    return np.moveaxis(windows, 2, -1)
