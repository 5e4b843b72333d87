"""What the coding loop asks of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

ExchangeT = TypeVar("ExchangeT", contravariant=True)


class BlockModel(Protocol, Generic[ExchangeT]):
    """A network that codes blocks.

    A block's state begins with its 3B² pixels; what else it holds is the network's own affair.
    """

    block_size: int

    def empty_state(self, blocks: int) -> Tensor:
        """State (blocks + 1, width) whose last row stands for the outside of the picture."""

    def code_front(self, front: Tensor, around: Tensor, exchange: ExchangeT) -> Tensor:
        """State (n, width) of the blocks ``front`` from their neighbours' (n, 4·width)."""
