"""Probability tables from counts of the symbols that the encoder chooses.

Training assumes logistic distributions, which symbols chosen by rate and distortion follow only
roughly. Tables cost decoders nothing, so every scale level gets the measured distribution.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.bitstream.segments import SegmentWriter
from lbbic_engine.bitstream.tables import WIDTHS, fold
from lbbic_engine.coding.block_loop import code_blocks
from lbbic_engine.coding.latents import LatentWriter
from lbbic_engine.config import QUALITY_COUNT, QUALITY_STEPS, ModelConfig
from lbbic_engine.layout.blocks import grid, split_blocks
from lbbic_engine.networks.weights import LoadedModel
from training.export.integers import logistic_counts, to_counts

PRIOR_SYMBOLS = 1000.0  # the weight of the assumed distribution, in symbols
TAIL = 2.0**-12  # the largest probability of an escape with which a narrower row is used


class _CountingWriter(LatentWriter):
    """An encoder that counts the symbols of every level."""

    def count_into(self, counts: NDArray[np.float64]) -> None:
        self._counts = counts

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, None]:
        symbols, _ = super().symbols(index, means, levels)
        folded = fold(symbols.numpy().astype(np.int64)).clip(max=self._counts.shape[1] - 1)
        np.add.at(self._counts, (levels.numpy(), folded), 1)
        return symbols, None


def fitted_counts(
    network: LoadedModel, crops: Iterable[NDArray[np.uint8]]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Counts (levels, widest) and widths (levels,) from coding the crops at all rate points."""
    config = network.info.config
    assert isinstance(config, ModelConfig)
    assumed, _ = logistic_counts(config)
    counts = np.zeros(assumed.shape)
    for crop in crops:
        blocks = split_blocks(crop, config.block_size)
        rows, columns = grid(crop.shape[0], crop.shape[1], config.block_size)
        for index in range(0, QUALITY_COUNT, QUALITY_STEPS):
            writer = _CountingWriter(network, index, SegmentWriter(network.tables, 0), blocks)
            writer.count_into(counts)
            for _ in code_blocks(network.integer.at_quality(index), rows, columns, writer):
                pass
    return _tables_of(counts + PRIOR_SYMBOLS * assumed / assumed.sum(axis=1, keepdims=True))


def _tables_of(counts: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    probabilities = counts / counts.sum(axis=1, keepdims=True)
    rows = np.zeros(counts.shape, np.int32)
    widths = np.zeros(len(counts), np.int32)
    for level, row in enumerate(probabilities):
        fits = [w for w in WIDTHS if row[w - 1 :].sum() <= TAIL]
        width = fits[0] if fits else WIDTHS[-1]
        widths[level] = width
        rows[level, :width] = to_counts(np.append(row[: width - 1], row[width - 1 :].sum()))
    return rows, widths
