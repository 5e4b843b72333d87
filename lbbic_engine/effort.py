"""The thorough sender's search for symbols. Decoders know nothing of it.

The fast sender (``exchange.LatentWriter``) chooses every symbol by itself, as if an error of a
latent were one of pixels. Here each block is coded in several ways, which differ in how much they
give for exactness; the decoder's own networks reconstruct each of them, and the true R + λD says
how good it is. Along a row the best few beginnings survive (the M-algorithm, Anderson and Mohan,
1984): a block is settled once the one to its right has been tried after each of them.

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
from lbbic_engine.segments import Levels
from lbbic_engine.tables import ProbabilityTables, fold
from lbbic_engine.wavefront import BlockModel, Grid
from lbbic_engine.weights import Network

SURVIVORS = 2
# Relative to the weight of the distortion in the fast sender's choice.
WAYS = (0.35, 0.7, 1.4, 2.8)
SKEW = 3
# Weight of a block's distortion, relative to λ: errors also spoil the blocks below, which the
# search does not see. On held-out training pictures 1.25 to 2 are about alike.
DISTORTION = 1.5


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
        self._model = model
        self._rows, self._columns = grid
        self._tally = _Tally(network.tables)
        self._writer = LatentWriter(network, index, self._tally, blocks, WAYS)
        device = network.integer.device
        self._x = torch.from_numpy(blocks).to(device)
        self._weight = DISTORTION * lmbda(MIN_QUALITY + index / QUALITY_STEPS) / (3 * 255**2)
        outside = model.empty_state(0)[0]
        # With a border, so that every block has neighbours; rows are one further down.
        self._settled = outside.repeat(self._rows + 1, self._columns + 2, 1)
        self._symbols = torch.zeros(
            (self._rows, self._columns + 1, network.description.config.latents),
            dtype=torch.int32,
        )
        # Of each row's survivors: the last block, and the cost of the row so far.
        self._state = outside.repeat(self._rows, SURVIVORS, 1)
        self._last = self._symbols[:, :1].repeat(1, SURVIVORS, 1)
        self._cost = torch.full((self._rows, SURVIVORS), torch.inf, dtype=torch.double)
        self._cost[:, 0] = 0

    def __iter__(self) -> Iterator[int]:
        """Yields after each step how many blocks it has tried."""
        for step in range(self._columns + SKEW * (self._rows - 1)):
            first = max(0, (step - self._columns) // SKEW + 1)
            rows = torch.arange(first, min(step // SKEW + 1, self._rows))
            if len(rows):
                self._advance(rows, step - SKEW * rows)
            yield len(rows)

    @property
    def symbols(self) -> Tensor:
        """The symbols found (n, latents)."""
        return self._symbols[:, 1:].flatten(0, 1)

    @torch.inference_mode()
    def _advance(self, rows: Tensor, columns: Tensor) -> None:
        """Tries blocks (n,), one a row, after every survivor and in every way."""
        count, ways = len(rows), len(WAYS)
        places = rows * self._columns + columns
        above = torch.cat([self._settled[rows, columns + i] for i in range(3)], dim=1)
        above = above[:, None].expand(-1, SURVIVORS, -1)
        around = torch.cat([self._state[rows], above], dim=2).flatten(0, 1)
        self._tally.clear()
        state = self._model.code_front(
            places.repeat_interleave(SURVIVORS).to(around.device), around, self._writer
        )
        pixels = self._x[places].repeat_interleave(SURVIVORS * ways, dim=0)
        error = state[:, : pixels.shape[1]] - (pixels.float() - PIXEL_OFFSET)
        spent = self._tally.bits + self._weight * error.square().sum(1).cpu()
        cost = self._cost[rows][:, :, None] + spent.view(count, SURVIVORS, ways)
        symbols = self._tally.symbols.view(count, SURVIVORS, ways, -1)
        alike = (symbols[:, :, 1:] == symbols[:, :, :-1]).all(dim=3)
        cost[:, :, 1:].masked_fill_(alike, torch.inf)
        cost, chosen = cost.flatten(1).topk(SURVIVORS, largest=False)
        before = chosen // ways
        self._settle(rows, columns - 1, before[:, 0])
        each = torch.arange(count)[:, None]
        self._cost[rows] = cost.masked_fill(before != before[:, :1], torch.inf)
        self._state[rows] = state.view(count, SURVIVORS * ways, -1)[each, chosen]
        self._last[rows] = symbols.flatten(1, 2)[each, chosen]
        ended = columns == self._columns - 1
        self._settle(rows[ended], columns[ended], torch.zeros_like(rows[ended]))

    def _settle(self, rows: Tensor, columns: Tensor, survivors: Tensor) -> None:
        self._settled[rows + 1, columns + 1] = self._state[rows, survivors]
        self._symbols[rows, columns + 1] = self._last[rows, survivors]


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
