"""The folder of a training run, of whichever kind.

It contains ``recipe.json``, ``checkpoint.pt``, the tables ``log.csv`` and ``validation.csv``, and
``start.safetensors`` if the run began with float weights. Files are replaced by renaming a
temporary file, so an interruption at any moment leaves the old file intact.
"""

from __future__ import annotations

import csv
import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import torch
from safetensors.torch import save as serialise
from torch import Tensor

from lbbic_engine.pictures.atomic import make_folder, write_atomically

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class RunFolder:
    path: Path

    @classmethod
    def make(cls, path: Path, recipe: DataclassInstance, start: Path | None = None) -> RunFolder:
        """The folder of a new run; FileExistsError if there is one already.

        ``start`` names the float weights that it begins with.
        """
        weights = None if start is None else start.read_bytes()
        if path.exists():
            raise FileExistsError(errno.EEXIST, "There is a run already: resume it", str(path))
        path.mkdir(parents=True)
        folder = cls(path)
        if weights is not None:
            folder.start.write_bytes(weights)
        folder.write_recipe(recipe)
        return folder

    @property
    def start(self) -> Path:
        return self.path / "start.safetensors"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    def write_recipe(self, recipe: DataclassInstance) -> None:
        text = json.dumps(asdict(recipe), indent=2)
        (self.path / "recipe.json").write_text(text + "\n", encoding="utf-8")

    def recipe_values(self) -> dict[str, Any]:
        """The recipe as nested dictionaries."""
        text = (self.path / "recipe.json").read_text(encoding="utf-8")
        values: dict[str, Any] = json.loads(text)
        return values

    def save(self, state: dict[str, object]) -> None:
        """Replace the checkpoint."""
        save_state(self.checkpoint, state)

    def load(self, device: str) -> dict[str, Any] | None:
        """The checkpoint's state; None before the first."""
        return load_state(self.checkpoint, device) if self.checkpoint.exists() else None

    def log(self, row: Mapping[str, object]) -> None:
        """Append a row about some steps: ``step``, ``seconds`` since the last row, and more."""
        _append_row(self.path / "log.csv", row)

    def log_validation(self, row: Mapping[str, object]) -> None:
        """Append a row about a validation on held-out pictures."""
        _append_row(self.path / "validation.csv", row)

    def log_rows(self) -> list[dict[str, float]]:
        """The rows of the log."""
        return _read_rows(self.path / "log.csv")

    def validations(self) -> list[tuple[float, dict[str, float]]]:
        """The rows of the validation, each with the seconds of training until then."""
        clock = [(0.0, 0.0)]
        for row in self.log_rows():
            clock.append((row["step"], clock[-1][1] + row["seconds"]))
        return [
            (max(seconds for step, seconds in clock if step <= row["step"]), row)
            for row in _read_rows(self.path / "validation.csv")
        ]

    def record(self, recipe: DataclassInstance, step: int) -> dict[str, Any]:
        """Return the training record for a model file."""
        record: dict[str, Any] = {"recipe": asdict(recipe), "step": step}
        if rows := _read_texts(self.path / "validation.csv"):
            record["validation"] = rows[-1]
        if log := self.log_rows():
            record["hours"] = round(sum(row["seconds"] for row in log) / 3600, 2)
        return record


def save_state(path: Path, state: dict[str, object]) -> None:
    """Save a dictionary of tensors and plain values."""
    with replacing(path) as file:
        torch.save(state, file)


def load_state(path: Path, device: str = "cpu") -> dict[str, Any]:
    """Load what ``save_state`` has saved; never executes code in a pickle."""
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


def save_float(path: Path, values: Mapping[str, Tensor], *, half: bool) -> None:
    """Save weights that training can start from, in ``half`` precision or as they are."""
    make_folder(path.parent)
    values = {k: (v.half() if half else v).detach().contiguous() for k, v in values.items()}
    write_atomically(path, serialise(values), overwrite=True)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces ``path`` once it is complete."""
    aside = path.with_suffix(".tmp")
    with aside.open("wb") as file:
        yield file
    aside.replace(path)


def _append_row(path: Path, row: Mapping[str, object]) -> None:
    """Append a row to a table, with a header if it is new."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row.keys())
        if new:
            writer.writeheader()
        writer.writerow(row)


def _read_rows(path: Path) -> list[dict[str, float]]:
    """Return all rows of a table, if it exists, without empty cells."""
    return [{k: float(v) for k, v in row.items() if v} for row in _read_texts(path)]


def _read_texts(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
