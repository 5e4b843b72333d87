"""JPEG, WebP and AVIF as Pillow writes them, for comparison at the same number of bytes.

`CODECS` are one setting each, without tuning: full colour resolution if the format has it (WebP
does not), and the slowest method in common use. `SETTINGS` are those that a comparison at equal
bytes tries, to take the one with the highest PSNR. Knows nothing of .lbb files.
"""

import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lbbic_engine.errors import Cancelled, UnwritableImageError
from lbbic_engine.measure.metrics import psnr
from lbbic_engine.pictures.files.opening import open_image
from lbbic_engine.pictures.write import whole_in_a_block

Picture = npt.NDArray[np.uint8]

CODECS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "jpeg": {"subsampling": "4:4:4", "optimize": True, "progressive": True},
        "webp": {"method": 6},
        "avif": {"subsampling": "4:4:4"},
    }
)
_TUNED = {"advanced": {"tune": "psnr"}}  # libaom's tuning for still pictures costs PSNR
SETTINGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "jpeg": {
            "4:4:4": CODECS["jpeg"],
            "4:2:0": {**CODECS["jpeg"], "subsampling": "4:2:0"},
        },
        "webp": {"4:2:0": CODECS["webp"]},
        "avif": {
            "4:4:4, tuned for PSNR": {**CODECS["avif"], **_TUNED},
            "4:2:0, tuned for PSNR": {**CODECS["avif"], **_TUNED, "subsampling": "4:2:0"},
        },
    }
)
_QUALITIES = range(1, 101)


@dataclass(frozen=True, eq=False)
class BaselineResult:
    """A picture coded by a `codec` at Pillow's `quality`: the whole file and what it decodes to.

    `setting` is one of `SETTINGS`, empty for that of `CODECS`.
    """

    codec: str
    quality: int
    data: bytes
    reconstruction: Picture
    setting: str = ""


def encode_at_quality(picture: Picture, codec: str, quality: int) -> BaselineResult:
    """Code an RGB (height, width, 3) picture by a codec of `CODECS` at quality 1…100."""
    data = _encode(picture, codec, quality, CODECS[codec])
    return BaselineResult(codec, quality, data, _decode(data))


def encode_at_size(
    picture: Picture, codec: str, max_bytes: int, *, cancelled: Callable[[], bool] | None = None
) -> BaselineResult:
    """Code with at most `max_bytes` in the setting of `SETTINGS` that gives the highest PSNR.

    Where none gets so small, the smallest file is returned, which is larger. Each setting is
    bisected for its highest quality, in about seven encodings; where a codec's size does not rise
    steadily with its quality, a little more might have fitted. Cancelled once `cancelled` returns
    True (asked before each encoding).
    """
    results = [
        _encode_at_size(picture, codec, setting, max_bytes, cancelled)
        for setting in SETTINGS[codec]
    ]
    fitting = [result for result in results if len(result.data) <= max_bytes]
    if not fitting:
        return min(results, key=lambda result: len(result.data))
    return max(fitting, key=lambda result: psnr(picture, result.reconstruction))


def _encode_at_size(
    picture: Picture,
    codec: str,
    setting: str,
    max_bytes: int,
    cancelled: Callable[[], bool] | None,
) -> BaselineResult:
    options = SETTINGS[codec][setting]
    best = None
    low, high = _QUALITIES.start, _QUALITIES.stop  # below low: fits; from high on: does not
    while low < high:
        if cancelled is not None and cancelled():
            raise Cancelled
        quality = (low + high) // 2
        data = _encode(picture, codec, quality, options)
        if len(data) <= max_bytes:
            best, low = (quality, data), quality + 1
        else:
            smallest, high = (quality, data), quality
    quality, data = best or smallest
    return BaselineResult(codec, quality, data, _decode(data), setting)


def _encode(picture: Picture, codec: str, quality: int, options: Mapping[str, Any]) -> bytes:
    try:
        # Pillow holds the interpreter's lock while it writes to memory, but not to a file.
        with whole_in_a_block(2 * picture.nbytes), tempfile.TemporaryFile() as file:
            Image.fromarray(picture).save(file, codec, quality=quality, **options)
            file.seek(0)
            return file.read()
    except (OSError, RuntimeError, ValueError) as error:  # larger than the format allows
        title = f"{codec.upper()} cannot store this picture"
        raise UnwritableImageError(title, str(error)) from error


def _decode(data: bytes) -> Picture:
    with open_image(io.BytesIO(data)) as (image, _):  # without Pillow's limit of pixels
        return np.asarray(image.convert("RGB"))
