"""Ways of coding a block, among which a searching encoder chooses.

The fast encoder (``latents.LatentWriter``) chooses every symbol by itself, as if an error of a
latent were one of pixels. The candidates differ in how much they give for exactness, as a whole and
latent by latent, by chance; half of them also round some of the first latents away from zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.bitstream.entropy import Levels, Symbols
from lbbic_engine.bitstream.tables import symbol_cost
from lbbic_engine.coding.latents import RDOQ_DISTORTION, Latents, SymbolChoice
from lbbic_engine.networks.block_model import Quality
from lbbic_engine.networks.float_network import PIXEL_OFFSET
from lbbic_engine.networks.weights import LoadedModel

VARIATION = 1.2  # deviation of its logarithm from latent to latent
OUTWARD_LATENTS = 32  # the first ones, in which outward candidates round away from zero, too
OUTWARD_BITS = 1.0  # of R + λD that it may cost, in the mean
OVERSHOOT = 0.15  # of errors to make up for, what is aimed beyond the picture
PATTERNS = 1024  # of chance
MIN_WORTH = 1e-9  # logarithms of nothing are slow
SUM_BOUND = 2**23


@dataclass(frozen=True)
class SearchSettings:
    """How much an effort tries."""

    candidates: tuple[float, ...]
    """What exactness is worth to each, relative to its weight in the fast encoder's choice."""
    outward: int
    """How many candidates, the last ones, round away from zero, too."""
    beam_width: int
    """Best ways of a block that are kept: the next block is tried after each of them."""
    tries_again: bool
    """Whether a block is tried again from its best ways, aiming beyond their errors."""
    work: int
    """Blocks that are coded in the time in which one is searched."""


SEARCHES = {
    "balanced": SearchSettings(
        candidates=2 * (0.35, 0.55, 0.8, 1.1),
        outward=4,
        beam_width=2,
        tries_again=False,
        work=3,
    ),
    "thorough": SearchSettings(
        candidates=2 * (0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.25, 2.0),
        outward=8,
        beam_width=4,
        tries_again=True,
        work=20,
    ),
}


def work_of_a_block(search: SearchSettings | None) -> int:
    """What coding a block takes, with a search or without, in units of the latter."""
    return 1 + search.work if search else 1


