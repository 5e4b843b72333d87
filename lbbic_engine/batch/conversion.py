"""Conversion of groups of files to other formats, as workers do it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from lbbic_engine.batch.directions import CodedFile, Content, Encoding
from lbbic_engine.config import OTHER_FORMATS

if TYPE_CHECKING:
    from lbbic_engine.coding.results import IsCancelled, ReportProgress
    from lbbic_engine.measure.same_look import Converted
    from lbbic_engine.pictures.picture import Picture

_SECONDS, _ALIKE_SECONDS = 1.0, 10.0  # of one core for a megapixel


@dataclass(frozen=True)
class Conversion:
    """Pictures to files of ``format``, a key of ``OTHER_FORMATS``.

    At ``quality`` of that format, 1…100; None: where they look as good as the .lbb files that
    ``encoding`` would make, without its target, mask, preview or lossless storage. Its size,
    metadata, and ``skip_larger`` are those of the files.
    """

    encoding: Encoding
    format: str
    quality: int | None = None

    gains_by_groups = False
    has_whole_tiles = False

    @property
    def device(self) -> str:
        return "cpu" if self.quality is not None else self.encoding.device

    @property
    def seconds_per_megapixel(self) -> float:
        return _SECONDS if self.quality is not None else _ALIKE_SECONDS

    def count_pixels(self, content: Content) -> int:
        """Number of pixels of a picture, from its header."""
        return self.encoding.count_pixels(content)

    def code(
        self,
        files: Sequence[tuple[Content, Path | None]],
        progress: ReportProgress | None,
        cancelled: IsCancelled | None = None,
        executor: Executor | None = None,
    ) -> list[CodedFile]:
        """Raises as ``codec.compress``, ``load_picture`` and ``encode_image``.

        Where ``progress`` raises, it stops.
        """
        return [self._convert(content, output, progress) for content, output in files]

    def _convert(
        self, content: Content, output: Path | None, progress: ReportProgress | None
    ) -> CodedFile:
        from lbbic_engine.pictures.formats import format_for

        input_bytes, picture = self.encoding.read(content)
        height, width, _ = picture.pixels.shape
        output = output or Path("picture").with_suffix(OTHER_FORMATS[self.format][0])
        format_for(output, width, height)  # before work is spent on it
        started = perf_counter()
        converted = self._coded(picture, output, progress)
        output_bytes = len(converted.data)
        is_kept = self.encoding.skip_larger and output_bytes >= input_bytes
        return CodedFile(
            data=b"" if is_kept else converted.data,
            input_bytes=input_bytes,
            output_bytes=output_bytes,
            width=width,
            height=height,
            seconds=perf_counter() - started,
            notices=(*picture.notices, *converted.notices),
            quality=converted.quality,
            is_kept=is_kept,
        )

    def _coded(self, picture: Picture, output: Path, progress: ReportProgress | None) -> Converted:
        from lbbic_engine.measure import same_look

        if self.quality is not None:
            return same_look.convert(picture, output, self.format, self.quality)
        encoding = self.encoding
        return same_look.convert_alike(
            picture,
            output,
            self.format,
            encoding.quality,
            device=encoding.device,
            weights=encoding.weights,
            effort=encoding.effort,
            refine=encoding.refine,
            tune=encoding.tune,
            progress=progress,
        )
