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
    """A compressed picture."""

    data: bytes  # of the file
    reconstruction: Pixels  # (H, W, 3), the pixels that every decoder reconstructs
    quality: float
    exact: bool = False  # stored without loss, since that takes no more bytes


@dataclass(frozen=True)
class Front:
    """n blocks that were decoded together."""

    rows: NDArray[np.int64]  # (n,) in the grid of blocks
    columns: NDArray[np.int64]  # (n,)
    blocks: Pixels  # (n, B, B, 3)
    bits: NDArray[np.float32]  # (n,)
    context: NDArray[np.int32]  # (n, 4) raster indexes of the context's blocks; -1 if outside


@dataclass(frozen=True)
class Info:
    """Facts about a file; sizes are in bytes, ``refinement`` is a share of full strength.

    If blocks differ in quality, ``quality`` is what their map is relative to. If the picture is
    stored ``exact``, it needs no ``weights``, and ``quality`` is only what was requested.
    """

    version: str
    width: int
    height: int
    grey: bool
    has_alpha: bool
    quality: float
    exact: bool
    has_quality_map: bool
    weights: str
    weights_installed: bool
    refinement: float
    tiles: int
    payload_bytes: int
    metadata_bytes: dict[str, int]
    total_bytes: int
    bpp: float
    complete: bool


ReportProgress = Callable[[Progress], object]
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
