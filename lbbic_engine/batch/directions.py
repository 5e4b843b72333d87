"""Encoding and decoding of groups of files, as workers do it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, BinaryIO

from lbbic_engine.config import DEFAULT_WEIGHTS, EFFORTS, TUNES

if TYPE_CHECKING:
    from lbbic_engine.codec import QualityMap
    from lbbic_engine.coding.results import Compressed, IsCancelled, ReportProgress
    from lbbic_engine.pictures.picture import Notice, Picture

ENCODE_SECONDS, DECODE_SECONDS = 1.0, 0.7  # of one core for a megapixel
EFFORT_SECONDS = dict(zip(EFFORTS, (1, 3, 12), strict=True))  # relative to these
TARGET_ATTEMPTS = 6  # of a search for a target

Content = Path | bytes


@dataclass(frozen=True)
class CodedFile:
    """The result of coding a file."""

    data: bytes  # the contents of the output, if it is not written to a file
    input_bytes: int
    output_bytes: int
    width: int
    height: int
    seconds: float  # of coding alone; the share of pictures that are coded together
    notices: tuple[Notice, ...]
    quality: float | None = None  # this field and the following ones are for encoding
    exact: bool = False  # stored without loss
    psnr: float | None = None  # dB
    ms_ssim: float | None = None  # if requested, and the picture is large enough
    is_kept: bool = False  # nothing is written, since the .lbb file would not be smaller


@dataclass(frozen=True)
class Encoding:
    """Pictures to .lbb files, as ``codec.compress``, or for a target as ``search_quality``.

    Larger pictures are resized to ``longest_side`` pixels. ``strip`` are kinds of metadata to leave
    out. ``skip_larger`` writes no file that would not be smaller than its picture. ``preview`` adds
    a small picture for file managers (``previews``). ``mask`` is a picture, of one file: white is
    better, as ``read_mask``.
    """

    quality: float | None = None
    max_bytes: int | None = None
    max_bpp: float | None = None
    min_psnr: float | None = None
    weights: str = DEFAULT_WEIGHTS
    effort: str = EFFORTS[0]
    refine: bool = True
    exact: bool = True
    preview: bool = False
    mask: Content | None = None
    tune: str = TUNES[0]
    device: str = "auto"
    longest_side: int | None = None
    strip: tuple[str, ...] = ()
    skip_larger: bool = False
    measure_ms_ssim: bool = False

    @property
    def gains_by_groups(self) -> bool:
        return not self._has_target and self.effort == EFFORTS[0]

    @property
    def has_whole_tiles(self) -> bool:
        """Whether workers may code the tiles of a picture."""
        return self.device != "cuda"

    @property
    def seconds_per_megapixel(self) -> float:
        attempts = TARGET_ATTEMPTS if self._has_target else 1
        return attempts * ENCODE_SECONDS * EFFORT_SECONDS[self.effort]

    @property
    def _has_target(self) -> bool:
        return (self.max_bytes, self.max_bpp, self.min_psnr) != (None, None, None)

    def count_pixels(self, content: Content) -> int:
        """Number of pixels of a picture, from its header."""
        from lbbic_engine.pictures.read import picture_size

        width, height = picture_size(_source(content))
        return width * height

    def code(
        self,
        files: Sequence[tuple[Content, Path | None]],
        progress: ReportProgress | None,
        cancelled: IsCancelled | None = None,
        executor: Executor | None = None,
    ) -> list[CodedFile]:
        """Raises as ``codec.compress`` and ``load_picture``, for the first file that fails."""
        read = [self.read(content) for content, _ in files]
        pictures = [picture for _, picture in read]
        started = perf_counter()
        coded = self._compress(pictures, progress, cancelled, executor)
        if self.preview:
            coded = [self._with_preview(*each) for each in zip(coded, pictures, strict=True)]
        shares = _shares(perf_counter() - started, pictures)
        return [
            self._encoded_file(size, picture, compressed, seconds)
            for (size, picture), compressed, seconds in zip(read, coded, shares, strict=True)
        ]

    def read(self, content: Content) -> tuple[int, Picture]:
        """Bytes of a file, and its picture in the size and with the metadata that are wanted."""
        from lbbic_engine.pictures.metadata.strip import resize, strip
        from lbbic_engine.pictures.read import load_picture

        if isinstance(content, Path) and content.is_fifo():
            content = content.read_bytes()  # it has no size before, and can be read only once
        size = _size(content)  # first: a missing file is then reported as such
        picture = load_picture(_source(content))
        return size, resize(strip(picture, self.strip), self.longest_side)

    def _encoded_file(
        self, input_bytes: int, picture: Picture, compressed: Compressed, seconds: float
    ) -> CodedFile:
        from lbbic_engine.measure import metrics

        output_bytes = len(compressed.data)
        pixels = picture.pixels, compressed.reconstruction
        is_kept = self.skip_larger and output_bytes >= input_bytes
        return CodedFile(
            data=b"" if is_kept else compressed.data,
            input_bytes=input_bytes,
            output_bytes=output_bytes,
            width=picture.pixels.shape[1],
            height=picture.pixels.shape[0],
            seconds=seconds,
            notices=picture.notices,
            quality=compressed.quality,
            exact=compressed.exact,
            psnr=metrics.psnr(*pixels),
            ms_ssim=metrics.ms_ssim(*pixels) if self.measure_ms_ssim else None,
            is_kept=is_kept,
        )

    def _compress(
        self,
        pictures: Sequence[Picture],
        progress: ReportProgress | None,
        cancelled: IsCancelled | None,
        executor: Executor | None,
    ) -> list[Compressed]:
        from lbbic_engine import codec

        if self._has_target:
            return [self._search(picture, progress, cancelled, executor) for picture in pictures]
        offsets = self._offsets()
        return codec.compress_batch(
            pictures,
            self.quality,
            device=self.device,
            weights=self.weights,
            effort=self.effort,
            refine=self.refine,
            exact=self.exact,
            quality_maps=None if offsets is None else [offsets] * len(pictures),
            tune=self.tune,
            executor=executor,
            progress=progress,
            cancelled=cancelled,
        )

    def _with_preview(self, compressed: Compressed, picture: Picture) -> Compressed:
        from lbbic_engine.previews import add_preview

        data = add_preview(compressed.data, picture, self._max_bytes(picture))
        return replace(compressed, data=data)

    def _max_bytes(self, picture: Picture) -> int | None:
        from lbbic_engine.measure.target_search import bytes_for_bpp

        if self.max_bpp is not None:
            return bytes_for_bpp(picture, self.max_bpp)
        return self.max_bytes

    def _offsets(self) -> QualityMap | None:
        from lbbic_engine.pictures.mask import read_mask

        return None if self.mask is None else read_mask(_source(self.mask))

    def _search(
        self,
        picture: Picture,
        progress: ReportProgress | None,
        cancelled: IsCancelled | None,
        executor: Executor | None,
    ) -> Compressed:
        from lbbic_engine.measure.target_search import search_quality

        _, compressed = search_quality(
            picture,
            max_bytes=self._max_bytes(picture),
            min_psnr=self.min_psnr,
            device=self.device,
            weights=self.weights,
            effort=self.effort,
            refine=self.refine,
            exact=self.exact,
            quality_map=self._offsets(),
            tune=self.tune,
            executor=executor,
            progress=progress,
            cancelled=cancelled,
        )
        return compressed


@dataclass(frozen=True)
class Decoding:
    """.lbb files to pictures, by ``codec.decompress``, in the formats of the outputs' suffixes.

    Without an output's name, the format is PNG.
    """

    partial: bool = False
    device: str = "auto"

    @property
    def gains_by_groups(self) -> bool:
        return not self.partial

    @property
    def has_whole_tiles(self) -> bool:
        """Whether workers may decode the tiles of a file."""
        return self.device != "cuda" and not self.partial

    @property
    def seconds_per_megapixel(self) -> float:
        return DECODE_SECONDS

    def count_pixels(self, content: Content) -> int:
        """Number of pixels of an .lbb file, from its header."""
        from lbbic_engine.bitstream.container import read_outline

        container, _ = read_outline(_read(content), partial=True)
        return container.width * container.height

    def code(
        self,
        files: Sequence[tuple[Content, Path | None]],
        progress: ReportProgress | None,
        cancelled: IsCancelled | None = None,
        executor: Executor | None = None,
    ) -> list[CodedFile]:
        """Raises as ``codec.decompress`` and ``encode_image``, for the first file that fails."""
        from lbbic_engine import codec
        from lbbic_engine.bitstream.container import read_outline
        from lbbic_engine.pictures.formats import format_for

        contents = [_read(content) for content, _ in files]
        outputs = [output or Path("picture.png") for _, output in files]
        for data, output in zip(contents, outputs, strict=True):  # before work is spent on it
            container, _ = read_outline(data, partial=self.partial)
            format_for(output, container.width, container.height, grey=container.grey)
        started = perf_counter()
        pictures = codec.decompress_batch(
            contents,
            device=self.device,
            partial=self.partial,
            executor=executor,
            progress=progress,
            cancelled=cancelled,
        )
        shares = _shares(perf_counter() - started, pictures)
        return [
            _decoded_file(data, picture, output, seconds)
            for data, picture, output, seconds in zip(
                contents, pictures, outputs, shares, strict=True
            )
        ]


def _decoded_file(data: bytes, picture: Picture, output: Path, seconds: float) -> CodedFile:
    from lbbic_engine.pictures.write import encode_image

    image, notices = encode_image(picture, output)
    return CodedFile(
        data=image,
        input_bytes=len(data),
        output_bytes=len(image),
        width=picture.pixels.shape[1],
        height=picture.pixels.shape[0],
        seconds=seconds,
        notices=(*picture.notices, *notices),
    )


def _source(content: Content) -> Path | BinaryIO:
    return BytesIO(content) if isinstance(content, bytes) else content


def _read(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _shares(seconds: float, pictures: Sequence[Picture]) -> list[float]:
    """Distribute the seconds among the pictures in proportion to their pixels."""
    pixels = [picture.pixels.size for picture in pictures]
    return [seconds * each / sum(pixels) for each in pixels]
