"""Training of the paper's networks: what both ways share, and the loop of the on-policy one.

A run is a folder, as in ``train``: ``recipe.json``, ``checkpoint.pt`` (written aside and renamed),
``log.csv`` and ``validation.csv``. The paper's own way is in ``paper_acl``. Randomness depends on
the seed and the step alone, so a resumed run follows the schedule that it would have followed.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from lbbic_engine.config import lmbda
from lbbic_engine.paper import PIXEL_RANGE, PaperNetwork
from training import dataset, paper_loop, paper_start
from training.contexts import to_blocks
from training.paper_recipe import PaperRecipe, from_values
from training.run_log import append_row

CHECKPOINT = "checkpoint.pt"
START = "start.safetensors"
LOG_EVERY = 20
VALIDATION_CROPS = 12
VALIDATION_PX = 256
WARM_START_CROPS = 64
# Of the learning rate, for layers that read pixels: a block's pixels move together, so the same
# step changes their sums far more than others'. Without it the closed loop's cost first rises.
PIXEL_SHARE = 0.1
GRADIENT_BOUND = 0.5  # each gradient is clipped to this, as in the paper


@dataclass(frozen=True)
class Cost:
    """Means over crops: bits per pixel, squared error on the 0…1 range."""

    bpp: float
    mse: float
    lmbda: float

    @property
    def total(self) -> float:
        """R + λD."""
        return self.bpp + self.lmbda * self.mse

    @property
    def psnr(self) -> float:
        return float(-10 * np.log10(max(self.mse, 1e-12)))


class PaperTrainer:
    """The networks of a run, and one step of training them."""

    def __init__(self, recipe: PaperRecipe, run: Path, data: Path, device: str) -> None:
        self.recipe, self.run, self.device = recipe, run, device
        self.config = recipe.config
        self.lmbda = lmbda(recipe.quality)
        self.pictures = dataset.load(data, max(recipe.crop_px, VALIDATION_PX))
        crops = dataset.centre_crops(
            self.pictures.held_out, VALIDATION_CROPS, VALIDATION_PX, VALIDATION_PX
        )
        self.validation = to_blocks(crops, self.config.block_size).to(device)
        side = VALIDATION_PX // self.config.block_size
        self.validation_grid = (side, side)
        self.network = self._beginning().to(device)
        self.step = 0
        self.bar = tqdm(unit="step", mininterval=5, smoothing=0.1)
        self._logged = time.monotonic()

    def _beginning(self) -> PaperNetwork:
        recipe = self.recipe
        torch.manual_seed(recipe.seed)
        network = PaperNetwork(self.config)
        if (self.run / START).exists():
            network.load_state_dict(load_file(self.run / START))
        elif recipe.plan.closed_form and not (self.run / CHECKPOINT).exists():
            random = np.random.default_rng(recipe.seed)
            crops = draw_crops(self.pictures.pictures, recipe, WARM_START_CROPS, random)
            paper_start.fit(network, (crops.float() - 128) / PIXEL_RANGE, recipe.grid)
        return network

    def narrow(self) -> AbstractContextManager[object]:
        """Products in bfloat16, where the recipe says so."""
        kind = torch.device(self.device).type
        return torch.autocast(kind, torch.bfloat16, enabled=self.recipe.bfloat16)

    def unit(self, blocks: Tensor) -> Tensor:
        """uint8 blocks in the networks' unit, on the device."""
        return (blocks.to(self.device).float() - 128) / PIXEL_RANGE

    def losses(self, x: Tensor, x_hat: Tensor, *, chained: bool = False) -> Tensor:
        """R + λD of blocks in unit, in one parallel pass on contexts x_hat.

        ``chained`` takes a second pass on the first one's reconstructions, half of the loss each.
        """
        with self.narrow():
            first = paper_loop.evaluate_blocks(self.network, x, x_hat, self.recipe.grid)
            loss = self._loss(first, x)
            if chained:
                second = paper_loop.evaluate_blocks(self.network, x, first.x_hat, self.recipe.grid)
                loss = 0.5 * loss + 0.5 * self._loss(second, x)
        return loss

    def _loss(self, found: paper_loop.Evaluated, x: Tensor) -> Tensor:
        bpp = found.bits.mean() / self.config.block_size**2
        return bpp + self.lmbda * (found.x_hat - x).square().mean()

    def update(self, loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
        """One step of the optimiser, and a line of the log now and then."""
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(self.network.parameters(), GRADIENT_BOUND)
        optimiser.step()
        self.step += 1
        self.bar.update()
        if self.step % LOG_EVERY == 0:
            now = time.monotonic()
            row = {
                "step": self.step,
                "loss": round(loss.item(), 6),
                "learning_rate": optimiser.param_groups[0]["lr"],
                "seconds": round(now - self._logged, 2),
            }
            self._logged = now
            append_row(self.run / "log.csv", row)
            self.bar.set_postfix(loss=row["loss"], refresh=False)

    def closed_loop_cost(self, network: PaperNetwork) -> Cost:
        """The true closed loop on the held-out crops."""
        coded = paper_loop.run_blocks(network, self.validation, self.validation_grid)
        error = (coded.x_hat + 128 - self.validation.float()) / 255
        return self.cost(coded.bits.mean().item(), error.square().mean().item())

    def cost(self, bits: float, mse: float) -> Cost:
        """Of mean bits a block and a mean squared error."""
        return Cost(bits / self.config.block_size**2, mse, self.lmbda)

    def save(self, state: dict[str, object]) -> None:
        """Writes the checkpoint: ``state`` beside the networks and the step."""
        values = {"step": self.step, "network": self.network.state_dict()} | state
        write_aside(self.run / CHECKPOINT, values)

    def restore(self) -> dict[str, object] | None:
        """The checkpoint's state, once the networks and the step are restored; None without."""
        if not (self.run / CHECKPOINT).exists():
            return None
        state = torch.load(self.run / CHECKPOINT, map_location=self.device, weights_only=True)
        self.step = state["step"]
        self.bar.update(self.step)
        self.network.load_state_dict(state["network"])
        found: dict[str, object] = state
        return found


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


def save_float(network: PaperNetwork, path: Path) -> None:
    """The state that further training starts from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path)


def train(run: Path, data: Path, *, device: str = "cpu") -> None:
    """Goes on with a run from its checkpoint or its beginning, up to its end."""
    from training.paper_acl import train_acl  # which needs this module

    recipe = read_run(run)
    trainer = PaperTrainer(recipe, run, data, device)
    (train_acl if recipe.method == "acl" else train_on_policy)(trainer)
    trainer.bar.close()


def train_on_policy(trainer: PaperTrainer) -> None:
    """Steps on contexts that the closed loop has made just before."""
    recipe, plan = trainer.recipe, trainer.recipe.on_policy
    average = copy.deepcopy(trainer.network).requires_grad_(False)
    optimiser = torch.optim.Adam(_groups(trainer.network))
    state = trainer.restore()
    if state is not None:
        average.load_state_dict(state["average"])  # type: ignore[arg-type]
        optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
    else:
        _validate(trainer, average)
    saved = time.monotonic()
    while trainer.step < plan.steps:
        for x, x_hat in _rollout(trainer):
            for group in optimiser.param_groups:
                group["lr"] = plan.learning_rate * _schedule(trainer) * group["share"]
            trainer.update(trainer.losses(x, x_hat), optimiser)
            decay = min(plan.ema_decay, (trainer.step + 1) / (trainer.step + 10))
            with torch.no_grad():
                averages: list[Tensor] = list(average.parameters())
                torch._foreach_lerp_(averages, list(trainer.network.parameters()), 1 - decay)
            if trainer.step % plan.validate_every == 0 or trainer.step == plan.steps:
                _validate(trainer, average)
            if trainer.step == plan.steps:
                break
        if time.monotonic() - saved > recipe.save_every_s or trainer.step >= plan.steps:
            trainer.save({"average": average.state_dict(), "optimiser": optimiser.state_dict()})
            saved = time.monotonic()


def _groups(network: PaperNetwork) -> list[dict[str, Any]]:
    """Parameters with their shares of the learning rate."""
    analysis, synthesis = network.analysis_transform, network.synthesis_transform
    layers = (analysis.value, analysis.context, synthesis.context, network.context_model.layers[0])
    pixels = [layer.weight for layer in layers]
    others = [p for p in network.parameters() if all(p is not q for q in pixels)]
    return [{"params": pixels, "share": PIXEL_SHARE}, {"params": others, "share": 1.0}]


def _schedule(trainer: PaperTrainer) -> float:
    """Share of the full learning rate at this step: warm-up, plateau, linear decay."""
    plan = trainer.recipe.on_policy
    decay = (plan.steps - trainer.step) / (plan.decay_share * plan.steps)
    return max(min(1.0, (trainer.step + 1) / plan.warm_up_steps, decay), 1e-2)


def _rollout(trainer: PaperTrainer) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of fresh crops and their reconstructions in the closed loop."""
    recipe, plan = trainer.recipe, trainer.recipe.on_policy
    random = random_of(recipe, trainer.step)
    count = plan.batch * plan.rollout_steps
    crops = draw_crops(trainer.pictures.pictures, recipe, count, random).to(trainer.device)
    with trainer.narrow():
        x_hat = paper_loop.run_blocks(trainer.network, crops, recipe.grid).x_hat / PIXEL_RANGE
    x = trainer.unit(crops)
    yield from zip(x.split(plan.batch), x_hat.split(plan.batch), strict=True)


def _validate(trainer: PaperTrainer, network: PaperNetwork) -> None:
    cost = trainer.closed_loop_cost(network)
    row = {
        "step": trainer.step,
        "bpp": round(cost.bpp, 5),
        "psnr": round(cost.psnr, 4),
        "cost": round(cost.total, 5),
    }
    append_row(trainer.run / "validation.csv", row)
    trainer.bar.write(f"step {trainer.step}: {row}")


def draw_crops(
    pictures: object, recipe: PaperRecipe, count: int, random: np.random.Generator
) -> Tensor:
    """uint8 blocks (count, n, 3B²) of random crops."""
    crops = dataset.draw_crops(pictures, count, recipe.crop_px, random)  # type: ignore[arg-type]
    return to_blocks(list(crops), recipe.config.block_size)


def random_of(recipe: PaperRecipe, *number: int) -> np.random.Generator:
    """Randomness of a step, torch's noise included."""
    random = np.random.default_rng([recipe.seed, *number])
    torch.manual_seed(int(random.integers(2**31)))
    return random


def write_aside(path: Path, values: dict[str, object]) -> None:
    """Saves a dictionary of tensors and plain values, and renames it when it is whole."""
    aside = path.with_suffix(".tmp")
    torch.save(values, aside)
    aside.replace(path)
