"""Workers for the tiles of one large picture."""

from __future__ import annotations

from lbbic_engine.parallel.pool import WorkerPool
from lbbic_engine.parallel.run import max_workers, useful_workers


def workers_for_tiles(pixels: int, seconds: float, jobs: int | None = None) -> int:
    """How many processes, this one included, are worth it for the tiles of a picture.

    ``seconds`` is what it takes on one core; ``jobs`` cores are used at most. It is 1 where this
    process alone is as fast: the picture is one tile, there is one core, or no memory for others.
    """
    from lbbic_engine.layout.tiles import TILE_PIXELS

    if pixels <= 2 * TILE_PIXELS:  # it is one tile
        return 1
    return useful_workers(seconds, min(max_workers(jobs), round(pixels / TILE_PIXELS)))


def pool_for_tiles(pixels: int, seconds: float, jobs: int | None = None) -> WorkerPool | None:
    """A pool that codes the tiles of a picture with this process; None if others are not worth it.

    The processes get ready while the picture is read.
    """
    others = workers_for_tiles(pixels, seconds, jobs) - 1
    if not others:
        return None
    pool = WorkerPool(others, helped=True)
    for _ in range(others):
        pool.submit(int)
    return pool
