"""What the window's jobs do: the only module of the app that knows the engine.

The engine is imported inside the functions, in the worker's thread, so that the window is up
before torch is.
"""

from __future__ import annotations

import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from lbbic_gui.jobs import conversion, messages, requests
from lbbic_gui.jobs.decoded_picture import halvings
from lbbic_gui.jobs.messages import (
    METADATA,
    Coded,
    EncodeOptions,
    FileVersion,
    Point,
    Saved,
    Source,
    Step,
)
from lbbic_gui.jobs.naming import free_name
from lbbic_gui.jobs.requests import Request
from lbbic_gui.jobs.work import models
from lbbic_gui.jobs.work.decoding import (
    MEASURING,
    IsCancelled,
    OnReport,
    ReadPicture,
    SearchReporter,
    decode,
    measure,
    reporter,
)
from lbbic_gui.jobs.work.exporting import export, file_facts, measure_exports
from lbbic_gui.jobs.work.workers import Workers, decoding_seconds, encoding_seconds
from lbbic_gui.style.text import tr

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from lbbic_engine.codec import QualityMap
    from lbbic_engine.coding.results import Compressed
    from lbbic_engine.pictures.picture import Notice

A = TypeVar("A")

# Of the time of coding a picture and decoding it.
_ENCODING = {"fast": 0.6, "balanced": 0.8, "thorough": 0.95}


