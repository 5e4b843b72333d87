"""Asymptotic closed-loop (ACL) training as in the paper.

Contexts are renewed once per iteration: in iteration 0 they are the originals, later the
reconstructions of all crops by the best networks of the previous iteration, in one parallel pass
with *its* contexts. Once both agree, open and closed loop are the same. ``recipe.Acl`` determines
how long an iteration lasts, and when the closed loop decides.

A run's folder also contains the contexts of the current iteration (``contexts3.npz``, for example)
and the best networks so far, by the open loop of the iteration and by the closed loop. Training and
held-out crops are drawn again from the seed.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lbbic_engine.measure.rate_distortion import Point
from lbbic_engine.networks.paper.float_network import to_pixels
from training.paper import loop
from training.paper.trainer import PaperTrainer, draw_crops
from training.shared.run_folder import load_state, replacing, save_state
from training.shared.steps import seeded_random

BEST_OPEN, BEST_CLOSED = "best_open.pt", "best_closed.pt"
ENOUGH = 0.99  # of the closed loop's cost of the iteration before
CHAINED_SHARE = 0.66  # of the learning rate, once the closed loop decides
CHAINED_MIN_SHARE = 0.5  # of the least learning rate, then


@dataclass(frozen=True)
class Progress:
    """The state of a run besides networks and optimiser."""

    iteration: int = 0
    epoch: int = 0  # of all iterations
    place: int = 0  # batches of the epoch that are done
    closed: bool = False  # the closed loop decides, and steps are chained
    misses: int = 0  # validations without improvement
    best_open: float = float("inf")
    best_closed: float = float("inf")
    previous_closed: float = float("inf")  # of the iteration before


def train_acl(trainer: PaperTrainer) -> None:
    """Train through the remaining iterations."""
    AclTraining(trainer).run()


class AclTraining:
    def __init__(self, trainer: PaperTrainer) -> None:
        self.trainer = trainer
        self.recipe, self.plan = trainer.recipe, trainer.recipe.acl
        random = np.random.default_rng(self.recipe.seed)
        self.crops = draw_crops(trainer.pictures.pictures, self.recipe, self.plan.crops, random)
        self.contexts, self.validation_contexts = self.crops, trainer.validation
        self.progress = Progress()
        state = trainer.restore()
        if state is not None:
            self._restore(state)
        else:
            self._new_optimiser(self.plan.learning_rate)
        self._saved = time.monotonic()

    def run(self) -> None:
        while self.progress.iteration < self.plan.iterations:
            self._train_epoch()
            if self._validate():
                self._next_iteration()
            self._save()

    # One epoch.

    def _train_epoch(self) -> None:
        trainer, recipe = self.trainer, self.recipe
        order = np.random.default_rng([recipe.seed, self.progress.epoch]).permutation(
            len(self.crops)
        )
        batches = [order[i : i + self.plan.batch] for i in range(0, len(order), self.plan.batch)]
        for batch in batches[self.progress.place :]:
            seeded_random(recipe.seed, trainer.step)
            x, x_hat = trainer.unit(self.crops[batch]), trainer.unit(self.contexts[batch])
            loss = trainer.losses(x, x_hat, chained=self.progress.closed)
            trainer.update(loss, self.optimiser)
            self.progress = replace(self.progress, place=self.progress.place + 1)
            if time.monotonic() - self._saved > recipe.save_every_s:
                self._save()

    def _validate(self) -> bool:
        """Validate after an epoch; return whether the iteration ends."""
        trainer, now = self.trainer, self.progress
        epoch = now.epoch + 1
        now = replace(now, epoch=epoch, place=0)
        open_loop = self._open_loop_point().cost(trainer.lmbda)
        self.scheduler.step(open_loop)
        improved = open_loop < now.best_open
        if improved:
            now = replace(now, best_open=open_loop)
            save_state(self._best(BEST_OPEN), {"network": trainer.network.state_dict()})
        closed_loop = None
        if epoch % max(1, self.plan.closed_loop_every - now.iteration) == 0:
            closed_loop = trainer.closed_loop_point(trainer.network)
            cost = closed_loop.cost(trainer.lmbda)
            closed_improved = cost < now.best_closed
            if closed_improved:
                now = replace(now, best_closed=cost)
                save_state(self._best(BEST_CLOSED), {"network": trainer.network.state_dict()})
            improved = closed_improved if now.closed else improved
        if not now.closed or closed_loop is not None:
            now = replace(now, misses=0 if improved else now.misses + 1)
        self.progress = now
        self._log(open_loop, closed_loop)
        patience = self.plan.patience[min(now.iteration, len(self.plan.patience) - 1)]
        at_goal = now.iteration == 0 and open_loop < self._threshold()
        return at_goal or now.misses > patience

    def _threshold(self) -> float:
        return float(np.interp(self.recipe.quality, range(1, 9), self.plan.threshold))

    @torch.no_grad()
    def _open_loop_point(self) -> Point:
        """One parallel pass over the held-out crops, on their contexts of this iteration."""
        trainer = self.trainer
        x = trainer.unit(trainer.validation)
        x_hat = trainer.unit(self.validation_contexts)
        seeded_random(self.recipe.seed, 0)
        evaluated = loop.evaluate_blocks(trainer.network, x, x_hat, trainer.validation_grid)
        error = (evaluated.x_hat.clamp(-0.5, 0.5) - x).square().mean().item()
        return trainer.point(evaluated.bits.mean().item(), error)

    def _log(self, open_loop: float, closed_loop: Point | None) -> None:
        row: dict[str, Any] = {
            "step": self.trainer.step,
            "iteration": self.progress.iteration,
            "epoch": self.progress.epoch,
            "open_loop_cost": round(open_loop, 5),
            "bpp": round(closed_loop.bpp, 5) if closed_loop else "",
            "psnr": round(closed_loop.psnr, 4) if closed_loop else "",
            "cost": round(closed_loop.cost(self.trainer.lmbda), 5) if closed_loop else "",
        }
        self.trainer.folder.log_validation(row)
        self.trainer.bar.write(str(row))

    # From one iteration to the next.

    def _next_iteration(self) -> None:
        trainer, now, plan = self.trainer, self.progress, self.plan
        late = now.iteration >= plan.switch_after
        switched = not now.closed and late and now.best_closed >= ENOUGH * now.previous_closed
        closed = now.closed or switched
        best = self._best(BEST_CLOSED if closed else BEST_OPEN)
        if best.exists():
            trainer.network.load_state_dict(load_state(best, trainer.device)["network"])
        self.contexts = self._reconstruct(self.crops, self.contexts, self.recipe.grid)
        self.validation_contexts = self._reconstruct(
            trainer.validation, self.validation_contexts, trainer.validation_grid
        ).to(trainer.device)
        rate = self.optimiser.param_groups[0]["lr"] * (CHAINED_SHARE if switched else 1)
        iteration = now.iteration + 1
        self.progress = replace(
            now,
            iteration=iteration,
            closed=closed,
            misses=0,
            best_open=float("inf"),
            previous_closed=now.best_closed,
        )
        self._save_contexts()
        fresh = max(5 - iteration, 0) / 10  # early iterations begin nearer to the first rate
        self._new_optimiser(self.plan.learning_rate * fresh + rate * (1 - fresh))

    @torch.no_grad()
    def _reconstruct(self, crops: Tensor, contexts: Tensor, grid: tuple[int, int]) -> Tensor:
        """Reconstruct the crops in one parallel pass with the given contexts; uint8."""
        trainer = self.trainer
        parts = []
        for x, x_hat in zip(
            crops.split(self.plan.batch), contexts.split(self.plan.batch), strict=True
        ):
            evaluated = loop.evaluate_blocks(
                trainer.network, trainer.unit(x), trainer.unit(x_hat), grid
            )
            parts.append((to_pixels(evaluated.x_hat) + 128).to(torch.uint8).cpu())
        return torch.cat(parts)

    def _new_optimiser(self, rate: float) -> None:
        least = self.plan.min_learning_rate * (CHAINED_MIN_SHARE if self.progress.closed else 1)
        self.optimiser = torch.optim.Adam(self.trainer.network.parameters(), rate)
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimiser, factor=0.8, patience=4, threshold=3e-4, cooldown=1, min_lr=least
        )

    # State of a resumed run.

    def _best(self, name: str) -> Path:
        return self.trainer.folder.path / name

    def _contexts_path(self) -> Path:
        return self.trainer.folder.path / f"contexts{self.progress.iteration}.npz"

    def _save_contexts(self) -> None:
        """Save the contexts before the checkpoint that needs them; old ones are kept until then."""
        with replacing(self._contexts_path()) as file:
            np.savez(file, crops=self.contexts.numpy(), validation=self.validation_contexts.cpu())

    def _save(self) -> None:
        self.trainer.save(
            {
                "progress": asdict(self.progress),
                "optimiser": self.optimiser.state_dict(),
                "scheduler": self.scheduler.state_dict(),
            }
        )
        for path in self.trainer.folder.path.glob("contexts*.npz"):
            if path != self._contexts_path():
                path.unlink()
        self._saved = time.monotonic()

    def _restore(self, state: dict[str, Any]) -> None:
        self.progress = Progress(**state["progress"])
        self._new_optimiser(self.plan.learning_rate)
        self.optimiser.load_state_dict(state["optimiser"])
        self.scheduler.load_state_dict(state["scheduler"])
        if self.progress.iteration:
            with np.load(self._contexts_path()) as saved:
                self.contexts = torch.from_numpy(saved["crops"])
                self.validation_contexts = torch.from_numpy(saved["validation"])
