"""What the two methods of training the paper's networks share (``acl``, ``on_policy``).

``shared.run_folder`` describes a run's files. Randomness depends only on the seed and the step, so
a resumed run continues as if it had not been interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from lbbic_engine.config import lmbda
from lbbic_engine.measure.rate_distortion import Point
from lbbic_engine.networks.paper.float_network import PIXEL_RANGE, PaperNetwork
from training.optimise.contexts import to_blocks
from training.paper import closed_form, loop
from training.paper.recipe import PaperRecipe
from training.shared import dataset
from training.shared.run_folder import RunFolder

LOG_EVERY = 20
VALIDATION_CROPS = 12
VALIDATION_PX = 256
WARM_START_CROPS = 64
GRADIENT_BOUND = 0.5  # each gradient is clipped to this, as in the paper


class PaperTrainer:
    """The networks of a run, and one step of training them."""

    def __init__(self, recipe: PaperRecipe, folder: RunFolder, data: Path, device: str) -> None:
        self.recipe, self.folder, self.device = recipe, folder, device
        self.config = recipe.config
        self.lmbda = lmbda(recipe.quality)
        self.pictures = dataset.load(data, max(recipe.crop_px, VALIDATION_PX))
        crops = dataset.centre_crops(
            self.pictures.held_out, VALIDATION_CROPS, VALIDATION_PX, VALIDATION_PX
        )
        self.validation = to_blocks(torch.from_numpy(np.stack(crops)), self.config.block_size).to(
            device
        )
        side = VALIDATION_PX // self.config.block_size
        self.validation_grid = (side, side)
        self.network = self._initial_network().to(device)
        self.step = 0
        self.bar = tqdm(unit="step", mininterval=5, smoothing=0.1)
        self._logged = time.monotonic()

    def _initial_network(self) -> PaperNetwork:
        recipe = self.recipe
        torch.manual_seed(recipe.seed)
        network = PaperNetwork(self.config)
        if self.folder.start.exists():
            network.load_state_dict(load_file(self.folder.start))
        elif recipe.plan.closed_form and not self.folder.checkpoint.exists():
            random = np.random.default_rng(recipe.seed)
            crops = draw_crops(self.pictures.pictures, recipe, WARM_START_CROPS, random)
            closed_form.fit(network, (crops.float() - 128) / PIXEL_RANGE, recipe.grid)
        return network

    def narrow(self) -> AbstractContextManager[object]:
        """Products in bfloat16, if the recipe sets it."""
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
            first = loop.evaluate_blocks(self.network, x, x_hat, self.recipe.grid)
            loss = self._loss(first, x)
            if chained:
                second = loop.evaluate_blocks(self.network, x, first.x_hat, self.recipe.grid)
                loss = 0.5 * loss + 0.5 * self._loss(second, x)
        return loss

    def _loss(self, evaluated: loop.Evaluated, x: Tensor) -> Tensor:
        bpp = evaluated.bits.mean() / self.config.block_size**2
        return bpp + self.lmbda * (evaluated.x_hat - x).square().mean()

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
            self.folder.log(row)
            self.bar.set_postfix(loss=row["loss"], refresh=False)

    def closed_loop_point(self, network: PaperNetwork) -> Point:
        """The true closed loop on the held-out crops."""
        coded = loop.run_blocks(network, self.validation, self.validation_grid)
        error = (coded.x_hat + 128 - self.validation.float()) / 255
        return self.point(coded.bits.mean().item(), error.square().mean().item())

    def point(self, bits: float, mse: float) -> Point:
        """Of mean bits a block and a mean squared error on the 0…1 range."""
        psnr = float(-10 * np.log10(max(mse, 1e-12)))
        return Point(bits / self.config.block_size**2, psnr)

    def save(self, state: dict[str, object]) -> None:
        """Write the checkpoint: ``state`` beside the networks and the step."""
        self.folder.save({"step": self.step, "network": self.network.state_dict()} | state)

    def restore(self) -> dict[str, Any] | None:
        """The checkpoint's state, once the networks and the step are restored; None without."""
        state = self.folder.load(self.device)
        if state is not None:
            self.step = state["step"]
            self.bar.update(self.step)
            self.network.load_state_dict(state["network"])
        return state


def draw_crops(
    pictures: Sequence[Tensor], recipe: PaperRecipe, count: int, random: np.random.Generator
) -> Tensor:
    """uint8 blocks (count, n, 3B²) of random crops."""
    crops = dataset.draw_crops(pictures, count, recipe.crop_px, random)
    return to_blocks(crops, recipe.config.block_size)
