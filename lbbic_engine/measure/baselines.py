"""JPEG, WebP and AVIF as Pillow writes them, for comparison at the same number of bytes.

Each is set to its best PSNR without tuning: full colour resolution if the format has it (WebP does
not), and the slowest method in common use. Knows nothing of .lbb files.
"""

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from lbbic_engine.errors import Cancelled, UnwritableImageError

Picture = npt.NDArray[np.uint8]

CODECS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "jpeg": {"subsampling": "4:4:4", "optimize": True, "progressive": True},
        "webp": {"method": 6},
        "avif": {"subsampling": "4:4:4"},
    }
)
_QUALITIES = range(1, 101)
_BLOCK = Lock()


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """A picture coded by a `codec` at Pillow's `quality`: the whole file and what it decodes to."""

    codec: str
    quality: int
    data: bytes
    reconstruction: Picture


def encode_at_quality(picture: Picture, codec: str, quality: int) -> BaselineResult:
    """Code an RGB (height, width, 3) picture by a codec of `CODECS` at quality 1…100."""
    data = _encode(picture, codec, quality)
    return BaselineResult(codec, quality, data, _decode(data))


def encode_at_size(
    picture: Picture, codec: str, max_bytes: int, *, cancelled: Callable[[], bool] | None = None
) -> BaselineResult | None:
    """Code at the highest quality whose file has at most `max_bytes`.

    Returns None if even the lowest quality is larger. Bisection takes about seven encodings. If a
    codec's file size does not grow steadily with quality, a slightly higher one might have fitted.
    Cancelled once `cancelled` returns True, which is checked before each encoding.
    """
    best = None
    low, high = _QUALITIES.start, _QUALITIES.stop  # below low: fits; from high on: does not
    while low < high:
        if cancelled is not None and cancelled():
            raise Cancelled
        quality = (low + high) // 2
        data = _encode(picture, codec, quality)
        if len(data) <= max_bytes:
            best, low = (quality, data), quality + 1
        else:
            high = quality
    if best is None:
        return None
    quality, data = best
    return BaselineResult(codec, quality, data, _decode(data))


def _encode(picture: Picture, codec: str, quality: int) -> bytes:
    try:
        # Pillow holds the interpreter's lock while it writes to memory, but not to a file.
        with _whole_in_a_block(2 * picture.nbytes), tempfile.TemporaryFile() as file:
            Image.fromarray(picture).save(file, codec, quality=quality, **CODECS[codec])
            file.seek(0)
            return file.read()
    except (OSError, RuntimeError, ValueError) as error:  # larger than the format allows
        title = f"{codec.upper()} cannot hold this picture"
        raise UnwritableImageError(title, str(error)) from error


@contextmanager
def _whole_in_a_block(max_bytes: int) -> Iterator[None]:
    """Let Pillow's buffer hold the whole file, which optimised JPEGs need.

    The buffer's size is a global setting of Pillow's, which is restored at the end.
    """
    with _BLOCK:
        before = ImageFile.MAXBLOCK
        ImageFile.MAXBLOCK = max(before, max_bytes)
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = before


def _decode(data: bytes) -> Picture:
    with Image.open(io.BytesIO(data), formats=["JPEG", "WEBP", "AVIF"]) as image:
        return np.asarray(image.convert("RGB"))
