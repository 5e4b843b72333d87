"""The correction of slow errors, with every decoding function."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lbbic_engine.bitstream.container import pack_container, parse_container
from lbbic_engine.codec import (
    compress,
    compress_batch,
    decode_progressively,
    decompress,
    decompress_batch,
    decompress_region,
)
from lbbic_engine.coding import encoder
from lbbic_engine.coding.refining.whole_tiles import squared_error
from lbbic_engine.errors import CorruptDataError
from lbbic_engine.layout import coarse, tiles
from lbbic_engine.layout.blocks import merge_blocks
from lbbic_engine.pictures.picture import Picture

Pixels = NDArray[np.uint8]


pytestmark = pytest.mark.usefixtures("refinement_file")


@pytest.fixture
def sky() -> Pixels:
    """A gradient of colours with a little grain (93, 147, 3)."""
    y, x = np.mgrid[0:93, 0:147]
    slope = np.stack([90 + y / 3, 120 + y / 4 + x / 9, 200 - x / 5], axis=2)
    grain = np.random.default_rng(1).normal(0, 1, slope.shape)
    return (slope + grain).round().astype(np.uint8)


def assemble(data: bytes, shape: tuple[int, int], **options: Any) -> Pixels:
    """Assemble the fronts of a file to a picture."""
    rows, columns = -(-shape[0] // 8), -(-shape[1] // 8)
    blocks = np.full((rows * columns, 192), 128, np.uint8)
    for front in decode_progressively(data, **options):
        blocks[front.rows * columns + front.columns] = front.blocks.reshape(-1, 192)
    return merge_blocks(blocks, *shape, 8)


def test_a_smooth_picture_is_corrected(sky: Pixels) -> None:
    compressed = compress(Picture(sky), 1, exact=False)
    container = parse_container(compressed.data)
    assert container.coarse is not None
    assert np.array_equal(decompress(compressed.data).pixels, compressed.reconstruction)
    without = compress(Picture(sky), 1, refine=False, exact=False)
    assert parse_container(without.data).coarse is None
    errors = [squared_error(sky, each.reconstruction) for each in (without, compressed)]
    assert errors[1] < 0.8 * errors[0]


def test_a_grey_picture_stays_grey(sky: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "COARSE_OVERHEAD", -(10**6))  # worth it, however little it gives
    monkeypatch.setattr(coarse, "best_step", lambda bits: 2)
    compressed = compress(Picture(np.repeat(sky[..., :1], 3, axis=2), grey=True), 1, exact=False)
    assert parse_container(compressed.data).coarse is not None
    assert (compressed.reconstruction == compressed.reconstruction[..., :1]).all()
    assert np.array_equal(decompress(compressed.data).pixels, compressed.reconstruction)


def test_a_correction_not_worth_its_bytes_is_left_out(sky: Pixels) -> None:
    assert parse_container(compress(Picture(sky[:8, :8]), 1, exact=False).data).coarse is None


@pytest.mark.parametrize("tile_pixels", [1 << 10, 10**6])
@pytest.mark.parametrize("refined", [False, True])
def test_every_decoding_function_applies_the_correction(
    sky: Pixels, monkeypatch: pytest.MonkeyPatch, tile_pixels: int, refined: bool
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", tile_pixels)
    if not refined:
        monkeypatch.setattr(encoder, "refined_candidates", lambda *args, **options: {})
    one, other = compress_batch([Picture(sky), Picture(sky[3:50, 5:])], 1, exact=False)
    container = parse_container(one.data)
    assert container.coarse is not None
    assert refined or not container.strength
    assert np.array_equal(assemble(one.data, sky.shape[:2]), one.reconstruction)
    both = decompress_batch([one.data, other.data])
    assert np.array_equal(both[0].pixels, one.reconstruction)
    assert np.array_equal(both[1].pixels, other.reconstruction)
    region = decompress_region(one.data, 21, 30, 40, 37)
    assert np.array_equal(region, one.reconstruction[30:67, 21:61])
    if refined:  # processes would not know of the change
        with ThreadPoolExecutor(2) as executor:
            assert compress(Picture(sky), 1, exact=False, executor=executor).data == one.data
            back = decompress(one.data, executor=executor)
            fronts = assemble(one.data, sky.shape[:2], executor=executor)
        assert np.array_equal(back.pixels, one.reconstruction)
        assert np.array_equal(fronts, one.reconstruction)


def test_a_truncated_file_is_corrected_where_decoded(
    sky: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbbic_engine.bitstream.chunks.PAGE_BYTES", 64)
    compressed = compress(Picture(sky), 3, exact=False)
    assert parse_container(compressed.data).coarse is not None
    cut = compressed.data[: 2 * len(compressed.data) // 3]
    found = decompress(cut, partial=True).pixels
    same = (found == compressed.reconstruction).all(axis=2).mean()
    grey = (found == 128).all(axis=2).mean()
    assert min(same, grey) > 0.05
    assert np.array_equal(assemble(cut, sky.shape[:2], partial=True), found)


@pytest.mark.parametrize("body", [b"", b"\0\0\0\0", b"\x08\0\0\0odd"])
def test_a_damaged_correction_is_skipped_in_partial_decoding(sky: Pixels, body: bytes) -> None:
    compressed = compress(Picture(sky), 1, exact=False)
    data = pack_container(replace(parse_container(compressed.data), coarse=body))
    with pytest.raises(CorruptDataError):
        decompress(data)
    shown = decompress(data, partial=True)
    assert "correction" in shown.notices[-1].text
    assert squared_error(sky, shown.pixels) > squared_error(sky, compressed.reconstruction)
    assert np.array_equal(assemble(data, sky.shape[:2], partial=True), shown.pixels)
