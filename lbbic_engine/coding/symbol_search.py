"""The thorough sender's search for symbols. Decoders know nothing of it.

The fast sender (``exchange.LatentWriter``) chooses every symbol by itself, as if an error of a
latent were one of pixels. Here each block is coded in several ways, which differ in how much they
give for exactness, as a whole and latent by latent, by chance; half of them also round some of the
first latents away from zero. The decoder's own networks reconstruct each of them that differs, and
the true R + λD says how good it is. A block is settled once the one to its right has been tried
after each of its best ways. Then that one is tried again, aiming a little beyond the picture, where
its best ways have fallen short of it.

Rows of a quarter (``wavefront``) are searched side by side, each ``SKEW`` blocks behind the one
before, whose blocks it needs settled; so are the quarters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.bitstream.entropy import Levels, Symbols
from lbbic_engine.bitstream.tables import ProbabilityTables, spent
from lbbic_engine.coding.latents import CHOICE_DISTORTION, LatentWriter
from lbbic_engine.config import MIN_QUALITY, QUALITY_STEPS, spread_lmbda
from lbbic_engine.layout.wavefront import Grid, Mirror, coding_order, front_numbers
from lbbic_engine.networks.block_model import BlockModel
from lbbic_engine.networks.float_network import PIXEL_OFFSET
from lbbic_engine.networks.integer_network import Exchange
from lbbic_engine.networks.weights import Network

# Relative to the weight of the distortion in the fast sender's choice.
WAYS = 2 * (0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.25, 2.0)
VARIATION = 1.2  # deviation of its logarithm from latent to latent
OUTWARD_WAYS = 8  # of them, the last ones: they round away from zero, too
OUTWARD_LATENTS = 32  # the first ones, in which they do
OUTWARD_BITS = 1.0  # of R + λD that it may cost, in the mean
LMBDA_SPREAD = 1.37  # for a range as wide as the fast sender's
KEPT = 4  # best ways of a block: the next one is tried after each, the block again from each
BEYOND = 0.15  # of the errors of these, what it then aims beyond the picture
BLOCKS_TOGETHER = 64  # a bound for memory
PATTERNS = 1024  # of chance
MEMORY_KEPT = 31 << 20  # bytes
SKEW = 3
WORK = 20  # blocks that are coded in the time in which one is searched
LEAST_WORTH = 1e-9  # logarithms of nothing are slow
SUM_BOUND = 2**23


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
        """Tries blocks (n,), one a row, in every way after the best of the block to the left.

        That settles the block to the left; then they are tried again from their own best.
        """
        rows, around, goes_on = self._row[places], self._around[places], self._goes_on[places]
        blocks, each = self._blocks[places], torch.arange(len(places))
        self._state[rows[~goes_on], 0] = self._settled[around[~goes_on, 0]]
        before = self._cost[rows]
        there = before.isfinite()
        row, left = there.nonzero(as_tuple=True)
        above = self._settled[around[:, 1:]].flatten(1)
        context = torch.cat([self._state[rows[row], left], above[row]], dim=1)
        tries = self._try(blocks, there, context)
        cost = tries.cost + before[:, :, None]
        best = cost.amin(dim=2).argmin(dim=1)
        self._settle(around[goes_on, 0], rows[goes_on], best[goes_on])
        # Of the block to the left there is only that way from here on.
        cost, place = cost[each, best], tries.place[each, best]
        context = torch.cat([self._state[rows, best], above], dim=1)
        cheapest = cost.topk(KEPT, largest=False)
        there = cheapest.values.isfinite()
        errors = tries.errors[place.gather(1, cheapest.indices)[there]]
        again = self._try(blocks, there, context[there.nonzero()[:, 0]], errors)
        cost_again = again.cost.flatten(1) + before[each, best][:, None]
        place_again = again.place.flatten(1) + len(tries.state)
        cost, order = torch.cat([cost, cost_again], dim=1).sort(dim=1)
        cost[:, 1:][cost.diff(dim=1) == 0] = torch.inf  # found again: the same symbols
        cost, ways = cost.topk(KEPT, largest=False)
        place = torch.cat([place, place_again], dim=1).gather(1, order.gather(1, ways))
        self._cost[rows] = cost - cost[:, :1]
        self._state[rows] = torch.cat([tries.state, again.state])[place]
        self._last[rows] = torch.cat([tries.symbols, again.symbols])[place]
        ends = self._ends[places]
        self._settle(places[ends], rows[ends], torch.zeros_like(rows[ends]))

    def _try(
        self, blocks: Tensor, there: Tensor, context: Tensor, errors: Tensor | None = None
    ) -> _Tries:
        """Codes blocks (n,) in every way, each as often as it is there (n, KEPT): m times in all.

        Each time has its context (m, 4·width), and may have errors (m, 3B²) to make up for.
        """
        block = there.nonzero()[:, 0]
        self._writer.errors = errors
        state = self._model.code_front(blocks[block].to(context.device), context, self._writer)
        kept = torch.zeros((*there.shape, len(WAYS)), dtype=torch.bool)
        kept[there] = self._writer.kept.cpu()
        pixels = self._x[blocks[kept.nonzero()[:, 0]]]
        errors = state[:, : pixels.shape[1]] - (pixels.float() - PIXEL_OFFSET)
        cost = torch.full(kept.shape, torch.inf)
        cost[kept] = self._tally.bits + self._lmbda * errors.square().sum(1).cpu()
        place = torch.zeros(kept.shape, dtype=torch.long)
        place[kept] = torch.arange(len(state))
        return _Tries(state, self._tally.symbols, errors, cost, place)

    def _settle(self, places: Tensor, rows: Tensor, ways: Tensor) -> None:
        """Settles blocks (n,), the last of rows (n,), in one of their kept ways (n,)."""
        self._settled[places] = self._state[rows, ways]
        self._symbols[self._blocks[places]] = self._last[rows, ways]
        across = torch.isin(self._seen, places)
        at_seams = self._settled[self._seen[across]]
        seen = self._seen_across(at_seams, self._mirrors[across])
        self._settled[len(self._blocks) : -1][across] = seen


@dataclass(frozen=True)
class _Tries:
    """State, symbols (m, latents) and errors (m, 3B²) of the tries that differ.

    R + λD of all (n, KEPT, ways), infinite for those like others, and their place among these.
    """

    state: Tensor
    symbols: Tensor
    errors: Tensor
    cost: Tensor
    place: Tensor


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
        latents = len(self._steps)
        # Sums of these stand for sets of latents: exact in float32, and hardly ever alike.
        numbers = torch.randint(SUM_BOUND // latents, (latents,), generator=self._random)
        self._numbers = numbers.float().to(device)
        # Of these each block draws its ways: logarithms of weights, and bits for going outward.
        chance = torch.randn((PATTERNS, len(WAYS), latents), generator=self._random)
        weights = chance.mul_(VARIATION).add_(torch.tensor(WAYS).log()[:, None])
        self._weights = weights.to(device)
        offers = torch.zeros((PATTERNS, len(WAYS), OUTWARD_LATENTS))
        offers[:, -OUTWARD_WAYS:].exponential_(1 / OUTWARD_BITS, generator=self._random)
        self._offers = offers.to(device)
        self._drawn = slice(0)
        assert self._distortion_bits is not None
        self._error_bits = self._distortion_bits / CHOICE_DISTORTION
        self.errors: Tensor | None = None  # of the front's blocks (n, 3B²), to make up for
        # The row of every way (blocks, ways), and whether the way is the first of its row.
        self._rows = torch.zeros((0, len(WAYS)), dtype=torch.long)
        self.kept = self._rows == 0

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        super().begin(front, *sources)
        self._rows = torch.arange(len(front), device=front.device)[:, None].repeat(1, len(WAYS))
        first = torch.randint(PATTERNS - len(front) + 1, (), generator=self._random)
        self._drawn = slice(int(first), int(first) + len(front))

    def _aims(self, front: Tensor) -> Tensor:
        aims = super()._aims(front)
        return aims if self.errors is None else aims.sub_(self.errors, alpha=BEYOND)

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> Tensor:
        part, values, nearest = self._next(means)
        worth = self._worth(part, values, nearest, levels).clamp_(min=LEAST_WORTH).log_()
        # Each way chooses in the row that it shares with others; those that choose alike go on so.
        rows = self._rows.flatten()
        lower = worth.index_select(0, rows).view(*self._rows.shape, -1)
        change = (lower > self._weights[self._drawn, :, part]).float().neg_()
        rest = values.sub_(nearest)
        away = torch.where(nearest == 0, rest, nearest).sign_()
        if part.stop <= OUTWARD_LATENTS:
            # (v - n - away)² - (v - n)²
            worse = (rest * away).mul_(-2).add_(1)
            cost = worse.mul_(self._error_bits[part]).add_(self._saved(nearest + away, levels))
            cost = cost.index_select(0, rows).view_as(change)
            change += (cost < self._offers[self._drawn, :, part]) & (change == 0)
        keys = (change @ self._numbers[part]).double().add_(self._rows, alpha=2 * SUM_BOUND)
        first = (keys[:, :, None] == keys[:, None]).byte().argmax(dim=2)
        self.kept = first == torch.arange(len(WAYS), device=first.device)
        kept = self.kept.flatten().nonzero()[:, 0]
        self._rows = (self.kept.flatten().cumsum(0) - 1).view_as(first).gather(1, first)
        self.parents = parents = rows[kept]
        nearest, levels, away, self._y = (
            of_rows.index_select(0, parents) for of_rows in (nearest, levels, away, self._y)
        )
        change = change.flatten(0, 1).index_select(0, kept)
        symbols = nearest.add_(away.mul_(change)).to(torch.int32)
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
