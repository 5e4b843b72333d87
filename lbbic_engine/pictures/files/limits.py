"""How large a picture may be; checked before a pixel is unpacked."""

from __future__ import annotations

from lbbic_engine.bitstream.container import MAX_PIXELS, MAX_SIDE
from lbbic_engine.errors import Refusal, TooLargeError


def check_size(width: int, height: int) -> None:
    """Raise Refusal for a picture that has too many pixels, ValueError for one that has none."""
    size = f"{width} × {height}"
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 10**6
        text = f"Its {size} pixels exceed the limit of {limit} million."
        raise Refusal(text, TooLargeError)
    if max(width, height) > MAX_SIDE:
        raise Refusal(f"It has {size} pixels; a side may have at most {MAX_SIDE}.", TooLargeError)
    if width * height == 0:
        raise ValueError("It has no pixels.")
