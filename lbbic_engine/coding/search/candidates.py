"""Candidates for the symbols of a block, among which a searching encoder chooses.

RDOQ (``latents.SymbolChoice``) chooses every symbol separately, as if the synthesis were
orthonormal. Candidates weigh distortion against rate differently, with random weights for each
latent. Half of them also round some of the first latents away from zero.
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

VARIATION = 1.2  # standard deviation of the logarithm of the weights of latents
OUTWARD_LATENTS = 32  # the first latents, which outward candidates may round away from zero
OUTWARD_BITS = 1.0  # mean of the cost in R + λD that this may have
OVERSHOOT = 0.15  # share of the errors by which the target is moved beyond the picture
PATTERNS = 1024  # of random weights
MIN_WORTH = 1e-9  # because logarithms of zero are slow
SUM_BOUND = 2**23


@dataclass(frozen=True)
class SearchSettings:
    """The settings of the search for an effort."""

    candidates: tuple[float, ...]  # weight of the distortion, relative to ``RDOQ_DISTORTION``
    outward: int  # the number of candidates, the last ones, that also round away from zero
    beam_width: int  # candidates of a block that are kept; the next block is tried after each
    tries_again: bool  # a block is tried again after its best candidates, with an overshoot
    work: int  # blocks that can be coded in the time to search one


SEARCHES = {
    "balanced": SearchSettings(
        candidates=2 * (0.35, 0.55, 0.8, 1.1),
        outward=4,
        beam_width=2,
        tries_again=False,
        work=3,
    ),
    "thorough": SearchSettings(
        candidates=4 * (0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.25, 2.0),
        outward=16,
        beam_width=4,
        tries_again=True,
        work=28,
    ),
}


def work_of_a_block(search: SearchSettings | None) -> int:
    """The work for a block, with or without a search, in units of coding one."""
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
        # Sums of these numbers identify sets of latents: exact in float32, and rarely equal.
        numbers = torch.randint(SUM_BOUND // latents, (latents,), generator=self._random)
        self.numbers = numbers.float().to(device)
        # Each block draws its candidates from these: logarithms of weights, bits to round outward.
        self.count = count = len(settings.candidates)
        weights = torch.empty((PATTERNS, count, latents), dtype=torch.float)
        weights.normal_(generator=self._random).mul_(VARIATION)
        weights += torch.tensor(settings.candidates, dtype=torch.float).log()[:, None]
        self.weights = weights.to(device)
        offers = torch.zeros((PATTERNS, count, OUTWARD_LATENTS), dtype=torch.float)
        offers[:, count - settings.outward :].exponential_(1 / OUTWARD_BITS, generator=self._random)
        self.offers = offers.to(device)

    def draw(self, count: int) -> slice:
        """Return patterns for that number of blocks."""
        first = int(torch.randint(PATTERNS - count + 1, (), generator=self._random))
        return slice(first, first + count)


@dataclass(frozen=True)
class Tried:
    """Which candidates (blocks, candidates) are distinct; the symbols and bits of these."""

    kept: Tensor
    symbols: Tensor
    bits: Tensor


class CandidateWriter:
    """Codes all candidates of the blocks of a front.

    With ``errors`` (n, 3B²) of earlier candidates, the target is moved to compensate for them.
    Candidates of a block share a row of the networks while their symbols are equal.
    """

    def __init__(self, candidates: Candidates, errors: Tensor | None = None) -> None:
        self._candidates = candidates
        self._errors = errors
        self._tally = Tally(candidates.cost)
        self._choice = candidates.choice
        self._latents = Latents(torch.empty(0), torch.empty(0))
        self._drawn = slice(0)
        # The row of every candidate (blocks, candidates), and whether it is the first in its row.
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
        """Return the results of the front."""
        return Tried(self._kept, self._tally.symbols, self._tally.bits)

    def _changes(
        self, part: slice, values: Tensor, nearest: Tensor, levels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Steps away from zero (rows, width), and how many each candidate takes.

        A candidate's choice is made in the row that it shares with others.
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
        """The first candidate (blocks, candidates) with the same choice as each."""
        numbers = self._candidates.numbers[part]
        keys = (change @ numbers).double().add_(self._rows, alpha=2 * SUM_BOUND)
        return (keys[:, :, None] == keys[:, None]).byte().argmax(dim=2)


class Tally:
    """Records the symbols of rows (n, latents) and their bits (n,), in place of a stream.

    ``cost`` is ``ProbabilityTables.bits``.
    """

    def __init__(self, cost: NDArray[np.float32]) -> None:
        self._cost = cost
        self.begin()

    def begin(self) -> None:
        self._bits = np.zeros(0, np.float32)
        self._symbols = np.zeros((0, 0), np.int32)

    def follow(self, parents: NDArray[np.int64]) -> None:
        """Continue with these rows."""
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
