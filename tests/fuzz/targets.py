"""The fuzzing targets: an input must be accepted, or refused with LbbicError.

Functions that decode the same picture must give the same pixels.
"""

from __future__ import annotations

import io
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from lbbic_engine import codec
from lbbic_engine.bitstream import container as format_
from lbbic_engine.errors import CorruptDataError, LbbicError
from lbbic_engine.networks import kernels, refinement_files, weights
from lbbic_engine.pictures.files import boxes, jxl, raw
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.pictures.read import load_picture
from lbbic_engine.previews import thumbnail
from tests.fuzz import inputs
from tests.fuzz.inputs import GOLDEN

MOST_PIXELS = 2**14  # of a decoded picture; larger claims are refused

# --- .lbb files ---------------------------------------------------------------------------------


def container(data: bytes) -> None:
    """Partial parsing equals complete parsing where that is possible."""
    left = format_.parse_container(data, partial=True)
    codec.read_info(data)
    whole = format_.parse_container(data)
    assert (whole.segments, left.lost) == (left.segments, ())


def decode(data: bytes) -> None:
    codec.decompress(data, max_pixels=MOST_PIXELS)


def partial(data: bytes) -> None:
    """Partial, progressive and, unless something is missing, complete decoding agree."""
    pixels = _front_by_front(data, partial=True)
    data = inputs.with_pixels_crc(data, zlib.crc32(pixels))
    left = codec.decompress(data, partial=True, max_pixels=MOST_PIXELS)
    assert np.array_equal(left.pixels, pixels)
    try:
        whole = codec.decompress(data, max_pixels=MOST_PIXELS)
    except LbbicError:
        assert left.notices
        return
    assert not left.notices
    assert np.array_equal(whole.pixels, pixels)
    assert (whole.icc, whole.exif, whole.xmp) == (left.icc, left.exif, left.xmp)
    assert np.array_equal(whole.alpha, left.alpha)  # type: ignore[arg-type]


def region(data: bytes) -> None:
    """Regions equal the same part of the progressively decoded picture."""
    pixels = _front_by_front(data, partial=False)
    height, width, _ = pixels.shape
    random = Random(zlib.crc32(data))
    for _ in range(3):
        left, top = random.randrange(width), random.randrange(height)
        across, down = random.randint(1, width - left), random.randint(1, height - top)
        part = codec.decompress_region(data, left, top, across, down)
        assert np.array_equal(part, pixels[top : top + down, left : left + across])


def kernel(data: bytes) -> None:
    """Every kernel decodes the rest of a damaged file alike."""
    found = []
    for name in KERNELS:
        with using_kernel(name):
            found.append(_front_by_front(data, partial=True))
    assert all(np.array_equal(found[0], each) for each in found)


def _front_by_front(data: bytes, *, partial: bool) -> NDArray[np.uint8]:
    """The picture of the fronts; its checksum does not matter."""
    header, _ = format_.read_outline(data, partial=partial)
    pixels = np.full((header.height, header.width, 3), 128, np.uint8)
    fronts = codec.decode_progressively(data, partial=partial, max_pixels=MOST_PIXELS)
    try:
        for front in fronts:
            for row, column, block in zip(front.rows, front.columns, front.blocks, strict=True):
                top, left = row * len(block), column * len(block)
                part = pixels[top : top + len(block), left : left + len(block)]
                part[:] = block[: part.shape[0], : part.shape[1]]
    except CorruptDataError as error:
        if error.title != "Checksum mismatch":
            raise
    return pixels


def encode(data: bytes) -> None:
    """Every kernel encodes alike, and decoders give the encoder's reconstruction."""
    picture, quality, options = inputs.picture_of(data)
    files = set()
    for name in KERNELS:
        with using_kernel(name):
            compressed = codec.compress(picture, quality, **options)
        files.add(compressed.data)
    assert len(files) == 1
    decoded = codec.decompress(compressed.data)
    assert np.array_equal(decoded.pixels, compressed.reconstruction)


def small(data: bytes) -> None:
    """The thumbnail for a file manager, with and without a preview in the file."""
    assert max(thumbnail(data, 32).size) <= 32


KERNELS = [name for name in kernels.KERNELS if kernels.self_check(name, "cpu")]
_LOADERS = {
    name: [(module, cache(module._load.__wrapped__)) for module in (weights, refinement_files)]
    for name in KERNELS
}


@contextmanager
def using_kernel(name: str) -> Iterator[None]:
    """Switch to a kernel; models loaded for each are kept."""
    (first, load), (second, load_too) = _LOADERS[name]
    with (
        patch.dict(os.environ, LBBIC_KERNEL=name),
        patch.object(first, "_load", load),
        patch.object(second, "_load", load_too),
    ):
        yield


# --- files of weights ---------------------------------------------------------------------------

_numbers = count()


def model(data: bytes) -> None:
    """A model file in the user's folder, which claims to be any model or refinement."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, LBBIC_WEIGHTS=folder):
        Path(folder, f"{next(_numbers)}.safetensors").write_bytes(data)
        found = [*weights.installed(), *refinement_files.installed()]
        if not any(info.path.parent == Path(folder) for info in found):
            raise LbbicError("Left out")
        Path(folder, "tiny.safetensors").symlink_to(GOLDEN / "tiny.safetensors")
        for name in {info.name for info in weights.installed()} & {"tiny", "paper"}:
            compressed = codec.compress(Picture(np.zeros((9, 9, 3), np.uint8)), weights=name)
            decoded = codec.decompress(compressed.data)
            assert np.array_equal(decoded.pixels, compressed.reconstruction)
    weights._load.cache_clear()
    refinement_files._load.cache_clear()


# --- pictures -----------------------------------------------------------------------------------


def picture(data: bytes) -> None:
    load_picture(io.BytesIO(data))


def extra(data: bytes) -> None:
    """A picture that another process decodes, while this one reads its metadata."""
    with suppress(LbbicError):
        load_picture(io.BytesIO(data))
    file = io.BytesIO(data)
    for read in (boxes.read_avif, raw.read_metadata, lambda file: jxl.read_jxl(file.read())):
        file.seek(0)
        read(file)


# --- all ----------------------------------------------------------------------------------------


class Target(NamedTuple):
    """A target: the function, its seeds, and its mutator."""

    use: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    mutate: Callable[[Random, bytes], bytes]


TARGETS = {
    "container": Target(container, inputs.seeds, inputs.mutate),
    "decode": Target(decode, inputs.seeds, inputs.mutate),
    "partial": Target(partial, inputs.seeds, inputs.mutate),
    "region": Target(region, inputs.seeds, inputs.mutate),
    "kernel": Target(kernel, inputs.seeds, inputs.mutate),
    "encode": Target(encode, inputs.plain_pictures, inputs.mutate_bytes),
    "weights": Target(model, inputs.models, inputs.mutate_weights),
    "thumbnail": Target(small, inputs.with_previews, inputs.mutate),
    "picture": Target(picture, inputs.pictures, inputs.mutate_picture),
    "extra": Target(extra, inputs.extra_pictures, inputs.mutate_bytes),
}


def made(name: str, seed: int) -> Iterator[bytes]:
    """Yield an endless series of inputs, determined by the seed."""
    target = TARGETS[name]
    random, found = Random(f"{name} {seed}"), target.seeds()
    while True:
        yield target.mutate(random, random.choice(found))


def attempt(name: str, data: bytes) -> bool:
    """Return whether a target accepted the input; errors other than LbbicError are raised."""
    with inputs.small_tiles():
        try:
            TARGETS[name].use(data)
        except LbbicError:
            return False
    return True
