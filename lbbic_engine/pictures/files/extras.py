"""What a file contains besides picture, EXIF, XMP and profile: Pillow has no place for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image


@dataclass
class Extras:
    """Filled while a file is opened.

    ``code_points`` are H.273's of primaries and transfer; ``bits`` per channel, 0 if not known;
    ``text`` by its key; ``left_out`` names what is lost; ``iptc`` is a block of IPTC datasets.
    """

    code_points: tuple[int, int] | None = None
    is_narrow: bool = False  # black at 16, white at 235
    has_unknown_colours: bool = False
    bits: int = 0
    frames: int = 1
    text: dict[str, str] = field(default_factory=dict)
    iptc: bytes | None = None
    left_out: list[str] = field(default_factory=list)
    low_bytes: Callable[[], Image.Image] | None = None  # of 16-bit RGB with a transparent colour
