"""Recipes for training the production model, read from TOML files. Imports no torch."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lbbic_engine.config import ModelConfig

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PartT = TypeVar("PartT", bound="DataclassInstance")


@dataclass(frozen=True)
class Recipe:
    """One run; ``steps`` counts optimiser steps, sizes are in blocks, rates are per step."""

    model: ModelConfig = field(default_factory=ModelConfig)
    steps: int = 20000
    crops: int = 8
    crop_blocks: int = 32
    rollout_steps: int = 4
    soft_share: float = 0.0  # of the crops: enlarged, with grain
    acl_crops: int = 0  # 0: exact contexts; else ACL training on so many fixed crops
    learning_rate: float = 5e-4
    matrix_learning_rate: float = 0.01
    warm_up_steps: int = 100
    decay_share: float = 0.4
    ema_decay: float = 0.998
    start_share: float = 0.0  # of what training started from in the network that is exported
    calibration_crops: int = 256  # on which the steps of activations are chosen
    table_crops: int = 24  # on which the probability tables are counted
    seed: int = 1
    validate_every: int = 1000
    save_every_s: float = 120.0

    def __post_init__(self) -> None:
        if 0 < self.acl_crops < self.crops:
            raise ValueError("acl_crops must be at least crops, or 0")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; ValueError for wrong names, or values that contradict each other."""
    return from_values(read_values(path))


def read_values(path: Path) -> dict[str, Any]:
    """A recipe of any kind as nested dictionaries."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def from_values(values: Mapping[str, Any]) -> Recipe:
    """A recipe from nested dictionaries, as TOML and JSON give them."""
    return filled(Recipe, {**values, "model": filled(ModelConfig, values.get("model", {}))})


def filled(kind: type[PartT], values: Mapping[str, Any]) -> PartT:
    """A recipe, or a part of one, of any kind; ValueError for unknown and for missing names."""
    needed = {f.name for f in fields(kind) if f.default is f.default_factory is MISSING}
    unknown, missing = values.keys() - {f.name for f in fields(kind)}, needed - values.keys()
    if unknown or missing:
        names = ", ".join(sorted(unknown or missing))
        raise ValueError(f"a recipe {'has no' if unknown else 'needs'} {names}")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
