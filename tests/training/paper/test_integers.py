"""The paper's networks as integers: close to the float ones, with every bound checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lbbic_engine import codec
from lbbic_engine.config import PaperConfig
from lbbic_engine.networks import kernels, weights
from lbbic_engine.networks.paper import float_network
from lbbic_engine.networks.paper.float_network import GDN, PaperNetwork, to_pixels, to_unit
from lbbic_engine.networks.paper.integer_network import LATENT_UNIT, PaperIntegerNetwork
from lbbic_engine.pictures.read import load_picture
from lbbic_engine.resources import FOLDER
from training.export import rounding
from training.export.integers import BoundError
from training.paper import integers, loop
from training.shared.losses import gaussian_bits

TINY = PaperConfig(block_size=8, hidden=32, latents=8, quality=2, scale_levels=24)


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        return np.asarray(image.convert("RGB"))[40:120, 100:220]


@pytest.fixture(scope="module")
def network() -> PaperNetwork:
    """Random networks whose outputs have a realistic size."""
    torch.manual_seed(0)
    network = PaperNetwork(TINY)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, GDN):
                module.gamma.add_(0.05 * torch.rand_like(module.gamma))
        x, context = torch.rand(100, TINY.pixels) - 0.5, torch.rand(100, 4 * TINY.pixels) - 0.5
        y = network.analysis_transform(x, context)
        network.analysis_transform.layers[-1].weight.div_(y.std() / 2)
        y_hat = 2 * torch.randn(100, TINY.latents)
        x_hat = network.synthesis_transform(y_hat, context)
        network.synthesis_transform.layers[-1].weight.div_(x_hat.std() / 0.2)
        network.context_model.layers[-1].weight.mul_(10)
        network.context_model.layers[-1].bias[: TINY.latents] = 4
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def calibration(network: PaperNetwork, pixels: NDArray[np.uint8]) -> integers.Calibration:
    return integers.calibrate(network, [pixels])


class Recorder:
    """Records the entropy parameters; its symbols are fixed."""

    def __init__(self, symbols: Tensor) -> None:
        self._symbols = symbols

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        pass

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, None]:
        self.means, self.levels = means, levels
        return self._symbols, None


def test_a_front_equals_the_float_networks_except_for_rounded_weights(
    network: PaperNetwork, calibration: integers.Calibration, pixels: NDArray[np.uint8]
) -> None:
    tensors = integers.integer_tensors(network, calibration)
    twin = PaperIntegerNetwork(TINY, tensors, "float64", "cpu")
    torch.manual_seed(1)
    around = loop.run(network, pixels).x_hat[0, :50].repeat(1, 4).to(torch.int8)
    recorder = Recorder(torch.randint(-3, 4, (50, TINY.latents)).to(torch.int32))
    x_hat = twin.code_front(torch.arange(50), around, recorder)

    context = to_unit(around)
    scales, means = network.context_model(network.context_model.features(context))
    assert torch.allclose(recorder.means.float() / LATENT_UNIT, means, atol=0.02)
    table = torch.logspace(*np.log10([TINY.min_scale, TINY.max_scale]), TINY.scale_levels)
    ratio = (table[recorder.levels] / scales).log().abs()
    assert ratio.max() < np.log(TINY.max_scale / TINY.min_scale) / (TINY.scale_levels - 1)
    y_hat = recorder._symbols + recorder.means.float() / LATENT_UNIT
    true = to_pixels(network.synthesis_transform(y_hat, context))
    assert true.std() > 5
    noise = (x_hat.float() - true).square().mean() / true.var()
    assert noise < 0.002  # of seven-bit weights, of which this network has few


def test_exported_weights_code_a_picture_at_the_float_networks_cost(
    network: PaperNetwork,
    calibration: integers.Calibration,
    pixels: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path))
    tensors = integers.integer_tensors(network, calibration)
    analysis = integers.analysis_tensors(network)
    weights.save_weights(tmp_path / "low.safetensors", "low", TINY, tensors, analysis, {})
    compressed = codec.compress(load_picture(Image.fromarray(pixels)), weights="low")
    decoded = codec.decompress(compressed.data)
    assert np.array_equal(decoded.pixels, compressed.reconstruction)
    assert codec.read_info(compressed.data).quality == 2

    coded = loop.run(network, pixels)
    payload = 8 * codec.read_info(compressed.data).payload_bytes
    assert payload == pytest.approx(coded.bits.sum().item(), rel=0.03, abs=64)


def test_weights_have_seven_bits_and_norms_are_not_negative(
    network: PaperNetwork, calibration: integers.Calibration
) -> None:
    tensors = integers.integer_tensors(network, calibration)
    matrices = {k: v for k, v in tensors.items() if k.endswith(".weight")}
    assert len(matrices) == 11
    assert {v.dtype for v in matrices.values()} == {torch.int8}
    assert max(v.abs().max() for v in matrices.values()) == 63
    assert min(v.min() for k, v in matrices.items() if k.startswith("norm")) == 0


def test_a_row_may_clip_its_largest_weight_to_refine_the_others() -> None:
    """The other weights compensate, because their inputs correlate with that of the large one."""
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(4000, 1, generator=random) * 3 + torch.randn(4000, 24, generator=random)
    weight = torch.randn(1, 24, generator=random)
    weight[0, 5] = 16
    choices = torch.tensor([[0.5], [0.25], [0.125]])
    rounded, unit = rounding.round_rows(weight, inputs.T @ inputs, choices, -63, 63)
    assert unit.item() < 0.5
    assert rounded.abs().max() <= 63
    coarse = rounding.round_weights(weight / 0.5, inputs.T @ inputs, -63, 63) * 0.5
    errors = [(inputs.double() @ (w - weight).T).square().mean() for w in (rounded * unit, coarse)]
    assert errors[0] < errors[1]


def test_a_broken_bound_is_reported(
    network: PaperNetwork, calibration: integers.Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(factor: float) -> integers.Calibration:
        units = {m: (before * factor, after) for m, (before, after) in calibration.units.items()}
        return replace(calibration, units=units)

    with pytest.raises(BoundError, match="not a power of two"):
        integers.integer_tensors(network, changed(1.5))
    with pytest.raises(BoundError, match="beyond"):
        integers.integer_tensors(network, changed(2.0**-60))
    monkeypatch.setattr(kernels, "SUM_BOUND", 2**12)
    with pytest.raises(BoundError, match="a sum of limbs can reach"):
        integers.integer_tensors(network, calibration)


def test_gaussian_bits_count_the_mass_of_a_bin() -> None:
    values, scales = torch.tensor([0.0, 1.0, -3.0]), torch.tensor([0.5, 2.0, 1.0])
    normal = torch.distributions.Normal(0.0, scales.double())
    mass = normal.cdf(values + 0.5) - normal.cdf(values - 0.5)
    assert torch.allclose(gaussian_bits(values, scales), -mass.log2().float(), atol=1e-4)
    assert gaussian_bits(torch.tensor(1e4), torch.tensor(0.11)) == pytest.approx(29.9, abs=0.01)


@pytest.mark.train
@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_equals_compressais(inverse: bool) -> None:
    from training.experiments.compressai_shim import compressai

    torch.manual_seed(0)
    true = compressai.layers.GDN(12, inverse=inverse)
    ours = GDN(12, inverse=inverse)
    for name in ("beta", "gamma"):
        assert torch.equal(getattr(ours, name), getattr(true, name))
        stored = getattr(true, name).detach() + 0.2 * torch.randn(getattr(true, name).shape)
        getattr(true, name).data.copy_(stored)
        getattr(ours, name).data.copy_(stored)
    x, target = torch.randn(2, 30, 12)
    found, expected = ours(x), true(x.t()[None, :, :, None])[0, :, :, 0].t()
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)
    for result in (found, expected):
        (result - target).square().sum().backward()
    for name in ("beta", "gamma"):
        one, other = getattr(ours, name).grad, getattr(true, name).grad
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4), name


@pytest.mark.train
def test_rates_and_bounds_equal_compressais() -> None:
    from training.experiments.compressai_shim import compressai

    model = compressai.entropy_models.GaussianConditional(None).eval()
    values = torch.linspace(-9, 9, 19).repeat(3, 1)
    scales = torch.tensor([0.05, 0.7, 6.0])[:, None].expand_as(values)
    _, likelihood = model(values[None], scales=scales[None])
    ours = gaussian_bits(values, float_network.lower_bound(scales, TINY.min_scale))
    assert torch.allclose(ours, -likelihood[0].log2(), rtol=1e-3, atol=1e-4)
