"""What the window's jobs do: the only module of the app that knows the engine.

The engine is imported inside the functions, in the worker's thread, so that the window is up
before torch is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lbbic_gui.jobs import conversion, messages
from lbbic_gui.jobs.decoded_picture import Growing, halvings
from lbbic_gui.jobs.messages import Coded, Job, Pixels, Point, Recipe, Saved, Source, Step
from lbbic_gui.jobs.naming import free_name
from lbbic_gui.jobs.torch_import import quiet_import
from lbbic_gui.style.text import tr

if TYPE_CHECKING:
    from lbbic_engine.codec import Compressed, Progress
    from lbbic_engine.pictures.picture import Notice, Picture

Report = Callable[[object], None]

_ENCODING = {"fast": 0.6, "thorough": 0.95}  # of the time of coding a picture and decoding it


class Tasks:
    """Every kind of job as a function of its request; remembers the picture it read last."""

    def __init__(self) -> None:
        self._read: tuple[object, Picture, int] | None = None

    def do(self, job: Job, report: Report) -> object:
        """The answer to a job; raises what the engine raises, Cancelled included."""
        match job.request:
            case messages.WarmUp():
                return _warm_up(job.request, report)
            case messages.FindModels():
                return _models()
            case messages.Find(paths):
                return conversion.find(paths)
            case messages.Thumbnail(source):
                return conversion.thumbnail(source)
            case messages.Open(source):
                return self._open(source)
            case messages.Code():
                return self._code(job.request, job, report)
            case messages.Probe():
                return self._probe(job.request, job, report)
            case messages.Reach():
                return self._reach(job.request, job, report)
            case messages.Save():
                return self._save(job.request, job, report)
            case messages.Export():
                return _export(job.request, job, report)
            case messages.CompareAtSize():
                return self._compare(job.request, job)
        raise TypeError(f"no such request: {job.request}")

    def _open(self, source: Source) -> messages.Opened:
        picture, file_bytes = self._picture(source)
        colours = conversion.Colours(picture.icc, picture.grey)
        canvas = conversion.to_canvas(colours.on_screen(picture.pixels))
        return messages.Opened(
            canvas,
            halvings(canvas),
            conversion.veil(picture.alpha),
            file_bytes,
            (*_texts(picture.notices), *colours.notices),
        )

    def _picture(self, source: Source) -> tuple[Picture, int]:
        """The picture and its file's bytes, read again only if the file has changed."""
        from lbbic_engine.pictures.read import load_picture

        stamp = (source, source.path.stat().st_mtime_ns if source.path else source.name)
        if self._read is None or self._read[0] != stamp:
            if source.path is not None:
                picture, file_bytes = load_picture(source.path), source.path.stat().st_size
            else:
                assert source.image is not None
                image, file_bytes = conversion.to_pillow(source.image)
                picture = load_picture(image)
            self._read = (stamp, picture, file_bytes)
        return self._read[1], self._read[2]

    def _kept(self, source: Source, recipe: Recipe) -> Picture:
        """The picture with only the metadata that the user keeps, its colours as they were."""
        picture, _ = self._picture(source)
        keep = recipe.keep
        if "icc" not in keep:
            srgb = conversion.Colours(picture.icc, picture.grey).on_screen(picture.pixels)
            picture = dataclasses.replace(picture, pixels=srgb)
        return dataclasses.replace(picture, **dict.fromkeys(messages.METADATA - keep))  # type: ignore[arg-type]

    def _code(self, request: messages.Code, job: Job, report: Report) -> Coded:
        if request.source.is_lbb:
            assert request.source.path is not None
            data = request.data or request.source.path.read_bytes()
            return _decode(request, data, None, job, report)
        picture = self._kept(request.source, request.recipe)
        if request.data is not None:
            return _decode(request, request.data, picture, job, report)
        encoding = _ENCODING[request.recipe.effort]
        data = _compress(request, picture, job, _reporter(report, "Encoding", encoding)).data
        return _decode(request, data, picture, job, report, encoding)

    def _probe(self, request: messages.Probe, job: Job, report: Report) -> Point:
        picture = self._kept(request.source, request.recipe)
        compressed = _compress(request, picture, job, _reporter(report, "Encoding"))
        return _point(request.quality, compressed.data, picture.pixels, compressed.reconstruction)

    def _reach(self, request: messages.Reach, job: Job, report: Report) -> Point:
        from lbbic_engine.measure import target_search

        picture, target = self._kept(request.source, request.recipe), request.target
        max_bytes = int(target.value)
        if target.unit == "bpp":
            max_bytes = target_search.bytes_for_bpp(picture, target.value)
        quality, compressed = target_search.search_quality(
            picture,
            max_bytes=None if target.unit == "dB" else max_bytes,
            min_psnr=target.value if target.unit == "dB" else None,
            device=request.device,
            weights=_weights(request.recipe.model),
            effort=request.recipe.effort,
            progress=_reporter(report, "Searching"),
            cancelled=job.cancelled.is_set,
        )
        return _point(quality, compressed.data, picture.pixels, compressed.reconstruction)

    def _save(self, request: messages.Save, job: Job, report: Report) -> Saved:
        if request.policy == "skip" and request.target.exists():
            return Saved(request.target, None, request.target.stat().st_size, skipped=True)
        point = None
        data = request.data
        if data is None and request.source.is_lbb:
            assert request.source.path is not None
            data = request.source.path.read_bytes()
        elif data is None:
            probe = messages.Probe(request.source, request.quality, request.device, request.recipe)
            point = self._probe(probe, job, report)
            data = point.data
        return Saved(_write(data, request.target, request.policy), point, len(data))

    def _compare(self, request: messages.CompareAtSize, job: Job) -> messages.Rival:
        from lbbic_engine.measure import baseline_process, metrics

        picture, _ = self._picture(request.source)
        result = baseline_process.encode_at_size(
            picture.pixels, request.codec, request.max_bytes, job.cancelled.is_set
        )
        if result is None:
            return messages.Rival(request.codec, 0, 0, 0.0, None)
        colours = conversion.Colours(picture.icc, picture.grey)
        canvas = conversion.to_canvas(colours.on_screen(result.reconstruction))
        return messages.Rival(
            request.codec,
            result.quality,
            len(result.data),
            metrics.psnr(picture.pixels, result.reconstruction),
            canvas,
            halvings(canvas),
        )


