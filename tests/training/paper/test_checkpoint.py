"""Published checkpoints: our networks, compared with a plain evaluation of their own layers.

``Reference`` is written from the paper's description and shares no code with the program. It runs
masked convolutions over the pixels of a whole picture, padded by two blocks, one block after the
other in raster order, each from the picture decoded so far.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from lbbic_engine import codec
from lbbic_engine.config import PAPER_VARIANTS, PaperConfig, paper_config
from lbbic_engine.errors import LbbicError
from lbbic_engine.networks import model_files
from lbbic_engine.networks.paper.float_network import PaperNetwork
from lbbic_engine.pictures.read import load_picture
from lbbic_engine.resources import FOLDER
from training.__main__ import main
from training.paper import loop
from training.paper.checkpoint import expected_shapes, network_of, read_checkpoint
from training.shared.run_folder import save_float

Checkpoint = dict[str, Tensor]
Pixels = NDArray[np.uint8]

SIZES = {"block8-low": (3, 4), "block8-high": (4, 2), "block16": (2, 3), "block4": (5, 3)}


def random_checkpoint(config: PaperConfig, seed: int = 0) -> Checkpoint:
    """Layers as the paper's code stores them, with random numbers of a realistic range."""
    random = torch.Generator().manual_seed(seed)
    pixels, latents, n = 3 * config.block_size**2, config.latents, config.hidden
    found: Checkpoint = {}

    def conv(name: str, outputs: int, inputs: int, kernel: int, mask: str, gain: float = 1) -> None:
        shape = (outputs, inputs, kernel, kernel)
        ones = torch.ones(shape)
        if kernel == 3:
            ones[:, :, 1, 1 if mask == "A" else 2 :] = 0
            ones[:, :, 2] = 0
        bound = gain * (3 / (inputs * ones[0, 0].sum())) ** 0.5
        weight = (2 * torch.rand(shape, generator=random) - 1) * bound
        found[f"{name}.weight"] = weight * ones
        found[f"{name}.bias"] = (torch.rand(outputs, generator=random) - 0.5) / 10
        found[f"{name}.mask"] = ones

    def gdn(name: str, channels: int) -> None:
        found[f"{name}.beta"] = (1 + torch.rand(channels, generator=random)).sqrt()
        gamma = 0.1 * torch.eye(channels)
        gamma += 0.2 / channels * torch.rand((channels, channels), generator=random)
        found[f"{name}.gamma"] = (gamma + 2**-36).sqrt()
        found[f"{name}.beta_reparam.pedestal"] = torch.tensor([2.0**-36])
        found[f"{name}.gamma_reparam.lower_bound.bound"] = torch.tensor([2.0**-18])

    for name, first, last, gain in (
        ("forward", pixels, latents, 16),
        ("inverse", latents, pixels, 0.5),
    ):
        conv(f"prtr_{name}1", n, first, 1, "B")
        conv(f"prtr_{name}2", n, pixels, 3, "A")
        widths = (n, n // 8 * 7, n // 8 * 6, last)
        for i in range(3):
            gdn(f"prtr_{name}3.{2 * i}", widths[i])
            conv(
                f"prtr_{name}3.{2 * i + 1}", widths[i + 1], widths[i], 1, "B", gain if i == 2 else 1
            )
    widths = (pixels, n // 8 * 12, n // 8 * 10, n, 2 * latents)
    for i, kernel in enumerate(config.context_kernels):
        conv(f"get_meanscale.{2 * i}", widths[i + 1], widths[i], kernel, "AB"[min(i, 1)], 2)
    found["get_meanscale.6.weight"][latents:] *= 3
    found["get_meanscale.6.bias"][:latents] += 3
    found["conditional_gaussian_model._offset"] = torch.zeros(0, dtype=torch.int32)
    values = 2.5 * torch.randn((64, latents, 1, 1), generator=random)
    rings = torch.rand((64, pixels, 3, 3), generator=random) - 0.5
    reference = Reference(config, found, torch.float)
    x_hat = reference.autoencoder("inverse", values, rings, inverse=True)
    found["prtr_inverse3.5.weight"] *= 0.2 / x_hat.std()
    return found


class Reference:
    """The closed loop of a checkpoint; pixels as channels (1, 3B², rows, columns)."""

    def __init__(self, config: PaperConfig, entries: Checkpoint, dtype: torch.dtype) -> None:
        self.config = config
        floating = {k: v.to(dtype) for k, v in entries.items() if v.is_floating_point()}
        self.e = floating

    def conv(self, name: str, x: Tensor) -> Tensor:
        weight = self.e[f"{name}.weight"] * self.e[f"{name}.mask"]
        return functional.conv2d(x, weight, self.e[f"{name}.bias"])

    def gdn(self, name: str, x: Tensor, *, inverse: bool) -> Tensor:
        pedestal = 2.0**-36
        beta = self.e[f"{name}.beta"].clamp(min=(1e-6 + pedestal) ** 0.5) ** 2 - pedestal
        gamma = self.e[f"{name}.gamma"].clamp(min=2.0**-18) ** 2 - pedestal
        norm = (beta[:, None, None] + torch.einsum("ij,bjrc->birc", gamma, x * x)).sqrt()
        return x * norm if inverse else x / norm

    def autoencoder(self, name: str, value: Tensor, ring: Tensor, *, inverse: bool) -> Tensor:
        """Apply a layer to ``ring``, the 3×3 blocks around one; return a single block."""
        x = self.conv(f"prtr_{name}1", value) + self.conv(f"prtr_{name}2", ring)
        for i in (0, 2, 4):
            x = self.gdn(f"prtr_{name}3.{i}", x, inverse=inverse)
            x = self.conv(f"prtr_{name}3.{i + 1}", x)
        return x

    def entropy_parameters(self, rings: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the context model on the 5×5 blocks around, or 3×3 if the second kernel is 1."""
        x = rings if self.config.context_kernels[1] == 3 else rings[:, :, 1:4, 1:4]
        for i in (0, 2, 4):
            x = functional.leaky_relu(self.conv(f"get_meanscale.{i}", x), 0.01)
        scales, means = self.conv("get_meanscale.6", x).chunk(2, dim=1)
        return scales.clamp(min=0.11), means

    def code(self, picture: Tensor) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
        """The reconstruction (1, 3B², rows, columns), 0…255, symbols, and each block's values."""
        rows, columns = picture.shape[2:]
        decoded = picture.new_zeros(1, picture.shape[1], rows + 4, columns + 4)
        x = picture / 255 - 0.5
        symbols = torch.zeros(1, self.config.latents, rows, columns, dtype=picture.dtype)
        inner = []
        for row in range(rows):
            for column in range(columns):
                rings = decoded[:, :, row : row + 5, column : column + 5]
                ring = rings[:, :, 1:4, 1:4]
                block = x[:, :, row : row + 1, column : column + 1]
                y = self.autoencoder("forward", block, ring, inverse=False)
                scales, means = self.entropy_parameters(rings)
                symbol = (y - means).round()
                x_hat = self.autoencoder("inverse", symbol + means, ring, inverse=True)
                pixels = (255 * (x_hat + 0.5)).round().clamp(0, 255)
                decoded[:, :, row + 2, column + 2] = pixels[:, :, 0, 0] / 255 - 0.5
                symbols[:, :, row, column] = symbol[:, :, 0, 0]
                inner.append([v.flatten() for v in (y, scales, means, x_hat)])
        return (decoded[:, :, 2:-2, 2:-2] + 0.5) * 255, symbols, inner


def photograph(height: int, width: int) -> Pixels:
    with Image.open(FOLDER / "samples" / "chelsea.png") as image:
        return np.asarray(image.convert("RGB"))[90 : 90 + height, 130 : 130 + width]


def odd_size(variant: str) -> tuple[int, int]:
    """A picture of ``rows`` and ``columns`` of blocks, the last ones incomplete."""
    rows, columns = SIZES[variant]
    size = PAPER_VARIANTS[variant][0].block_size
    return rows * size - 3, columns * size - 1


def as_image(pixels: Pixels, size: int, dtype: torch.dtype) -> Tensor:
    """Return blocks (1, 3B², rows, columns), channels by row, column, colour; edges repeated."""
    height, width, _ = pixels.shape
    padded = np.pad(pixels, ((0, -height % size), (0, -width % size), (0, 0)), mode="edge")
    image = torch.from_numpy(padded).to(dtype).permute(2, 0, 1)
    planes = [image[:, v::size, h::size] for v in range(size) for h in range(size)]
    return torch.cat(planes)[None]


@pytest.fixture(scope="module", params=list(PAPER_VARIANTS))
def variant(request: Any) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def entries(variant: str) -> Checkpoint:
    return random_checkpoint(PAPER_VARIANTS[variant][0])


@pytest.fixture(scope="module")
def checkpoint(entries: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "model_best_acl_Xrr.pth.tar"
    torch.save({"state_dict0": entries}, path)
    return path


@pytest.fixture(scope="module")
def network(variant: str, checkpoint: Path) -> PaperNetwork:
    config, qualities = PAPER_VARIANTS[variant]
    config = paper_config(variant, qualities[0])
    return read_checkpoint(checkpoint, config).requires_grad_(False)


@torch.no_grad()
def test_the_closed_loop_equals_the_checkpoints(
    variant: str, entries: Checkpoint, network: PaperNetwork
) -> None:
    """In float64, where no symbol depends on rounding: the same symbols and pixels."""
    pixels = photograph(*odd_size(variant))
    size = network.config.block_size
    doubled = {k: v.double() for k, v in entries.items() if v.is_floating_point()}
    exact = network_of(doubled, network.config)
    true, symbols, _ = Reference(network.config, entries, torch.double).code(
        as_image(pixels, size, torch.double)
    )
    coded = loop.run(exact, pixels)
    found = coded.x_hat[0] + 128
    assert torch.equal(found, true[0].flatten(1).t().round())
    assert len(symbols.unique()) > 8
    assert len(found.unique()) > 100  # neither all grey nor all clamped


@torch.no_grad()
def test_each_block_agrees_to_the_rounding_of_float32(
    variant: str, entries: Checkpoint, network: PaperNetwork
) -> None:
    pixels = photograph(*odd_size(variant))
    size = network.config.block_size
    image = as_image(pixels, size, torch.float)
    reference = Reference(network.config, entries, torch.float)
    true, symbols, inner = reference.code(image)
    shape = tuple(image.shape[2:])
    x = image[0].flatten(1).t()[None]
    x_hat = true[0].flatten(1).t()[None]
    context, scales, means = loop.read_contexts(network, (x_hat - 128) / 255, shape)
    y = network.analysis_transform((x - 128) / 255, context)
    y_hat = symbols[0].flatten(1).t()[None] + means
    out = network.synthesis_transform(y_hat, context) + 1 / 510
    for name, values, expected in zip(
        ("y", "scales", "means", "x_hat"),
        (y, scales, means, out),
        (torch.stack(v) for v in zip(*inner, strict=True)),
        strict=True,
    ):
        reach = expected.abs().max()
        assert torch.allclose(values[0], expected, atol=3e-6 * reach, rtol=1e-5), name


def test_integers_decode_exactly_at_the_float_networks_cost(
    variant: str,
    checkpoint: Path,
    network: PaperNetwork,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path / "mine"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = photograph(*odd_size(variant))
    Image.fromarray(pixels).save(folder / "one.png")
    quality = network.config.quality
    options = ["--variant", variant, "--quality", f"{quality:g}", "-o", "published"]
    main(["import-weights", str(checkpoint), *options, "--pictures", str(folder)])
    assert "R + λD" in capsys.readouterr().out

    picture = load_picture(Image.fromarray(pixels))
    compressed = codec.compress(picture, weights="published", exact=False)
    decoded = codec.decompress(compressed.data)
    assert np.array_equal(decoded.pixels, compressed.reconstruction)
    assert codec.read_info(compressed.data).quality == quality
    coded = loop.run(network, pixels)
    payload = 8 * codec.read_info(compressed.data).payload_bytes
    # Extreme symbols of random networks take fewer bits than the float loss counts.
    counted = coded.bits.sum().item()
    assert 0.88 * counted < payload < 1.03 * counted + 64


# --- what is refused ----------------------------------------------------------------------------

TINY = PaperConfig(block_size=4, hidden=32, latents=8, context_kernels=(3, 3, 1, 1), quality=6)


def refusal(tmp_path: Path, content: Any, config: PaperConfig = TINY) -> str:
    path = tmp_path / "checkpoint.pth.tar"
    torch.save(content, path)
    with pytest.raises(LbbicError) as caught:
        read_checkpoint(path, config)
    return str(caught.value)


def test_files_that_are_not_checkpoints_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "text.pth.tar"
    path.write_text("not a checkpoint")
    with pytest.raises(LbbicError, match="cannot be read"):
        read_checkpoint(path, TINY)
    assert "no state_dict0" in refusal(tmp_path, {"state_dict": {}})
    assert "no state_dict0" in refusal(tmp_path, [1, 2])
    assert "cannot be read" in refusal(tmp_path, {"state_dict0": Path("evil")})


def test_messages_name_the_tensor_that_does_not_fit(tmp_path: Path) -> None:
    entries = random_checkpoint(TINY)
    without = {k: v for k, v in entries.items() if k != "prtr_inverse2.bias"}
    assert "prtr_inverse2.bias is missing" in refusal(tmp_path, {"state_dict0": without})
    more = entries | {"extra.weight": torch.zeros(2)}
    assert "extra.weight is not known" in refusal(tmp_path, {"state_dict0": more})
    nan = entries | {"get_meanscale.4.bias": torch.full((32,), float("nan"))}
    assert "get_meanscale.4.bias holds" in refusal(tmp_path, {"state_dict0": nan})
    mask = entries | {"prtr_forward2.mask": torch.ones(32, 48, 3, 3)}
    assert "prtr_forward2.mask masks other blocks" in refusal(tmp_path, {"state_dict0": mask})


def test_a_checkpoint_of_another_variant_is_named(tmp_path: Path) -> None:
    config, _ = PAPER_VARIANTS["block4"]
    shapes = expected_shapes(config)
    message = refusal(tmp_path, {"state_dict0": {k: torch.zeros(s) for k, s in shapes.items()}})
    assert "It is a checkpoint of block4" in message


def test_the_command_reports_errors_in_one_line(tmp_path: Path) -> None:
    options = ["--variant", "block4", "--quality", "6", "-o", "x"]
    with pytest.raises(SystemExit, match="No such file"):
        main(["import-weights", str(tmp_path / "none.pth.tar"), *options])
    options[3] = "2"
    path = tmp_path / "some.pth.tar"
    path.touch()
    with pytest.raises(SystemExit, match="block4 was published at the qualities 6, 7, 8"):
        main(["import-weights", str(path), *options])


def test_imported_networks_can_be_saved_as_float_weights(tmp_path: Path) -> None:
    network = network_of(random_checkpoint(TINY), TINY)
    save_float(tmp_path / "float.safetensors", network.state_dict(), half=False)
    again = PaperNetwork(TINY)
    again.load_state_dict(load_file(tmp_path / "float.safetensors"))
    assert torch.equal(again.outside, network.outside)
    assert model_files.part(dict(again.state_dict()), "context_model.").keys()
