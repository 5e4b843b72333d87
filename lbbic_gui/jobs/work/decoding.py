"""Decodes a file front by front for display, and measures the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lbbic_gui.jobs import conversion, messages
from lbbic_gui.jobs.decoded_picture import DecodedPicture
from lbbic_gui.jobs.messages import Coded, FileVersion, Pixels, Point, Report, Source, Step
from lbbic_gui.style.text import tr

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from lbbic_engine.coding.results import Progress
    from lbbic_engine.pictures.picture import Picture

OnReport = Callable[[Report], None]
IsCancelled = Callable[[], bool]

MEASURING = 0.97  # of a job's time when the measuring begins


@dataclass(frozen=True)
class ReadPicture:
    """A picture, and the version of the file that it was read from."""

    source: Source
    version: FileVersion | None
    picture: Picture
    file_bytes: int


def reporter(report: OnReport, stage: str, end: float = 1.0) -> Callable[[Progress], None]:
    """Return a function that reports an engine's progress, up to ``end`` of the job."""
    return lambda progress: report(Step(stage, progress.done, progress.total, end=end))


class SearchReporter:
    """Reports the progress of a search; each encoding is an equal part of it."""

    def __init__(self, report: OnReport) -> None:
        self._report = report
        self._number, self._at_most, self._parts = 0, 0, 1

    def attempting(self, number: int, at_most: int) -> None:
        self._number, self._at_most = number, at_most
        self._parts = self._parts if number > 1 else at_most

    def progress(self, progress: Progress) -> None:
        words = tr("Attempt {} of at most {}").format(self._number, self._at_most)
        begin, end = (min(n / self._parts, 1.0) for n in (self._number - 1, self._number))
        self._report(Step(words, progress.done, progress.total, begin, end))


def decode(
    data: bytes,
    original: ReadPicture | None,
    device: str,
    report: OnReport,
    cancelled: IsCancelled,
    *,
    executor: Executor | None,
    begin: float = 0.0,
    partial: bool = False,
) -> Coded:
    """Decode front by front like any decoder, reporting each; the job is at ``begin``.

    Tiles of a large picture are decoded side by side by the workers of ``executor``.
    """
    from lbbic_engine import codec
    from lbbic_engine.bitstream.container import parse_container
    from lbbic_engine.coding.decode_job import damage_notices

    info, container = codec.read_info(data), parse_container(data, partial=True)
    colours = conversion.Colours(container.icc, container.grey)
    picture: DecodedPicture | None = None
    for front in codec.decode_progressively(
        data, device=device, partial=partial, executor=executor, cancelled=cancelled
    ):
        if picture is None:
            size = front.blocks.shape[1]
            picture = DecodedPicture(info.width, info.height, size)
            alpha = container.alpha if original is None else None
            checkerboard = conversion.checkerboard(alpha)
            shown = DecodedPicture(info.width, info.height, size)
            report(messages.DecodingStarted(shown, checkerboard, len(data)))
        blocks = colours.on_screen(front.blocks)
        halvings = picture.halved(blocks)
        picture.add(front.rows, front.columns, front.blocks, halvings, front.bits, front.context)
        step = Step(tr("Decoding"), picture.done, picture.total, begin, MEASURING)
        report(messages.Front(front.rows, front.columns, blocks, halvings, step))
    assert picture is not None  # a file of which nothing can be decoded raises
    report(Step(tr("Measuring"), begin=MEASURING))
    point = measure(info.quality, data, original, picture.picture()[..., 2::-1])
    errors = None if original is None else picture.errors(original.picture.pixels)
    picture.recolour(colours.on_screen)
    lost = damage_notices(
        container, missing_blocks=picture.total - picture.done, blocks=picture.total
    )
    notices = (*(notice.text for notice in lost), *colours.notices)
    contents = messages.FileContents(
        info.version, info.weights, tuple(info.metadata_bytes.items()), info.has_alpha, info.exact
    )
    return Coded(point, picture, errors, info.payload_bytes, contents, notices)


def measure(
    quality: float, data: bytes, original: ReadPicture | None, reconstruction: Pixels
) -> Point:
    from lbbic_engine.measure import metrics

    height, width, _ = reconstruction.shape
    bpp = 8 * len(data) / (width * height)
    if original is None:
        return Point(quality, data, len(data), bpp, None, None)
    pixels = original.picture.pixels
    psnr, ms_ssim = metrics.psnr(pixels, reconstruction), metrics.ms_ssim(pixels, reconstruction)
    notices = tuple(notice.text for notice in original.picture.notices)
    return Point(quality, data, len(data), bpp, psnr, ms_ssim, original.version, notices)
