"""The symbol search of the balanced and the thorough encoder. Decoders do not depend on it.

Each block has several candidates (``candidates``). The decoder's networks reconstruct the distinct
ones, and their true R + λD is compared. The best ones are kept. A block is settled, that is, one of
its candidates is chosen, once the block to its right has been tried after each of those. A thorough
encoder then tries that block again, with a target moved to compensate for its best candidates'
errors.

The rows of a quarter (``wavefront``) are searched in parallel, each ``SKEW`` blocks behind the
previous one, whose blocks must be settled. The quarters are also searched in parallel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.coding.search.candidates import Candidates, CandidateWriter, SearchSettings
from lbbic_engine.config import QUALITY_COUNT, quality_of, spread_lmbda
from lbbic_engine.layout.wavefront import Grid, StateFlip, coding_order, front_numbers
from lbbic_engine.networks.block_model import BlockModel, Quality
from lbbic_engine.networks.float_network import PIXEL_OFFSET
from lbbic_engine.networks.weights import LoadedModel

LMBDA_SPREAD = 1.37  # makes the range of rates as wide as the fast encoder's
BLOCKS_TOGETHER = 64  # limits the memory
MEMORY_KEPT = 31 << 20  # bytes
SKEW = 3


class SymbolSearch:
    """Searches the symbols of a grid of blocks (n, 3B²); iterate, then take ``symbols``."""

    def __init__(
        self,
        model: BlockModel,
        network: LoadedModel,
        index: Quality,
        grid: Grid,
        blocks: NDArray[np.uint8],
        settings: SearchSettings,
    ) -> None:
        # After this allocation, glibc keeps that much freed memory, so steps reuse its pages.
        torch.empty(MEMORY_KEPT, dtype=torch.uint8)
        self._model = model
        self._settings = settings
        self._candidates = Candidates(network, index, blocks, settings)
        device = network.integer.device
        self._x = torch.from_numpy(blocks).to(device)
        lmbdas = torch.tensor([_lmbda(each) for each in range(QUALITY_COUNT)], dtype=torch.float)
        self._lmbda = lmbdas[torch.as_tensor(index).cpu()].expand(len(blocks))  # of each block
        order = coding_order((grid,))
        count = len(order.blocks)
        self._blocks = torch.from_numpy(order.blocks)  # by place in this order, as below
        self._around = torch.from_numpy(order.around).view(count, -1)
        self._seam_neighbours = torch.from_numpy(order.seam_neighbours)
        self._flips = torch.from_numpy(order.seam_flips).to(device)
        self._steps = front_numbers(grid, SKEW)[order.blocks]
        # A block continues the row of its left neighbour, unless that is outside or across a seam.
        self._goes_on = self._around[:, 0] < count
        self._ends = torch.ones(count, dtype=torch.bool)
        self._ends[self._around[self._goes_on, 0]] = False
        self._settled = model.empty_state(count + len(order.seam_neighbours))
        self._flip_state = StateFlip(model.block_size, self._settled)
        latents = network.info.config.latents
        self._symbols = torch.zeros((count, latents), dtype=torch.int32)  # by raster index
        # The kept candidates of each row's last block, and their cost minus the best one's.
        row, column = self._blocks // grid.columns, self._blocks % grid.columns
        self._row = 2 * row + (column < grid.centre[1])
        rows = 2 * grid.rows
        width = settings.beam_width
        self._state = self._settled[-1].repeat(rows, width, 1)
        self._last = torch.zeros((rows, width, latents), dtype=torch.int32)
        self._cost = torch.full((rows, width), torch.inf, dtype=torch.float)
        self._cost[:, 0] = 0

    def __iter__(self) -> Iterator[int]:
        """Search; yield the number of blocks tried after each step."""
        places = np.argsort(self._steps, kind="stable")
        begin = np.flatnonzero(np.diff(self._steps[places], prepend=-1))
        for step in np.split(places, begin[1:]):
            for part in np.array_split(step, -(-len(step) // BLOCKS_TOGETHER)):
                self._advance(torch.from_numpy(part))
                yield len(part)

    @property
    def symbols(self) -> Tensor:
        """The chosen symbols (n, latents)."""
        return self._symbols

    @torch.inference_mode()
    def _advance(self, places: Tensor) -> None:
        """Try all candidates of blocks (n,), one per row, after those kept of the left neighbours.

        This settles the left neighbours. The blocks may then be tried again after their best.
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
        # From here on, only the chosen candidate of the left neighbour counts.
        cost, place = cost[each, best], tries.place[each, best]
        state, symbols = tries.state, tries.symbols
        width = self._settings.beam_width
        if self._settings.tries_again:
            context = torch.cat([self._state[rows, best], above], dim=1)
            cheapest = cost.topk(width, largest=False)
            there = cheapest.values.isfinite()
            errors = tries.errors[place.gather(1, cheapest.indices)[there]]
            again = self._try(blocks, there, context[there.nonzero()[:, 0]], errors)
            cost_again = again.cost.flatten(1) + before[each, best][:, None]
            place_again = again.place.flatten(1) + len(state)
            cost, order = torch.cat([cost, cost_again], dim=1).sort(dim=1)
            cost[:, 1:][cost.diff(dim=1) == 0] = torch.inf  # duplicates: the same symbols
            place = torch.cat([place, place_again], dim=1).gather(1, order)
            state = torch.cat([state, again.state])
            symbols = torch.cat([symbols, again.symbols])
        cost, ways = cost.topk(width, largest=False)
        place = place.gather(1, ways)
        self._cost[rows] = cost - cost[:, :1]
        self._state[rows] = state[place]
        self._last[rows] = symbols[place]
        ends = self._ends[places]
        self._settle(places[ends], rows[ends], torch.zeros_like(rows[ends]))

    def _try(
        self, blocks: Tensor, there: Tensor, context: Tensor, errors: Tensor | None = None
    ) -> _Tries:
        """Code all candidates of blocks (n,) for each context in ``there`` (n, beam): m in all.

        ``context`` is (m, 4·width); ``errors`` (m, 3B²), if given, are to be compensated for.
        """
        block = there.nonzero()[:, 0]
        writer = CandidateWriter(self._candidates, errors)
        state = self._model.code_front(blocks[block].to(context.device), context, writer)
        tried = writer.tried()
        kept = torch.zeros((*there.shape, self._candidates.count), dtype=torch.bool)
        kept[there] = tried.kept.cpu()
        tried_blocks = blocks[kept.nonzero()[:, 0]]
        pixels = self._x[tried_blocks]
        errors = state[:, : pixels.shape[1]] - (pixels.float() - PIXEL_OFFSET)
        cost = torch.full(kept.shape, torch.inf, dtype=torch.float)
        cost[kept] = tried.bits + self._lmbda[tried_blocks] * errors.square().sum(1).cpu()
        place = torch.zeros(kept.shape, dtype=torch.long)
        place[kept] = torch.arange(len(state))
        return _Tries(state, tried.symbols, errors, cost, place)

    def _settle(self, places: Tensor, rows: Tensor, ways: Tensor) -> None:
        """Settle blocks (n,), the last of ``rows`` (n,), with kept candidates ``ways`` (n,)."""
        self._settled[places] = self._state[rows, ways]
        self._symbols[self._blocks[places]] = self._last[rows, ways]
        across = torch.isin(self._seam_neighbours, places)
        at_seams = self._settled[self._seam_neighbours[across]]
        flipped = self._flip_state(at_seams, self._flips[across])
        self._settled[len(self._blocks) : -1][across] = flipped


def _lmbda(index: int) -> float:
    """The bits equivalent to a squared error of 1 in 8-bit values, at a quality index."""
    return spread_lmbda(quality_of(index), LMBDA_SPREAD) / (3 * 255**2)


@dataclass(frozen=True)
class _Tries:
    """The results of candidates, of which m are distinct."""

    state: Tensor  # (m, width)
    symbols: Tensor  # (m, latents)
    errors: Tensor  # (m, 3B²)
    cost: Tensor  # R + λD (n, beam, candidates); infinite for duplicates
    place: Tensor  # (n, beam, candidates) index among the distinct ones
