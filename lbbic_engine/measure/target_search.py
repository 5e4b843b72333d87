"""Finds the quality that meets a target, a file size or a PSNR. Each attempt is a real encoding.

Size and PSNR grow with quality, but not strictly: neighbouring qualities may differ by a few bytes
in the wrong direction. The result meets the target and the next quality does not, so it is optimal
except for such cases.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from lbbic_engine import codec
from lbbic_engine.bitstream.container import pack_container, parse_container
from lbbic_engine.config import (
    DEFAULT_WEIGHTS,
    EFFORTS,
    QUALITY_COUNT,
    TUNES,
    quality_index,
    quality_of,
)
from lbbic_engine.errors import LbbicError
from lbbic_engine.measure import metrics
from lbbic_engine.networks import weights as weights_files

if TYPE_CHECKING:
    from lbbic_engine.codec import QualityMap
    from lbbic_engine.coding.results import Compressed, ReportProgress
    from lbbic_engine.pictures.picture import Picture

QUALITIES = tuple(map(quality_of, range(QUALITY_COUNT)))

_MORE = 4  # additional encodings that a slower encoder usually takes

Quality = TypeVar("Quality")
Encoded = TypeVar("Encoded")


def bytes_for_bpp(picture: Picture, bpp: float) -> int:
    """Return the whole bytes that ``bpp`` bits per pixel allow ``picture``."""
    height, width = picture.pixels.shape[:2]
    return int(bpp * width * height / 8)


def search_quality(
    picture: Picture,
    *,
    max_bytes: int | None = None,
    min_psnr: float | None = None,
    device: str = "auto",
    weights: str = DEFAULT_WEIGHTS,
    effort: str = EFFORTS[0],
    refine: bool = True,
    exact: bool = True,
    quality_map: QualityMap | None = None,
    tune: str = TUNES[0],
    executor: Executor | None = None,
    progress: ReportProgress | None = None,
    attempting: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[float, Compressed]:
    """Return the best quality of at most ``max_bytes``, or the lowest with ``min_psnr`` dB.

    Takes at most six encodings. An encoder other than the fast one begins at the fast one's answer,
    and usually takes one to four more. ``attempting`` hears of every encoding before it begins:
    its number, and how many there will be at most. LbbicError when no quality of the model will
    do; ValueError unless exactly one wish is given.
    """
    if (max_bytes is None) == (min_psnr is None):
        raise ValueError("give either max_bytes or min_psnr")

    def meets(compressed: Compressed) -> bool:
        if max_bytes is not None:
            return len(compressed.data) <= max_bytes
        assert min_psnr is not None
        return metrics.psnr(picture.pixels, compressed.reconstruction) >= min_psnr

    config = weights_files.by_name(weights).config
    qualities = [quality for quality in QUALITIES if config.offers(quality_index(quality))]
    at_most = len(qualities).bit_length() + (_MORE if effort != EFFORTS[0] else 0)
    numbers = itertools.count(1)

    def encode(quality: float, *, effort: str) -> Compressed:
        number = next(numbers)
        if attempting is not None:
            attempting(number, max(number, at_most))
        return codec.compress(
            picture,
            quality,
            device=device,
            weights=weights,
            effort=effort,
            refine=refine,
            exact=exact,
            quality_map=quality_map,
            tune=tune,
            executor=executor,
            progress=progress,
            cancelled=cancelled,
        )

    if min_psnr is not None:
        qualities.reverse()
    place, compressed = last_that_meets(meets, partial(encode, effort=EFFORTS[0]), qualities)
    if effort != EFFORTS[0]:
        slowly = partial(encode, effort=effort)
        place, compressed = last_that_meets(meets, slowly, qualities, start=max(place, 0))
    if place >= 0:
        return compressed.quality, compressed
    if max_bytes is not None:
        raise LbbicError(
            "Target too small",
            f"The target is {max_bytes} bytes, but "
            f"the smallest possible file has {len(compressed.data)} bytes"
            f"{_metadata_share(compressed.data)}.",
        )
    psnr = metrics.psnr(picture.pixels, compressed.reconstruction)
    raise LbbicError(
        "Target too high",
        f"The target is {min_psnr:g} dB, but the highest possible PSNR is {psnr:.2f} dB.",
    )


def last_that_meets(
    meets: Callable[[Encoded], bool],
    encode: Callable[[Quality], Encoded],
    qualities: Sequence[Quality],
    start: int | None = None,
) -> tuple[int, Encoded]:
    """Return the index of the last quality that meets the target, and its encoding.

    All qualities before it meet the target, too. If none does, the result is -1 and the encoding of
    the first one. Searches by bisection, or step by step from ``start``, a good guess.
    """
    low, high = 0, len(qualities)
    place = high // 2 if start is None else start
    best: Encoded | None = None
    while True:
        encoded = encode(qualities[place])
        if meets(encoded):
            best = encoded
            low = next_place = place + 1
        else:
            high, next_place = place, place - 1
        if low == high:
            return low - 1, encoded if best is None else best
        place = (low + high) // 2 if start is None else next_place


def _metadata_share(data: bytes) -> str:
    """Tell how many bytes of a file are metadata, or nothing if there are none."""
    whole = parse_container(data)
    size = len(data) - len(pack_container(replace(whole, icc=None, exif=None, xmp=None)))
    kinds = ", ".join(kind.upper() for kind in ("exif", "icc", "xmp") if getattr(whole, kind))
    return f", {size} of which are metadata ({kinds}) that can be left out" if size else ""
