"""The sender's and the receiver's side of the block loop: where a front's symbols come from.

The sender makes them from the picture with the analysis transform; the receiver takes them from
the stream (``segments``). Both say which to whoever runs the loop (``integer_network.Exchange``).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.bitstream.entropy import Symbols
from lbbic_engine.bitstream.segments import SymbolSink, SymbolSource
from lbbic_engine.bitstream.tables import ProbabilityTables, fold, spent
from lbbic_engine.config import MIN_QUALITY, QUALITY_STEPS, lmbda
from lbbic_engine.networks.float_network import PIXEL_OFFSET
from lbbic_engine.networks.weights import Network

_SYMBOL_BOUND = 2.0**30
# Weight of the distortion in a symbol's choice, relative to λ: errors also spoil the contexts of
# the blocks to come. About 3 is best on held-out training pictures: it saves 2 % of the cost.
CHOICE_DISTORTION = 3.0


class LatentWriter:
    """Sends the blocks (n, 3B²) of one or more tiles at a quality index."""

    parents: Tensor | None = None

    def __init__(
        self, network: Network, index: int, sink: SymbolSink, blocks: NDArray[np.uint8]
    ) -> None:
        self._network = network
        self._index = index
        self._sink = sink
        self._blocks = torch.from_numpy(blocks).to(network.integer.device)
        model = network.integer.at_quality(index)
        self._steps = model.steps.float()
        self._savings = _savings(network.tables).to(network.integer.device)
        self._distortion_bits: Tensor | None = None
        if model.step_energy is not None:
            # Bits of a block that one quantisation step of error is worth, squared.
            weight = CHOICE_DISTORTION * lmbda(MIN_QUALITY + index / QUALITY_STEPS) / (3 * 255**2)
            self._distortion_bits = model.step_energy * weight
        self._y = torch.empty(0)
        self._first = 0

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        self._sink.begin()
        self._y = self._network.analysis(self._aims(front), *sources, index=self._index)
        self._first = 0

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> Tensor:
        part, values, nearest = self._next(means)
        if self._distortion_bits is not None:
            lower = self._worth(part, values, nearest, levels) > 1
            nearest.sub_(nearest.sign().mul_(lower))
        symbols = nearest.to(torch.int32)
        self._sink.encode(levels.cpu().numpy(), symbols.cpu().numpy())
        return symbols

    def _aims(self, front: Tensor) -> Tensor:
        """What the blocks are to look like, float32, less by 128."""
        return self._blocks.index_select(0, front).float().sub_(PIXEL_OFFSET)

    def _next(self, means: Tensor) -> tuple[slice, Tensor, Tensor]:
        """The next slice: its latents' place, values in steps from the means, nearest symbols."""
        part = slice(self._first, self._first + means.shape[1])
        self._first = part.stop
        y, self._y = self._y.tensor_split([means.shape[1]], dim=1)
        values = (y - means).float().div_(self._steps[part])
        return part, values, values.round().clamp_(-_SYMBOL_BOUND, _SYMBOL_BOUND)

    def _worth(self, part: slice, values: Tensor, nearest: Tensor, levels: Tensor) -> Tensor:
        """What the next symbols towards zero save in R, relative to the λD that they add."""
        assert self._distortion_bits is not None
        # (v - n + sign)² - (v - n)²
        worse = (values - nearest).mul_(2 * nearest.sign()).add_(1)
        return self._saved(nearest, levels).div_(worse.mul_(self._distortion_bits[part]))

    def _saved(self, symbols: Tensor, levels: Tensor) -> Tensor:
        """Bits that the next symbols towards zero save."""
        count = self._savings.shape[1]
        place = symbols.clamp(-(count // 2), count // 2).add_(levels, alpha=count)
        return self._savings.take(place.add_(count // 2).long())


class SymbolWriter:
    """Sends symbols (n, latents) that were chosen before."""

    parents: Tensor | None = None

    def __init__(self, sink: SymbolSink, symbols: Tensor) -> None:
        self._sink = sink
        self._symbols = symbols
        self._front = torch.empty(0)
        self._first = 0

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        self._sink.begin()
        self._front = self._symbols.index_select(0, front)
        self._first = 0

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> Tensor:
        last = self._first + means.shape[1]
        chosen = self._front[:, self._first : last]
        self._first = last
        self._sink.encode(levels.cpu().numpy(), chosen.cpu().numpy())
        return chosen


class LatentReader:
    """Receives the blocks of one or more tiles."""

    parents: Tensor | None = None

    def __init__(self, network: Network, source: SymbolSource) -> None:
        self._source = source
        self._cost = network.tables.bits()
        self._received: list[tuple[NDArray[np.uint8], Symbols]] = []  # levels and symbols so far

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        self._source.begin()
        self._received.clear()

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> Tensor:
        numbers = levels.cpu().numpy()
        symbols = self._source.decode(numbers)
        self._received.append((numbers, symbols))
        return torch.from_numpy(symbols).to(levels.device)

    def bits(self) -> NDArray[np.float32]:
        """What each block (n,) of the front just read took."""
        levels, symbols = (
            np.concatenate(parts, axis=1) for parts in zip(*self._received, strict=True)
        )
        return spent(self._cost, levels, symbols)


def _savings(tables: ProbabilityTables) -> Tensor:
    """Bits (levels, symbols) that the next symbol towards zero saves; 0 is in the middle."""
    bits = tables.bits()
    reach = bits.shape[1] // 2 - 1
    symbols = np.arange(-reach, reach + 1)
    cost = bits[:, fold(symbols)]
    return torch.from_numpy(cost - bits[:, fold(symbols - np.sign(symbols))])
