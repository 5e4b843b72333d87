"""Transparency and metadata as the bodies of their chunks. ``container`` has the format."""

from __future__ import annotations

import zlib
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.errors import damaged

MAX_METADATA_BYTES = 2**23


def parse_alpha(body: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """Return the transparency (height, width), read-only; never decompresses more than that."""
    size = height * width
    differences = _inflate(body, size)
    if len(differences) != size:
        raise damaged("Its transparency has the wrong size.")
    rows = np.frombuffer(differences, np.uint8).reshape(height, width)
    alpha = rows.copy()
    for above, row in pairwise(alpha):  # seven times faster than np.add.accumulate
        row += above
    alpha.flags.writeable = False
    return alpha


def unpack_metadata(body: bytes, *, compressed: bool) -> bytes:
    """Return the metadata; CorruptDataError beyond ``MAX_METADATA_BYTES``."""
    if compressed:
        return _inflate(body, MAX_METADATA_BYTES)
    if len(body) > MAX_METADATA_BYTES:
        raise damaged("A part of it is too long.")
    return body


def _inflate(body: bytes, max_bytes: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise damaged("A compressed part cannot be decompressed.") from error
    if len(unpacked) > max_bytes or not stream.eof or stream.unused_data:
        raise damaged("A compressed part has the wrong size.")
    return unpacked


def pack_alpha(alpha: NDArray[np.uint8], height: int, width: int) -> bytes:
    """Return the body of an A chunk."""
    if alpha.dtype != np.uint8 or alpha.shape != (height, width):
        raise damaged("The transparency does not fit the picture.")
    differences = alpha.copy()
    differences[1:] -= alpha[:-1]
    return _deflate(differences.tobytes())


def pack_metadata(data: bytes, *, compressed: bool) -> bytes:
    """Return the body of an i, e or x chunk."""
    if len(data) > MAX_METADATA_BYTES:
        raise damaged("Its colour profile, EXIF or XMP is too long.")
    return _deflate(data) if compressed else data


def _deflate(data: bytes) -> bytes:
    return zlib.compress(data, 9)
