"""The fast encoder's choice among a few candidates for each block. Decoders know nothing of it.

Each candidate's symbols are chosen one by one, as if latents were independent, with another weight
of the distortion. The decoder's own networks reconstruct all candidates that differ, and the block
is coded as the one that costs least in R + λD. Unlike in ``symbol_search``, the choice is final
before the next block is coded. It is made within the coding loop and takes little time.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.bitstream.entropy import Levels, Symbols
from lbbic_engine.bitstream.segments import SymbolSink
from lbbic_engine.bitstream.tables import symbol_cost
from lbbic_engine.coding.latents import Latents, SymbolChoice
from lbbic_engine.networks.block_model import BlockModel, Quality, SymbolPort
from lbbic_engine.networks.float_network import PIXEL_OFFSET
from lbbic_engine.networks.weights import LoadedModel

# Weight of the distortion in each candidate's symbols, relative to ``RDOQ_DISTORTION``.
CANDIDATES = (1.0, 0.5, 2.0)
# Weight of the distortion in the choice among them, relative to λ: as with symbols, errors also
# affect the contexts of later blocks.
BLOCK_DISTORTION = 2.0


class BlockChoice:
    """Encodes blocks (n, 3B²) at their quality, each as the candidate that costs least.

    A port whose ``choose`` is to be called after each front; ``ChoosingModel`` does so.
    """

    def __init__(
        self, network: LoadedModel, index: Quality, sink: SymbolSink, blocks: NDArray[np.uint8]
    ) -> None:
        self._choice_of_all = self._choice = SymbolChoice(network, index)
        self._sink = sink
        device = network.integer.device
        self._blocks = torch.from_numpy(blocks).to(device)
        self._cost = network.tables.bits()
        self._weights = torch.tensor(CANDIDATES, dtype=torch.float, device=device)
        self._latents = Latents(torch.empty(0), torch.empty(0))
        self._pixels = torch.empty(0)
        # The row of each candidate (blocks, candidates); those that agree so far share one.
        self._rows = torch.empty(0)
        self._bits = np.zeros(0, np.float32)
        self._slices: list[tuple[Levels, Symbols]] = []  # of all rows, up to now

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        self._sink.begin()
        self._pixels = self._blocks.index_select(0, front).float().sub_(PIXEL_OFFSET)
        self._choice = choice = self._choice_of_all.of(front)
        y = choice.network.analysis(self._pixels, *sources, index=choice.index)
        self._latents = Latents(y, choice.steps)
        rows = torch.arange(len(front), device=front.device)
        self._rows = rows[:, None].repeat(1, len(CANDIDATES))
        self._bits = np.zeros(len(front), np.float32)
        self._slices = []

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        part, values, nearest = self._latents.next_slice(means)
        saving = self._choice.saving_per_distortion(part, values, nearest, levels)
        rows = self._rows.flatten()
        lower = saving.index_select(0, rows).view(*self._rows.shape, -1) > self._weights[:, None]
        kept = self._share_rows(lower)
        parents = rows[kept]
        self._latents.go_on_with(parents)
        self._choice = self._choice.of(parents)
        nearest, levels = nearest.index_select(0, parents), levels.index_select(0, parents)
        nearest.sub_(nearest.sign().mul_(lower.flatten(0, 1).index_select(0, kept)))
        symbols = nearest.to(torch.int32)
        self._tally(parents.cpu().numpy(), levels.cpu().numpy(), symbols.cpu().numpy())
        return symbols, parents

    def choose(self, state: Tensor) -> Tensor:
        """Encode the front, given the state of all rows; return the best candidates' rows (n,)."""
        blocks = torch.arange(len(self._rows), device=state.device)
        block = torch.empty(len(state), dtype=torch.long, device=state.device)
        block[self._rows] = blocks[:, None].expand_as(self._rows)
        errors = state[:, : self._pixels.shape[1]] - self._pixels.index_select(0, block)
        distortion = errors.square_().sum(1) * self._choice.error_bits
        cost = torch.from_numpy(self._bits).to(state.device) + BLOCK_DISTORTION * distortion
        best = cost[self._rows].argmin(1, keepdim=True)
        chosen = self._rows.gather(1, best)[:, 0]
        rows = chosen.cpu().numpy()
        for levels, symbols in self._slices:
            self._sink.encode(levels[rows], symbols[rows])
        return chosen

    def _share_rows(self, lower: Tensor) -> Tensor:
        """Assign rows, given where (blocks, candidates, width) a candidate takes lower symbols.

        Return the indexes (m,) among all candidates of those that are the first of their row.
        """
        rows = self._rows
        alike = (lower[:, :, None] == lower[:, None]).all(dim=3)
        alike &= rows[:, :, None] == rows[:, None]
        first = alike.byte().argmax(dim=2)
        is_first = (first == torch.arange(len(CANDIDATES), device=rows.device)).flatten()
        self._rows = (is_first.cumsum(0) - 1).view_as(rows).gather(1, first)
        return is_first.nonzero()[:, 0]

    def _tally(self, parents: NDArray[np.int64], levels: Levels, symbols: Symbols) -> None:
        """Add a slice to the rows, which continue others."""
        self._bits = self._bits[parents] + symbol_cost(self._cost, levels, symbols)
        self._slices = [(first[parents], then[parents]) for first, then in self._slices]
        self._slices.append((levels, symbols))


class ChoosingModel:
    """A block model whose port is a ``BlockChoice``: of a block's candidates, the best is kept."""

    def __init__(self, model: BlockModel, port: BlockChoice) -> None:
        self._model = model
        self._port = port
        self.block_size = model.block_size

    def empty_state(self, blocks: int) -> Tensor:
        return self._model.empty_state(blocks)

    @torch.inference_mode()
    def code_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        state = self._model.code_front(front, around, port)
        return state.index_select(0, self._port.choose(state))
