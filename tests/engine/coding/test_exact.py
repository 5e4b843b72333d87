"""Drawings are stored exactly if that takes fewer bytes, with every decoding function."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lbbic_engine.bitstream import exact, lossless
from lbbic_engine.bitstream.container import pack_container, parse_container
from lbbic_engine.codec import (
    compress,
    compress_batch,
    decode_progressively,
    decompress,
    decompress_region,
    read_info,
)
from lbbic_engine.coding.assemble import GREY
from lbbic_engine.errors import CorruptDataError, LbbicError, UnrecoverableDataError
from lbbic_engine.layout import tiles
from lbbic_engine.measure.target_search import search_quality
from lbbic_engine.pictures.picture import Picture

pytestmark = pytest.mark.usefixtures("tiny")

Pixels = NDArray[np.uint8]


@pytest.fixture
def drawing() -> Pixels:
    """Lines and letters (93, 141, 3)."""
    image = Image.new("RGB", (141, 93), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 12, 60, 80), outline="navy", fill="khaki")
    draw.text((20, 30), "exactly", fill="black")
    draw.line((70, 5, 135, 88), fill="crimson", width=2)
    return np.asarray(image)


@pytest.fixture
def rich(drawing: Pixels) -> Picture:
    """The drawing with everything that a file can store."""
    alpha = np.arange(drawing.shape[1], dtype=np.uint8)[None].repeat(len(drawing), 0)
    return Picture(drawing, alpha, icc=b"profile", exif=b"II*\0", xmp=b"<x/>")


def test_a_drawing_is_stored_exactly(rich: Picture) -> None:
    compressed = compress(rich, 5)
    assert compressed.exact
    assert np.array_equal(compressed.reconstruction, rich.pixels)
    assert len(compressed.data) < len(compress(rich, 5, exact=False).data)
    back = decompress(compressed.data)
    for field in ("pixels", "alpha", "icc", "exif", "xmp", "grey"):
        np.testing.assert_equal(getattr(back, field), getattr(rich, field))
    info = read_info(compressed.data)
    assert (info.exact, info.quality, info.weights, info.weights_installed) == (True, 5, "", True)
    assert (info.complete, info.version, info.refinement) == (True, "1.3", 0)


@pytest.mark.parametrize("limit", [100, 10_000])
def test_pillows_limit_of_pixels_does_not_apply(
    drawing: Pixels, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the host program's; above it, Pillow warns or raises DecompressionBombError."""
    data = compress(Picture(drawing), 5).data
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert np.array_equal(decompress(data).pixels, drawing)


def test_repetitive_drawings_are_detected_by_the_second_trial() -> None:
    """Letters and lines on white, for which the fast trial takes thirty times the bytes."""
    image = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(image)
    draw.text((10, 10), "hello world", fill="black")
    draw.rectangle((30, 40, 120, 120), outline="navy", fill=(180, 180, 240))
    pixels = np.asarray(image)
    fast, dense = (len(lossless.encode(pixels, how)) for how in (lossless.FAST, lossless.DENSE))
    assert dense < fast / 10
    assert exact._at_best(pixels) <= dense
    compressed = compress(Picture(pixels), 5)
    assert compressed.exact
    assert len(compressed.data) < dense + 60


def test_no_exact_turns_exact_storage_off(drawing: Pixels) -> None:
    compressed = compress(Picture(drawing), 5, exact=False)
    assert not compressed.exact
    info = read_info(compressed.data)
    assert (info.exact, info.version) == (False, "1.2")


def test_a_photograph_is_recognised_without_encoding_it_losslessly(
    photograph: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(pixels: Pixels, how: tuple[int, int] = lossless.DENSE) -> bytes:
        assert how == lossless.FAST
        return original(pixels, how)

    original = lossless.encode
    monkeypatch.setattr(lossless, "encode", encode)
    assert not compress(Picture(photograph), 1).exact


def test_a_grey_drawing_stays_grey(drawing: Pixels) -> None:
    grey = drawing[..., 1:2].repeat(3, axis=2)
    compressed = compress(Picture(grey, grey=True), 5)
    assert compressed.exact
    back = decompress(compressed.data)
    assert back.grey
    assert np.array_equal(back.pixels, grey)


def test_a_batch_may_mix_drawings_and_photographs(drawing: Pixels, photograph: Pixels) -> None:
    pictures = [Picture(drawing), Picture(photograph), Picture(drawing[:40])]
    batch = compress_batch(pictures, 5)
    assert [each.exact for each in batch] == [True, False, True]
    assert [each.data for each in batch] == [compress(each, 5).data for each in pictures]


@pytest.fixture
def tiled(drawing: Pixels, monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    data = compress(Picture(drawing), 8).data
    info = read_info(data)
    assert info.exact
    assert info.tiles > 3
    return data


def test_exact_tiles_decode_as_a_whole_by_region_and_as_fronts(
    tiled: bytes, drawing: Pixels
) -> None:
    assert np.array_equal(decompress(tiled).pixels, drawing)
    assert np.array_equal(decompress_region(tiled, 30, 20, 50, 41), drawing[20:61, 30:80])
    shown = np.zeros((96, 144, 3), np.uint8)
    bits = 0.0
    for front in decode_progressively(tiled):
        for row, column, block in zip(front.rows, front.columns, front.blocks, strict=True):
            shown[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = block
        bits += front.bits.sum()
        assert (front.context == -1).all()
    assert np.array_equal(shown[:93, :141], drawing)
    assert bits == pytest.approx(8 * read_info(tiled).payload_bytes, rel=0.01)


def test_a_damaged_exact_tile_is_grey_and_the_others_are_decoded(
    tiled: bytes, drawing: Pixels
) -> None:
    container = parse_container(tiled)
    top = 8 * container.tile_block_rows
    place = tiled.index(container.segments[1].stream) + 3
    damaged = tiled[:place] + bytes([tiled[place] ^ 1]) + tiled[place + 1 :]
    with pytest.raises(CorruptDataError):
        decompress(damaged)
    back = decompress(damaged, partial=True)
    assert (back.pixels[top : 2 * top] == GREY).all()
    assert np.array_equal(back.pixels[:top], drawing[:top])
    assert np.array_equal(back.pixels[2 * top :], drawing[2 * top :])
    (notice,) = back.notices
    assert "could be decoded" in notice.text
    cut = decompress(tiled[:-40], partial=True)
    assert np.array_equal(cut.pixels[:top], drawing[:top])


def test_a_stream_of_another_size_is_refused_before_it_is_decoded(
    drawing: Pixels,
) -> None:
    container = parse_container(compress(Picture(drawing), 5).data)
    large = lossless.encode(np.zeros((2000, 2000, 3), np.uint8))
    (segment,) = container.segments
    for stream in (large, b"", segment.stream[:3], segment.stream[:40]):
        data = pack_container(replace(container, segments=(replace(segment, stream=stream),)))
        with pytest.raises(CorruptDataError):
            decompress(data)
        with pytest.raises(UnrecoverableDataError):
            decompress(data, partial=True)


def test_an_exact_file_is_used_if_it_meets_the_target(drawing: Pixels) -> None:
    exact = compress(Picture(drawing), 8)
    _, found = search_quality(Picture(drawing), max_bytes=len(exact.data))
    assert found.exact
    _, found = search_quality(Picture(drawing), min_psnr=60)
    assert found.exact
    with pytest.raises(LbbicError, match="too small"):
        search_quality(Picture(drawing), max_bytes=len(exact.data), exact=False)
