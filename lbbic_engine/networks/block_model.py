"""The interfaces between the coding loop, a network, and an encoder or a decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

Quality: TypeAlias = "int | Tensor"  # the quality index of all blocks, or int64 (n,), of each


class SymbolPort(Protocol):
    """Supplies symbols: an encoder makes them from the picture, a decoder reads them."""

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        """Begin a front of blocks (n,); ``sources`` are inputs of the analysis transform."""

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return int32 symbols (m, width) of a slice, and their parents (m,).

        ``means`` (in y_hat's unit) and ``levels`` are (n, width). An encoder may try several
        candidates for a row: ``parents`` are the rows that the m rows continue. None means that
        they are the same n rows.
        """


class BlockModel(Protocol):
    """A network that codes blocks.

    A block's state begins with its 3B² pixels. The rest depends on the network.
    """

    block_size: int

    def empty_state(self, blocks: int) -> Tensor:
        """Return state (blocks + 1, width); the last row is the outside of the picture."""

    def code_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        """Return the state (n, width) of blocks ``front``, given their neighbours' (n, 4·width)."""
