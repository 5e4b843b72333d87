"""Worker processes beside the thread that owns the model: for files to save, or a large picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from lbbic_gui.jobs import conversion, requests
from lbbic_gui.jobs.messages import METADATA, EncodeOptions, OutputFormat, Point, Source, Step
from lbbic_gui.jobs.work import models
from lbbic_gui.jobs.work.decoding import MEASURING, IsCancelled, OnReport, reporter
from lbbic_gui.style.text import tr

if TYPE_CHECKING:
    from lbbic_engine.batch.directions import CodedFile
    from lbbic_engine.batch.files import Direction
    from lbbic_engine.coding.results import Progress
    from lbbic_engine.parallel.pool import WorkerPool


_COMPARING = 0.3  # of a conversion's time when the search for the same look begins


def encoding_seconds(pixels: int, effort: str) -> float:
    """Estimated seconds to compress a picture of ``pixels`` on one core of a usual machine."""
    from lbbic_engine.batch.directions import Encoding

    return pixels / 1e6 * Encoding(effort=effort).seconds_per_megapixel


def waiting_seconds(pixels: int, effort: str, device: str) -> float:
    """To compress such a picture on all cores that work on it."""
    from lbbic_engine.batch.tiles import workers_for_tiles

    seconds = encoding_seconds(pixels, effort)
    return seconds if device == "cuda" else seconds / workers_for_tiles(pixels, seconds)


def decoding_seconds(pixels: int) -> float:
    """Estimated seconds to decode a picture of ``pixels`` on one core of a usual machine."""
    from lbbic_engine.batch.directions import Decoding

    return pixels / 1e6 * Decoding().seconds_per_megapixel


class Workers:
    """A pool of processes, started at first use, and the number of them that is worth it."""

    def __init__(self) -> None:
        self._pool: WorkerPool | None = None
        self._changing = Lock()
        self._saving = 0  # pictures

    def useful_workers(
        self, pixels: Sequence[int], options: EncodeOptions, output: OutputFormat
    ) -> int:
        """Return how many pictures of ``pixels`` each to save at a time."""
        from lbbic_engine.batch.files import BYTES_PER_PIXEL
        from lbbic_engine.parallel.cores import usable_cores
        from lbbic_engine.parallel.memory import usable_memory
        from lbbic_engine.parallel.run import WORKER_BYTES, useful_workers

        if not pixels:
            return 1
        direction = _direction(1.0, "cpu", options, output)
        seconds = sum(pixels) / 1e6 * direction.seconds_per_megapixel
        memory_bytes = WORKER_BYTES + BYTES_PER_PIXEL * max(pixels)
        most = min(usable_cores(), len(pixels), usable_memory() // memory_bytes)
        return useful_workers(seconds, most)

    @contextmanager
    def for_tiles(self, pixels: int, seconds: float, device: str) -> Iterator[WorkerPool | None]:
        """Yield processes that help to code one picture, or None if they are not worth it.

        That is where they do not pay, and where a batch has them all.
        """
        from lbbic_engine.batch.tiles import pool_for_tiles

        pool = None
        if device != "cuda" and not self._saving:
            pool = pool_for_tiles(pixels, seconds)
        if pool is None:
            yield None
            return
        with pool:
            yield pool

    def compress(
        self, request: requests.CompressOnly, report: OnReport, cancelled: IsCancelled
    ) -> tuple[Point, tuple[str, ...]]:
        """Let a process read and compress a picture's file; return notices of what is lost.

        Raises what the engine raises.
        """
        version = request.source.version()
        direction = _direction(request.quality, request.device, request.options, OutputFormat())
        progress = reporter(report, tr("Encoding"), MEASURING)
        coded = self._code(request.source, direction, progress, cancelled)
        data, pixels = coded.data, coded.width * coded.height
        bpp = 8 * len(data) / pixels
        point = Point(request.quality, data, len(data), bpp, coded.psnr, coded.ms_ssim, version)
        return point, _texts(coded)

    def convert(
        self, request: requests.Save, report: OnReport, cancelled: IsCancelled
    ) -> tuple[bytes, tuple[str, ...]]:
        """Let a process make a file of another format; return notices of what is lost.

        Raises what the engine raises.
        """

        def progress(value: Progress) -> None:
            is_last = value.stage == "Comparing"
            words, begin, end = (
                (tr("Comparing"), _COMPARING, MEASURING)
                if is_last
                else (tr("Encoding"), 0.0, _COMPARING)
            )
            report(Step(words, value.done, value.total, begin, end))

        report(Step(tr("Encoding")))
        direction = _direction(request.quality, request.device, request.options, request.output)
        coded = self._code(request.source, direction, progress, cancelled)
        return coded.data, _texts(coded)

    def _code(
        self,
        source: Source,
        direction: Direction,
        progress: Callable[[Progress], None],
        cancelled: IsCancelled,
    ) -> CodedFile:
        from lbbic_engine.batch.files import code_files

        with self._at_hand() as pool:
            (result,) = code_files(
                [(conversion.content(source), None)],
                direction,
                executor=pool,
                progress=lambda _, value: progress(value),
                cancelled=cancelled,
            )
        if result.error is not None:
            raise result.error
        assert result.coded is not None
        return result.coded

    @contextmanager
    def _at_hand(self) -> Iterator[WorkerPool]:
        """The pool, which starts a process if none is idle for a task."""
        from lbbic_engine.parallel.cores import usable_cores
        from lbbic_engine.parallel.pool import WorkerPool

        with self._changing:
            if self._pool is None:
                self._pool = WorkerPool(usable_cores())
            self._saving += 1
        try:
            yield self._pool
        finally:
            with self._changing:
                self._saving -= 1

    def stop(self) -> None:
        """End all processes."""
        if self._pool is not None:
            self._pool.terminate()


def _direction(
    quality: float, device: str, options: EncodeOptions, output: OutputFormat
) -> Direction:
    from lbbic_engine.batch.conversion import Conversion
    from lbbic_engine.batch.directions import Encoding

    encoding = Encoding(
        quality=quality,
        weights=models.weights_name(options.model),
        effort=options.effort,
        tune=options.tune,
        device=device,
        longest_side=options.longest_side or None,
        strip=tuple(METADATA - options.keep),
        preview=options.preview,
        mask=options.mask or None,
        measure_ms_ssim=True,
    )
    if output.is_lbb:
        return encoding
    return Conversion(encoding, output.name, output.quality or None)


def _texts(coded: CodedFile) -> tuple[str, ...]:
    return tuple(notice.text for notice in coded.notices)
