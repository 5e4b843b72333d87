"""A run's folder: files are complete, round-trip, and tell which kind of run it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from training.__main__ import main
from training.kinds import Paper, Production, kind_of_run
from training.paper.recipe import PaperRecipe
from training.shared.recipe import Recipe, from_values
from training.shared.run_folder import RunFolder

RECIPES = Path(__file__).parents[3] / "training" / "recipes"


class Killed:
    """A value at which saving fails, as if the process ended there."""

    def __reduce__(self) -> str:
        raise KeyboardInterrupt


def test_a_run_folder_cannot_be_started_twice(tmp_path: Path) -> None:
    folder = RunFolder.make(tmp_path / "run", Recipe(seed=7))
    assert from_values(folder.recipe_values()) == Recipe(seed=7)
    with pytest.raises(FileExistsError):
        RunFolder.make(tmp_path / "run", Recipe(seed=8))
    assert folder.recipe_values()["seed"] == 7


def test_the_recipe_determines_the_kind_of_run(tmp_path: Path) -> None:
    RunFolder.make(tmp_path / "ours", Recipe())
    RunFolder.make(tmp_path / "theirs", PaperRecipe("block4", 8.0))
    assert isinstance(kind_of_run(tmp_path / "ours"), Production)
    assert isinstance(kind_of_run(tmp_path / "theirs"), Paper)


def test_old_recipes_get_defaults_for_new_settings(tmp_path: Path) -> None:
    folder = RunFolder.make(tmp_path / "run", Recipe(steps=5))
    values = folder.recipe_values()
    del values["soft_share"]
    (folder.path / "recipe.json").write_text(json.dumps(values), encoding="utf-8")
    assert from_values(folder.recipe_values()) == Recipe(steps=5)


@pytest.mark.parametrize(
    ("recipe", "match"),
    [
        ("stepz = 3", "a recipe has no stepz"),
        ("[model]\nhiden = 3", "a recipe has no hiden"),
        ('variant = "block4"\nquality = 7\ncrop = 3', "a recipe has no crop"),
        ('variant = "block4"\nquality = 7\n[acl]\npatient = 3', "a recipe has no patient"),
        ('variant = "block4"', "a recipe needs quality"),
    ],
)
def test_wrong_names_in_a_recipe_are_reported(recipe: str, match: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    path = tmp_path / "recipe.toml"
    path.write_text(recipe, encoding="utf-8")
    with pytest.raises(SystemExit, match=match):
        main(["train", str(path), "--data", str(tmp_path), "--run", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()


def test_an_interrupted_checkpoint_keeps_the_last_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.load("cpu") is None
    folder.save({"step": 3, "weights": torch.arange(4.0)})
    with pytest.raises(KeyboardInterrupt):
        folder.save({"step": 4, "weights": torch.zeros(4), "rest": Killed()})
    state = folder.load("cpu")
    assert state is not None
    assert state["step"] == 3
    assert torch.equal(state["weights"], torch.arange(4.0))


def test_validation_rows_have_the_seconds_of_training(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step, seconds in ((20, 1.5), (40, 2.0)):
        folder.log({"step": step, "loss": 0.1, "seconds": seconds})
    for step, cost in ((0, ""), (30, 0.5), (40, 0.25)):
        folder.log_validation({"step": step, "cost": cost})
    expected = [
        (0.0, {"step": 0.0}),
        (1.5, {"step": 30.0, "cost": 0.5}),
        (3.5, {"step": 40.0, "cost": 0.25}),
    ]
    assert folder.validations() == expected
    record = folder.record(Recipe(), 40)
    assert (record["step"], record["validation"]["cost"]) == (40, "0.25")


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path: Path) -> None:
    run, nowhere, empty = tmp_path / "run", tmp_path / "nowhere", tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "a.png").touch()
    command = ["train", str(RECIPES / "tiny.toml"), "--run", str(run), "--data"]
    with pytest.raises(SystemExit, match=f": No such file or directory: {nowhere}$"):
        main([*command, str(nowhere)])
    with pytest.raises(SystemExit, match=f"{empty}: there is no picture"):
        main([*command, str(empty)])
    with pytest.raises(SystemExit, match=f": No such file or directory: {nowhere}$"):
        main([*command, str(tmp_path), "--start", str(nowhere)])
    assert not run.exists()
    run.mkdir()
    with pytest.raises(SystemExit, match=f"There is a run already: resume it: {run}"):
        main([*command, str(tmp_path)])


def test_options_of_another_kind_of_run_are_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (tmp_path / "a.png").touch()
    options = ["--data", str(tmp_path), "--run", str(run)]
    with pytest.raises(SystemExit, match="quality: only for the paper's networks"):
        main(["train", str(RECIPES / "tiny.toml"), "--quality", "3", *options])
    assert not run.exists()
    RunFolder.make(run, Recipe())
    with pytest.raises(SystemExit, match="only be drawn beside one of the paper's"):
        main(["plot", "--run", str(run), "--beside", str(run), "-o", str(tmp_path / "c.png")])
