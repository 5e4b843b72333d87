"""Training data of the refinement: crops of pictures and their reconstructions.

The codec does not change, so the data are computed once. A folder contains one safetensors file for
each batch of crops, which were coded together at one quality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor
from tqdm import tqdm

from lbbic_engine.bitstream.entropy import Levels, Symbols
from lbbic_engine.bitstream.tables import symbol_cost
from lbbic_engine.coding.assemble import pixel_values
from lbbic_engine.coding.block_loop import code_grids
from lbbic_engine.coding.latents import SymbolWriter
from lbbic_engine.coding.search.block_choice import BlockChoice, ChoosingModel
from lbbic_engine.coding.search.candidates import SEARCHES
from lbbic_engine.coding.search.symbol_search import SymbolSearch
from lbbic_engine.config import EFFORTS, QUALITY_COUNT, QUALITY_STEPS
from lbbic_engine.layout.blocks import merge_blocks, split_blocks
from lbbic_engine.layout.wavefront import Grid, coding_order, flip_blocks
from lbbic_engine.networks import weights
from lbbic_engine.networks.block_model import BlockModel, SymbolPort
from lbbic_engine.networks.weights import LoadedModel
from lbbic_engine.pictures.atomic import write_atomically
from training.shared import dataset

Pixels = NDArray[np.uint8]

CROPS = 12  # in a batch
GOLDEN_SHARE = 0.6180339887  # its multiples modulo 1 are spread evenly, however many there are
LOW_RATES = 1.5  # power that makes low qualities more frequent: errors, and gains, are larger there


@dataclass(frozen=True)
class Crop:
    """A crop (H, W, 3), its reconstruction, and the bits (rows, columns) of its blocks.

    Sides are whole numbers of blocks; ``quality`` is the index 0…56.
    """

    original: Tensor
    decoded: Tensor
    bits: Tensor
    quality: int


def write_crops(
    pictures: Path, output: Path, batches: range, *, side: int, effort: str, name: str
) -> None:
    """Code batches of crops, at most ``side`` pixels a side, of the pictures below a folder.

    Batches whose files exist are skipped. The crops and the quality of a batch depend only on its
    number; consecutive batches use every picture once before one is used again. ``name`` is that of
    the weights. Raises UnknownWeightsError.
    """
    network = weights.load(weights.by_name(name), "cpu")
    paths = dataset.picture_paths(pictures)
    output.mkdir(parents=True, exist_ok=True)
    for number in tqdm(batches, unit="batch"):
        path = output / f"{effort}-{number:04}.safetensors"
        if not path.exists():
            random = np.random.default_rng(number)
            crops = [_crop(dataset.read(p), side, random) for p in _batch(paths, number)]
            part = (number * GOLDEN_SHARE) % 1
            index = round((QUALITY_COUNT - 1) * part**LOW_RATES)
            _save(path, crops, index, code(network, index, crops, effort=effort))


def write_middles(pictures: Path, output: Path, *, side: int, effort: str, name: str) -> None:
    """Code the middle of every picture below a folder at each of the eight rate points."""
    network = weights.load(weights.by_name(name), "cpu")
    paths = dataset.picture_paths(pictures)
    output.mkdir(parents=True, exist_ok=True)
    middles = [_middle(dataset.read(path), side) for path in paths]
    for index in tqdm(range(0, QUALITY_COUNT, QUALITY_STEPS), unit="quality"):
        for first in range(0, len(middles), CROPS):
            path = output / f"{effort}-{first:04}-{index:02}.safetensors"
            if not path.exists():
                crops = middles[first : first + CROPS]
                _save(path, crops, index, code(network, index, crops, effort=effort))


def read_crops(folder: Path) -> Iterator[Crop]:
    """Yield the crops of a folder; each file is loaded when its first crop is requested."""
    for path in sorted(folder.glob("*.safetensors")):
        tensors = load_file(path)
        index = int(tensors.pop("quality"))
        for i in range(len(tensors) // 3):
            original, decoded, bits = (tensors[f"{k}.{i}"] for k in ("original", "decoded", "bits"))
            yield Crop(original, decoded, bits, index)


def code(
    network: LoadedModel, index: int, crops: list[Pixels], *, effort: str = EFFORTS[0]
) -> list[tuple[Pixels, NDArray[np.float32]]]:
    """Code crops (H, W, 3) together at a quality index.

    Return the reconstruction (H, W, 3) and the bits of the blocks (rows, columns) of each crop.
    """
    size = network.info.config.block_size
    from_middle = network.info.config.from_middle
    grids = tuple(Grid(c.shape[0] // size, c.shape[1] // size, from_middle) for c in crops)
    order = coding_order(grids)
    blocks = np.concatenate([split_blocks(crop, size) for crop in crops])
    flip_blocks(blocks, order.flips, size)
    bounds = np.cumsum([grid.rows * grid.columns for grid in grids])
    sink = _Bits(network)
    model: BlockModel = network.integer.at_quality(index)
    writer: SymbolPort
    if settings := SEARCHES.get(effort):
        symbols = []
        for grid, part in zip(grids, np.split(blocks, bounds[:-1]), strict=True):
            search = SymbolSearch(model, network, index, grid, part, settings)
            for _ in search:
                pass
            symbols.append(search.symbols)
        writer = SymbolWriter(sink, torch.cat(symbols))
    else:
        writer = BlockChoice(network, index, sink, blocks.copy())
        model = ChoosingModel(model, writer)
    bits = np.empty(len(blocks), np.float32)
    for front, state in code_grids(model, grids, writer):
        blocks[front] = pixel_values(state, blocks.shape[1])
        bits[front] = sink.bits
    flip_blocks(blocks, order.flips, size)
    return [
        (
            merge_blocks(part, grid.rows * size, grid.columns * size, size),
            bits_of_blocks.reshape(grid.rows, grid.columns),
        )
        for part, bits_of_blocks, grid in zip(
            np.split(blocks, bounds[:-1]), np.split(bits, bounds[:-1]), grids, strict=True
        )
    ]


class _Bits:
    """A sink that counts the ``bits`` (n,) of each block of the current front."""

    def __init__(self, network: LoadedModel) -> None:
        self._cost = network.tables.bits()
        self.bits = np.empty(0, np.float32)

    def begin(self) -> None:
        self.bits = np.zeros(0, np.float32)

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        bits = symbol_cost(self._cost, levels, symbols)
        self.bits = self.bits + bits if len(self.bits) else bits


def _batch(paths: list[Path], number: int) -> list[Path]:
    """The pictures of a batch; each pass through all pictures has its own order."""
    batches = -(-len(paths) // CROPS)
    turn, place = divmod(number, batches)
    order = np.random.default_rng([1, turn]).permutation(len(paths))
    return [paths[i] for i in order[place * CROPS :][:CROPS]]


def _crop(picture: Pixels, side: int, random: np.random.Generator) -> Pixels:
    """A crop at a random place of a picture, in one of the eight orientations."""
    height, width = (min(side, length) // 8 * 8 for length in picture.shape[:2])
    top = random.integers(picture.shape[0] - height + 1)
    left = random.integers(picture.shape[1] - width + 1)
    crop = picture[top : top + height, left : left + width]
    crop = np.rot90(crop, int(random.integers(4)))
    return np.ascontiguousarray(crop.transpose(1, 0, 2) if random.integers(2) else crop)


def _middle(picture: Pixels, side: int) -> Pixels:
    height, width = (min(side, length) // 8 * 8 for length in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def _save(
    path: Path,
    crops: list[Pixels],
    index: int,
    coded: list[tuple[Pixels, NDArray[np.float32]]],
) -> None:
    tensors = {"quality": torch.tensor(index)}
    for i, (original, (decoded, bits)) in enumerate(zip(crops, coded, strict=True)):
        tensors[f"original.{i}"] = torch.from_numpy(original)
        tensors[f"decoded.{i}"] = torch.from_numpy(decoded)
        tensors[f"bits.{i}"] = torch.from_numpy(bits)
    write_atomically(path, serialise(tensors), overwrite=True)