def _warm_up(request: messages.WarmUp, report: Report) -> messages.Ready:
    with quiet_import():
        import torch

        from lbbic_engine.measure import evaluate

        found = _models()
        report(found)
        is_there = any(model.name == request.model for model in found.installed)
        evaluate.warm_up(request.device, _weights(request.model if is_there else ""))
    use_cuda = request.device == "cuda" and torch.cuda.is_available()
    return messages.Ready("cuda" if use_cuda else "cpu", torch.__version__)


def _models() -> messages.Models:
    """The models that are installed; of those of one name the one that the engine takes."""
    from lbbic_engine.config import QUALITY_COUNT
    from lbbic_engine.networks import weights

    found: dict[str, messages.Model] = {}
    for description in weights.installed():
        config, title = description.config, description.name
        name = "" if title == weights.DEFAULT else title
        has_all = all(map(config.offers, range(QUALITY_COUNT)))
        quality = None if has_all else config.default_quality
        found.setdefault(name, messages.Model(name, title, description.id.hex(), quality))
    return messages.Models(tuple(sorted(found.values(), key=lambda model: model.name)))


def _weights(model: str) -> str:
    """The engine's name of a model of the settings."""
    from lbbic_engine.networks import weights

    return model or weights.DEFAULT


def _compress(
    request: messages.Code | messages.Probe,
    picture: Picture,
    job: Job,
    progress: Callable[[Progress], None],
) -> Compressed:
    from lbbic_engine import codec

    return codec.compress(
        picture,
        request.quality,
        device=request.device,
        weights=_weights(request.recipe.model),
        effort=request.recipe.effort,
        progress=progress,
        cancelled=job.cancelled.is_set,
    )


