"""The training loop of the production model.

``shared.run_folder`` describes a run's files. Randomness depends only on the seed and the step, so
a resumed run continues as if it had not been interrupted.
"""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from lbbic_engine.networks.float_network import PIXEL_UNIT, BlockNetwork, rate_weights, to_unit
from training.initialisation import closed_form, precondition
from training.initialisation.dead_units import revive
from training.initialisation.precondition import context_mixer, plain_copy
from training.initialisation.widen import widen
from training.optimise.contexts import draw_blocks, draw_qualities, make_source, to_blocks
from training.shared import dataset, processes
from training.shared.recipe import Recipe, from_values
from training.shared.run_folder import RunFolder
from training.shared.steps import make_optimisers, rate_share, update_average
from training.simulation import closed_loop
from training.simulation.open_loop import Losses, Step

LOG_EVERY = 50
WARM_START_CROPS = 128
VALIDATION_CROPS = 12
RATE_POINTS = range(1, 9)
MIN_RATE_SHARE = 1e-3  # of the learning rate, at the very end


class Trainer:
    """The networks and optimisers of a run."""

    def __init__(self, recipe: Recipe, network: BlockNetwork, mixer: Tensor, device: str) -> None:
        self.recipe = recipe
        precondition.apply(network, mixer)
        self.network = network.to(device)
        self.losses = processes.averaged(Step(self.network, device))
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.device = device
        self.step = 0
        matrices: list[Tensor] = []
        others: list[Tensor] = []
        for name, value in self.network.named_parameters():
            hidden = value.ndim == 2 and "bias" not in name and not _is_head(name)
            (matrices if hidden else others).append(value)
        self.optimisers = make_optimisers(
            matrices, others, recipe.matrix_learning_rate, recipe.learning_rate
        )
        self.base_rates = [o.param_groups[0]["lr"] for o in self.optimisers]

    def schedule(self) -> float:
        """Share of the full learning rate at this step."""
        recipe = self.recipe
        share = rate_share(
            self.step,
            recipe.steps,
            warm_up_steps=recipe.warm_up_steps,
            decay_share=recipe.decay_share,
        )
        return max(share, MIN_RATE_SHARE)

    def update(self, total: Tensor) -> None:
        for optimiser, base in zip(self.optimisers, self.base_rates, strict=True):
            optimiser.param_groups[0]["lr"] = base * self.schedule()
            optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        update_average(self.average, self.network, self.step, self.recipe.ema_decay)

    def state(self) -> dict[str, object]:
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimiser, values in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(values)


def _is_head(name: str) -> bool:
    linear = ("parametrizations.prediction", "prediction_features", "analysis_linear")
    return name.startswith(
        ("slice_parameters", "synthesis_3", "analysis_3", "log_", "synthesis_linear", *linear)
    )


def load_float(network: BlockNetwork, path: Path) -> None:
    """Load parameters, also of a network with fewer hidden units (``widen``).

    Steps of activations are not loaded, since calibration sets them.
    """
    values = load_file(path)
    hidden = values["context_2.weight"].shape[0]
    narrower = hidden < network.config.hidden
    loaded = BlockNetwork(replace(network.config, hidden=hidden)) if narrower else network
    with torch.no_grad():
        for name, parameter in loaded.named_parameters():
            parameter.copy_(values[name])
    if narrower:
        widen(network, loaded)