class Tasks:
    """Performs every kind of job; remembers the picture that was read last."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._last: ReadPicture | None = None

    def do(self, request: Request[A], report: OnReport, cancelled: IsCancelled) -> A:
        """Return the answer to a request; raises what the engine raises, including Cancelled."""
        return cast("A", self._do(request, report, cancelled))

    def _do(
        self, request: Request[Any], report: OnReport, cancelled: IsCancelled
    ) -> messages.Answer:
        match request:
            case requests.WarmUp():
                return models.warm_up(request, report)
            case requests.FindModels():
                return models.installed()
            case requests.Find(paths):
                return conversion.find(paths, report, cancelled)
            case requests.Thumbnail(source):
                return conversion.thumbnail(source)
            case requests.Open():
                return self._open(request)
            case requests.Code():
                return self._code(request, report, cancelled)
            case requests.Decode():
                return self._decode(request, report, cancelled)
            case requests.CompressOnly():
                return self._compress_only(request, report, cancelled)
            case requests.FindTarget():
                return self._find_target(request, report, cancelled)
            case requests.Save():
                return self._save(request, report, cancelled)
            case requests.Export():
                return export(request, self._workers, report, cancelled)
            case requests.MeasureExports():
                return measure_exports(request, report, cancelled)
            case requests.MeasureLook():
                return _measure_look(request, cancelled)
            case requests.CompareAtSize():
                return self._compare(request, cancelled)
        raise TypeError(f"no such request: {request}")

    def _open(self, request: requests.Open) -> messages.Opened:
        read = self._resized(request.source, request.longest_side)
        picture, colours = read.picture, conversion.Colours(read.picture.icc, read.picture.grey)
        canvas = conversion.to_canvas(colours.on_screen(picture.pixels))
        return messages.Opened(
            canvas,
            halvings(canvas),
            conversion.checkerboard(picture.alpha),
            read.file_bytes,
            (*_texts(picture.notices), *colours.notices),
        )

    def _picture(self, source: Source) -> ReadPicture:
        """The picture, which is read again only if its file has changed."""
        from lbbic_engine.pictures.read import load_picture

        version, last = source.version(), self._last
        if last is None or (last.source, last.version) != (source, version):
            if source.path is not None:
                file_bytes = source.path.stat().st_size  # says why, where there is no file
                picture = load_picture(source.path)
            else:
                assert source.image is not None
                image, file_bytes = conversion.to_pillow(source.image)
                picture = load_picture(image)
            self._last = last = ReadPicture(source, version, picture, file_bytes)
        return last

    def _resized(self, source: Source, longest_side: int) -> ReadPicture:
        from lbbic_engine.pictures.metadata.strip import resize

        read = self._picture(source)
        return replace(read, picture=resize(read.picture, longest_side or None))

    def _kept(self, source: Source, options: EncodeOptions) -> ReadPicture:
        """The picture as it is coded: resized, with the metadata to keep, in the right colours."""
        from lbbic_engine.pictures.metadata.strip import strip

        read = self._resized(source, options.longest_side)
        return replace(read, picture=strip(read.picture, METADATA - options.keep))

    def _code(self, request: requests.Code, report: OnReport, cancelled: IsCancelled) -> Coded:
        report(Step(tr("Reading")))
        read, data, begin = self._kept(request.source, request.options), request.data, 0.0
        pixels, effort = _pixels(read), request.options.effort
        seconds = decoding_seconds(pixels)
        if data is None:
            seconds += encoding_seconds(pixels, effort)
        with self._workers.for_tiles(pixels, seconds, request.device) as pool:
            if data is None:
                begin = _ENCODING[effort]
                data = _compress(request, read, report, cancelled, executor=pool, end=begin).data
            return decode(data, read, request.device, report, cancelled, executor=pool, begin=begin)

    def _decode(self, request: requests.Decode, report: OnReport, cancelled: IsCancelled) -> Coded:
        from lbbic_engine import codec

        path, version = request.source.path, request.source.version()
        assert path is not None
        data, device = path.read_bytes(), request.device
        info = codec.read_info(data)
        pixels = info.width * info.height
        is_alone = request.partial or info.exact  # the engine decodes it here, or at once
        seconds = 0.0 if is_alone else decoding_seconds(pixels)
        with self._workers.for_tiles(pixels, seconds, device) as pool:
            coded = decode(
                data, None, device, report, cancelled, executor=pool, partial=request.partial
            )
        return replace(coded, point=replace(coded.point, version=version))

    def _compress_only(
        self, request: requests.CompressOnly, report: OnReport, cancelled: IsCancelled
    ) -> Point:
        read = self._kept(request.source, request.options)
        pixels = _pixels(read)
        seconds = encoding_seconds(pixels, request.options.effort)
        with self._workers.for_tiles(pixels, seconds, request.device) as pool:
            compressed = _compress(request, read, report, cancelled, executor=pool, end=MEASURING)
        report(Step(tr("Measuring"), begin=MEASURING))
        return measure(request.quality, compressed.data, read, compressed.reconstruction)

    def _find_target(
        self, request: requests.FindTarget, report: OnReport, cancelled: IsCancelled
    ) -> Point:
        from lbbic_engine.measure import target_search

        read, target = self._kept(request.source, request.options), request.target
        search = SearchReporter(report)
        max_bytes = int(target.value)
        if target.unit == "bpp":
            max_bytes = target_search.bytes_for_bpp(read.picture, target.value)
        limit = None if target.unit == "dB" else max_bytes
        pixels = _pixels(read)
        seconds = encoding_seconds(pixels, request.options.effort)  # of each attempt
        with self._workers.for_tiles(pixels, seconds, request.device) as pool:
            quality, compressed = target_search.search_quality(
                read.picture,
                max_bytes=limit,
                min_psnr=target.value if target.unit == "dB" else None,
                device=request.device,
                weights=models.weights_name(request.options.model),
                effort=request.options.effort,
                tune=request.options.tune,
                quality_map=_quality_map(request.options),
                executor=pool,
                progress=search.progress,
                attempting=search.attempting,
                cancelled=cancelled,
            )
        data = _with_preview(compressed.data, read, request.options, limit)
        return measure(quality, data, read, compressed.reconstruction)

    def _save(self, request: requests.Save, report: OnReport, cancelled: IsCancelled) -> Saved:
        if request.policy == "skip" and os.path.lexists(request.target) and not _is_own(request):
            return _skipped(request.target)
        point, data, source = None, request.data, request.source
        notices = request.notices
        if data is None and source.is_lbb:
            assert source.path is not None
            data = source.path.read_bytes()
        elif not request.output.is_lbb:
            data, notices = self._workers.convert(request, report, cancelled)
        elif data is None:
            compress = requests.CompressOnly(
                source, request.quality, request.device, request.options
            )
            if request.by_worker:
                point, notices = self._workers.compress(compress, report, cancelled)
            else:
                point = self._compress_only(compress, report, cancelled)
                notices = point.notices
            data = point.data
        like = file_facts(source.path)
        if request.skip_larger and source.path and like and len(data) >= like.st_size:
            return Saved(source.path, point, like.st_size, skipped="larger")
        is_again = _is_own(request)
        policy = "replace" if is_again else request.policy
        path = _write(data, request.target, policy, like, keep_date=request.keep_date)
        version = FileVersion.of(path)
        return Saved(path, point, len(data), version=version, is_again=is_again, notices=notices)

    def _compare(
        self, request: requests.CompareAtSize, cancelled: IsCancelled
    ) -> messages.Baseline:
        from lbbic_engine.measure import baseline_process, metrics

        picture = self._resized(request.source, request.longest_side).picture
        result = baseline_process.encode_at_size(
            picture.pixels, request.codec, request.max_bytes, cancelled
        )
        colours = conversion.Colours(picture.icc, picture.grey)
        canvas = conversion.to_canvas(colours.on_screen(result.reconstruction))
        return messages.Baseline(
            request.codec,
            result.setting,
            result.quality,
            len(result.data),
            len(result.data) <= request.max_bytes,
            metrics.psnr(picture.pixels, result.reconstruction),
            canvas,
            halvings(canvas),
        )


def _compress(
    request: requests.Code | requests.CompressOnly,
    read: ReadPicture,
    report: OnReport,
    cancelled: IsCancelled,
    *,
    executor: Executor | None,
    end: float,
) -> Compressed:
    """Compress a picture, which takes the job to ``end``."""
    from lbbic_engine import codec

    compressed = codec.compress(
        read.picture,
        request.quality,
        device=request.device,
        weights=models.weights_name(request.options.model),
        effort=request.options.effort,
        tune=request.options.tune,
        quality_map=_quality_map(request.options),
        executor=executor,
        progress=reporter(report, tr("Encoding"), end),
        cancelled=cancelled,
    )
    return replace(compressed, data=_with_preview(compressed.data, read, request.options))


def _with_preview(
    data: bytes, read: ReadPicture, options: EncodeOptions, max_bytes: int | None = None
) -> bytes:
    from lbbic_engine.previews import add_preview

    return add_preview(data, read.picture, max_bytes) if options.preview else data


def _quality_map(options: EncodeOptions) -> QualityMap | None:
    from lbbic_engine.pictures.mask import read_mask

    return read_mask(BytesIO(options.mask)) if options.mask else None


def _pixels(read: ReadPicture) -> int:
    return read.picture.pixels.size // 3


def _measure_look(request: requests.MeasureLook, cancelled: IsCancelled) -> messages.Look:
    from lbbic_engine.measure.sample import sample
    from lbbic_engine.measure.ssimulacra2 import ssimulacra2

    original, decoded = (
        sample(canvas)[..., 2::-1] for canvas in (request.original, request.decoded)
    )
    return messages.Look(ssimulacra2(original, decoded, cancelled))


def _texts(notices: tuple[Notice, ...]) -> tuple[str, ...]:
    return tuple(notice.text for notice in notices)


def _skipped(target: Path) -> Saved:
    """The answer if a file exists and is to be kept."""
    version = FileVersion.of(target)
    return Saved(target, None, version.file_bytes if version else 0, skipped="exists")


def _is_own(request: requests.Save) -> bool:
    """Whether the target is the picture's own earlier result, unchanged since then."""
    return request.own is not None and FileVersion.of(request.target) == request.own


def _write(
    data: bytes, target: Path, policy: str, like: os.stat_result | None, *, keep_date: bool
) -> Path:
    """Write atomically; never replace a file of the same name that another program made."""
    from lbbic_engine.pictures.atomic import write_atomically

    target.parent.mkdir(parents=True, exist_ok=True)
    while True:
        path = free_name(target) if policy == "rename" else target
        try:
            overwrite = policy == "replace"
            write_atomically(path, data, overwrite=overwrite, like=like, keep_date=keep_date)
            return path
        except FileExistsError:
            if policy != "rename":
                raise
