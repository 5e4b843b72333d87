"""Messages from workers to the window, and their values: frozen, without engine or widgets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from lbbic_engine.config import DEFAULT_QUALITY, OTHER_FORMATS
from lbbic_gui.jobs.decoded_picture import DecodedPicture

Pixels = NDArray[np.uint8]

METADATA = frozenset({"exif", "gps", "icc", "xmp"})  # as the engine calls them
CODECS = {"jpeg": "JPEG", "webp": "WebP", "avif": "AVIF"}  # to compare with and to convert to
_FORMATS = {"jpg": "JPEG", "jfif": "JPEG", "tif": "TIFF", "webp": "WebP", "jp2": "JPEG 2000"}
USUAL_QUALITY = DEFAULT_QUALITY  # of the engine
VIEW, THUMBNAIL, BATCH, BACKGROUND = range(4)  # priorities, the first goes first


@dataclass(frozen=True)
class Stopped:
    """The answer to a job that was cancelled."""


@dataclass(frozen=True)
class FileVersion:
    """Distinguishes a file from what it was before it was edited or replaced."""

    file_bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileVersion | None:
        """The version of the current file; None if there is none."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True)
class Source:
    """The source of a picture: a file, or an ``image`` that was pasted."""

    name: str
    path: Path | None = None
    image: QImage | None = field(default=None, compare=False)

    @cached_property
    def is_lbb(self) -> bool:
        return self.path is not None and self.path.suffix.lower() == ".lbb"

    @property
    def format(self) -> str:
        """The format by the name's suffix, such as JPEG; pasted pictures count as PNG."""
        suffix = self.path.suffix.lower().lstrip(".") if self.path is not None else "png"
        return _FORMATS.get(suffix, suffix.upper())

    def version(self) -> FileVersion | None:
        """The version of the current file; None if there is none."""
        return FileVersion.of(self.path) if self.path is not None else None


@dataclass(frozen=True)
class Problem:
    """The reason why a job failed, in words for the user; ``log`` is for a bug report."""

    title: str
    detail: str
    hint: str = ""
    log: str = ""
    retry_on_cpu: bool = False
    can_show_rest: bool = False  # a part of the file can still be decoded


@dataclass(frozen=True)
class Model:
    """An installed model: ``name`` in the settings, ``title`` for display, identity of its weights.

    The name is empty for the model that comes with the app. ``quality``: the only one it codes
    at; None: all.
    """

    name: str
    title: str
    weights: str
    quality: float | None


@dataclass(frozen=True)
class EncodeOptions:
    """What a file depends on besides its picture and quality.

    ``tune`` is what the encoder aims at, "psnr" or "visual". ``keep`` are kinds of metadata.
    ``longest_side`` in pixels is for larger pictures; 0: none is resized. ``preview``: a small one
    for file managers goes into the file. ``mask`` is a PNG file: a grey picture that is stretched
    over this one and makes it better where it is white, worse where it is black; empty: none.
    """

    model: str = ""
    effort: str = "fast"
    keep: frozenset[str] = METADATA
    longest_side: int = 0
    preview: bool = True
    tune: str = "psnr"
    mask: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class OutputFormat:
    """What pictures are saved as: .lbb files, or those of a codec of ``CODECS``.

    ``quality`` is the codec's, 1 to 100; 0: the lowest that looks as good as the .lbb file would.
    """

    name: str = "lbb"
    quality: int = 0

    @property
    def is_lbb(self) -> bool:
        return self.name == "lbb"

    @property
    def suffix(self) -> str:
        return ".lbb" if self.is_lbb else OTHER_FORMATS[self.name][0]


class Place(NamedTuple):
    """Where the settings put results, and how they name them."""

    folder: str  # empty: next to the pictures
    keeps_structure: bool  # of the folders that were searched
    pattern: str


class Result(NamedTuple):
    """What a saved file was made with, and where; equal results mean equal files."""

    quality: float
    options: EncodeOptions
    output: OutputFormat
    place: Place

    @classmethod
    def of(
        cls, quality: float, options: EncodeOptions, output: OutputFormat, place: Place
    ) -> Result:
        """Leave out what does not apply: our quality if the codec has its own, and masks."""
        if options.mask and not output.is_lbb:
            options = replace(options, mask=b"")
        return cls(0.0 if output.quality else quality, options, output, place)


@dataclass(frozen=True)
class Target:
    """At most that many ``bytes`` or ``bpp``, or at least that many ``dB``."""

    unit: str
    value: float


# --- reports while a job runs -------------------------------------------------------------------


