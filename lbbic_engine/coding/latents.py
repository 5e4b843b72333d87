"""The encoder's and the decoder's ports of the block loop, which supply a front's symbols.

The encoder makes them from the picture with the analysis transform; the decoder reads them from the
stream (``segments``). Both are a ``block_model.SymbolPort``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.bitstream.entropy import Symbols
from lbbic_engine.bitstream.segments import SymbolSink, SymbolSource
from lbbic_engine.bitstream.tables import ProbabilityTables, fold, symbol_cost
from lbbic_engine.config import QUALITY_COUNT, ModelConfig, error_bits
from lbbic_engine.networks.block_model import Quality
from lbbic_engine.networks.float_network import PIXEL_OFFSET
from lbbic_engine.networks.integer_network import PIXELS_PER_LATENT
from lbbic_engine.networks.weights import LoadedModel

_SYMBOL_BOUND = 2.0**30
# Weight of the distortion in the choice of a symbol, relative to λ; above 1, because errors also
# affect the contexts of later blocks. About 3 is best on held-out pictures: it saves 2 % of R + λD.
RDOQ_DISTORTION = 3.0


class SymbolChoice:
    """Rate–distortion optimised quantisation (RDOQ) of blocks at their quality. Immutable.

    Where the network is the paper's, it takes the nearest: what an error costs is not known.
    """

    def __init__(self, network: LoadedModel, index: Quality, savings: Tensor | None = None) -> None:
        self.network = network
        self.index = index
        if savings is None:
            savings = _savings(network.tables).to(network.integer.device)
        self._savings = savings

    def of(self, rows: Tensor) -> SymbolChoice:
        """The same for these blocks (n,), of those that there are."""
        if isinstance(self.index, int):
            return self
        return SymbolChoice(self.network, self.index.index_select(0, rows), self._savings)

    @cached_property
    def steps(self) -> Tensor:
        """Quantisation steps (latents,), or (n, latents)."""
        return self.network.integer.steps(self.index).float()

    @cached_property
    def distortion_bits(self) -> Tensor | None:
        """Bits of a block that one quantisation step of error is worth, squared; as ``steps``."""
        if not isinstance(self.network.info.config, ModelConfig):
            return None
        # Squared error of a block's 8-bit values that a latent wrong by one step makes: the
        # synthesis is nearly orthonormal.
        energy = (PIXELS_PER_LATENT * self.network.integer.steps(self.index)).float().square()
        error_bits = self.error_bits
        per_row = error_bits[:, None] if isinstance(error_bits, Tensor) else error_bits
        return energy * RDOQ_DISTORTION * per_row

    @cached_property
    def error_bits(self) -> Tensor | float:
        """λ: bits of a block that a squared error of one 8-bit value is worth, or of each (n,)."""
        if isinstance(self.index, int):
            return error_bits(self.index)
        bits = [error_bits(index) for index in range(QUALITY_COUNT)]
        return torch.tensor(bits, dtype=torch.float, device=self.index.device)[self.index]

    def saving_per_distortion(
        self, part: slice, values: Tensor, nearest: Tensor, levels: Tensor
    ) -> Tensor:
        """The bits that the next symbols towards zero save, relative to the λD that they add."""
        assert self.distortion_bits is not None
        # (v - n + sign)² - (v - n)²
        worse = (values - nearest).mul_(2 * nearest.sign()).add_(1)
        return self.saved_bits(nearest, levels).div_(worse.mul_(self.distortion_bits[..., part]))

    def saved_bits(self, symbols: Tensor, levels: Tensor) -> Tensor:
        """Bits that the next symbols towards zero save."""
        count = self._savings.shape[1]
        place = symbols.clamp(-(count // 2), count // 2).add_(levels, alpha=count)
        return self._savings.take(place.add_(count // 2).long())


class Latents:
    """The latents of a front's blocks, slice by slice."""

    def __init__(self, y: Tensor, steps: Tensor) -> None:
        self._y = y
        self._steps = steps
        self._first = 0

    def next_slice(self, means: Tensor) -> tuple[slice, Tensor, Tensor]:
        """Return the slice's indexes, its latents in steps from the means, the nearest symbols."""
        part = slice(self._first, self._first + means.shape[1])
        self._first = part.stop
        y, self._y = self._y.tensor_split([means.shape[1]], dim=1)
        values = (y - means).float().div_(self._steps[..., part])
        return part, values, values.round().clamp_(-_SYMBOL_BOUND, _SYMBOL_BOUND)

    def go_on_with(self, rows: Tensor) -> None:
        """Continue with these rows; some may be repeated."""
        self._y = self._y.index_select(0, rows)
        if self._steps.ndim > 1:
            self._steps = self._steps.index_select(0, rows)


