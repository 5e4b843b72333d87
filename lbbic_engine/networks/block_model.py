"""What the coding loop asks of a network, and what a network asks of an encoder or a decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class SymbolPort(Protocol):
    """Where symbols come from: made from the picture, or taken from the stream."""

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        """Tells which blocks (n,) are next, and what the analysis transform needs to know."""

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, Tensor | None]:
        """int32 symbols (m, width) of a slice, given means (y_hat's unit) and levels (n, width).

        An encoder may go on with a row in several ways: the rows (m,) that these are the
        continuations of come second, None if they are the same.
        """


class BlockModel(Protocol):
    """A network that codes blocks.

    A block's state begins with its 3B² pixels; what else it holds is the network's own affair.
    """

    block_size: int

    def empty_state(self, blocks: int) -> Tensor:
        """State (blocks + 1, width) whose last row stands for the outside of the picture."""

    def code_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        """State (n, width) of the blocks ``front`` from their neighbours' (n, 4·width)."""
