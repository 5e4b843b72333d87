"""Pixels to a lossless WebP image stream and back, by Pillow. Knows nothing of ``.lbb`` files."""

from __future__ import annotations

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.errors import damaged

Pixels = NDArray[np.uint8]

MAX_SIDE = 2**14 - 1  # pixels, of the format
FAST, DENSE = (0, 0), (4, 75)  # method and effort of an encoder
_RIFF = struct.Struct("<4sI4s4sI")  # what a WebP file begins with, if it holds nothing else
_SIZE = struct.Struct("<BI")
_SIGNATURE = 0x2F


def encode(pixels: Pixels, how: tuple[int, int] = DENSE) -> bytes:
    """Return the image stream of pixels (height, width, 3) with sides of at most ``MAX_SIDE``."""
    method, effort = how
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    image.save(file, "WEBP", lossless=True, method=method, quality=effort)
    data = file.getvalue()
    *_, kind, length = _RIFF.unpack_from(data)
    assert kind == b"VP8L"
    return data[_RIFF.size : _RIFF.size + length]


def decode(stream: bytes, height: int, width: int) -> Pixels:
    """Return the pixels (height, width, 3); CorruptDataError, before decoding, for another size."""
    size = (width - 1) | (height - 1) << 14  # then no transparency, version 0
    if len(stream) < _SIZE.size or _SIZE.unpack_from(stream) != (_SIGNATURE, size):
        raise damaged("A part of it has another size than its header says.")
    padding = bytes(len(stream) % 2)
    whole = 12 + len(stream) + len(padding)
    file = _RIFF.pack(b"RIFF", whole, b"WEBP", b"VP8L", len(stream)) + stream + padding
    from PIL import _webp  # which a build of Pillow may lack

    try:
        # Not by Image.open, whose limit of pixels is the host program's.
        pixels, _ = _webp.WebPAnimDecoder(file).get_next()
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 4)[..., :3].copy()
    except (OSError, TypeError, ValueError) as error:  # for damage it raises or returns None
        raise damaged("A part of it cannot be decoded.") from error
