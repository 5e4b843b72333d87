"""The paper's architecture: float against plain formulas, integers against Python's own."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn import functional

from lbbic_engine import codec
from lbbic_engine.bitstream.container import pack_container, parse_container
from lbbic_engine.coding.block_loop import code_blocks
from lbbic_engine.config import (
    DEFAULT_QUALITY,
    PAPER_VARIANTS,
    ModelConfig,
    PaperConfig,
    paper_config,
    quality_index,
)
from lbbic_engine.errors import CorruptDataError, LbbicError, UnrecoverableDataError
from lbbic_engine.layout.wavefront import NEIGHBOURS, Grid, neighbours
from lbbic_engine.networks import model_files, weights
from lbbic_engine.networks.kernels import KERNELS, WIDE_ACTIVATION_BOUND
from lbbic_engine.networks.paper import float_network
from lbbic_engine.networks.paper.integer_network import LATENT_UNIT, PaperIntegerNetwork
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.pictures.read import load_picture

GOLDEN = Path(__file__).parents[2] / "golden"
TINY = PaperConfig(block_size=4, hidden=32, latents=8, scale_levels=12)
WIDE = replace(TINY, context_kernels=(3, 3, 1, 1))

Tensors = dict[str, torch.Tensor]
Pixels = NDArray[np.uint8]


@pytest.fixture
def golden(monkeypatch: pytest.MonkeyPatch) -> weights.WeightsInfo:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))
    return weights.by_name("paper")


def picture(pixels: Pixels, *, grey: bool = False) -> Picture:
    return Picture(pixels, alpha=None, grey=grey, icc=None, exif=None, xmp=None, notices=())


# --- the integer network -------------------------------------------------------------------------


class Scripted:
    """A port whose symbols are a fixed function of means and levels."""

    def begin(self, front: torch.Tensor, *sources: torch.Tensor) -> None:
        pass

    def symbols(
        self, index: int, means: torch.Tensor, levels: torch.Tensor
    ) -> tuple[torch.Tensor, None]:
        return ((means * 7 + levels * 3) % 9 - 4).to(torch.int32), None


def scaled(value: Any, exponent: int) -> int:
    """value · 2^exponent, rounded half to even, on Python's integers."""
    value = int(value)
    if exponent >= 0:
        return value << exponent
    floor, rest, half = value >> -exponent, value & ((1 << -exponent) - 1), 1 << (-exponent - 1)
    return floor + (rest > half or (rest == half and floor % 2 == 1))


class Plain:
    """The formulas of ``integer_network``'s docstring, one block at a time, without caches."""

    def __init__(self, config: PaperConfig, tensors: Tensors) -> None:
        self.config = config
        self.t = {name: value.numpy().astype(object) for name, value in tensors.items()}
        self.decoded: dict[tuple[int, int], Any] = {}

    def stack(self, row: int, column: int) -> Any:
        """The accumulators of ``context`` at any place, including columns beyond the picture."""
        total = 0
        for i, (down, right) in enumerate(NEIGHBOURS):
            block = self.decoded.get((row + down, column + right))
            part = slice(i * self.config.pixels, (i + 1) * self.config.pixels)
            if block is not None:
                total = total + self.t["context.weight"][:, part] @ block
            elif "border" in self.t:
                total = total + self.t["border"][i]
        return total + np.zeros(len(self.t["context.weight"]), object)

    def features(self, row: int, column: int) -> Any:
        return self.rectified("context_1", self.stack(row, column)[: self.config.context_widths[0]])

    def activation(self, values: Any, exponents: Any, bound: int = WIDE_ACTIVATION_BOUND) -> Any:
        pairs = zip(values, exponents, strict=True)
        return np.array([min(max(scaled(v, e), -bound), bound) for v, e in pairs], object)

    def rectified(self, name: str, sums: Any) -> Any:
        total = sums + self.t[f"{name}.bias"]
        leaky = np.array([max(v, 41 * v >> 12) for v in total], object)
        return self.activation(leaky, self.t[f"{name}.exponent"], 127)

    def inverse_gdn(self, i: int, u: Any) -> Any:
        squares = np.array([scaled(v * v, -15) for v in u], object)
        norm = self.t[f"norm_{i}.weight"] @ squares + self.t[f"norm_{i}.bias"]
        ups = self.t[f"norm_{i}.exponent"]
        roots = [math.isqrt(int(n) << int(up)) for n, up in zip(norm, ups, strict=True)]
        return self.activation(u * np.array(roots, object), self.t[f"gdn_{i}.exponent"])

    def block(self, row: int, column: int) -> Any:
        t, latents = self.t, self.config.latents
        stack = self.stack(row, column)
        first = self.config.context_widths[0]
        hidden = self.features(row, column)
        if self.config.context_kernels[1] == 3:
            places = [(row + down, column + right) for down, right in NEIGHBOURS]
            hidden = np.concatenate([hidden, *(self.features(*place) for place in places)])
        for name in ("context_2", "context_3"):
            hidden = self.rectified(name, t[f"{name}.weight"] @ hidden)
        total = t["parameters.weight"] @ hidden + t["parameters.bias"]
        pairs = zip(total, t["parameters.exponent"], strict=True)
        parameters = [scaled(v, e) for v, e in pairs]
        scales, means = parameters[:latents], np.array(parameters[latents:], object)
        levels = np.array([sum(s > limit for limit in t["thresholds"]) for s in scales], object)
        symbols = (means * 7 + levels * 3) % 9 - 4
        y_hat = self.activation(symbols * LATENT_UNIT + means, [0] * latents)

        total = t["synthesis_1.weight"] @ y_hat + t["synthesis_1.bias"]
        # Both terms in the smaller of their units.
        least = np.minimum(t["synthesis_1.exponent"], t["share.exponent"])
        total = total * 2 ** (t["synthesis_1.exponent"] - least)
        total = total + stack[first:] * 2 ** (t["share.exponent"] - least)
        for i in (1, 2, 3):
            u = self.activation(total, least if i == 1 else t[f"synthesis_{i}.exponent"])
            name = f"synthesis_{i + 1}"
            total = t[f"{name}.weight"] @ self.inverse_gdn(i, u) + t[f"{name}.bias"]
        pairs = zip(total, t["synthesis_4.exponent"], strict=True)
        return np.array([min(max(scaled(v, e), -128), 127) for v, e in pairs], object)