def train(run: Path, data: Path, *, device: str = "cpu") -> None:
    """Train until the end of a run, from its checkpoint, its start weights or the closed form.

    By several processes, each takes as many crops a step as the recipe says.
    """
    folder = RunFolder(run)
    recipe = from_values(folder.recipe_values())
    grid = (recipe.crop_blocks, recipe.crop_blocks)
    side = recipe.crop_blocks * recipe.model.block_size
    pictures = dataset.load(data, side)
    trainer = Trainer(recipe, *_initial_network(recipe, folder, pictures), device)
    if (state := folder.load(device)) is not None:
        trainer.restore(state)
    source = make_source(recipe, trainer.network, pictures.pictures, device)
    source.restore(run)
    validation = validation_blocks(pictures, recipe)
    saved = logged = time.monotonic()
    writes = processes.number() == 0
    bar = tqdm(
        total=recipe.steps,
        initial=trainer.step,
        unit="step",
        mininterval=5,
        smoothing=0.1,
        disable=not writes,
    )
    while trainer.step < recipe.steps:
        for batch in source.batches(trainer.step):
            losses = trainer.losses(*batch.values, grid=grid)
            trainer.update(losses.total)
            source.keep(batch, losses.x_hat)
            bar.update()
            if trainer.step % LOG_EVERY == 0 or trainer.step == recipe.steps:
                now = time.monotonic()
                row = {"step": trainer.step, **_figures(losses), "seconds": round(now - logged, 2)}
                logged = now
                if writes:
                    bar.set_postfix({k: row[k] for k in ("loss", "bpp", "psnr")}, refresh=False)
                    folder.log(row)
            if writes and (
                trainer.step % recipe.validate_every == 0 or trainer.step == recipe.steps
            ):
                figures = validate(plain_copy(trainer.average), validation, grid)
                folder.log_validation({"step": trainer.step, **figures})
                bar.write(f"step {trainer.step}: {figures}")
            if trainer.step == recipe.steps:
                break
        due = time.monotonic() - saved > recipe.save_every_s or trainer.step >= recipe.steps
        if writes and due:
            source.save(run)
            folder.save(trainer.state())
            saved = time.monotonic()
    bar.close()
    processes.wait()


def _figures(losses: Losses) -> dict[str, float]:
    """A step's figures, over all processes."""
    loss, bpp, db = processes.mean(
        torch.stack([losses.total.detach(), losses.bpp.mean(), losses.mse.log10().mean()])
    ).tolist()
    return {"loss": round(loss, 6), "bpp": round(bpp, 4), "psnr": round(-10 * db, 3)}


def _initial_network(
    recipe: Recipe, folder: RunFolder, pictures: dataset.Dataset
) -> tuple[BlockNetwork, Tensor]:
    """The network of step 0 and the mixer of ``precondition``."""
    torch.manual_seed(recipe.seed)
    network = BlockNetwork(recipe.model)
    random = np.random.default_rng(recipe.seed)
    x = to_unit(draw_blocks(recipe, pictures.pictures, WARM_START_CROPS, random))
    grid = (recipe.crop_blocks, recipe.crop_blocks)
    if folder.start.exists():
        load_float(network, folder.start)
        rate = rate_weights(draw_qualities(recipe.crops, len(x), random))
        revived = revive(network, x, rate, grid)
        tqdm.write(f"{revived} units never fired and were revived")
    else:
        closed_form.fit(network, x, grid)
    return network, context_mixer(x, grid)


def validation_blocks(pictures: dataset.Dataset, recipe: Recipe) -> Tensor:
    """Blocks of the held-out pictures' centres."""
    side = recipe.crop_blocks * recipe.model.block_size
    crops = dataset.centre_crops(pictures.held_out, VALIDATION_CROPS, side, side)
    return to_blocks(torch.from_numpy(np.stack(crops)), recipe.model.block_size)


def calibration(pictures: dataset.Dataset, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Blocks of training pictures in the networks' unit, and their qualities as rate weights."""
    random = np.random.default_rng(recipe.seed)
    x = to_unit(draw_blocks(recipe, pictures.pictures, recipe.calibration_crops, random))
    return x, rate_weights(draw_qualities(recipe.crops, len(x), random))


def validate(network: BlockNetwork, blocks: Tensor, grid: tuple[int, int]) -> dict[str, float]:
    """Mean bpp and PSNR at the eight rate points in the closed loop."""
    figures: dict[str, float] = {}
    device = network.prediction.device
    x = to_unit(blocks).to(device)
    for quality in RATE_POINTS:
        rate = rate_weights([quality] * len(x)).to(device)
        result = closed_loop.run(network, x, rate, grid, count=True)
        mse = ((result.x_hat - x) * PIXEL_UNIT).square().mean((1, 2)).clamp(min=1e-3)
        psnr = 10 * (255**2 / mse).log10().mean().item()
        bpp = result.bits.mean().item() / network.config.block_size**2
        figures |= {f"bpp{quality}": round(bpp, 5), f"psnr{quality}": round(psnr, 4)}
    return figures
