"""The values of a tile with a ring around it, for what depends on a block's surroundings."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lbbic_engine.layout.wavefront import Grid

ValueT = TypeVar("ValueT", np.uint8, np.int16)


class PaddedTile(Generic[ValueT]):
    """A tile (height, width, 3) of values in ``dtype``; its outermost ones are repeated around it.

    Blocks are of ``size`` pixels a side, and given by raster indexes (n,).
    """

    def __init__(
        self, dtype: type[ValueT], grid: Grid, size: int, ring: int, height: int, width: int
    ) -> None:
        shape = grid.rows * size + 2 * ring, grid.columns * size + 2 * ring, 3
        self._columns, self._size, self._ring = grid.columns, size, ring
        self._inside = slice(ring, ring + height), slice(ring, ring + width)
        self.values: NDArray[ValueT] = np.zeros(shape, dtype)
        self._blocks: NDArray[ValueT] = (
            self.values[ring : shape[0] - ring, ring : shape[1] - ring]
            .reshape(grid.rows, size, grid.columns, size, 3)
            .swapaxes(1, 2)
        )

    def place(self, values: NDArray[ValueT]) -> None:
        """Set the whole tile."""
        self.values[self._inside] = values

    def place_blocks(self, indexes: NDArray[np.int64], blocks: NDArray[ValueT]) -> None:
        """Set blocks (n, 3B²)."""
        shape = len(indexes), self._size, self._size, 3
        self._blocks[np.divmod(indexes, self._columns)] = blocks.reshape(shape)

    def blocks(self, indexes: NDArray[np.int64]) -> NDArray[ValueT]:
        """Blocks (n, 3B²)."""
        chosen: NDArray[ValueT] = self._blocks[np.divmod(indexes, self._columns)]
        return chosen.reshape(len(indexes), 3 * self._size**2)

    def surroundings(self, indexes: NDArray[np.int64]) -> NDArray[ValueT]:
        """Blocks with the ring around each (B + 2·ring, B + 2·ring, n, 3)."""
        side = self._size + 2 * self._ring
        windows = sliding_window_view(self.values, (side, side), axis=(0, 1))
        windows = windows[:: self._size, :: self._size]
        chosen = windows[np.divmod(indexes, self._columns)]
        return np.ascontiguousarray(chosen.transpose(2, 3, 0, 1))

    def repeat_edges(self) -> None:
        """Fill the ring around the tile, and the padding of its last blocks."""
        rows, columns = self._inside
        self.values[: rows.start] = self.values[rows.start]
        self.values[rows.stop :] = self.values[rows.stop - 1]
        self.values[:, : columns.start] = self.values[:, columns.start, None]
        self.values[:, columns.stop :] = self.values[:, columns.stop - 1, None]

    def with_ring(self) -> NDArray[ValueT]:
        """The tile and its ring, without the padding of its last blocks."""
        rows, columns = self._inside
        return self.values[: rows.stop + self._ring, : columns.stop + self._ring]


def neighbourhoods(grid: Grid) -> NDArray[np.int64]:
    """Raster indexes (n, 9) of each block and its eight neighbours, n for those outside."""
    count = grid.rows * grid.columns
    places = np.full((grid.rows + 2, grid.columns + 2), count)
    places[1:-1, 1:-1] = np.arange(count).reshape(grid.rows, grid.columns)
    return sliding_window_view(places, (3, 3)).reshape(count, 9)
