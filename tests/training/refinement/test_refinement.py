"""From pictures to a refinement file and a better picture, killed and resumed on the way."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.layout import coarse
from lbbic_engine.layout.wavefront import Grid, block_flips
from lbbic_engine.networks import weights
from lbbic_engine.networks.float_network import PIXEL_UNIT
from lbbic_engine.networks.refinement import RESIDUAL_BITS, Refinement
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.resources import FOLDER
from training.__main__ import main
from training.export.integers import BoundError
from training.refinement import export
from training.refinement.decoded import Crop, code, read_crops
from training.refinement.train import (
    Example,
    Examples,
    Trainer,
    input_mixer,
    load_recipe,
    seams,
    trained,
)
from training.shared.run_folder import RunFolder

RECIPE = """
steps = 80
crops = 8
blocks = 32
learning_rate = 0.002
matrix_learning_rate = 0.01
warm_up_steps = 10
validate_every = 30
save_every_s = 0.0

[model]
ring = 2
hidden = 16
"""

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Path:
    """Pictures, crops of them coded by the tiny network, and a recipe."""
    folder = tmp_path_factory.mktemp("refinement")
    pictures = folder / "pictures"
    pictures.mkdir()
    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        for i in range(4):
            place = (80 * i, 20 * i, 80 * i + 100, 20 * i + 72)
            image.crop(place).save(pictures / f"{i}.png")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LBBIC_WEIGHTS", str(tiny_weights))
        decode = ["refinement", "decode", str(pictures), "--side", "64", "-o"]
        main([*decode, str(folder / "crops"), "--batches", "3"])
        main([*decode, str(folder / "crops"), "--batches", "1", "--effort", "thorough"])
        main([*decode, str(folder / "held-out"), "--middles"])
    return folder


def train(folder: Path, run: str) -> Path:
    options = ["--crops", str(folder / "crops"), "--held-out", str(folder / "held-out")]
    recipe = str(folder / "recipe.toml")
    main(["refinement", "train", recipe, *options, "--run", str(folder / run), "--threads", "1"])
    return folder / run


@pytest.fixture(scope="module")
def finished(folder: Path) -> Path:
    return train(folder, "finished")


def test_decoded_crops_equal_the_codecs_output(folder: Path) -> None:
    network = weights.load(weights.by_name(weights.DEFAULT), "cpu")
    crops = list(read_crops(folder / "held-out"))
    assert len(crops) == 4 * 8
    for crop in crops[::7]:
        compressed = codec.compress(Picture(crop.original.numpy()), 1 + crop.quality / 8)
        assert np.array_equal(compressed.reconstruction, crop.decoded.numpy())
        payload = codec.read_info(compressed.data).payload_bytes
        assert float(crop.bits.sum()) / 8 == pytest.approx(payload, rel=0.05, abs=8)
    several = code(network, 8, [crop.original.numpy() for crop in crops[:3]])
    assert np.array_equal(several[1][0], code(network, 8, [crops[1].original.numpy()])[0][0])


def test_decoding_resumes_where_it_stopped(folder: Path) -> None:
    names = sorted(path.name for path in (folder / "crops").iterdir())
    assert names == [*(f"fast-{i:04}.safetensors" for i in range(3)), "thorough-0000.safetensors"]
    times = [path.stat().st_mtime_ns for path in (folder / "crops").iterdir()]
    pictures, crops = str(folder / "pictures"), str(folder / "crops")
    main(["refinement", "decode", pictures, "--side", "64", "-o", crops, "--batches", "3"])
    assert [path.stat().st_mtime_ns for path in (folder / "crops").iterdir()] == times


def test_crops_are_coded_with_the_effort_that_is_asked_for(folder: Path, tmp_path: Path) -> None:
    options = ["--side", "64", "--batches", "1", "-o", str(tmp_path), "--effort", "balanced"]
    main(["refinement", "decode", str(folder / "pictures"), *options])
    assert [path.name for path in tmp_path.iterdir()] == ["balanced-0000.safetensors"]
    network = weights.load(weights.by_name(weights.DEFAULT), "cpu")
    crop = next(read_crops(tmp_path))
    quality = 1 + crop.quality / 8
    compressed = codec.compress(Picture(crop.original.numpy()), quality, effort="balanced")
    alone = code(network, crop.quality, [crop.original.numpy()], effort="balanced")
    assert np.array_equal(compressed.reconstruction, alone[0][0])


def test_examples_are_flipped_as_their_blocks_were_coded(folder: Path) -> None:
    config = load_recipe(folder / "recipe.toml").model
    random = np.random.default_rng(2)
    decoded = torch.from_numpy(random.integers(0, 256, (24, 40, 3), dtype=np.uint8))
    cells = decoded.split(coarse.CELL, dim=1)
    original = torch.cat([cell.flip(0, 1) for cell in cells], dim=1)  # without slow errors
    example = Example(Crop(original, decoded, torch.zeros(3, 5), 8), config)
    patches, missing = example.cut(np.arange(15))
    padded = np.pad(decoded.numpy(), ((2, 2), (2, 2), (0, 0)), mode="edge")
    for block, flip in enumerate(block_flips(Grid(3, 5, from_middle=True))):
        top, left = 8 * (block // 5), 8 * (block % 5)
        turned = [axis for axis, bit in ((1, 1), (0, 2)) if flip & bit]
        assert np.array_equal(
            patches[block], np.flip(padded[top : top + 12, left : left + 12], turned)
        )
        pixels = original.numpy()[top : top + 8, left : left + 8].astype(int)
        lack = np.flip(pixels - decoded.numpy()[top : top + 8, left : left + 8], turned)
        assert np.array_equal(missing[block].reshape(8, 8, 3), lack)


def test_the_refinement_leaves_slow_errors_to_the_correction(folder: Path) -> None:
    config = load_recipe(folder / "recipe.toml").model
    ramp = np.linspace(50, 150, 64)[:, None, None]
    original = torch.from_numpy(np.broadcast_to(ramp, (64, 64, 3)).astype(np.uint8))
    decoded = original - torch.linspace(10, 30, 64, dtype=torch.uint8)[:, None]
    example = Example(Crop(original, decoded, torch.zeros(8, 8), 0), config)
    _, missing = example.cut(np.arange(64))
    assert (original - decoded).float().mean() > 15
    assert missing.abs().float().mean() < 3
    assert example.error < 20


def test_squares_are_of_blocks_that_touch_in_the_order_of_their_flips(folder: Path) -> None:
    config = load_recipe(folder / "recipe.toml").model
    row, column = np.indices((48, 56))
    ramp = np.stack([row + 3 * column, row, column], axis=2).astype(np.uint8)
    ramp = torch.from_numpy(ramp)
    example = Example(Crop(ramp, ramp, torch.zeros(6, 7), 0), config)
    patches, _ = example.cut(example.squares.ravel())
    ring = config.ring
    blocks = patches[:, ring:-ring, ring:-ring].flatten(1).float()
    across_and_down = seams(blocks[None], config.block_size)[0].abs().flatten(2, 3)
    down, across = across_and_down.flatten(1, 2).chunk(2)
    assert len(example.squares) > 10
    assert len(np.unique(example.squares)) == 42
    assert (across.unflatten(1, (-1, 3)) == torch.tensor([3.0, 0.0, 1.0])).all()
    assert (down.unflatten(1, (-1, 3)) == torch.tensor([1.0, 1.0, 0.0])).all()
    assert Example(Crop(ramp[:8], ramp[:8], torch.zeros(1, 7), 0), config).squares.size == 0


def test_a_killed_refinement_run_resumes_to_the_same_result(
    folder: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Trainer.update

    def killed(trainer: Trainer, batch: object) -> float:
        if trainer.step == 25:
            raise KeyboardInterrupt
        return update(trainer, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "update", killed)
    with pytest.raises(KeyboardInterrupt):
        train(folder, "killed")
    monkeypatch.undo()
    run = train(folder, "killed")
    left, right = (
        torch.load(each / "checkpoint.pt", weights_only=True)["network"] for each in (run, finished)
    )
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_a_trained_refinement_improves_pictures(
    folder: Path,
    finished: Path,
    tiny_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copy(tiny_weights / "tiny.safetensors", tmp_path)
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path))
    options = ["--run", str(finished), "--crops", str(folder / "crops"), "-o", str(tmp_path)]
    main(["refinement", "export", weights.DEFAULT, *options])
    pixels = next(read_crops(folder / "held-out")).original.numpy()
    errors = [
        np.square(
            codec.compress(Picture(pixels), 1, refine=each).reconstruction - pixels.astype(float)
        )
        for each in (False, True)
    ]
    assert errors[1].sum() < 0.95 * errors[0].sum()


def test_the_integers_equal_the_float_network(folder: Path, finished: Path) -> None:
    recipe = load_recipe(folder / "recipe.toml")
    network, step = trained(RunFolder(finished), recipe)
    assert step == 80
    batches = export.calibration(folder / "crops", recipe)
    moments = export.calibrate(network, batches)
    tensors = export.integer_tensors(network, moments)
    twin = Refinement(recipe.model, tensors, "float64", "cpu")
    example = Examples(folder / "held-out", recipe.model).crops[9]
    blocks = np.arange(example.count)
    batch = Examples(folder / "held-out", recipe.model).batch([example], [blocks])
    with torch.no_grad():
        true = network(batch.inputs, batch.rate)[0] * PIXEL_UNIT
    found = twin.residuals(example.cut(blocks)[0], example.quality) / 2**RESIDUAL_BITS
    assert float((true - found).square().mean()) < 0.02 * float(true.square().mean())
    network.layer_3.weight.data[0] *= 2.0**40
    with pytest.raises(BoundError):
        export.integer_tensors(network, moments)


def test_a_recipe_of_another_network_leaves_the_run_as_it_is(
    folder: Path, finished: Path, tmp_path: Path
) -> None:
    before = (finished / "recipe.json").read_text()
    other = tmp_path / "other.toml"
    other.write_text(RECIPE.replace("hidden = 16", "hidden = 24"), encoding="utf-8")
    options = ["--crops", str(folder / "crops"), "--held-out", str(folder / "held-out")]
    with pytest.raises(SystemExit, match="another network"):
        main(["refinement", "train", str(other), *options, "--run", str(finished)])
    assert (finished / "recipe.json").read_text() == before


@pytest.mark.parametrize("which", [["--batches", "1"], ["--middles"]])
def test_decoding_without_pictures_is_reported(tmp_path: Path, which: list[str]) -> None:
    with pytest.raises(SystemExit, match="no picture in it"):
        main(["refinement", "decode", str(tmp_path), "-o", str(tmp_path / "crops"), *which])


def test_training_without_crops_is_reported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no decoded crops"):
        Examples(tmp_path, load_recipe(folder / "recipe.toml").model)


def test_crops_without_squares_of_blocks_are_reported(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 8)).save(tmp_path / "row.png")
    main(["refinement", "decode", str(tmp_path), "-o", str(tmp_path), "--batches", "1"])
    examples = Examples(tmp_path, load_recipe(folder / "recipe.toml").model)
    with pytest.raises(ValueError, match=r"no crop in .* has two by two blocks"):
        examples.draw(4, 16, np.random.default_rng(1))


def test_a_run_can_start_from_float_weights(folder: Path, finished: Path, tmp_path: Path) -> None:
    floats = tmp_path / "floats.safetensors"
    options = ["--run", str(finished), "--crops", str(folder / "crops"), "-o", str(tmp_path)]
    main(["refinement", "export", weights.DEFAULT, *options, "--float", str(floats)])
    recipe = load_recipe(folder / "recipe.toml")
    network, _ = trained(RunFolder(finished), recipe)
    batch = Examples(folder / "crops", recipe.model).draw(4, 16, np.random.default_rng(1))
    mixer = input_mixer(Examples(folder / "crops", recipe.model), recipe)
    found = Trainer(recipe, mixer, floats).network(batch.inputs, batch.rate)
    assert torch.allclose(found, network(batch.inputs, batch.rate), atol=0.02, rtol=0)
