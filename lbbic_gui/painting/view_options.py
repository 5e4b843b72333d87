"""How the pictures are to be painted: what canvas, painting and loupe have in common."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypedDict

from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QImage

from lbbic_gui.jobs.messages import Pixels
from lbbic_gui.painting.brush import Tint
from lbbic_gui.painting.overlays import Map, Overlay
from lbbic_gui.painting.viewport import Viewport


class Mode(Enum):
    """How original and compressed are compared."""

    SIDE = "side"
    SPLIT = "split"
    FLIP = "flip"
    DIFFERENCE = "difference"


@dataclass(frozen=True)
class ViewOptions:
    """All options of painting, except the pictures and the viewport."""

    mode: Mode = Mode.SPLIT
    split: float = 0.5  # of the view's width
    flipped: bool = False  # the original is on view in Mode.FLIP
    peeking: bool = False  # Space is held
    gain: int = 8
    overlay: Overlay = Overlay.NONE
    opacity: float = 0.6
    map: Map | None = None
    pinned: tuple[int, int] | None = None
    loupe: bool = False
    badge: str = ""
    baseline: str = ""  # what is shown instead of the original
    ours: str = ""  # what it is compared with then


class ViewChanges(TypedDict, total=False):
    """Some of the view options."""

    mode: Mode
    split: float
    flipped: bool
    peeking: bool
    gain: int
    overlay: Overlay
    opacity: float
    map: Map | None
    pinned: tuple[int, int] | None
    loupe: bool
    badge: str
    baseline: str
    ours: str


class Shown(Protocol):
    """What painting may read from the canvas."""

    options: ViewOptions
    viewport: Viewport
    original: Pixels | None
    result: Pixels | None
    cover: QImage | None  # over blocks of the result, a pixel a block
    block_size: int
    cursor_at: QPointF | None
    tint: Tint | None
    brush_width: float

    def image(self, name: str) -> QImage | None: ...
    def scaled_image(self, name: str) -> QImage | None: ...
    def scaled_checkerboard(self) -> QImage | None: ...
    def pixel_at(self, at: QPointF) -> QPoint | None: ...
    def context_of(self, row: int, column: int) -> list[tuple[int, int]]: ...
    def split_x(self) -> float: ...
    def width(self) -> int: ...
    def height(self) -> int: ...
