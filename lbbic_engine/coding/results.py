"""The results of coding, and progress reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.errors import Cancelled
from lbbic_engine.layout.tiles import Tile

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Progress:
    """The progress of a job, in blocks; partly finished ones are added up."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Compressed:
    """A file's bytes, the pixels (H, W, 3) that every decoder makes of it, and its quality.

    ``exact``: they are the picture's own, since that takes no more bytes than coding it.
    """

    data: bytes
    reconstruction: Pixels
    quality: float
    exact: bool = False


@dataclass(frozen=True)
class Front:
    """Blocks coded together: rows and columns in the grid (n,), values (n, B, B, 3), bits (n,).

    ``context`` (n, 4) are the raster indexes of the blocks they were predicted from, -1 for none.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    blocks: Pixels
    bits: NDArray[np.float32]
    context: NDArray[np.int32]


@dataclass(frozen=True)
class Info:
    """What a file says of itself; sizes in bytes, ``refinement`` as a share of full strength.

    If the picture is stored ``exact``, it needs no ``weights``, and its ``quality`` is only what
    was asked for.
    """

    version: str
    width: int
    height: int
    grey: bool
    has_alpha: bool
    quality: float
    exact: bool
    weights: str
    weights_installed: bool
    refinement: float
    tiles: int
    payload_bytes: int
    metadata_bytes: dict[str, int]
    total_bytes: int
    bpp: float
    complete: bool


ReportProgress = Callable[[Progress], None]
IsCancelled = Callable[[], bool]


def raise_if_cancelled(cancelled: IsCancelled | None) -> None:
    """Raise Cancelled if the caller has cancelled."""
    if cancelled is not None and cancelled():
        raise Cancelled


class ProgressReporter:
    """Reports progress, and raises Cancelled if the caller has cancelled."""

    def __init__(
        self,
        stage: str,
        tiles: Sequence[Tile],
        progress: ReportProgress | None,
        cancelled: IsCancelled | None,
        work: int = 1,  # of a block
    ) -> None:
        self._done = 0
        self._stage = stage
        self._work = work
        self._total = sum(tile.blocks for tile in tiles)
        self._progress = progress
        self._cancelled = cancelled

    def __call__(self, work: int) -> None:
        self._done += work
        raise_if_cancelled(self._cancelled)
        if self._progress is not None:
            self._progress(Progress(self._stage, self._done // self._work, self._total))
