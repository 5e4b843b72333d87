"""Recipes for training the paper's networks, read from TOML files. Imports no torch.

There are two methods. ``acl`` is the paper's: iterations over fixed crops, whose contexts are
reconstructions of the previous iteration (``Acl``). ``on-policy`` draws fresh crops and takes their
contexts from the closed loop (``OnPolicy``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lbbic_engine.config import PaperConfig, paper_config
from training.shared.recipe import filled

METHODS = ("acl", "on-policy")


@dataclass(frozen=True)
class Acl:
    """Asymptotic closed-loop passes; the numbers are those of the paper's logs and settings.

    ``threshold`` is the open-loop loss at which iteration 0 ends, one for each quality from 1 to
    8; a later iteration ends after more than ``patience`` validations without improvement
    (iterations beyond the list take its last number), iteration 0, too, where it never gets there.
    From ``switch_after`` on, an iteration that improves the closed loop by less than a hundredth
    is the last to go by the open loop; from then on the closed loop decides, and steps are chained.
    The paper had 19,000 crops; two copies of these are held in memory.
    """

    batch: int = 8
    learning_rate: float = 0.8e-4
    closed_form: bool = False
    crops: int = 4000
    iterations: int = 8
    threshold: tuple[float, ...] = (0.32, 0.41, 0.58, 0.81, 1.12, 1.48, 1.95, 2.58)
    patience: tuple[int, ...] = (8, 8, 7, 6, 5, 5)
    closed_loop_every: int = 5
    switch_after: int = 2
    min_learning_rate: float = 4e-5


@dataclass(frozen=True)
class OnPolicy:
    """Steps on exact contexts; one run of the closed loop serves ``rollout_steps`` of them."""

    batch: int = 2
    learning_rate: float = 1.5e-4
    closed_form: bool = True
    steps: int = 20000
    rollout_steps: int = 8
    warm_up_steps: int = 50
    decay_share: float = 0.85
    ema_decay: float = 0.998
    validate_every: int = 200


@dataclass(frozen=True)
class PaperRecipe:
    """One run of one variant at one quality; crops are squares of ``crop_px`` pixels.

    ``hidden`` and ``latents`` other than 0 replace the variant's sizes; ``bfloat16`` is for
    products. The chosen method's ``closed_form`` begins with a least-squares predictor and
    principal components instead of random layers.
    """

    variant: str
    quality: float
    method: str = "acl"
    hidden: int = 0
    latents: int = 0
    bfloat16: bool = False
    crop_px: int = 256
    seed: int = 1
    save_every_s: float = 120.0
    acl: Acl = field(default_factory=Acl)
    on_policy: OnPolicy = field(default_factory=OnPolicy)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"the method is {' or '.join(METHODS)}, not {self.method!r}")
        if self.crop_px % self.config.block_size:
            raise ValueError(f"crop_px must be a multiple of {self.config.block_size}")

    @property
    def config(self) -> PaperConfig:
        """The networks' sizes; ValueError for an unknown variant or quality."""
        config = paper_config(self.variant, self.quality)
        return replace(
            config, hidden=self.hidden or config.hidden, latents=self.latents or config.latents
        )

    @property
    def plan(self) -> Acl | OnPolicy:
        """The settings of the chosen method."""
        return self.acl if self.method == "acl" else self.on_policy

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of blocks of a crop."""
        side = self.crop_px // self.config.block_size
        return side, side


def from_values(values: Mapping[str, Any]) -> PaperRecipe:
    """A recipe from nested dictionaries, as TOML and JSON give them; ValueError for wrong names."""
    acl = filled(Acl, values.get("acl", {}))
    on_policy = filled(OnPolicy, values.get("on_policy", {}))
    return filled(PaperRecipe, {**values, "acl": acl, "on_policy": on_policy})
