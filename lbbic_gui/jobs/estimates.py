"""How long the engine is expected to take."""

from __future__ import annotations


def encoding_seconds(pixels: int, effort: str) -> float:
    """To compress a picture of so many pixels on one core of a usual machine."""
    from lbbic_engine.batch.directions import Encoding

    return pixels / 1e6 * Encoding(effort=effort).seconds_per_megapixel