class Candidates:
    """The candidates of blocks (n, 3B²) at their quality, the same for the same blocks."""

    def __init__(
        self,
        network: LoadedModel,
        index: Quality,
        blocks: NDArray[np.uint8],
        settings: SearchSettings,
    ) -> None:
        device = network.integer.device
        self.choice = SymbolChoice(network, index)
        self.cost = network.tables.bits()
        self.blocks = torch.from_numpy(blocks).to(device)
        self._random = torch.Generator().manual_seed(0)
        latents = network.info.config.latents
        # Sums of these stand for sets of latents: exact in float32, and hardly ever alike.
        numbers = torch.randint(SUM_BOUND // latents, (latents,), generator=self._random)
        self.numbers = numbers.float().to(device)
        # Of these each block draws its candidates: logarithms of weights, bits for going outward.
        self.count = count = len(settings.candidates)
        chance = torch.randn((PATTERNS, count, latents), generator=self._random)
        weights = chance.mul_(VARIATION).add_(torch.tensor(settings.candidates).log()[:, None])
        self.weights = weights.to(device)
        offers = torch.zeros((PATTERNS, count, OUTWARD_LATENTS))
        offers[:, count - settings.outward :].exponential_(1 / OUTWARD_BITS, generator=self._random)
        self.offers = offers.to(device)

    def draw(self, count: int) -> slice:
        """Patterns for so many blocks."""
        first = int(torch.randint(PATTERNS - count + 1, (), generator=self._random))
        return slice(first, first + count)


@dataclass(frozen=True)
class Tried:
    """Which candidates (blocks, candidates) differ from those before, their symbols and bits."""

    kept: Tensor
    symbols: Tensor
    bits: Tensor


class CandidateWriter:
    """Sends each block of one front in all its ways, at first aiming beyond ``errors`` (n, 3B²).

    Ways of a block share a row for as long as their symbols are the same.
    """

    def __init__(self, candidates: Candidates, errors: Tensor | None = None) -> None:
        self._candidates = candidates
        self._errors = errors
        self._tally = Tally(candidates.cost)
        self._choice = candidates.choice
        self._latents = Latents(torch.empty(0), torch.empty(0))
        self._drawn = slice(0)
        # The row of every way (blocks, ways), and whether the way is the first of its row.
        self._rows = torch.zeros((0, candidates.count), dtype=torch.long)
        self._kept = self._rows == 0

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        self._choice = choice = self._candidates.choice.of(front)
        x = self._candidates.blocks.index_select(0, front).float().sub_(PIXEL_OFFSET)
        if self._errors is not None:
            x.sub_(self._errors, alpha=OVERSHOOT)
        y = choice.network.analysis(x, *sources, index=choice.index)
        self._latents = Latents(y, choice.steps)
        rows = torch.arange(len(front), device=front.device)
        self._rows = rows[:, None].repeat(1, self._candidates.count)
        self._drawn = self._candidates.draw(len(front))

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        part, values, nearest = self._latents.next_slice(means)
        rows = self._rows.flatten()
        away, change = self._changes(part, values, nearest, levels)
        first = self._first_alike(change, part)
        self._kept = first == torch.arange(self._candidates.count, device=first.device)
        kept = self._kept.flatten().nonzero()[:, 0]
        self._rows = (self._kept.flatten().cumsum(0) - 1).view_as(first).gather(1, first)
        parents = rows[kept]
        self._latents.go_on_with(parents)
        self._choice = self._choice.of(parents)
        nearest, levels, away = (
            of_rows.index_select(0, parents) for of_rows in (nearest, levels, away)
        )
        change = change.flatten(0, 1).index_select(0, kept)
        symbols = nearest.add_(away.mul_(change)).to(torch.int32)
        self._tally.follow(parents.cpu().numpy())
        self._tally.encode(levels.cpu().numpy(), symbols.cpu().numpy())
        return symbols, parents

    def tried(self) -> Tried:
        """After the front."""
        return Tried(self._kept, self._tally.symbols, self._tally.bits)

    def _changes(
        self, part: slice, values: Tensor, nearest: Tensor, levels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Steps away from zero (rows, width), and how many each way takes (blocks, ways, width).

        Each way chooses in the row that it shares with others.
        """
        candidates, choice, rows = self._candidates, self._choice, self._rows.flatten()
        worth = choice.saving_per_distortion(part, values, nearest, levels)
        worth = worth.clamp_(min=MIN_WORTH).log_()
        lower = worth.index_select(0, rows).view(*self._rows.shape, -1)
        change = (lower > candidates.weights[self._drawn, :, part]).float().neg_()
        rest = values.sub_(nearest)
        away = torch.where(nearest == 0, rest, nearest).sign_()
        if part.stop <= OUTWARD_LATENTS:
            # (v - n - away)² - (v - n)²
            worse = (rest * away).mul_(-2).add_(1)
            assert choice.distortion_bits is not None
            cost = worse.mul_(choice.distortion_bits[..., part] / RDOQ_DISTORTION)
            cost = cost.add_(choice.saved_bits(nearest + away, levels))
            cost = cost.index_select(0, rows).view_as(change)
            change += (cost < candidates.offers[self._drawn, :, part]) & (change == 0)
        return away, change

    def _first_alike(self, change: Tensor, part: slice) -> Tensor:
        """The first way (blocks, ways) that chooses like each; they go on in one row."""
        numbers = self._candidates.numbers[part]
        keys = (change @ numbers).double().add_(self._rows, alpha=2 * SUM_BOUND)
        return (keys[:, :, None] == keys[:, None]).byte().argmax(dim=2)


class Tally:
    """Takes symbols instead of a stream: those of rows (n, latents), and their bits (n,).

    ``cost`` is the table of ``symbol_cost``.
    """

    def __init__(self, cost: NDArray[np.float32]) -> None:
        self._cost = cost
        self.begin()

    def begin(self) -> None:
        self._bits = np.zeros(0, np.float32)
        self._symbols = np.zeros((0, 0), np.int32)

    def follow(self, parents: NDArray[np.int64]) -> None:
        """Goes on with these rows, of those that there are."""
        if self._symbols.size:
            self._bits, self._symbols = self._bits[parents], self._symbols[parents]

    def encode(self, levels: Levels, symbols: Symbols) -> None:
        bits = symbol_cost(self._cost, levels, symbols)
        begun = self._symbols.size
        self._symbols = np.concatenate([self._symbols, symbols], axis=1) if begun else symbols
        self._bits = self._bits + bits if begun else bits

    @property
    def bits(self) -> Tensor:
        return torch.from_numpy(self._bits)

    @property
    def symbols(self) -> Tensor:
        return torch.from_numpy(self._symbols)
