"""The thorough sender's search for symbols. Decoders know nothing of it.

The fast sender (``exchange.LatentWriter``) chooses every symbol by itself, as if an error of a
latent were one of pixels. Here each block is coded in several ways, which differ in how much they
give for exactness, as a whole and latent by latent, by chance; the decoder's own networks
reconstruct each of them, and the true R + λD says how good it is. A block is settled once the one
to its right has been tried after each of its ways, those aside that are far worse than its best.

Rows are searched side by side, each ``SKEW`` blocks behind the one above, whose blocks it needs
settled.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.config import MIN_QUALITY, QUALITY_STEPS, lmbda
from lbbic_engine.entropy import Symbols
from lbbic_engine.exchange import LatentWriter
from lbbic_engine.integer import Exchange
from lbbic_engine.model import PIXEL_OFFSET
from lbbic_engine.segments import Levels, SymbolSink
from lbbic_engine.tables import ProbabilityTables, fold
from lbbic_engine.wavefront import BlockModel, Grid
from lbbic_engine.weights import Network

# Relative to the weight of the distortion in the fast sender's choice.
WAYS = (0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.25, 2.0)
VARIATION = 0.7  # deviation of its logarithm from latent to latent
FAR_WORSE = 10.0  # bits
ROWS_TOGETHER = 32  # a bound for memory
MEMORY_KEPT = 31 << 20  # bytes
SKEW = 3


class SymbolSearch:
    """Searches the symbols of a grid of blocks (n, 3B²); iterate, then take ``symbols``."""

    def __init__(
        self,
        model: BlockModel[Exchange],
        network: Network,
        index: int,
        grid: Grid,
        blocks: NDArray[np.uint8],
    ) -> None:
        # glibc keeps so much of what is freed once it was; without, steps wait for fresh pages.
        torch.empty(MEMORY_KEPT, dtype=torch.uint8)
        self._model = model
        self._rows, self._columns = grid
        self._tally = _Tally(network.tables)
        self._writer = _WaysWriter(network, index, self._tally, blocks)
        device = network.integer.device
        self._x = torch.from_numpy(blocks).to(device)
        self._lmbda = lmbda(MIN_QUALITY + index / QUALITY_STEPS) / (3 * 255**2)
        outside = model.empty_state(0)[0]
        # With a border, so that every block has neighbours; rows are one further down.
        self._settled = outside.repeat(self._rows + 1, self._columns + 2, 1)
        self._symbols = torch.zeros(
            (self._rows, self._columns + 1, network.description.config.latents),
            dtype=torch.int32,
        )
        # Each row's last block in every way, and its cost beyond the best way's.
        self._state = outside.repeat(self._rows, len(WAYS), 1)
        self._last = self._symbols[:, :1].repeat(1, len(WAYS), 1)
        self._cost = torch.full((self._rows, len(WAYS)), torch.inf)
        self._cost[:, 0] = 0

    def __iter__(self) -> Iterator[int]:
        """Yields after each step how many blocks it has tried."""
        for step in range(self._columns + SKEW * (self._rows - 1)):
            first = max(0, (step - self._columns) // SKEW + 1)
            last = min(step // SKEW + 1, self._rows)
            for start in range(first, last, ROWS_TOGETHER):
                rows = torch.arange(start, min(start + ROWS_TOGETHER, last))
                self._advance(rows, step - SKEW * rows)
                yield len(rows)

    @property
    def symbols(self) -> Tensor:
        """The symbols found (n, latents)."""
        return self._symbols[:, 1:].flatten(0, 1)

    @torch.inference_mode()
    def _advance(self, rows: Tensor, columns: Tensor) -> None:
        """Tries blocks (n,), one a row, in every way after each way of the block to the left."""
        ways = len(WAYS)
        row, left = (self._cost[rows] < FAR_WORSE).nonzero(as_tuple=True)
        places = rows * self._columns + columns
        above = torch.cat([self._settled[rows, columns + i] for i in range(3)], dim=1)
        around = torch.cat([self._state[rows[row], left], above[row]], dim=1)
        self._tally.clear()
        state = self._model.code_front(places[row].to(around.device), around, self._writer)
        pixels = self._x[places[row]].repeat_interleave(ways, dim=0)
        error = state[:, : pixels.shape[1]] - (pixels.float() - PIXEL_OFFSET)
        spent = self._tally.bits + self._lmbda * error.square().sum(1).cpu()
        cost = torch.full((len(rows), ways, ways), torch.inf)
        cost[row, left] = self._cost[rows[row], left][:, None] + spent.view(-1, ways)
        best = cost.amin(dim=2).argmin(dim=1)
        self._settle(rows, columns - 1, best)
        after_best = (left == best[row]).nonzero()[:, 0]  # one a row
        symbols = self._tally.symbols.view(len(row), ways, -1)[after_best]
        cost = cost[row[after_best], best]
        alike = (symbols[:, 1:] == symbols[:, :-1]).all(dim=2)
        cost[:, 1:].masked_fill_(alike, torch.inf)
        self._cost[rows] = cost - cost.amin(dim=1, keepdim=True)
        self._state[rows] = state.view(len(row), ways, -1)[after_best.to(state.device)]
        self._last[rows] = symbols
        ended = columns == self._columns - 1
        self._settle(rows[ended], columns[ended], self._cost[rows[ended]].argmin(dim=1))

    def _settle(self, rows: Tensor, columns: Tensor, ways: Tensor) -> None:
        self._settled[rows + 1, columns + 1] = self._state[rows, ways]
        self._symbols[rows, columns + 1] = self._last[rows, ways]


class _WaysWriter(LatentWriter):
    """Sends each block in every way; the same for the same blocks."""

    ways = len(WAYS)

    def __init__(
        self, network: Network, index: int, sink: SymbolSink, blocks: NDArray[np.uint8]
    ) -> None:
        super().__init__(network, index, sink, blocks)
        self._random = torch.Generator().manual_seed(0)

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        super().begin(front, *sources)
        self._y = self._y.repeat_interleave(self.ways, dim=0)

    def _choose(self, values: Tensor, levels: Tensor, distortion_bits: Tensor) -> Tensor:
        chance = torch.randn(values.shape, generator=self._random).mul_(VARIATION).exp_()
        chance.unflatten(0, (-1, self.ways)).mul_(torch.tensor(WAYS)[:, None])
        return super()._choose(values, levels, distortion_bits * chance.to(values.device))


class _Tally:
    """Takes symbols instead of a stream: the last blocks' (n, latents), and their bits (n,)."""

    def __init__(self, tables: ProbabilityTables) -> None:
        self._table = tables.bits()
        self.clear()

    def clear(self) -> None:
        self._bits = np.zeros(0, np.float32)
        self._parts: list[Symbols] = []

    def begin(self) -> None:
        pass

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        folded = fold(symbols.astype(np.int64)).clip(max=self._table.shape[1] - 1)
        bits = self._table[levels, folded].sum(axis=1)
        self._bits = self._bits + bits if self._parts else bits
        self._parts.append(symbols)

    @property
    def bits(self) -> Tensor:
        return torch.from_numpy(self._bits)

    @property
    def symbols(self) -> Tensor:
        return torch.from_numpy(np.concatenate(self._parts, axis=1))
