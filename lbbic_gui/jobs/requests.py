"""What the window can ask its workers for, each request with the type of its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from lbbic_gui.jobs.messages import (
    Baseline,
    Coded,
    EncodeOptions,
    ExportSizes,
    FileVersion,
    Found,
    InstalledModels,
    Look,
    Opened,
    OutputFormat,
    Pixels,
    Point,
    Ready,
    Saved,
    Source,
    Target,
    Thumb,
)

A = TypeVar("A")
_USUAL = EncodeOptions()
_LBB = OutputFormat()


class Request(Generic[A]):
    """A request that is answered by an ``A``."""

    needs_model: ClassVar[bool] = True  # the thread that owns the model does it, else the other

    @property
    def name(self) -> str:
        """The name of the file that the request is about, for the log."""
        return ""


@dataclass(frozen=True)
class OfPicture(Request[A]):
    """A request about one picture."""

    source: Source

    @property
    def name(self) -> str:
        return self.source.name


@dataclass(frozen=True)
class WarmUp(Request[Ready]):
    """Import torch and load the model; reports ``InstalledModels``."""

    device: str
    model: str = ""


@dataclass(frozen=True)
class FindModels(Request[InstalledModels]):
    """Look for models again."""

    needs_model = False


@dataclass(frozen=True)
class Thumbnail(OfPicture[Thumb]):
    """Read a file's size and a small picture of it."""

    needs_model = False


@dataclass(frozen=True)
class Find(Request[Found]):
    """Look for pictures in files and folders; reports ``Step``."""

    needs_model = False
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Open(OfPicture[Opened]):
    """Read a picture for the canvas, at the size at which it is coded."""

    needs_model = False
    longest_side: int = 0


@dataclass(frozen=True)
class Code(OfPicture[Coded]):
    """Compress a picture and decode the result; reports ``Step``, ``DecodingStarted``, ``Front``.

    ``data``: the file, where it is known; it is then decoded at once.
    """

    quality: float
    device: str
    options: EncodeOptions = _USUAL
    data: bytes | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Decode(OfPicture[Coded]):
    """Decode an .lbb file; reports like ``Code``. ``partial``: what is left of a damaged file."""

    device: str
    partial: bool = False


@dataclass(frozen=True)
class CompressOnly(OfPicture[Point]):
    """Compress for a point of the rate–distortion plot; reports ``Step``."""

    quality: float
    device: str
    options: EncodeOptions = _USUAL


@dataclass(frozen=True)
class FindTarget(OfPicture[Point]):
    """Find the quality that just reaches a target; reports ``Step``."""

    target: Target
    device: str
    options: EncodeOptions = _USUAL


@dataclass(frozen=True)
class Save(OfPicture[Saved]):
    """Write a picture's file, making it first where ``data`` is missing; reports ``Step``."""

    target: Path
    quality: float
    device: str
    policy: str  # rename, replace or skip
    options: EncodeOptions = _USUAL
    data: bytes | None = field(default=None, repr=False)
    own: FileVersion | None = None  # of the picture's earlier result there, to be replaced
    keep_date: bool = True
    skip_larger: bool = False  # write nothing that is not smaller than the picture's file
    by_worker: bool = False  # a process makes it, as it does all files of other formats
    output: OutputFormat = _LBB
    notices: tuple[str, ...] = ()  # what of the picture is not in ``data``


@dataclass(frozen=True)
class Export(Request[Saved]):
    """Decode ``data`` and write a picture, in place of what is there; reports ``Step``."""

    data: bytes = field(repr=False)
    target: Path
    device: str
    partial: bool = False
    like: Path | None = None  # the file it is made of, for its permissions and its date
    keep_date: bool = True

    @property
    def name(self) -> str:
        return self.target.name


@dataclass(frozen=True)
class MeasureExports(Request[ExportSizes]):
    """Measure a decoded picture in the formats of ``suffixes``; reports ``ExportSize``."""

    needs_model = False
    canvas: Pixels = field(compare=False, repr=False)
    suffixes: tuple[str, ...]


@dataclass(frozen=True)
class MeasureLook(Request[Look]):
    """Measure SSIMULACRA 2 of two canvases; of large ones, of nine squares."""

    needs_model = False
    original: Pixels = field(compare=False, repr=False)
    decoded: Pixels = field(compare=False, repr=False)


@dataclass(frozen=True)
class CompareAtSize(OfPicture[Baseline]):
    """Code with another codec at its best setting with at most ``max_bytes``."""

    needs_model = False
    codec: str
    max_bytes: int
    longest_side: int = 0
