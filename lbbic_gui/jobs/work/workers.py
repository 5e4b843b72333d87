"""Worker processes that compress pictures to save them, beside the thread that owns the model."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from lbbic_gui.jobs import requests
from lbbic_gui.jobs.messages import METADATA, Point
from lbbic_gui.jobs.work import models
from lbbic_gui.jobs.work.decoding import MEASURING, IsCancelled, OnReport, reporter
from lbbic_gui.style.text import tr

if TYPE_CHECKING:
    from lbbic_engine.parallel.pool import WorkerPool


def encoding_seconds(pixels: int, effort: str) -> float:
    """To compress a picture of so many pixels on one core of a usual machine."""
    from lbbic_engine.batch.directions import Encoding

    return pixels / 1e6 * Encoding(effort=effort).seconds_per_megapixel


class Workers:
    """A pool of processes, started at first use, and how many of them pay."""

    def __init__(self) -> None:
        self._pool: WorkerPool | None = None
        self._making = Lock()

    def useful_workers(self, pixels: Sequence[int], effort: str) -> int:
        """How many pictures of so many pixels each are to be coded at a time; 1: by no process."""
        from lbbic_engine.batch.files import BYTES_PER_PIXEL
        from lbbic_engine.parallel.cores import usable_cores
        from lbbic_engine.parallel.memory import usable_memory
        from lbbic_engine.parallel.run import WORKER_BYTES, useful_workers

        if not pixels:
            return 1
        seconds = encoding_seconds(sum(pixels), effort)
        memory_bytes = WORKER_BYTES + BYTES_PER_PIXEL * max(pixels)
        most = min(usable_cores(), len(pixels), usable_memory() // memory_bytes)
        return useful_workers(seconds, most)

    def compress(
        self, request: requests.CompressOnly, report: OnReport, cancelled: IsCancelled
    ) -> tuple[Point, tuple[str, ...]]:
        """Have a process read a picture's file and compress it; what is not in it, in words.

        Raises what the engine raises.
        """
        from lbbic_engine.batch.directions import Encoding
        from lbbic_engine.batch.files import code_files

        source, options = request.source, request.options
        assert source.path is not None
        version, progress = source.version(), reporter(report, tr("Encoding"), MEASURING)
        encoding = Encoding(
            quality=request.quality,
            weights=models.weights_name(options.model),
            effort=options.effort,
            device=request.device,
            longest_side=options.longest_side or None,
            strip=tuple(METADATA - options.keep),
            preview=options.preview,
            measure_ms_ssim=True,
        )
        (result,) = code_files(
            [(source.path, None)],
            encoding,
            executor=self._at_hand(),
            progress=lambda _, value: progress(value),
            cancelled=cancelled,
        )
        if result.error is not None:
            raise result.error
        coded = result.coded
        assert coded is not None
        bpp = 8 * len(coded.data) / (coded.width * coded.height)
        point = Point(request.quality, coded.data, bpp, coded.psnr, coded.ms_ssim, version)
        return point, tuple(notice.text for notice in coded.notices)

    def _at_hand(self) -> WorkerPool:
        """The pool; it starts a process for a task that finds none idle."""
        from lbbic_engine.parallel.cores import usable_cores
        from lbbic_engine.parallel.pool import WorkerPool

        with self._making:
            if self._pool is None:
                self._pool = WorkerPool(usable_cores())
            return self._pool

    def stop(self) -> None:
        """End all processes."""
        if self._pool is not None:
            self._pool.terminate()
