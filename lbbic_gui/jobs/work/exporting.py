"""Writes a decoded picture in another format, and measures how large that would be."""

from __future__ import annotations

import os
from pathlib import Path

from lbbic_gui.jobs import requests
from lbbic_gui.jobs.messages import ExportSize, ExportSizes, Pixels, Saved, Step
from lbbic_gui.jobs.work.decoding import IsCancelled, OnReport, reporter
from lbbic_gui.jobs.work.workers import Workers, decoding_seconds
from lbbic_gui.style.text import tr

_WRITING = 0.9  # of an export's time when the writing begins
_SAMPLE_PX = 2048  # of a larger picture, its middle is measured


def export(
    request: requests.Export, workers: Workers, report: OnReport, cancelled: IsCancelled
) -> Saved:
    """Decode a file and write the picture, in place of what is there."""
    from lbbic_engine import codec
    from lbbic_engine.pictures import formats, write

    info = codec.read_info(request.data)
    # before work is spent on it
    formats.format_for(request.target, info.width, info.height, grey=info.grey)
    pixels = info.width * info.height
    with workers.for_tiles(pixels, decoding_seconds(pixels), request.device) as pool:
        picture = codec.decompress(
            request.data,
            device=request.device,
            partial=request.partial,
            executor=pool,
            progress=reporter(report, tr("Decoding"), _WRITING),
            cancelled=cancelled,
        )
    report(Step(tr("Writing"), begin=_WRITING))
    notices = write.save_image(
        picture,
        request.target,
        overwrite=True,
        like=file_facts(request.like),
        keep_date=request.keep_date,
    )
    texts = tuple(notice.text for notice in notices)
    return Saved(request.target, None, request.target.stat().st_size, notices=texts)


def measure_exports(
    request: requests.MeasureExports, report: OnReport, cancelled: IsCancelled
) -> ExportSizes:
    """Report the size of a picture in each format, without metadata.

    Of a large picture the middle is measured, in proportion. Formats that cannot hold it are left
    out.
    """
    from lbbic_engine.errors import Cancelled, UnwritableImageError
    from lbbic_engine.pictures import formats, write
    from lbbic_engine.pictures.picture import Picture

    height, width = request.canvas.shape[:2]
    sample = _middle(request.canvas)
    scale = height * width / (sample.shape[0] * sample.shape[1])
    sizes = []
    for suffix in request.suffixes:
        if cancelled():
            raise Cancelled
        try:
            name = f"picture{suffix}"
            formats.format_for(name, width, height)
            data, _ = write.encode_image(Picture(sample), name)
        except UnwritableImageError:
            continue
        sizes.append(ExportSize(suffix, round(scale * len(data))))
        report(sizes[-1])
    return ExportSizes(tuple(sizes))


def _middle(canvas: Pixels) -> Pixels:
    """At most a square of ``_SAMPLE_PX`` from the middle of a canvas, in RGB."""
    starts = [max(0, side - _SAMPLE_PX) // 2 for side in canvas.shape[:2]]
    rows, columns = (slice(start, start + _SAMPLE_PX) for start in starts)
    return canvas[rows, columns, 2::-1]


def file_facts(path: Path | None) -> os.stat_result | None:
    """Permissions and dates of the file from which a result is made, if it still exists."""
    try:
        return path.stat() if path is not None else None
    except OSError:
        return None
