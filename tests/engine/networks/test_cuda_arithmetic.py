"""The arithmetic of a CUDA device, on the CPU: padded fronts, cuBLAS's refusals, every kernel.

No GPU is needed. A GPU's own products are tested by ``self_check`` where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lbbic_engine import codec
from lbbic_engine.bitstream.exact import LAYOUT
from lbbic_engine.coding.refining import tile_refiner
from lbbic_engine.coding.results import Compressed
from lbbic_engine.layout.tiles import GROUP_BLOCKS, cut, group, tile_rows
from lbbic_engine.networks import kernels, weights
from lbbic_engine.pictures.picture import Picture

GOLDEN = Path(__file__).parents[2] / "golden"
MODELS = ("tiny", "paper")


@pytest.fixture
def golden(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The golden weights, loaded for this test only."""
    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))
    weights._load.cache_clear()
    yield
    weights._load.cache_clear()
    kernels.self_check.cache_clear()


def product_as_on_cuda(values: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """A product that refuses the shapes that torch._int_mm refuses on CUDA."""
    if len(values) <= 16 or values.shape[1] % 8 or other.shape[1] % 8:
        raise RuntimeError(f"{tuple(values.shape)} by {tuple(other.shape)}")
    return torch.mm(values.double(), other.double()).to(torch.int32)


@pytest.fixture
def as_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "_int_mm", product_as_on_cuda)
    monkeypatch.setattr(kernels, "_PADDED_DEVICES", ("cpu", "cuda"))
    kernels.self_check.cache_clear()


def files(photograph: NDArray[np.uint8]) -> list[Compressed]:
    """Two pictures, whose fronts have 1 to 18 blocks, coded with both kinds of networks."""
    wide = photograph[:40]
    return [
        codec.compress(Picture(pixels), weights=name)
        for name in MODELS
        for pixels in (photograph, wide)
    ]


@pytest.mark.parametrize(
    ("pictures", "height", "width"), [(24, 512, 768), (1, 3000, 4000)], ids=["24 Kodak", "12 MP"]
)
def test_a_batch_and_a_large_picture_are_one_group_of_tiles_on_a_gpu(
    pictures: int, height: int, width: int
) -> None:
    rows = tile_rows(height, width, 8)
    tiles = [
        tile for number in range(pictures) for tile in cut(number, height, width, LAYOUT, rows)
    ]
    assert len(list(group(tiles, GROUP_BLOCKS["cuda"]))) == 1


def test_the_size_of_products_does_not_change_the_refinement(
    golden: None, photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for chunk in (7, 1 << 15):
        monkeypatch.setattr(tile_refiner, "_CHUNK", {"cpu": chunk})
        files.append(codec.compress(Picture(photograph), weights="tiny").data)
    assert codec.read_info(files[0]).refinement > 0
    assert files[0] == files[1]


@pytest.mark.parametrize("rows", [1, 16, 17, 31, 32, 33])
def test_padded_products_equal_plain_ones(as_on_cuda: None, rows: int) -> None:
    random = np.random.default_rng(rows)
    weight = random.integers(-63, 64, (24, 72))
    values = random.integers(-128, 128, (rows, 72))
    product = kernels.make_product(torch.from_numpy(weight).to(torch.int8), "int8")
    found = product(torch.from_numpy(values).to(torch.int8))
    assert np.array_equal(found.numpy(), values @ weight.T)

    wide = random.integers(
        -kernels.WIDE_ACTIVATION_BOUND, kernels.WIDE_ACTIVATION_BOUND, (rows, 72)
    )
    product = kernels.make_wide_product(torch.from_numpy(weight).to(torch.int8), "int8")
    found = product(torch.from_numpy(wide).to(torch.int16))
    assert np.array_equal(found.numpy(), wide @ weight.T)


def test_cudas_kernel_writes_the_same_files(
    golden: None, photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    true = files(photograph)
    weights._load.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(torch, "_int_mm", product_as_on_cuda)
        patch.setattr(kernels, "_PADDED_DEVICES", ("cpu", "cuda"))
        kernels.self_check.cache_clear()
        assert kernels.choose_kernel("cpu") == "int8"
        found = files(photograph)
        decoded = [codec.decompress(one.data).pixels for one in true]
    for one, other, pixels in zip(true, found, decoded, strict=True):
        assert one.data == other.data
        assert np.array_equal(one.reconstruction, pixels)


@pytest.mark.parametrize("kernel", kernels.KERNELS)
def test_every_kernel_writes_the_same_files(
    golden: None, photograph: NDArray[np.uint8], kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = files(photograph)
    weights._load.cache_clear()
    monkeypatch.setenv("LBBIC_KERNEL", kernel)
    assert kernels.choose_kernel("cpu") == kernel
    assert [one.data for one in files(photograph)] == [one.data for one in true]


def test_without_padding_cuda_would_refuse_the_first_front(
    golden: None, photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the tests above would fail if a product bypassed the padding."""
    monkeypatch.setattr(weights, "choose_kernel", lambda device: "int8")
    monkeypatch.setattr(torch, "_int_mm", product_as_on_cuda)
    with pytest.raises(RuntimeError, match="by"):
        codec.compress(Picture(photograph), weights="tiny")
