"""Trains the refinement: regression on pictures that the codec has decoded.

The contents of a run's folder are described in ``shared.run_folder``.

Slow errors are left to the correction (``layout.coarse``): the goal is the original without what
the correction would add. Squared errors are divided by those of their crop as decoded, so that the
loss measures relative improvement, like decibels. Otherwise smooth pictures, whose errors are
small, would hardly count. Where errors differ from one side of a border between blocks to the
other, a seam can be seen, so the squares of these differences are part of the loss.
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
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.utils import parametrize
from tqdm import tqdm

from lbbic_engine.coding.refining.tile_refiner import STRENGTHS
from lbbic_engine.config import RefinementConfig, error_bits, quality_of
from lbbic_engine.layout import coarse
from lbbic_engine.layout.wavefront import Grid, block_flips, flip_blocks
from lbbic_engine.networks.float_network import PIXEL_UNIT, rate_weights
from lbbic_engine.networks.refinement import patch_inputs
from training.initialisation.precondition import FLOOR, POWER, Precondition
from training.refinement.decoded import Crop, read_crops
from training.refinement.network import RefinementNetwork, input_count
from training.shared.recipe import filled, read_values
from training.shared.run_folder import RunFolder, load_state
from training.shared.steps import make_optimisers

LOG_EVERY = 100
MIN_ERROR = 1.0  # of a crop, mean square in 8-bit steps: below that, it is mostly rounding
VALIDATION_BLOCKS = 1024  # of a crop
SQUARE = 4  # blocks, two by two, which are drawn together for the sake of the borders between them
# The blocks of a square, for each way in which they are flipped.
_FLIPPED_SQUARES = np.array([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
MIXER_BATCHES = 8


@dataclass(frozen=True)
class Recipe:
    """The settings of a run; learning rates fall linearly to zero."""

    model: RefinementConfig = field(default_factory=RefinementConfig)
    steps: int = 10000
    crops: int = 64
    blocks: int = 64  # of each crop, a multiple of ``SQUARE``
    seams: float = 2.0  # weight of the steps between errors at borders
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
    targets: Tensor  # (C, n, 3B²), what is missing in the decoded block
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
        goal = coarse.added(-_slow_errors(original, decoded, crop.quality), original)
        # Beyond the crop, its outermost pixels are repeated.
        padded = np.pad(decoded, ((ring, ring), (ring, ring), (0, 0)), mode="edge")
        self._patches = _windows(padded, config.side, size)
        self._goals = _windows(goal, size, size)
        self.count = rows * columns
        self.squares = _squares(rows, columns, self._flips)
        self.quality = crop.quality
        self.error = float(np.square(goal.astype(np.float32) - decoded).mean())

    def cut(self, blocks: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return patches (n, side, side, 3), uint8, and missing residuals (n, 3B²), int16.

        ``blocks`` are raster indexes (n,).
        """
        config, ring = self._config, self._config.ring
        count, place = len(blocks), np.divmod(blocks, self._columns)
        patches = self._patches[place].reshape(count, config.patch_pixels)
        goals = self._goals[place].reshape(count, config.pixels)
        flip_blocks(patches, self._flips[blocks], config.side)
        flip_blocks(goals, self._flips[blocks], config.block_size)
        square = patches.reshape(count, config.side, config.side, 3)
        inner = square[:, ring:-ring, ring:-ring].reshape(count, config.pixels)
        missing = np.subtract(goals, inner, dtype=np.int16)
        return torch.from_numpy(square), torch.from_numpy(missing)


