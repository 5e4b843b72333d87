"""What a file contains besides picture, EXIF, XMP and profile, and what Pillow does not report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image


@dataclass
class Extras:
    """Collected while a file is opened."""

    code_points: tuple[int, int] | None = None  # H.273: primaries, transfer characteristics
    is_narrow: bool = False  # black at 16, white at 235
    has_unknown_colours: bool = False
    bits: int = 0  # per channel; 0 if unknown
    frames: int = 1
    orientation: int | None = None  # 1 if the decoder applies it; None: that of EXIF or XMP counts
    text: dict[str, list[str]] = field(default_factory=dict)  # a key may have several
    iptc: bytes | None = None  # a block of IPTC datasets
    left_out: list[str] = field(default_factory=list)  # names of what is lost
    developed: str = ""  # what was done to camera raw
    low_bytes: Callable[[], Image.Image] | None = None  # of 16-bit RGB with a transparent colour
    is_damaged: Callable[[], bool] | None = None  # if Pillow does not report it; takes some time
    read_texts: Callable[[], None] | None = None  # which may follow the pixels: after loading
