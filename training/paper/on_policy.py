"""On-policy training of the paper's networks: each step's contexts come from the closed loop.

Fresh crops are coded in wavefront order without gradients, so that contexts are those of a decoder.
One run of the loop serves a few steps. The averaged networks are the result.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from lbbic_engine.networks.paper.float_network import PIXEL_RANGE, PaperNetwork
from training.paper import loop
from training.paper.trainer import PaperTrainer, draw_crops
from training.shared.steps import rate_share, seeded_random, update_average

# Of the learning rate, for layers that read pixels: a block's pixels move together, so the same
# step changes their sums far more than others'. Without it the closed loop's cost first rises.
PIXEL_SHARE = 0.1
MIN_RATE_SHARE = 1e-2  # of the learning rate, at the very end


def train_on_policy(trainer: PaperTrainer) -> None:
    """Train until the end of the run."""
    recipe, plan = trainer.recipe, trainer.recipe.on_policy
    average = copy.deepcopy(trainer.network).requires_grad_(False)
    optimiser = torch.optim.Adam(_groups(trainer.network))
    state = trainer.restore()
    if state is not None:
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
    else:
        _validate(trainer, average)
    saved = time.monotonic()
    while trainer.step < plan.steps:
        for x, x_hat in _rollout(trainer):
            for group in optimiser.param_groups:
                group["lr"] = plan.learning_rate * _schedule(trainer) * group["share"]
            trainer.update(trainer.losses(x, x_hat), optimiser)
            update_average(average, trainer.network, trainer.step, plan.ema_decay)
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
    """Share of the full learning rate at this step."""
    plan = trainer.recipe.on_policy
    share = rate_share(
        trainer.step, plan.steps, warm_up_steps=plan.warm_up_steps, decay_share=plan.decay_share
    )
    return max(share, MIN_RATE_SHARE)


def _rollout(trainer: PaperTrainer) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of fresh crops and their reconstructions in the closed loop."""
    recipe, plan = trainer.recipe, trainer.recipe.on_policy
    random = seeded_random(recipe.seed, trainer.step)
    count = plan.batch * plan.rollout_steps
    crops = draw_crops(trainer.pictures.pictures, recipe, count, random).to(trainer.device)
    with trainer.narrow():
        x_hat = loop.run_blocks(trainer.network, crops, recipe.grid).x_hat / PIXEL_RANGE
    x = trainer.unit(crops)
    yield from zip(x.split(plan.batch), x_hat.split(plan.batch), strict=True)


def _validate(trainer: PaperTrainer, network: PaperNetwork) -> None:
    point = trainer.closed_loop_point(network)
    row = {
        "step": trainer.step,
        "bpp": round(point.bpp, 5),
        "psnr": round(point.psnr, 4),
        "cost": round(point.cost(trainer.lmbda), 5),
    }
    trainer.folder.log_validation(row)
    trainer.bar.write(f"step {trainer.step}: {row}")