class Examples:
    """The crops of a folder, from which batches are drawn; ValueError if there are none."""

    def __init__(self, folder: Path, config: RefinementConfig) -> None:
        self._folder = folder
        self.crops = [Example(crop, config) for crop in read_crops(folder)]
        if not self.crops:
            raise ValueError(f"there are no decoded crops in {folder}")
        self._config = config
        self._with_squares = [crop for crop in self.crops if len(crop.squares)]

    def draw(self, crops: int, blocks: int, random: np.random.Generator) -> Batch:
        """Return a batch of squares of ``SQUARE`` blocks; ValueError if no crop has one."""
        if not self._with_squares:
            raise ValueError(f"no crop in {self._folder} has two by two blocks")
        chosen = random.integers(len(self._with_squares), size=crops)
        examples = [self._with_squares[i] for i in chosen]
        count = blocks // SQUARE
        drawn = [crop.squares[random.integers(len(crop.squares), size=count)] for crop in examples]
        return self.batch(examples, [squares.ravel() for squares in drawn])

    def batch(self, crops: Sequence[Example], blocks: Sequence[NDArray[np.int64]]) -> Batch:
        """Return a batch of blocks, given as raster indexes (n,) in each of the crops."""
        parts = [crop.cut(which) for crop, which in zip(crops, blocks, strict=True)]
        inputs = patch_inputs(torch.cat([patches for patches, _ in parts]), self._config)
        targets = torch.stack([missing for _, missing in parts]).float() / PIXEL_UNIT
        qualities = [quality_of(crop.quality) for crop in crops]
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
        errors = batch.targets - residuals
        size = self.recipe.model.block_size
        loss = relative(errors, batch) + self.recipe.seams * relative(seams(errors, size), batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        return float(relative(errors.detach(), batch) / relative(batch.targets, batch))

    def state(self) -> dict[str, object]:
        optimisers = [o.state_dict() for o in self.optimisers]
        return {"step": self.step, "network": self.network.state_dict(), "optimisers": optimisers}

    def restore(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        for optimiser, values in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(values)


def relative(errors: Tensor, batch: Batch) -> Tensor:
    """Mean of the squares of errors (C, n, …), relative to their crops' as decoded."""
    squares = errors.square().flatten(1).mean(dim=1) * PIXEL_UNIT**2
    return (squares * batch.weights).mean()


def seams(errors: Tensor, size: int) -> Tensor:
    """Differences of errors (C, n, 3B²) across the borders within squares of blocks."""
    squares = errors.unflatten(2, (size, size, 3)).unflatten(1, (-1, 2, 2))
    down = squares[:, :, 0, :, -1] - squares[:, :, 1, :, 0]
    across = squares[:, :, :, 0, :, -1] - squares[:, :, :, 1, :, 0]
    return torch.cat([down, across], dim=1)


def train(
    run: Path, recipe: Recipe, crops: Path, held_out: Path, start: Path | None = None
) -> None:
    """Continue a run up to its end, or start it, from float weights if ``start`` is given.

    ValueError if the recipe's network is not that of the run.
    """
    run.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(run)
    examples = Examples(crops, recipe.model)
    validation = Examples(held_out, recipe.model)
    trainer = Trainer(recipe, input_mixer(examples, recipe), start)
    if (state := folder.load("cpu")) is not None:
        try:
            trainer.restore(state)
        except RuntimeError as error:
            raise ValueError(f"{run} is a run of another network than the recipe's") from error
    folder.write_recipe(recipe)  # it fits the run: nothing above has failed
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


@torch.no_grad()
def load_float(network: RefinementNetwork, path: Path) -> None:
    """Load weights saved by ``run_folder.save_float``."""
    values = load_file(path)
    for name, parameter in network.named_parameters():
        parameter.copy_(values[name])


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; ValueError for wrong names."""
    return from_values(read_values(path))


def from_values(values: Mapping[str, Any]) -> Recipe:
    """Return a recipe from nested dictionaries, as read from TOML or JSON."""
    return filled(Recipe, {**values, "model": filled(RefinementConfig, values.get("model", {}))})


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
        quality = quality_of(index)
        figures |= {
            f"gain{quality:g}": round(float(best), 4),
            f"full{quality:g}": round(float(full), 4),
        }
    return figures


def _slow_errors(
    original: NDArray[np.uint8], decoded: NDArray[np.uint8], quality: int
) -> NDArray[np.int16]:
    """What the correction would add to a decoded crop (H, W, 3)."""
    step = coarse.best_step(error_bits(quality))
    values = coarse.fit(original, decoded, step, grey=False)
    return coarse.Correction(values, step).of_rows(0, *original.shape[:2])


def _squares(rows: int, columns: int, flips: NDArray[np.int64]) -> NDArray[np.int64]:
    """Raster indexes (m, 4) of blocks that touch, flipped alike, in the order after the flip."""
    if min(rows, columns) < 2:
        return np.empty((0, SQUARE), np.int64)
    places = np.arange(rows * columns).reshape(rows, columns)
    squares = sliding_window_view(places, (2, 2)).reshape(-1, SQUARE)
    ways = flips[squares]
    alike = (ways == ways[:, :1]).all(axis=1)
    return np.take_along_axis(squares[alike], _FLIPPED_SQUARES[ways[alike, 0]], axis=1)


@cache
def _flips(grid: Grid) -> NDArray[np.int64]:
    return block_flips(grid)


def _windows(picture: NDArray[np.uint8], side: int, step: int) -> NDArray[np.uint8]:
    """Squares (rows, columns, side, side, 3) of a picture, one every ``step`` pixels."""
    windows = sliding_window_view(picture, (side, side), axis=(0, 1))[::step, ::step]
    return np.moveaxis(windows, 2, -1)
