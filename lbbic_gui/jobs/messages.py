"""What the window and its workers say to each other: frozen values, no engine, no widgets."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from lbbic_gui.jobs.decoded_picture import Growing

Pixels = NDArray[np.uint8]

METADATA = frozenset({"exif", "icc", "xmp"})
CODECS = {"jpeg": "JPEG", "webp": "WebP", "avif": "AVIF"}  # to compare with
VIEW, THUMBNAIL, BATCH, BACKGROUND = range(4)  # priorities, the first goes first
_numbers = itertools.count()


@dataclass(eq=False)
class Job:
    """A request on its way; ``row`` is whom it concerns. It stops once ``cancelled`` is set."""

    request: object
    row: int = -1
    priority: int = VIEW
    number: int = field(default_factory=lambda: next(_numbers))
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Stopped:
    """The answer to a job that was cancelled."""


@dataclass(frozen=True)
class Source:
    """Where a picture comes from: a file, or an ``image`` that was pasted."""

    name: str
    path: Path | None = None
    image: QImage | None = field(default=None, compare=False)

    @property
    def is_lbb(self) -> bool:
        return self.path is not None and self.path.suffix.lower() == ".lbb"


@dataclass(frozen=True)
class Problem:
    """Why a job failed, in words for the user; ``log`` is for whoever mends it."""

    title: str
    detail: str
    hint: str = ""
    log: str = ""
    retry_on_cpu: bool = False
    can_show_rest: bool = False  # a part of the file can still be decoded


@dataclass(frozen=True)
class Model:
    """A model that is installed: its ``name`` in the settings, ``title`` for people, weights' id.

    The name is empty for the model that comes with the app. ``quality``: the only one it codes
    at; None: all.
    """

    name: str
    title: str
    weights: str
    quality: float | None


@dataclass(frozen=True)
class Recipe:
    """What a file depends on beside its picture and quality: model, effort, the metadata kept."""

    model: str = ""
    effort: str = "fast"
    keep: frozenset[str] = METADATA


# --- requests -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class WarmUp:
    """Import torch and load the model; ``Models``, ``Ready``."""

    device: str
    model: str = ""


@dataclass(frozen=True)
class FindModels:
    """Look for models again; answered by ``Models``."""


@dataclass(frozen=True)
class Thumbnail:
    """Answered by ``Thumb``."""

    source: Source


@dataclass(frozen=True)
class Find:
    """Look for pictures in files and folders; answered by ``Found``."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Open:
    """Answered by ``Opened``."""

    source: Source


@dataclass(frozen=True)
class Code:
    """Compress a picture and decode the result; ``Step``, ``Fresh`` and ``Front``, ``Coded``.

    Where ``data`` is given it is decoded at once. ``partial``: what is left of a damaged file.
    """

    source: Source
    quality: float
    device: str
    recipe: Recipe = Recipe()
    data: bytes | None = None
    partial: bool = False


@dataclass(frozen=True)
class Probe:
    """Compress for a point of the rate–distortion plot; answered by ``Point``."""

    source: Source
    quality: float
    device: str
    recipe: Recipe = Recipe()


@dataclass(frozen=True)
class Target:
    """At most so many ``bytes`` or ``bpp``, or at least so many ``dB``."""

    unit: str
    value: float


@dataclass(frozen=True)
class Reach:
    """Find the quality that just reaches a target; answered by ``Point``."""

    source: Source
    target: Target
    device: str
    recipe: Recipe = Recipe()


@dataclass(frozen=True)
class Save:
    """Write an .lbb file, compressing first where ``data`` is missing; answered by ``Saved``."""

    source: Source
    target: Path
    quality: float
    device: str
    policy: str  # rename, replace or skip
    recipe: Recipe = Recipe()
    data: bytes | None = None


@dataclass(frozen=True)
class Export:
    """Decode ``data`` and write a picture; answered by ``Saved``."""

    data: bytes
    target: Path
    device: str
    policy: str
    partial: bool = False


@dataclass(frozen=True)
class CompareAtSize:
    """Code by another codec with at most ``max_bytes``; answered by ``Rival``."""

    source: Source
    codec: str
    max_bytes: int


# --- reports while a job runs -------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """Blocks ``done`` of all ``blocks`` of a stage, which is the job from ``begin`` to ``end``."""

    stage: str
    done: int
    blocks: int
    begin: float = 0.0
    end: float = 1.0

    @property
    def share(self) -> float:
        """Of the whole job, 0 to 1."""
        return self.begin + (self.end - self.begin) * (self.done / self.blocks)


@dataclass(frozen=True)
class Fresh:
    """Decoding begins; ``growing`` is for the window alone, which may not wait for its memory."""

    growing: Growing = field(repr=False)
    veil: QImage | None = None


@dataclass(frozen=True)
class Front:
    """Decoded blocks (n, B, B, 3) at ``rows`` and ``columns`` (n,) of the grid."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    blocks: Pixels
    step: Step


# --- answers ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Models:
    """What is installed, the model that comes with the app first."""

    installed: tuple[Model, ...]


@dataclass(frozen=True)
class Ready:
    """The model is loaded; ``device`` is cpu or cuda."""

    device: str
    torch: str


@dataclass(frozen=True)
class Found:
    """``sources`` by the folder they were found below, and what is none.

    Names of files of no picture's kind and of folders that cannot be read; what else folders hold,
    in words.
    """

    sources: tuple[tuple[Path | None, tuple[Source, ...]], ...]
    unsupported: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    others: str = ""


@dataclass(frozen=True)
class Thumb:
    """A small picture (h, w, 4), and the size of the whole one."""

    image: QImage
    file_bytes: int
    width: int
    height: int


@dataclass(frozen=True)
class Opened:
    """A picture as the canvas shows it, (H, W, 4) blue first, and its halvings.

    ``veil`` hides what is transparent.
    """

    canvas: Pixels
    levels: tuple[Pixels, ...]
    veil: QImage | None
    file_bytes: int
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """A place on the rate–distortion plot. ``psnr`` and ``ms_ssim`` None: not known."""

    quality: float
    data: bytes = field(repr=False)
    bpp: float
    psnr: float | None
    ms_ssim: float | None


@dataclass(frozen=True)
class Coded:
    """A picture that was coded and decoded again, and its halvings.

    ``errors`` (rows, columns): the blocks' MSE, None where there is no original to compare with.
    """

    point: Point
    picture: Growing = field(repr=False)
    levels: tuple[Pixels, ...] = field(repr=False)
    errors: NDArray[np.float32] | None = field(repr=False)
    payload_bytes: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Saved:
    """A file was written; ``skipped``: one of that name was there already and was kept.

    ``notices``: what its format could not hold.
    """

    path: Path
    point: Point | None
    file_bytes: int
    skipped: bool = False
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rival:
    """What another codec makes of the picture; ``canvas`` None where it cannot be so small."""

    codec: str
    quality: int
    file_bytes: int
    psnr: float
    canvas: Pixels | None = field(repr=False)
    levels: tuple[Pixels, ...] = field(default=(), repr=False)
