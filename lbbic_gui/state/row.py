"""A picture of the queue: its state, progress and result. No widgets, no work."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from PySide6.QtGui import QImage

from lbbic_gui.jobs.messages import FileVersion, Point, Problem, Result, Source
from lbbic_gui.style import text
from lbbic_gui.style.text import tr


class State(Enum):
    """The state of a picture."""

    NEW = "new"
    WAITING = "waiting"
    WORKING = "working"
    CODED = "coded"
    SAVED = "saved"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    FAILED = "failed"


BUSY = (State.WAITING, State.WORKING)


@dataclass(eq=False)
class Row:
    """A picture of the queue; its pixels are stored elsewhere, while it is on view."""

    source: Source
    base: Path | None = None  # the folder it was found below
    state: State = State.NEW
    stage: str = ""
    progress: float = 0.0
    thumbnail: QImage | None = None
    file_bytes: int = 0
    width: int = 0
    height: int = 0
    override: float | None = None  # its own quality
    mask: bytes = b""  # what is painted on it, as ``EncodeOptions`` has it
    version: FileVersion | None = None  # of the file that the points were made of
    points: dict[float, Point] = field(
        default_factory=dict
    )  # made with the current options, by quality
    result_bytes: int = 0  # of the .lbb file at the row's quality, while nothing is done for it
    saved_path: Path | None = None
    saved_as: Result | None = None  # what is saved, or was there already
    saved_bytes: int = 0
    skipped: str = ""  # why nothing was written, as ``Saved`` has it
    notices: tuple[str, ...] = ()  # what of the picture is not in the file
    problem: Problem | None = None
    savings: int = 0  # that the batch has still to do
    partial: bool = False  # what is left of a damaged file is shown

    def note(self, point: Point) -> bool:
        """Keep a file made of the picture; return whether those before were of another version.

        Those are dropped.
        """
        has_changed = self.version not in (None, point.version)
        if point.version != self.version:
            self.points.clear()
            self.version = point.version
        self.points[point.quality] = point
        return has_changed

    def follow_file(self) -> bool:
        """Drop results if the file has changed; return whether it has."""
        version = self.source.version()
        if self.version is None or version in (None, self.version):
            return False
        self.points.clear()
        self.version, self.saved_as, self.result_bytes = None, None, 0
        return True

    def rest(self, quality: float, is_saved: bool, *, stopped: bool = False) -> None:
        """Set the state that the row has, by the current settings, while nothing is done for it."""
        self.progress = 0.0
        # of an .lbb file there is one point at most, of a quality of its own
        point = (
            next(iter(self.points.values()), None)
            if self.source.is_lbb
            else self.points.get(quality)
        )
        self.result_bytes = point.file_bytes if point else 0
        if self.savings:
            self.state = State.WAITING
        elif self.problem is not None:
            self.state = State.FAILED
        elif is_saved:
            self.state = State.SKIPPED if self.skipped else State.SAVED
        elif point is not None:
            self.state = State.CODED
        else:
            self.state = State.STOPPED if stopped else State.NEW

    def status(self) -> str:
        """The state in a few words."""
        match self.state:
            case State.WAITING:
                return tr("Waiting")
            case State.WORKING:
                return text.progress(self.stage, self.progress)
            case State.FAILED:
                return self.problem.title if self.problem else tr("Failed")
            case State.STOPPED:
                return tr("Stopped")
            case State.SKIPPED:
                if self.skipped == "larger":
                    return tr("Original kept: it is smaller")
                return tr("Skipped: the file exists")
        if self.shown_bytes:
            return self._result()
        return text.size(self.file_bytes) if self.file_bytes else tr("Added")

    def columns(self) -> tuple[str, str, str]:
        """State, size and saving; the last two are empty without a result."""
        if not self.shown_bytes:
            return self.status(), "", ""
        if self.source.is_lbb or not self.file_bytes:
            return "", text.size(self.shown_bytes), ""
        state = tr("Saved") if self.state is State.SAVED else tr("Ready")
        saving = text.saving(self.file_bytes, self.shown_bytes)
        return state, text.size(self.shown_bytes), saving

    @property
    def shown_bytes(self) -> int:
        """The size of the saved file, or of the .lbb file; 0 in a state that shows neither."""
        if self.state is State.SAVED:
            return self.saved_bytes
        return self.result_bytes if self.state is State.CODED else 0

    def own_choices(self) -> str:
        """The row's own choices, different from the common ones, in a few words."""
        quality = "" if self.override is None else f"{self.override:g}"
        return "  ".join(filter(None, (tr("painted") if self.mask else "", quality)))

    @property
    def has_unsaved_work(self) -> bool:
        """Whether it was pasted or painted on, and no file has that."""
        saved = None if self.skipped else self.saved_as
        if self.mask:
            return saved is None or saved.options.mask != self.mask
        return self.source.path is None and saved is None

    @property
    def saving(self) -> float:
        """The share of the file's size that is saved; 0 without a result."""
        has_both = self.shown_bytes and self.file_bytes
        return 1 - self.shown_bytes / self.file_bytes if has_both else 0

    @property
    def has_grown(self) -> bool:
        """Whether its result is larger than its file."""
        return self.shown_bytes > self.file_bytes > 0

    def _result(self) -> str:
        if self.source.is_lbb or not self.file_bytes:
            return text.size(self.shown_bytes)
        saved = text.saving(self.file_bytes, self.shown_bytes)
        return f"{saved}  ·  {text.size(self.file_bytes)} → {text.size(self.shown_bytes)}"