class LatentWriter:
    """Encodes the blocks (n, 3B²) of one or more tiles at their quality."""

    def __init__(
        self, network: LoadedModel, index: Quality, sink: SymbolSink, blocks: NDArray[np.uint8]
    ) -> None:
        self._choice_of_all = self._choice = SymbolChoice(network, index)
        self._sink = sink
        self._blocks = torch.from_numpy(blocks).to(network.integer.device)
        self._latents = Latents(torch.empty(0), torch.empty(0))

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        self._sink.begin()
        x = self._blocks.index_select(0, front).float().sub_(PIXEL_OFFSET)
        self._choice = self._choice_of_all.of(front)
        y = self._choice.network.analysis(x, *sources, index=self._choice.index)
        self._latents = Latents(y, self._choice.steps)

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, None]:
        part, values, nearest = self._latents.next_slice(means)
        if self._choice.distortion_bits is not None:
            lower = self._choice.saving_per_distortion(part, values, nearest, levels) > 1
            nearest.sub_(nearest.sign().mul_(lower))
        symbols = nearest.to(torch.int32)
        self._sink.encode(levels.cpu().numpy(), symbols.cpu().numpy())
        return symbols, None


class SymbolWriter:
    """Encodes given symbols (n, latents)."""

    def __init__(self, sink: SymbolSink, symbols: Tensor) -> None:
        self._sink = sink
        self._symbols = symbols
        self._front = torch.empty(0)
        self._first = 0

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        self._sink.begin()
        self._front = self._symbols.index_select(0, front)
        self._first = 0

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, None]:
        last = self._first + means.shape[1]
        chosen = self._front[:, self._first : last]
        self._first = last
        self._sink.encode(levels.cpu().numpy(), chosen.cpu().numpy())
        return chosen, None


@dataclass(frozen=True)
class Received:
    """Levels and symbols (n, width) of a front's slices, and what symbols cost."""

    slices: list[tuple[NDArray[np.uint8], Symbols]]
    cost: NDArray[np.float32]

    def bits(self) -> NDArray[np.float32]:
        """What each block (n,) took."""
        levels, symbols = (
            np.concatenate(parts, axis=1) for parts in zip(*self.slices, strict=True)
        )
        return symbol_cost(self.cost, levels, symbols)


class LatentReader:
    """Decodes the blocks of one or more tiles."""

    def __init__(self, network: LoadedModel, source: SymbolSource) -> None:
        self._source = source
        self._cost = network.tables.bits()
        self._received: list[tuple[NDArray[np.uint8], Symbols]] = []  # levels and symbols so far

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        self._source.begin()

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, None]:
        numbers = levels.cpu().numpy()
        symbols = self._source.decode(numbers)
        self._received.append((numbers, symbols))
        return torch.from_numpy(symbols).to(levels.device), None

    def take_received(self) -> Received:
        """What has come since the last time: a front, after it."""
        received, self._received = self._received, []
        return Received(received, self._cost)


def _savings(tables: ProbabilityTables) -> Tensor:
    """Bits (levels, symbols) that the next symbol towards zero saves; symbol 0 is in the middle."""
    bits = tables.bits()
    reach = bits.shape[1] // 2 - 1
    symbols = np.arange(-reach, reach + 1)
    cost = bits[:, fold(symbols)]
    return torch.from_numpy(cost - bits[:, fold(symbols - np.sign(symbols))])