def _reporter(report: Report, stage: str, end: float = 1.0) -> Callable[[Progress], None]:
    """Reports an engine's progress, which takes the job to ``end``."""
    return lambda progress: report(Step(stage, progress.done, progress.total, end=end))


def _decode(
    request: messages.Code,
    data: bytes,
    original: Picture | None,
    job: Job,
    report: Report,
    begin: float = 0.0,
) -> Coded:
    """Decode front by front as any receiver would, reporting each; the job is at ``begin``."""
    from lbbic_engine import codec
    from lbbic_engine.bitstream.container import parse_container
    from lbbic_engine.errors import Cancelled, CorruptDataError

    info, container = codec.read_info(data), parse_container(data, partial=True)
    colours = conversion.Colours(container.icc, container.grey)
    growing: Growing | None = None
    for front in codec.decode_progressively(data, device=request.device, partial=request.partial):
        if job.cancelled.is_set():
            raise Cancelled
        if growing is None:
            size = front.blocks.shape[1]
            growing = Growing(info.width, info.height, size)
            veil = conversion.veil(container.alpha) if original is None else None
            report(messages.Fresh(Growing(info.width, info.height, size), veil))
        growing.add(front.rows, front.columns, front.blocks, front.bits, front.context)
        step = Step("Decoding", growing.done, growing.total, begin)
        blocks = colours.on_screen(front.blocks)
        report(messages.Front(front.rows, front.columns, blocks, step))
    if growing is None:
        raise CorruptDataError("Nothing is left", "Not one block of this file can be decoded.")
    pixels = original.pixels if original else None
    point = _point(info.quality, data, pixels, growing.picture()[..., 2::-1])
    errors = None if pixels is None else growing.errors(pixels)
    growing.recolour(colours.on_screen)
    notices = (*_missing(growing), *colours.notices)
    levels = halvings(growing.picture())
    return Coded(point, growing, levels, errors, info.payload_bytes, notices)


def _texts(notices: tuple[Notice, ...]) -> tuple[str, ...]:
    return tuple(notice.text for notice in notices)


def _missing(growing: Growing) -> tuple[str, ...]:
    if growing.done == growing.total:
        return ()
    share = 100 * growing.done // growing.total
    return (tr("The file is incomplete: {} % of the picture could be decoded.").format(share),)


def _point(quality: float, data: bytes, original: Pixels | None, reconstruction: Pixels) -> Point:
    from lbbic_engine.measure import metrics

    height, width, _ = reconstruction.shape
    bpp = 8 * len(data) / (width * height)
    if original is None:
        return Point(quality, data, bpp, None, None)
    psnr = metrics.psnr(original, reconstruction)
    return Point(quality, data, bpp, psnr, metrics.ms_ssim(original, reconstruction))


def _export(request: messages.Export, job: Job, report: Report) -> Saved:
    from lbbic_engine import codec
    from lbbic_engine.pictures import formats, write

    if request.policy == "skip" and request.target.exists():
        return Saved(request.target, None, request.target.stat().st_size, skipped=True)
    info = codec.read_info(request.data)
    formats.format_for(request.target, info.width, info.height)  # before work is spent on it
    picture = codec.decompress(
        request.data,
        device=request.device,
        partial=request.partial,
        progress=_reporter(report, "Decoding"),
        cancelled=job.cancelled.is_set,
    )
    target = free_name(request.target) if request.policy == "rename" else request.target
    notices = write.save_image(picture, target, overwrite=request.policy == "replace")
    return Saved(target, None, target.stat().st_size, notices=_texts(notices))


def _write(data: bytes, target: Path, policy: str) -> Path:
    """Write aside and rename; another program's file of the same name is never touched."""
    from lbbic_engine.pictures.atomic import write_atomically

    target.parent.mkdir(parents=True, exist_ok=True)
    while True:
        path = free_name(target) if policy == "rename" else target
        try:
            write_atomically(path, data, overwrite=policy == "replace")
            return path
        except FileExistsError:
            if policy != "rename":
                raise
