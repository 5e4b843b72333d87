"""The cost of integer arithmetic: the float network against its exact counterpart.

Both run the closed loop on the same crops in 8 bits, choose symbols in the same way and compute
bits from the same distributions, so that only the arithmetic differs. A real stream would have four
more bytes, half a percent of such a small crop at quality 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lbbic_engine.bitstream.entropy import Levels, Symbols
from lbbic_engine.bitstream.tables import ProbabilityTables, build_tables, symbol_cost
from lbbic_engine.coding.block_loop import code_blocks
from lbbic_engine.coding.latents import LatentWriter
from lbbic_engine.config import LAMBDAS, quality_index
from lbbic_engine.layout.blocks import grid, split_blocks
from lbbic_engine.measure.rate_distortion import Point, bd_rate
from lbbic_engine.networks.float_network import PIXEL_UNIT, BlockNetwork, rate_weights, to_unit
from lbbic_engine.networks.integer_analysis import AnalysisTransform
from lbbic_engine.networks.integer_network import IntegerNetwork
from lbbic_engine.networks.kernels import choose_kernel
from lbbic_engine.networks.weights import LoadedModel, WeightsInfo
from training.export.integers import analysis_tensors, integer_tensors
from training.export.rounding import Moments
from training.shared import dataset
from training.simulation import closed_loop


@dataclass(frozen=True)
class Comparison:
    """The curves of both twins over the eight rate points, of all crops together."""

    float_points: list[Point]
    integer_points: list[Point]

    def __str__(self) -> str:
        lines = ["quality   float bpp  PSNR dB   integer bpp  PSNR dB   R + λD"]
        pairs = zip(LAMBDAS, self.float_points, self.integer_points, strict=True)
        for quality, (lmbda, one, other) in enumerate(pairs, 1):
            change = 100 * (other.cost(lmbda) / one.cost(lmbda) - 1)
            lines.append(
                f"{quality:7d}  {one.bpp:10.4f}  {one.psnr:7.3f}  {other.bpp:12.4f}  "
                f"{other.psnr:7.3f}  {change:+7.2f} %"
            )
        curves = [
            ([p.bpp for p in points], [p.psnr for p in points])
            for points in (self.float_points, self.integer_points)
        ]
        rate = bd_rate(*curves[0], *curves[1])
        return "\n".join([*lines, f"BD-rate of integer against float: {rate:+.2f} %"])


def compare(network: BlockNetwork, moments: Moments, crops: Sequence[dataset.Pixels]) -> Comparison:
    """Code the crops (all of one size) with a calibrated float network and with its twin."""
    qualities = range(1, len(LAMBDAS) + 1)
    twin = exact_twin(network, moments)
    return Comparison(
        [_float_point(network, crops, quality) for quality in qualities],
        [integer_point(twin, crops, quality) for quality in qualities],
    )


def exact_twin(network: BlockNetwork, moments: Moments) -> LoadedModel:
    """The integer network of a calibrated float one, as the codec would load it."""
    tensors = integer_tensors(network, moments)
    counts, widths = tensors.pop("table_counts"), tensors.pop("table_widths")
    kernel = choose_kernel("cpu")
    integer = IntegerNetwork(network.config, tensors, kernel, "cpu")
    tables = build_tables(counts.numpy(), widths.numpy())
    info = WeightsInfo(Path(), "twin", b"", network.config, {})
    analysis = AnalysisTransform(analysis_tensors(network, moments), kernel, "cpu")
    return LoadedModel(info, integer, tables, analysis)


@torch.no_grad()
def _float_point(network: BlockNetwork, crops: Sequence[dataset.Pixels], quality: int) -> Point:
    size = network.config.block_size
    x = to_unit(torch.from_numpy(np.stack([split_blocks(crop, size) for crop in crops])))
    rate = rate_weights([quality] * len(x))
    rows, columns = grid(crops[0].shape[0], crops[0].shape[1], size)
    coded = closed_loop.run(network, x, rate, (rows, columns), count=True)
    mse = ((coded.x_hat - x) * PIXEL_UNIT).square().mean().item()
    return Point(coded.bits.mean().item() / size**2, 10 * np.log10(255**2 / mse))


@torch.no_grad()
def integer_point(network: LoadedModel, crops: Sequence[dataset.Pixels], quality: float) -> Point:
    """What an exact network gives on crops, bits being what its tables say."""
    config, index = network.info.config, quality_index(quality)
    counter = _Counter(network.tables)
    error = 0.0
    for crop in crops:
        blocks = split_blocks(crop, config.block_size)
        rows, columns = grid(crop.shape[0], crop.shape[1], config.block_size)
        writer = LatentWriter(network, index, counter, blocks)
        for front, state in code_blocks(network.integer.at_quality(index), rows, columns, writer):
            decoded = state[:, : blocks.shape[1]].numpy().astype(np.int16) + 128
            error += np.square(decoded - blocks[front].astype(float)).sum()
    pixels = sum(crop.shape[0] * crop.shape[1] for crop in crops)
    return Point(counter.bits / pixels, 10 * np.log10(255**2 / (error / (3 * pixels))))


class _Counter:
    """Adds up the bits of an encoder's symbols."""

    def __init__(self, tables: ProbabilityTables) -> None:
        self._cost = tables.bits()
        self.bits = 0.0

    def begin(self) -> None:
        pass

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        self.bits += float(symbol_cost(self._cost, levels, symbols).sum())
