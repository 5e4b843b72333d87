"""A tiny run from the start to weights, killed and resumed, and the consistency of its parts."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from lbbic_engine import codec
from lbbic_engine.coding.latents import SymbolChoice
from lbbic_engine.config import LAMBDAS, quality_index
from lbbic_engine.layout.blocks import split_blocks
from lbbic_engine.networks import integer_network, kernels, weights
from lbbic_engine.networks.float_network import BlockNetwork, rate_weights, to_unit
from lbbic_engine.pictures.read import load_picture
from lbbic_engine.resources import FOLDER
from training.__main__ import main
from training.export import calibrate, rounding
from training.export.export_run import calibrated
from training.export.integer_cost import compare, exact_twin
from training.initialisation import precondition
from training.initialisation.dead_units import revive
from training.optimise.train import Trainer, calibration, load_float, train
from training.shared import dataset
from training.shared.recipe import from_values, load_recipe
from training.shared.run_folder import RunFolder
from training.simulation import closed_loop, open_loop
from training.simulation.rdoq import choose_symbols, distortion_bits

ROOT = Path(__file__).parents[3]
TINY = ROOT / "training" / "recipes" / "tiny.toml"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        for i in range(6):
            image.crop((60 * i, 20 * i, 60 * i + 128, 20 * i + 96)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    run = tmp_path_factory.mktemp("runs") / "finished"
    main(["train", str(TINY), "--data", str(pictures), "--run", str(run)])
    return run


@pytest.fixture(scope="session")
def exported(finished: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    options = ["--run", str(finished), "--data", str(pictures), "-o", str(folder)]
    main(["export", "mine", *options, "--float", str(folder / "float" / "mine.safetensors")])
    return folder


def photograph(left: int = 200, top: int = 100) -> Tensor:
    """One crop of 8×8 blocks, by default of medium brightness."""
    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        pixels = np.asarray(image.convert("RGB"))[top : top + 64, left : left + 64]
    return to_unit(torch.from_numpy(split_blocks(pixels, 8)))[None]


def float_network(exported: Path, finished: Path) -> BlockNetwork:
    network = BlockNetwork(load_recipe(TINY).model)
    load_float(network, exported / "float" / "mine.safetensors")
    return network


def test_two_processes_train_like_one_with_twice_the_crops(pictures: Path, tmp_path: Path) -> None:
    """Sums differ in their order, which changes results only once contexts are coded again."""
    twice = tmp_path / "twice.toml"
    twice.write_text(TINY.read_text().replace("crops = 2", "crops = 4", 1))
    script = tmp_path / "train.py"
    script.write_text(
        "from pathlib import Path\n"
        "from training.__main__ import main\n"
        "from training.optimise import train\n"
        "train.LOG_EVERY = 1\n"
        "main()\n"
        "threads = [path.read_text() for path in Path('/proc/self/task').glob('*/comm')]\n"
        "assert not any('gloo' in name for name in threads)  # they may abort the process\n"
    )
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--"]
    curves = []
    for name, recipe, launcher in (("one", twice, []), ("two", TINY, torchrun)):
        command = [sys.executable, *launcher, str(script), "train", str(recipe)]
        options = ["--data", str(pictures), "--run", str(tmp_path / name), "--threads", "1"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([*command, *options], check=True, env=environment)
        curves.append([row["loss"] for row in RunFolder(tmp_path / name).log_rows()])
    one, two = curves
    before = load_recipe(TINY).rollout_steps
    assert len(one) == 8
    assert two[:before] == pytest.approx(one[:before], rel=1e-4)
    assert two == pytest.approx(one, rel=0.03)


def test_a_widened_network_starts_with_the_same_function(exported: Path, finished: Path) -> None:
    narrow = float_network(exported, finished)
    wide = BlockNetwork(replace(narrow.config, hidden=narrow.config.hidden + 16))
    load_float(wide, exported / "float" / "mine.safetensors")
    rate = rate_weights([2.5])
    before, after = (closed_loop.run(n, photograph(), rate, (8, 8)) for n in (narrow, wide))
    assert torch.equal(before.x_hat, after.x_hat)
    assert before.x_hat.std() > 0.1


def test_soft_crops_are_enlarged_and_grainy() -> None:
    stripes = torch.zeros(96, 96, 3, dtype=torch.uint8)
    stripes[:, ::2] = 255
    flat = torch.full((96, 96, 3), 100, dtype=torch.uint8)
    torch.manual_seed(1)
    plain, soft = (
        dataset.draw_crops([stripes, flat], 40, 64, np.random.default_rng(1), share)
        for share in (0.0, 1.0)
    )
    assert plain.shape == soft.shape == (40, 64, 64, 3)
    assert set(plain.unique().tolist()) == {0, 100, 255}
    grainy = [crop for crop in soft if (crop.float() - 100).abs().max() < 40]
    assert 10 < len(grainy) < 30
    assert sum(crop.float().std().item() > 0.5 for crop in grainy) > len(grainy) / 2
    blurred = [crop for crop in soft if 0 < ((crop > 30) & (crop < 225)).float().mean() < 0.9]
    assert len(blurred) > (40 - len(grainy)) / 2
    half = dataset.draw_crops([flat], 40, 64, np.random.default_rng(1), 0.5)
    assert 10 < sum(len(crop.unique()) > 1 for crop in half) < 30


def test_a_run_writes_its_log_and_validation(finished: Path) -> None:
    header, last = (finished / "validation.csv").read_text(encoding="utf-8").splitlines()
    figures = dict(zip(header.split(","), map(float, last.split(",")), strict=True))
    assert figures["step"] == 8
    assert figures["bpp8"] > figures["bpp1"] > 0
    assert figures["psnr8"] > figures["psnr1"] > 15


@pytest.mark.parametrize("acl_crops", [0, 6])
def test_a_killed_run_resumes_to_the_same_result(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, acl_crops: int
) -> None:
    recipe = replace(load_recipe(TINY), save_every_s=0.0, acl_crops=acl_crops)
    finished, run = tmp_path / "finished", tmp_path / "killed"
    RunFolder.make(finished, recipe)
    train(finished, pictures)
    RunFolder.make(run, recipe)
    update = Trainer.update

    def killed(trainer: Trainer, total: Tensor) -> None:
        if trainer.step == 5:
            raise KeyboardInterrupt
        update(trainer, total)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", killed)
        with pytest.raises(KeyboardInterrupt):
            train(run, pictures)
    main(["resume", "--run", str(run), "--data", str(pictures)])
    one = torch.load(run / "checkpoint.pt", weights_only=True)
    other = torch.load(finished / "checkpoint.pt", weights_only=True)
    for name, value in other["network"].items():
        assert torch.equal(one["network"][name], value), name


def test_a_run_ends_after_its_steps(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(load_recipe(TINY), steps=3)
    assert recipe.steps % recipe.rollout_steps
    RunFolder.make(tmp_path / "run", recipe)
    train(tmp_path / "run", pictures)
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 3


def test_the_learning_curve_is_drawn(finished: Path, tmp_path: Path) -> None:
    main(["plot", "--run", str(finished), "-o", str(tmp_path / "curve.png")])
    with Image.open(tmp_path / "curve.png") as image:
        assert image.width > 500


def test_a_run_without_a_validation_has_an_empty_curve(tmp_path: Path) -> None:
    RunFolder.make(tmp_path / "run", load_recipe(TINY))
    main(["plot", "--run", str(tmp_path / "run"), "-o", str(tmp_path / "curve.png")])
    with Image.open(tmp_path / "curve.png") as image:
        assert image.width > 500


def test_fewer_fixed_crops_than_a_step_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="acl_crops"):
        from_values({"crops": 8, "acl_crops": 4})


def test_the_throughput_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["throughput", str(TINY)])
    assert "steps/s" in capsys.readouterr().out


def test_a_run_starts_from_float_weights(exported: Path, pictures: Path, tmp_path: Path) -> None:
    start = exported / "float" / "mine.safetensors"
    run = tmp_path / "run"
    options = ["--data", str(pictures), "--run", str(run), "--start", str(start)]
    main(["train", str(TINY), *options])
    recipe, found = load_recipe(TINY), dataset.load(pictures, 64)
    ends, middle, begin = (
        dict(
            calibrated(RunFolder(run), replace(recipe, start_share=share), found)[
                0
            ].named_parameters()
        )
        for share in (0.0, 0.5, 1.0)
    )
    for name, value in load_file(start).items():
        if name in begin:
            assert torch.equal(begin[name], value.float())
            assert torch.allclose(middle[name], (begin[name] + ends[name]) / 2, atol=1e-6)
    assert not torch.equal(ends["context_2.weight"], begin["context_2.weight"])


def test_a_run_from_the_closed_form_has_no_start_to_share(finished: Path, pictures: Path) -> None:
    recipe, found = load_recipe(TINY), dataset.load(pictures, 64)
    shares = (replace(recipe, start_share=share) for share in (0.0, 0.5))
    one, other = (calibrated(RunFolder(finished), each, found)[0] for each in shares)
    assert torch.equal(one.context_2.weight, other.context_2.weight)


def test_exported_weights_code_a_picture(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(exported))
    picture = load_picture(FOLDER / "samples" / "chelsea.png")
    small = load_picture(Image.fromarray(picture.pixels[:80, :100]))
    compressed = codec.compress(small, 5, weights="mine")
    decoded = codec.decompress(compressed.data)
    assert np.array_equal(decoded.pixels, compressed.reconstruction)
    assert next(weights.describe_folder(exported)).record["step"] == 8


def test_the_parallel_pass_reproduces_the_closed_loop(exported: Path, finished: Path) -> None:
    """The contexts of a training step are those of a decoder."""
    network = float_network(exported, finished)
    x, grid = photograph(), (8, 8)
    rate = rate_weights([4.0])
    coded = closed_loop.run(network, x, rate, grid, count=True)
    noise = torch.zeros(1, 64, network.config.latents)
    losses = open_loop.open_loop_losses(
        network, x, coded.x_hat, rate, torch.tensor([845.325]), noise, grid
    )
    mse = ((coded.x_hat - x) * 64 / 255).square().mean()
    assert losses.mse.item() == pytest.approx(mse.item(), rel=0.02)  # rounded to 8 bits or not
    assert losses.bpp.item() == pytest.approx(coded.bits.mean().item() / 64, rel=0.1)


def test_preconditioning_changes_no_output(exported: Path, finished: Path) -> None:
    network, plain = (float_network(exported, finished) for _ in range(2))
    x, grid = photograph(), (8, 8)
    precondition.apply(network, precondition.context_mixer(x, grid))
    again = precondition.plain_copy(network)
    assert torch.allclose(again.context_1.weight, plain.context_1.weight, atol=1e-4)
    assert torch.allclose(again.prediction, plain.prediction, atol=1e-4)
    assert {n for n, _ in again.named_parameters()} == {n for n, _ in plain.named_parameters()}


def test_the_integers_cost_less_than_a_percent(
    exported: Path, finished: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = float_network(exported, finished)
    x = torch.cat([photograph(48 * i, 24 * i) for i in range(8)])
    rate = torch.eye(8)
    calibrate.calibrate(network, x, rate, (8, 8))
    moments = rounding.input_moments(network, x, rate, (8, 8))
    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        crop = np.asarray(image.convert("RGB"))[40:168, 100:292]
    comparison = compare(network, moments, [crop])
    for one, other, value in zip(
        comparison.float_points, comparison.integer_points, LAMBDAS, strict=True
    ):
        change = other.cost(value) - one.cost(value)
        assert -0.03 * one.cost(value) < change < 0.01 * one.cost(value)
    main(["evaluate", "--run", str(finished), "--data", str(pictures)])
    assert "BD-rate" in capsys.readouterr().out


def test_flat_contexts_are_predicted_as_by_the_float_network(
    exported: Path, finished: Path
) -> None:
    """Where all pixels of a context are equal, rounding errors of weights would add up."""
    network = float_network(exported, finished)
    x, rate = photograph(), rate_weights([4.0])
    calibrate.calibrate(network, x, rate, (8, 8))
    twin = exact_twin(network, rounding.input_moments(network, x, rate, (8, 8)))
    pixels = (
        torch.arange(-100, 101, 50).repeat_interleave(4).view(1, 5, 4, 1).expand(-1, -1, -1, 192)
    )
    context = (pixels / 64).flatten(2)
    features = network.features(context[..., :192], context, rate)
    levels = (features / network.feature_layer.output_step).round().clamp(0, 255)
    true, _ = network.context_model(
        context, (levels * network.feature_layer.output_step).repeat(1, 1, 4), rate
    )
    state = torch.cat([pixels, (levels - 128).unsqueeze(2).expand(-1, -1, 4, -1)], dim=3)
    found, _, _ = twin.integer.at_quality(24).context_model(state.flatten(2)[0].to(torch.int8))
    error = found / 2**integer_network.PREDICTION_BITS - 64 * true[0]
    assert error.abs().mean() < 0.06


def test_training_uses_the_codecs_rdoq(exported: Path, finished: Path) -> None:
    network = float_network(exported, finished)
    x, rate = photograph(), rate_weights([4.0])
    calibrate.calibrate(network, x, rate, (8, 8))
    twin = exact_twin(network, rounding.input_moments(network, x, rate, (8, 8)))
    codecs_choice = SymbolChoice(twin, quality_index(4.0))
    assert codecs_choice.distortion_bits is not None
    worth = distortion_bits(network.latent_steps(rate), rate)
    assert torch.allclose(worth[0, 0], codecs_choice.distortion_bits, rtol=0.02)
    random = torch.Generator().manual_seed(0)
    levels = torch.randint(5, 30, (500, 32), generator=random)
    scales = network.scales(levels.float())
    values = torch.randn((500, 32), generator=random)
    ours = choose_symbols(values, scales, worth[0])
    nearest = values.round()
    byte_levels = levels.to(torch.uint8)
    lower = codecs_choice.saving_per_distortion(slice(32), values, nearest, byte_levels) > 1
    codecs = nearest - nearest.sign() * lower
    assert (ours == codecs).float().mean() > 0.99  # tables round what is costly
    assert (
        ours != values.round()
    ).float().mean() > 0.02  # otherwise there would be nothing to test


@pytest.mark.parametrize("crops", [8, 4096])
def test_calibration_covers_every_quality(pictures: Path, crops: int) -> None:
    recipe = replace(load_recipe(TINY), crops=crops)
    found = dataset.load(pictures, recipe.crop_blocks * recipe.model.block_size)
    x, rate = calibration(found, recipe)
    assert len(x) == len(rate) > 100
    assert rate.argmax(dim=1).unique().tolist() == list(range(8))


def test_rounding_minimises_errors_for_actual_inputs() -> None:
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(4000, 1, generator=random) * 10
    inputs = inputs + torch.randn(4000, 24, generator=random)  # they move together
    weight = torch.randn(16, 24, generator=random) * 5
    rounded = rounding.round_weights(weight, inputs.T @ inputs).float()
    assert torch.equal(rounded, rounded.round())
    errors = [(inputs @ (w - weight).T).square().mean() for w in (rounded, weight.round())]
    assert errors[0] < 0.2 * errors[1]
    apart = rounding.round_weights(weight, torch.eye(24))  # nothing to compensate for
    assert torch.equal(apart.float(), weight.round())


def test_rounded_weights_stay_within_their_bounds() -> None:
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(32, 24, generator=random)
    weight[0, :2] = 5  # a pair of large weights of one sign
    weight[1, 0] = 6
    inputs = torch.randn(4000, 24, generator=random)
    unit = rounding.row_units(weight, 119)
    rounded = rounding.round_weights(weight / unit[:, None], inputs.T @ inputs)
    assert kernels.in_bounds(rounded)
    assert 62 <= rounded[0, 0] <= 64
    assert rounded[1, 0] == 119
    assert (rounded * unit[:, None] - weight).abs().max() < 0.1
    beyond = rounding.round_weights(2 * weight / unit[:, None], inputs.T @ inputs)
    assert kernels.in_bounds(beyond)
    assert not kernels.in_bounds((2 * weight / unit[:, None]).round())


def test_dead_units_are_restarted_without_changing_outputs(exported: Path, finished: Path) -> None:
    network = float_network(exported, finished)
    photo, rate = photograph(), rate_weights([2.5])
    hidden = (network.context_2, network.analysis_2, network.synthesis_1, network.slice_hidden[1])
    with torch.no_grad():
        for layer in hidden:
            layer.bias[:, 3:5] = -1e3
    before = closed_loop.run(network, photo, rate, (8, 8))
    assert revive(network, photo, rate, (8, 8)) >= 2 * len(hidden)
    after = closed_loop.run(network, photo, rate, (8, 8))
    assert torch.equal(before.x_hat, after.x_hat)
    assert revive(network, photo, rate, (8, 8)) == 0
