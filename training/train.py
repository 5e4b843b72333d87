"""The training loop: read it from top to bottom.

A run is a folder: ``recipe.json``, ``checkpoint.pt`` (written aside and renamed, so a kill at
any moment leaves the last one whole), ``log.csv`` and ``validation.csv``. Randomness depends on
the seed and the step alone, so a resumed run follows the schedule that it would have followed.
"""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from lbbic_engine.blocks import split_blocks
from lbbic_engine.config import MAX_QUALITY, MIN_QUALITY, QUALITY_STEPS, ModelConfig
from lbbic_engine.model import PIXEL_UNIT, BlockNetwork, rate_weights, to_unit
from training import closed_loop, dataset, warm_start
from training.recipe import Recipe
from training.step import half_precision_copy, open_loop_losses, refresh_copy

LOG_EVERY = 50
WARM_START_CROPS = 128
VALIDATION_CROPS, VALIDATION_BLOCKS = 12, (32, 48)
RATE_POINTS = range(1, 9)


class Trainer:
    """The state of a run; ``train`` advances it, ``save`` and ``restore`` keep it."""

    def __init__(self, recipe: Recipe, network: BlockNetwork, device: str) -> None:
        self.recipe = recipe
        self.network = network.to(device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.device = device
        self.step = 0
        matrices, others = [], []
        for name, value in self.network.named_parameters():
            hidden = name.endswith("weight") and not _is_head(name)
            (matrices if hidden else others).append(value)
        self.optimisers = [
            torch.optim.Muon(
                matrices,
                lr=recipe.matrix_learning_rate,
                weight_decay=0.0,
                adjust_lr_fn="match_rms_adamw",
            )
            if recipe.matrix_learning_rate
            else torch.optim.Adam(matrices, lr=recipe.learning_rate, betas=(0.9, 0.98)),
            torch.optim.Adam(others, lr=recipe.learning_rate, betas=(0.9, 0.98)),
        ]
        self.base_rates = [o.param_groups[0]["lr"] for o in self.optimisers]

    def schedule(self) -> float:
        """Share of the full learning rate at this step: warm-up, plateau, linear decay."""
        recipe = self.recipe
        decay = (recipe.steps - self.step) / (recipe.decay_share * recipe.steps)
        return max(min(1.0, (self.step + 1) / recipe.warm_up_steps, decay), 1e-3)

    def update(self, total: Tensor) -> None:
        for optimiser, base in zip(self.optimisers, self.base_rates, strict=True):
            optimiser.param_groups[0]["lr"] = base * self.schedule()
            optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        decay = min(self.recipe.ema_decay, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            averages, values = list(self.average.parameters()), list(self.network.parameters())
            torch._foreach_lerp_(averages, values, 1 - decay)

    def state(self) -> dict[str, object]:
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
        }

    def save(self, folder: Path) -> None:
        aside = folder / "checkpoint.tmp"
        torch.save(self.state(), aside)
        os.replace(aside, folder / "checkpoint.pt")

    def restore(self, folder: Path) -> None:
        state = torch.load(folder / "checkpoint.pt", map_location=self.device, weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimiser, values in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(values)


def _is_head(name: str) -> bool:
    return name.startswith(("slice_parameters", "synthesis_3", "analysis_3"))


def start_run(recipe: Recipe, run: Path) -> None:
    """Makes the folder of a new run; FileExistsError if there is one already."""
    run.mkdir(parents=True)
    text = json.dumps(dataclasses.asdict(recipe), indent=2)
    (run / "recipe.json").write_text(text + "\n", encoding="utf-8")


def read_run(run: Path) -> Recipe:
    values = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    model = values.pop("model")
    model["latent_slices"] = tuple(model["latent_slices"])
    return Recipe(model=ModelConfig(**model), **values)


def train(
    run: Path, data: Path, *, device: str = "cpu", start: dict[str, Tensor] | None = None
) -> None:
    """Goes on with a run from its checkpoint, or from ``start``, or from the closed form."""
    recipe = read_run(run)
    side = recipe.crop_blocks * recipe.model.block_size
    pictures = dataset.load(data, side)
    torch.manual_seed(recipe.seed)
    trainer = Trainer(recipe, BlockNetwork(recipe.model), device)
    if (run / "checkpoint.pt").exists():
        trainer.restore(run)
    elif start is not None:
        trainer.network.load_state_dict(start)
        trainer.average.load_state_dict(start)
    else:
        random = np.random.default_rng(recipe.seed)
        crops = dataset.draw_crops(pictures.pictures, WARM_START_CROPS, side, random)
        x = to_unit(to_blocks(list(crops), recipe.model.block_size))
        warm_start.fit(trainer.network, x, (recipe.crop_blocks, recipe.crop_blocks))
        trainer.average.load_state_dict(trainer.network.state_dict())
    validation = validation_blocks(pictures, recipe.model.block_size)
    rollout = half_precision_copy(trainer.network)
    saved = logged = time.monotonic()
    bar = tqdm(total=recipe.steps, initial=trainer.step, unit="step", mininterval=5, smoothing=0.1)
    while trainer.step < recipe.steps:
        if trainer.step >= recipe.steps * (1 - recipe.quantise_share):
            set_quantised(trainer.network)
            set_quantised(trainer.average)
            set_quantised(rollout)
        refresh_copy(rollout, trainer.network)
        for batch, qualities, x_hat in _rolled_out(trainer, rollout, pictures.pictures):
            losses = open_loop_losses(
                trainer.network,
                batch,
                x_hat,
                rate_weights(qualities).to(device),
                qualities,
                (recipe.crop_blocks, recipe.crop_blocks),
            )
            trainer.update(losses.total)
            bar.update()
            if trainer.step % LOG_EVERY == 0:
                psnr = -10 * losses.mse.log10().mean().item()
                now = time.monotonic()
                row = {
                    "step": trainer.step,
                    "loss": round(losses.total.item(), 6),
                    "bpp": round(losses.bpp.mean().item(), 4),
                    "psnr": round(psnr, 3),
                    "seconds": round(now - logged, 2),
                }
                logged = now
                bar.set_postfix({k: row[k] for k in ("loss", "bpp", "psnr")}, refresh=False)
                _append(run / "log.csv", row)
            if trainer.step % recipe.validate_every == 0 or trainer.step == recipe.steps:
                figures = validate(trainer.average, validation)
                _append(run / "validation.csv", {"step": trainer.step, **figures})
                bar.write(f"step {trainer.step}: {figures}")
        if time.monotonic() - saved > recipe.save_every_s or trainer.step >= recipe.steps:
            trainer.save(run)
            saved = time.monotonic()
    bar.close()


def to_blocks(crops: Sequence[dataset.Pixels], block_size: int) -> Tensor:
    """Crops (C, H, W, 3) as uint8 blocks (C, rows·columns, 3B²)."""
    return torch.from_numpy(np.stack([split_blocks(crop, block_size) for crop in crops]))


def _rolled_out(
    trainer: Trainer, rollout: BlockNetwork, pictures: Sequence[dataset.Pixels]
) -> Iterator[tuple[Tensor, list[float], Tensor]]:
    """Batches for the next steps with contexts from one run of the closed loop."""
    recipe = trainer.recipe
    random = np.random.default_rng([recipe.seed, trainer.step])
    torch.manual_seed(int(random.integers(2**31)))
    count = recipe.crops * recipe.rollout_steps
    side = recipe.crop_blocks * recipe.model.block_size
    crops = list(dataset.draw_crops(pictures, count, side, random))
    x = to_unit(to_blocks(crops, recipe.model.block_size).to(trainer.device)).bfloat16()
    # Each step covers the whole range: one quality from each of ``crops`` equal parts.
    part = (np.arange(count) % recipe.crops + random.random(count)) / recipe.crops
    chosen = MIN_QUALITY + part * (MAX_QUALITY - MIN_QUALITY)
    qualities = [round(float(q) * QUALITY_STEPS) / QUALITY_STEPS for q in chosen]
    grid = (recipe.crop_blocks, recipe.crop_blocks)
    rate = rate_weights(qualities).to(trainer.device)
    x_hat = closed_loop.run(rollout, x, rate, grid).x_hat
    for first in range(0, count, recipe.crops):
        last = first + recipe.crops
        yield x[first:last], qualities[first:last], x_hat[first:last]


def validation_blocks(pictures: dataset.Dataset, block_size: int) -> Tensor:
    """Blocks of the held-out pictures' centres."""
    height, width = (n * block_size for n in VALIDATION_BLOCKS)
    crops = dataset.centre_crops(pictures.held_out, VALIDATION_CROPS, height, width)
    return to_blocks(crops, block_size)


def validate(network: BlockNetwork, blocks: Tensor) -> dict[str, float]:
    """Mean bpp and PSNR at the eight rate points in the closed loop, and their log R + λD."""
    figures: dict[str, float] = {}
    device = network.prediction.device
    x = to_unit(blocks).to(device)
    for quality in RATE_POINTS:
        rate = rate_weights([quality] * len(x)).to(device)
        result = closed_loop.run(network, x, rate, VALIDATION_BLOCKS, count=True)
        mse = ((result.x_hat - x) * PIXEL_UNIT).square().mean((1, 2)).clamp(min=1e-3)
        psnr = 10 * (255**2 / mse).log10().mean().item()
        bpp = result.bits.mean().item() / network.config.block_size**2
        figures |= {f"bpp{quality}": round(bpp, 5), f"psnr{quality}": round(psnr, 4)}
    return figures


def set_quantised(network: BlockNetwork) -> None:
    """Weights and activations take the integer twin's values from here on."""
    for module in network.modules():
        if hasattr(module, "quantised"):
            module.quantised = True


def _append(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row.keys())
        if new:
            writer.writeheader()
        writer.writerow(row)
