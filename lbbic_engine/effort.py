"""The thorough sender's search for symbols. Decoders know nothing of it.

The fast sender (``exchange.LatentWriter``) chooses every symbol by itself, as if an error of a
latent were one of pixels. Here each block is coded in several ways, which differ in how much they
give for exactness, as a whole and latent by latent, by chance; the decoder's own networks
reconstruct each of them that differs, and the true R + λD says how good it is. A block is settled
once the one to its right has been tried after each of its best ways.

Rows of a quarter (``wavefront``) are searched side by side, each ``SKEW`` blocks behind the one
before, whose blocks it needs settled; so are the quarters.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.config import MIN_QUALITY, QUALITY_STEPS, spread_lmbda
from lbbic_engine.entropy import Levels, Symbols
from lbbic_engine.exchange import LatentWriter
from lbbic_engine.integer import Exchange
from lbbic_engine.model import PIXEL_OFFSET
from lbbic_engine.tables import ProbabilityTables, spent
from lbbic_engine.wavefront import BlockModel, Grid, Mirror, coding_order, front_numbers
from lbbic_engine.weights import Network

# Relative to the weight of the distortion in the fast sender's choice.
WAYS = 3 * (0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.25, 2.0)
VARIATION = 1.2  # deviation of its logarithm from latent to latent
LMBDA_SPREAD = 1.28  # for a range as wide as the fast sender's
KEPT = 4  # best ways of a block, after each of which the next one is tried
BLOCKS_TOGETHER = 32  # a bound for memory
MEMORY_KEPT = 31 << 20  # bytes
SKEW = 3
LEAST_WORTH = 1e-9  # logarithms of nothing are slow


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
        self._tally = _Tally(network.tables)
        self._writer = _WaysWriter(network, index, self._tally, blocks)
        device = network.integer.device
        self._x = torch.from_numpy(blocks).to(device)
        self._lmbda = spread_lmbda(MIN_QUALITY + index / QUALITY_STEPS, LMBDA_SPREAD) / (3 * 255**2)
        order = coding_order((grid,))
        count = len(order.blocks)
        self._blocks = torch.from_numpy(order.blocks)  # by place in this order, as all that follows
        self._around = torch.from_numpy(order.around).view(count, -1)
        self._seen = torch.from_numpy(order.seen)
        self._mirrors = torch.from_numpy(order.seen_mirrors).to(device)
        self._steps = front_numbers(grid, SKEW)[order.blocks]
        # A block goes on in the row of the one to its left, unless that is outside or over a seam.
        self._goes_on = self._around[:, 0] < count
        self._ends = torch.ones(count, dtype=torch.bool)
        self._ends[self._around[self._goes_on, 0]] = False
        self._settled = model.empty_state(count + len(order.seen))
        self._seen_across = Mirror(model.block_size, self._settled)
        latents = network.description.config.latents
        self._symbols = torch.zeros((count, latents), dtype=torch.int32)  # by raster index
        # Each row's last block in its best ways, and their cost beyond the very best's.
        row, column = self._blocks // grid.columns, self._blocks % grid.columns
        self._row = 2 * row + (column < grid.centre[1])
        rows = 2 * grid.rows
        self._state = self._settled[-1].repeat(rows, KEPT, 1)
        self._last = torch.zeros((rows, KEPT, latents), dtype=torch.int32)
        self._cost = torch.full((rows, KEPT), torch.inf)
        self._cost[:, 0] = 0

    def __iter__(self) -> Iterator[int]:
        """Yields after each step how many blocks it has tried."""
        places = np.argsort(self._steps, kind="stable")
        begin = np.flatnonzero(np.diff(self._steps[places], prepend=-1))
        for step in np.split(places, begin[1:]):
            for part in np.array_split(step, -(-len(step) // BLOCKS_TOGETHER)):
                self._advance(torch.from_numpy(part))
                yield len(part)

    @property
    def symbols(self) -> Tensor:
        """The symbols found (n, latents)."""
        return self._symbols

    @torch.inference_mode()
    def _advance(self, places: Tensor) -> None:
        """Tries blocks (n,), one a row, in every way after the best of the block to the left."""
        rows, around, goes_on = self._row[places], self._around[places], self._goes_on[places]
        self._state[rows[~goes_on], 0] = self._settled[around[~goes_on, 0]]
        row, left = self._cost[rows].isfinite().nonzero(as_tuple=True)
        above = self._settled[around[:, 1:]].flatten(1)
        context = torch.cat([self._state[rows[row], left], above[row]], dim=1)
        blocks = self._blocks[places]
        state = self._model.code_front(blocks[row].to(context.device), context, self._writer)
        block, way = self._writer.kept.cpu().nonzero(as_tuple=True)
        pixels = self._x[blocks[row][block]]
        error = state[:, : pixels.shape[1]] - (pixels.float() - PIXEL_OFFSET)
        spent = self._tally.bits + self._lmbda * error.square().sum(1).cpu()
        row, left = row[block], left[block]
        cost = torch.full((len(rows), KEPT, len(WAYS)), torch.inf)
        cost[row, left, way] = self._cost[rows[row], left] + spent
        place = torch.zeros(cost.shape, dtype=torch.long)
        place[row, left, way] = torch.arange(len(row))
        best = cost.amin(dim=2).argmin(dim=1)
        self._settle(around[goes_on, 0], rows[goes_on], best[goes_on])
        after_best = torch.arange(len(rows)), best
        costs, ways = cost[after_best].topk(KEPT, largest=False)
        self._cost[rows] = costs - costs[:, :1]
        chosen = place[after_best].gather(1, ways)
        self._state[rows] = state[chosen.to(state.device)]
        self._last[rows] = self._tally.symbols[chosen]
        ends = self._ends[places]
        self._settle(places[ends], rows[ends], torch.zeros_like(rows[ends]))

    def _settle(self, places: Tensor, rows: Tensor, ways: Tensor) -> None:
        """Settles blocks (n,), the last of rows (n,), in one of their kept ways (n,)."""
        self._settled[places] = self._state[rows, ways]
        self._symbols[self._blocks[places]] = self._last[rows, ways]
        across = torch.isin(self._seen, places)
        at_seams = self._settled[self._seen[across]]
        seen = self._seen_across(at_seams, self._mirrors[across])
        self._settled[len(self._blocks) : -1][across] = seen


class _WaysWriter(LatentWriter):
    """Sends each block in every way; the same for the same blocks.

    Ways of a block share a row for as long as their symbols are the same.
    """

    def __init__(
        self, network: Network, index: int, tally: _Tally, blocks: NDArray[np.uint8]
    ) -> None:
        super().__init__(network, index, tally, blocks)
        self._tally = tally
        self._random = torch.Generator().manual_seed(0)
        device = self._steps.device
        # Fractions whose sums stand for sets of latents: below 1, exact, and hardly ever alike.
        numbers = torch.randint(2**32, (len(self._steps),), generator=self._random)
        self._numbers = numbers.double().mul_(2.0**-40).to(device)
        self._weights = torch.tensor(WAYS).log()[:, None]
        # The row of every way (blocks, ways), and whether the way is the first of its row.
        self._rows = torch.zeros((0, len(WAYS)), dtype=torch.long)
        self.kept = self._rows == 0

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        super().begin(front, *sources)
        self._rows = torch.arange(len(front), device=front.device)[:, None].repeat(1, len(WAYS))

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> Tensor:
        part, values, nearest = self._next(means)
        worth = self._worth(part, values, nearest, levels).clamp_(min=LEAST_WORTH).log_()
        chance = torch.randn((*self._rows.shape, means.shape[1]), generator=self._random)
        weights = chance.mul_(VARIATION).add_(self._weights).flatten(0, 1).to(worth.device)
        # Each way chooses in the row that it shares with others; those that choose alike go on so.
        rows = self._rows.flatten()
        lower = worth.index_select(0, rows) > weights
        keys = (lower.double() @ self._numbers[part]).add_(rows).view_as(self._rows)
        first = (keys[:, :, None] == keys[:, None]).byte().argmax(dim=2)
        self.kept = first == torch.arange(len(WAYS), device=first.device)
        kept = self.kept.flatten().nonzero()[:, 0]
        self._rows = (self.kept.flatten().cumsum(0) - 1).view_as(first).gather(1, first)
        self.parents = parents = rows[kept]
        nearest, levels, self._y = nearest[parents], levels[parents], self._y[parents]
        symbols = nearest.sub_(nearest.sign().mul_(lower[kept])).to(torch.int32)
        self._tally.follow(parents.cpu().numpy())
        self._tally.encode(levels.cpu().numpy(), symbols.cpu().numpy())
        return symbols


class _Tally:
    """Takes symbols instead of a stream: those of rows (n, latents), and their bits (n,)."""

    def __init__(self, tables: ProbabilityTables) -> None:
        self._table = tables.bits()
        self.begin()

    def begin(self) -> None:
        self._bits = np.zeros(0, np.float32)
        self._symbols = np.zeros((0, 0), np.int32)

    def follow(self, parents: NDArray[np.int64]) -> None:
        """Goes on with these rows, of those that there are."""
        if self._symbols.size:
            self._bits, self._symbols = self._bits[parents], self._symbols[parents]

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        bits = spent(self._table, levels, symbols)
        begun = self._symbols.size
        self._symbols = np.concatenate([self._symbols, symbols], axis=1) if begun else symbols
        self._bits = self._bits + bits if begun else bits

    @property
    def bits(self) -> Tensor:
        return torch.from_numpy(self._bits)

    @property
    def symbols(self) -> Tensor:
        return torch.from_numpy(self._symbols)
