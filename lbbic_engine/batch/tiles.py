"""Workers for the tiles of one large picture."""

from __future__ import annotations

from lbbic_engine.parallel.pool import WorkerPool
from lbbic_engine.parallel.run import max_workers, useful_workers


def pool_for_tiles(pixels: int, seconds: float, jobs: int | None = None) -> WorkerPool | None:
    """A pool that codes the tiles of a picture with this process, ``jobs`` cores at most.

    ``seconds`` is what it takes on one core. None where this process alone is as fast: the picture
    is one tile, there is one core, or no memory for another process. The processes get ready while
    the picture is read.
    """
    from lbbic_engine.layout.tiles import TILE_PIXELS

    most = max_workers(jobs)
    if most == 1 or pixels <= 2 * TILE_PIXELS:  # it is one tile
        return None
    others = useful_workers(seconds, min(most, round(pixels / TILE_PIXELS))) - 1
    if not others:
        return None
    pool = WorkerPool(others, helped=True)
    for _ in range(others):
        pool.submit(int)
    return pool
