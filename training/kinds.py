"""The two kinds of runs behind one interface. Each imports torch only when it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from training.shared.run_folder import RunFolder


class Kind(Protocol):
    def start(
        self, values: Mapping[str, Any], run: Path, start: Path | None, **changes: Any
    ) -> RunFolder:
        """Create the folder of a run from a recipe's values with ``changes``.

        ValueError for a change that does not apply to runs of this kind.
        """

    def train(self, run: Path, data: Path, device: str) -> None:
        """Train until the end of a run, from its checkpoint if there is one."""

    def export(
        self, run: Path, data: Path, name: str, folder: Path, float_path: Path | None
    ) -> str:
        """Write a weights file; return a report."""

    def evaluate(self, run: Path, data: Path) -> str:
        """Report the cost of the integer networks on held-out pictures."""

    def plot(self, run: Path, others: Sequence[Path], output: Path) -> None:
        """Plot the learning curve; ValueError if it cannot be compared with the other runs."""


def kind_of(values: Mapping[str, Any]) -> Kind:
    """Return the kind of run that a recipe describes."""
    return Paper() if "variant" in values else Production()


def kind_of_run(run: Path) -> Kind:
    from training.shared.run_folder import RunFolder

    return kind_of(RunFolder(run).recipe_values())


class Production:
    """Runs of the production network."""

    def start(
        self, values: Mapping[str, Any], run: Path, start: Path | None, **changes: Any
    ) -> RunFolder:
        from training.shared.recipe import from_values
        from training.shared.run_folder import RunFolder

        if changes:
            raise ValueError(f"{' and '.join(changes)}: only for the paper's networks")
        return RunFolder.make(run, from_values(values), start)

    def train(self, run: Path, data: Path, device: str) -> None:
        from training.optimise.train import train

        train(run, data, device=device)

    def export(
        self, run: Path, data: Path, name: str, folder: Path, float_path: Path | None
    ) -> str:
        from training.export.export_run import export_run

        return str(export_run(run, data, name, folder, float_path))

    def evaluate(self, run: Path, data: Path) -> str:
        from training.export.export_run import evaluate_run

        return str(evaluate_run(run, data))

    def plot(self, run: Path, others: Sequence[Path], output: Path) -> None:
        from training.optimise.report import plot_run

        if others:
            raise ValueError("other runs can only be drawn beside one of the paper's networks")
        plot_run(run, output)


class Paper:
    """Runs of the paper's networks."""

    def start(
        self, values: Mapping[str, Any], run: Path, start: Path | None, **changes: Any
    ) -> RunFolder:
        from training.paper.recipe import from_values
        from training.shared.run_folder import RunFolder

        return RunFolder.make(run, from_values({**values, **changes}), start)

    def train(self, run: Path, data: Path, device: str) -> None:
        from training.paper.run import train
        from training.shared import processes

        if processes.count() > 1:
            raise ValueError("the paper's networks are trained by one process")
        train(run, data, device=device)

    def export(
        self, run: Path, data: Path, name: str, folder: Path, float_path: Path | None
    ) -> str:
        from training.paper.export_run import export_run

        path, cost = export_run(run, data, str(folder.resolve() / name), float_path)
        return f"{path}\n{cost}"

    def evaluate(self, run: Path, data: Path) -> str:
        from training.paper.export_run import evaluate_run

        return str(evaluate_run(run, data))

    def plot(self, run: Path, others: Sequence[Path], output: Path) -> None:
        from training.paper.report import plot_beside

        plot_beside(run, others, output)