def golden_tensors() -> tuple[PaperConfig, Tensors]:
    description = next(d for d in weights.describe_folder(GOLDEN) if d.name == "paper")
    assert isinstance(description.config, PaperConfig)
    return description.config, model_files.part(load_file(description.path), weights.INTEGER)


def random_tensors(config: PaperConfig = TINY) -> tuple[PaperConfig, Tensors]:
    """Integers of every size that the formats allow; activations reach their bounds."""
    random = np.random.default_rng(3)
    found: Tensors = {}

    def add(name: str, outputs: int, inputs: int, reach: float, bits: int) -> None:
        weight = random.integers(-63, 64, (outputs, inputs))
        found[f"{name}.weight"] = torch.from_numpy(weight).to(torch.int8)
        scale(name, outputs, 36 * reach * inputs**0.5, bits)

    def scale(name: str, outputs: int, typical: float, bits: int) -> None:
        """A random layer whose outputs have about that many bits."""
        bias = random.normal(0, typical, outputs).round()
        found[f"{name}.bias"] = torch.from_numpy(bias).to(torch.int32)
        exponent = random.integers(bits - 3, bits + 1, outputs) - round(math.log2(typical))
        found[f"{name}.exponent"] = torch.from_numpy(exponent).to(torch.int32)

    first, second, third = config.context_widths
    widths = (*config.transform_widths, config.pixels)
    add("context", first + widths[0], 4 * config.pixels, 60, 8)
    scale("context_1", first, 36 * 60 * 14, 8)
    scale("share", widths[0], 36 * 60 * 14, 16)
    add("context_2", second, config.feature_blocks * first, 60, 8)
    add("context_3", third, second, 60, 8)
    add("parameters", 2 * config.latents, third, 60, 13)
    add("synthesis_1", widths[0], config.latents, 2**10, 16)
    del found["context.bias"], found["context.exponent"], found["share.bias"]
    for i in (1, 2, 3):
        width = widths[i - 1]
        norm = np.abs(random.integers(-63, 64, (width, width)))
        found[f"norm_{i}.weight"] = torch.from_numpy(norm).to(torch.int8)
        found[f"norm_{i}.bias"] = torch.from_numpy(random.integers(0, 2**28, width)).int()
        found[f"norm_{i}.exponent"] = torch.from_numpy(random.integers(0, 11, width)).int() * 2
        found[f"gdn_{i}.exponent"] = torch.from_numpy(random.integers(-22, -14, width)).int()
        add(f"synthesis_{i + 1}", widths[i], width, 2**14, 8 if i == 3 else 16)
    found["thresholds"] = torch.arange(-3000, 3000, 6000 // (TINY.scale_levels - 1)).int()
    return config, found


def bordered_tensors(config: PaperConfig = TINY) -> tuple[PaperConfig, Tensors]:
    config, found = random_tensors(config)
    border = np.random.default_rng(4).normal(0, 36 * 60 * 14, (4, len(found["context.weight"])))
    found["border"] = torch.from_numpy(border.round()).to(torch.int32)
    return config, found


def wide_tensors() -> tuple[PaperConfig, Tensors]:
    return random_tensors(WIDE)


def wide_bordered_tensors() -> tuple[PaperConfig, Tensors]:
    return bordered_tensors(WIDE)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("grid", [(3, 4), (4, 1), (3, 2), (1, 5)])
@pytest.mark.parametrize(
    "make",
    [golden_tensors, random_tensors, bordered_tensors, wide_tensors, wide_bordered_tensors],
)
def test_the_integer_networks_equal_plain_integer_arithmetic(
    kernel: str, grid: tuple[int, int], make: Any
) -> None:
    config, tensors = make()
    rows, columns = grid
    network = PaperIntegerNetwork(config, tensors, kernel, "cpu")
    found = np.zeros((rows * columns, config.pixels), np.int64)
    for front, state in code_blocks(network, rows, columns, Scripted()):
        found[front] = state[:, : config.pixels].numpy()

    plain = Plain(config, tensors)
    for row in range(rows):
        for column in range(columns):
            plain.decoded[row, column] = plain.block(row, column)
    true = np.array(list(plain.decoded.values()), object).astype(np.int64)
    assert np.array_equal(found, true)
    assert len(np.unique(found)) > 20  # the blocks are not trivial


def test_the_floor_of_a_float_root_is_the_integer_root() -> None:
    random = np.random.default_rng(0)
    roots = [1, 2, 3, 2**25, 2**26 - 1, *random.integers(1, 2**26, 5000).tolist()]
    numbers = [n for root in roots for n in (root**2 - 1, root**2, root**2 + 1)]
    found = torch.tensor(numbers, dtype=torch.double).sqrt().floor().long().tolist()
    assert max(numbers) < 2**52
    assert found == [math.isqrt(n) for n in numbers]


# --- the float networks --------------------------------------------------------------------------


def conv(layer: torch.nn.Linear, context: torch.Tensor) -> torch.Tensor:
    """The paper's masked convolution (kernel size 3, mask A) on pixels (1, 3B², rows, columns)."""
    kernel = torch.zeros(layer.out_features, context.shape[1], 3, 3)
    around = layer.weight.unflatten(1, (4, -1))
    for i, (row, column) in enumerate([(1, 0), (0, 0), (0, 1), (0, 2)]):
        kernel[:, :, row, column] = around[:, i]
    return functional.conv2d(functional.pad(context, (1, 1, 1, 1)), kernel, layer.bias)


def pointwise(layer: torch.nn.Linear, values: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(values, layer.weight[..., None, None], layer.bias)


def gdn(layer: float_network.GDN, x: torch.Tensor, power: float) -> torch.Tensor:
    beta = layer.beta.clamp(min=(1e-6 + 2**-36) ** 0.5) ** 2 - 2**-36
    gamma = layer.gamma.clamp(min=2**-18) ** 2 - 2**-36
    norm = torch.einsum("ij,bjrc->birc", gamma, x**2) + beta[:, None, None]
    return x * norm**power


@torch.no_grad()
def test_the_float_networks_are_masked_convolutions_over_blocks() -> None:
    torch.manual_seed(0)
    config = PaperConfig(block_size=8, hidden=32, latents=8)
    network = float_network.PaperNetwork(config)
    for module in network.modules():
        if isinstance(module, float_network.GDN):
            module.beta.add_(torch.rand_like(module.beta) - 0.5)
            module.gamma.add_(0.2 * torch.rand_like(module.gamma) - 0.05)
    rows, columns = 3, 4
    x, x_hat = torch.rand(2, rows * columns, config.pixels) - 0.5
    outside = torch.cat([x_hat, torch.zeros(1, config.pixels)])
    context = outside[torch.from_numpy(neighbours(Grid(rows, columns)))].flatten(1)
    y_hat = torch.randn(rows * columns, config.latents)
    scales, means = network.context_model(network.context_model.features(context))
    found = [
        scales,
        means,
        network.analysis_transform(x, context),
        network.synthesis_transform(y_hat, context),
    ]

    def image(blocks: torch.Tensor) -> torch.Tensor:
        return blocks.t().reshape(1, -1, rows, columns)

    hidden = conv(network.context_model.layers[0], image(x_hat))
    for i in (2, 4, 6):
        hidden = functional.leaky_relu(hidden, 0.01)
        hidden = pointwise(network.context_model.layers[i], hidden)
    true = [hidden[:, :8].clamp(min=0.11), hidden[:, 8:]]
    for transform, blocks, power in (
        (network.analysis_transform, x, -0.5),
        (network.synthesis_transform, y_hat, 0.5),
    ):
        value = pointwise(transform.value, image(blocks))
        value = value + conv(transform.context, image(x_hat))
        for i in (0, 2, 4):
            value = gdn(transform.layers[i], value, power)
            value = pointwise(transform.layers[i + 1], value)
        true.append(value)
    for one, other in zip(found, true, strict=True):
        assert torch.allclose(image(one), other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("variant", "parameters", "macs"),
    [
        ("block8-low", 11.6e6, 93e3),
        ("block8-high", 42.2e6, 344e3),
        ("block16", 51.4e6, 89e3),
        ("block4", 7.8e6, 263e3),
    ],
)
def test_the_variants_have_the_papers_sizes(variant: str, parameters: float, macs: float) -> None:
    config, _ = PAPER_VARIANTS[variant]
    with torch.device("meta"):
        network = float_network.PaperNetwork(config)
    model = network.context_model.layers
    first = [model[0], network.analysis_transform.context, network.synthesis_transform.context]
    masked = 5 / 4 * sum(layer.weight.numel() for layer in first)  # stored, but not used
    masked += 4 / 5 * model[2].weight.numel() if config.feature_blocks > 1 else 0
    stored = sum(p.numel() for p in network.parameters()) + masked
    assert stored == pytest.approx(parameters, rel=0.02)
    decoder = [network.context_model, network.synthesis_transform]
    found = sum(p.numel() for part in decoder for p in part.parameters() if p.ndim == 2)
    assert found / config.block_size**2 == pytest.approx(macs, rel=0.01)


def test_other_context_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="no networks with context kernels"):
        replace(TINY, context_kernels=(3, 3, 3, 1))


def test_variants_are_selected_by_name() -> None:
    assert paper_config("block4", 7) == PaperConfig(4, 512, 96, (3, 3, 1, 1), 7.0)
    with pytest.raises(ValueError, match="from 1 to 8"):
        paper_config("block4", 9)
    with pytest.raises(ValueError, match="there are block8-low, block8-high, block16, block4"):
        paper_config("block32", 4)


# --- in the codec --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 8), (9, 2), (2, 33), (45, 31)])
@pytest.mark.parametrize("grey", [False, True])
def test_a_file_decodes_to_the_encoders_reconstruction(
    golden: weights.WeightsInfo, size: tuple[int, int], grey: bool
) -> None:
    random = np.random.default_rng(size[0])
    pixels = random.integers(0, 256, (*size, 1 if grey else 3), np.uint8)
    pixels = np.broadcast_to(pixels, (*size, 3)).copy()
    compressed = codec.compress(picture(pixels, grey=grey), weights="paper")
    decoded = codec.decompress(compressed.data)
    assert np.array_equal(decoded.pixels, compressed.reconstruction)
    assert decoded.grey == grey


def test_a_photograph_round_trips(golden: weights.WeightsInfo, photograph: Pixels) -> None:
    compressed = codec.compress(picture(photograph), weights="paper")
    error = compressed.reconstruction.astype(float) - photograph
    assert np.square(error).mean() < 0.25 * photograph.var()
    assert len(compressed.data) < photograph.size / 4


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_decodes_the_same_pixels(
    golden: weights.WeightsInfo, kernel: str, photograph: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    compressed = codec.compress(picture(photograph), weights="paper")
    with monkeypatch.context() as patch:
        patch.setattr(weights, "choose_kernel", lambda device: kernel)
        weights._load.cache_clear()
        decoded = codec.decompress(compressed.data)
    weights._load.cache_clear()
    assert np.array_equal(decoded.pixels, compressed.reconstruction)


def test_fronts_are_decoded_one_after_another(
    golden: weights.WeightsInfo, photograph: Pixels
) -> None:
    compressed = codec.compress(picture(photograph), weights="paper")
    parts = list(codec.decode_progressively(compressed.data))
    assert sum(len(front.rows) for front in parts) == -(-72 // 4) * (104 // 4)


def test_only_the_models_own_quality_is_accepted(golden: weights.WeightsInfo) -> None:
    grey = load_picture(GOLDEN.parents[1] / "resources" / "samples" / "coffee.png")
    small = picture(grey.pixels[:20, :20])
    by_default = codec.compress(small, weights="paper")
    assert codec.read_info(by_default.data).quality == golden.config.default_quality == 4
    assert codec.compress(small, 4, weights="paper").data == by_default.data
    with pytest.raises(LbbicError, match="has only quality 4"):
        codec.compress(small, 5, weights="paper")
    with pytest.raises(ValueError, match="from 1 to 8"):
        codec.compress(small, 9, weights="paper")


def test_a_file_with_a_quality_its_weights_lack_is_reported_as_damaged(
    golden: weights.WeightsInfo,
) -> None:
    container = parse_container((GOLDEN / "paper.lbb").read_bytes())
    forged = pack_container(replace(container, quality_eighths=40))
    with pytest.raises(CorruptDataError, match="does not support its quality"):
        codec.decompress(forged)


def test_nothing_is_left_of_a_file_shorter_than_a_page(golden: weights.WeightsInfo) -> None:
    data = (GOLDEN / "paper.lbb").read_bytes()
    with pytest.raises(CorruptDataError):
        codec.decompress(data[:-100])
    with pytest.raises(UnrecoverableDataError):
        codec.decompress(data[:-100], partial=True)


# --- weights files -------------------------------------------------------------------------------


def test_weights_files_contain_their_kind(golden: weights.WeightsInfo) -> None:
    assert golden.config == PaperConfig(
        block_size=4, hidden=64, latents=8, quality=4.0, scale_levels=24
    )
    kinds = {d.name: type(d.config) for d in weights.describe_folder(GOLDEN)}
    assert kinds == {"tiny": ModelConfig, "paper": PaperConfig}


def test_weights_of_an_unknown_kind_are_skipped(tmp_path: Path) -> None:
    path = GOLDEN / "paper.safetensors"
    with safetensors.safe_open(path, "pt") as file:
        metadata = json.loads(file.metadata()[model_files.METADATA_KEY])
    metadata["kind"] = "later"
    text = {model_files.METADATA_KEY: json.dumps(metadata)}
    save_file(load_file(path), tmp_path / "later.safetensors", text)
    assert list(weights.describe_folder(tmp_path)) == []


@pytest.mark.parametrize(
    ("file", "missing"),
    [("paper", "integer.share.exponent"), ("tiny", "analysis.analysis_1.fine")],
)
def test_weights_of_another_version_are_refused(
    file: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused when loaded, not in the middle of a picture."""
    tensors = load_file(GOLDEN / f"{file}.safetensors")
    del tensors[missing]
    config = next(d for d in weights.describe_folder(GOLDEN) if d.path.stem == file).config
    parts = (model_files.part(tensors, prefix) for prefix in (weights.INTEGER, weights.ANALYSIS))
    weights.save_weights(tmp_path / "old.safetensors", "old", config, *parts, {})
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path))
    with pytest.raises(LbbicError, match="belongs to another version"):
        weights.load(weights.by_name("old"), "cpu")


def test_users_own_weights_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path))
    assert model_files.user_folder() == tmp_path
    monkeypatch.delenv("LBBIC_WEIGHTS")
    monkeypatch.setattr("platformdirs.user_data_path", lambda name, appauthor: tmp_path / name)
    folder = model_files.user_folder()
    assert folder == tmp_path / "lbbic" / "weights"
    folder.mkdir(parents=True)
    shutil.copy(GOLDEN / "paper.safetensors", folder)
    assert weights.by_name("paper").path == folder / "paper.safetensors"


def test_each_kind_reports_its_qualities() -> None:
    model, fixed = ModelConfig(), PaperConfig(quality=2)
    assert all(model.offers(quality_index(q)) for q in (1, 4, 8))
    assert [q for q in range(1, 9) if fixed.offers(quality_index(q))] == [2]
    assert (model.default_quality, fixed.default_quality) == (DEFAULT_QUALITY, 2)


def test_the_golden_weights_stay_small() -> None:
    assert (GOLDEN / "paper.safetensors").stat().st_size < 300_000
