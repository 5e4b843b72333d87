"""The quality that meets a wish: a file size, or a PSNR. Each probe is a real encoding.

Size and PSNR grow with quality, though not strictly: neighbours may swap places by a few bytes.
So an answer always meets the wish, and the next step in quality does not: it is the best one but
for such a swap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lbbic_engine import codec, metrics
from lbbic_engine import weights as weights_files
from lbbic_engine.config import DEFAULT_WEIGHTS, EFFORTS, quality_index
from lbbic_engine.errors import LbbicError

if TYPE_CHECKING:
    from lbbic_engine.codec import Compressed, Progress
    from lbbic_engine.pixels import Picture

QUALITIES = tuple(step / 8 for step in range(8, 65))

Encode = Callable[[float], "Compressed"]


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
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[float, Compressed]:
    """Return the best quality of at most ``max_bytes``, or the lowest with ``min_psnr`` dB.

    Takes at most six encodings. LbbicError when no quality of the model will do; ValueError unless
    exactly one wish is given.
    """
    if (max_bytes is None) == (min_psnr is None):
        raise ValueError("give either max_bytes or min_psnr")

    def encode(quality: float) -> Compressed:
        return codec.compress(
            picture,
            quality,
            device=device,
            weights=weights,
            effort=effort,
            progress=progress,
            cancelled=cancelled,
        )

    config = weights_files.by_name(weights).config
    qualities = [quality for quality in QUALITIES if config.offers(quality_index(quality))]
    if max_bytes is not None:
        return _largest_within(encode, qualities, max_bytes)
    assert min_psnr is not None
    return _smallest_reaching(encode, qualities, min_psnr, picture)


def _largest_within(
    encode: Encode, qualities: Sequence[float], max_bytes: int
) -> tuple[float, Compressed]:
    best, low, high = None, 0, len(qualities)
    while low < high:
        middle = (low + high) // 2
        compressed = encode(qualities[middle])
        size = len(compressed.data)
        if size <= max_bytes:
            best, low = (qualities[middle], compressed), middle + 1
        else:
            high = middle
    if best is None:
        raise LbbicError(
            "Target too small",
            f"{max_bytes} bytes were asked for, the smallest possible file has {size} bytes.",
        )
    return best


def _smallest_reaching(
    encode: Encode, qualities: Sequence[float], min_psnr: float, picture: Picture
) -> tuple[float, Compressed]:
    best, low, high = None, 0, len(qualities)
    while low < high:
        middle = (low + high) // 2
        compressed = encode(qualities[middle])
        psnr = metrics.psnr(picture.pixels, compressed.reconstruction)
        if psnr >= min_psnr:
            best, high = (qualities[middle], compressed), middle
        else:
            low = middle + 1
    if best is None:
        raise LbbicError(
            "Target too high",
            f"{min_psnr:g} dB were asked for, the highest PSNR possible is {psnr:.2f} dB.",
        )
    return best