@dataclass(frozen=True)
class InstalledModels:
    """The installed models, the app's own first."""

    installed: tuple[Model, ...]
    rejected: tuple[str, ...] = ()  # a sentence for each file that cannot be used


@dataclass(frozen=True)
class Step:
    """Blocks ``done`` of ``blocks`` in a phase, which takes the job from ``begin`` to ``end``."""

    stage: str
    done: int = 0
    blocks: int = 0  # 0: this stage is not counted
    begin: float = 0.0
    end: float = 1.0

    @property
    def share(self) -> float:
        """The share of the whole job, 0 to 1."""
        return self.begin + (self.end - self.begin) * (self.done / max(self.blocks, 1))


@dataclass(frozen=True)
class DecodingStarted:
    """Decoding starts; ``picture`` is for the window only, which cannot wait to allocate it."""

    picture: DecodedPicture = field(repr=False)
    checkerboard: tuple[QImage, ...]
    file_bytes: int  # of the file that is decoded


@dataclass(frozen=True)
class Front:
    """Decoded blocks (n, B, B, 3) at ``rows`` and ``columns`` (n,) of the grid."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    blocks: Pixels
    halvings: tuple[Pixels, ...]  # of the blocks
    step: Step


@dataclass(frozen=True)
class ExportSize:
    """The approximate size of a picture in the format of ``suffix``."""

    suffix: str
    file_bytes: int


Report = InstalledModels | Step | DecodingStarted | Front | ExportSize


# --- answers ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ready:
    """The model is loaded; ``device`` is cpu or cuda."""

    device: str
    torch: str


@dataclass(frozen=True)
class Found:
    """The results of a search for pictures: ``sources`` by the folder that was searched.

    ``unsupported`` and ``unreadable`` are names of files and folders; ``others`` counts, in words,
    what else the folders hold.
    """

    sources: tuple[tuple[Path | None, tuple[Source, ...]], ...]
    unsupported: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    others: str = ""


@dataclass(frozen=True)
class Thumb:
    """A small picture (h, w, 4), and the full size."""

    image: QImage
    file_bytes: int
    width: int
    height: int


@dataclass(frozen=True)
class Opened:
    """A picture for the canvas (H, W, 4), BGRX, and its halvings.

    ``checkerboard`` and its halvings hide what is transparent; none if nothing is.
    """

    canvas: Pixels
    levels: tuple[Pixels, ...]
    checkerboard: tuple[QImage, ...]
    file_bytes: int
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """A compressed file, as a point of the rate–distortion plot."""

    quality: float
    data: bytes = field(repr=False)  # empty where it was not kept
    file_bytes: int
    bpp: float
    psnr: float | None  # None where there is no original
    ms_ssim: float | None  # None as well where the picture is too small
    version: FileVersion | None = None  # of what it was made of
    notices: tuple[str, ...] = ()  # what of the picture is not in it


@dataclass(frozen=True)
class FileContents:
    """What an .lbb file contains besides pixels; ``metadata`` are kinds with their bytes."""

    version: str
    model: str
    metadata: tuple[tuple[str, int], ...]
    has_alpha: bool
    exact: bool = False  # stored without a loss


@dataclass(frozen=True)
class Coded:
    """A picture that was coded and decoded.

    ``errors`` (rows, columns): the blocks' MSE, None where there is no original to compare with.
    """

    point: Point
    picture: DecodedPicture = field(repr=False)
    errors: NDArray[np.float32] | None = field(repr=False)
    payload_bytes: int
    contents: FileContents
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Saved:
    """A file was written, or ``skipped`` is the reason why not.

    ``notices``: what of the picture is not in it.
    """

    path: Path
    point: Point | None
    file_bytes: int
    skipped: str = ""  # "exists": what is there is kept, "larger": the original is
    version: FileVersion | None = None  # of what was written
    is_again: bool = False  # in place of the picture's earlier result
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportSizes:
    """The formats that can store a picture."""

    sizes: tuple[ExportSize, ...]


@dataclass(frozen=True)
class Look:
    """How good a picture looks beside its original, by SSIMULACRA 2: 100 is no difference."""

    score: float


@dataclass(frozen=True)
class Baseline:
    """What another codec makes of the picture with its best ``setting``.

    ``fits``: it is at most as large as was wanted; else it is the smallest that the codec can make.
    """

    codec: str
    setting: str
    quality: int
    file_bytes: int
    fits: bool
    psnr: float
    canvas: Pixels = field(repr=False)
    levels: tuple[Pixels, ...] = field(default=(), repr=False)


Answer = (
    InstalledModels
    | Ready
    | Found
    | Thumb
    | Opened
    | Point
    | Coded
    | Saved
    | Baseline
    | ExportSizes
    | Look
)
