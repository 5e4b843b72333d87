"""Blocks of different quality: exact with every decoding function, and validated."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lbbic_engine.bitstream import quality_map
from lbbic_engine.bitstream.container import pack_container, parse_container
from lbbic_engine.codec import (
    compress,
    compress_batch,
    decode_progressively,
    decompress,
    decompress_batch,
    decompress_region,
    read_info,
)
from lbbic_engine.coding.masking import visual_offsets
from lbbic_engine.config import QUALITY_COUNT
from lbbic_engine.errors import CorruptDataError, LbbicError, UnrecoverableDataError
from lbbic_engine.layout import tiles
from lbbic_engine.measure.block_maps import block_maps
from lbbic_engine.pictures.picture import Picture

pytestmark = pytest.mark.usefixtures("tiny")

Pixels = NDArray[np.uint8]

GOLDEN = Path(__file__).parents[2] / "golden"
LEFT_BETTER = np.array([[2.5, -2.5]])


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 56), st.integers(0, 9))
def test_quality_maps_round_trip(rows: int, columns: int, base: int, roughness: int) -> None:
    random = np.random.default_rng(rows * columns)
    indexes = base + random.integers(-7 * roughness, 7 * roughness + 1, (rows, columns))
    indexes = indexes.clip(0, QUALITY_COUNT - 1)
    stream = quality_map.encode(indexes, base)
    assert np.array_equal(quality_map.decode(stream, rows, columns, base), indexes)


def test_a_painted_map_takes_few_bytes() -> None:
    y, x = np.mgrid[-1:1:64j, -1:1:96j]
    painted = np.where(np.hypot(y, x) < 0.5, 40, 16)
    assert len(quality_map.encode(painted, 24)) < 100
    assert len(quality_map.encode(np.full((64, 96), 24), 24)) <= 4


def test_arbitrary_map_streams_decode_or_are_refused() -> None:
    random = np.random.default_rng(0)
    for length in (0, 4, 16, 64, 3):
        try:
            indexes = quality_map.decode(random.bytes(length), 9, 7, 24)
        except CorruptDataError:
            continue
        assert indexes.min() >= 0
        assert indexes.max() < QUALITY_COUNT


def test_offsets_are_stretched_over_the_picture() -> None:
    def indexes(offsets: NDArray[np.float64]) -> quality_map.BlockIndexes:
        return quality_map.to_indexes(quality_map.spread(offsets, 5, 8), 30)

    halves = indexes(LEFT_BETTER)
    assert halves.shape == (5, 8)
    assert (halves[:, :4] == 50).all()
    assert (halves[:, 4:] == 10).all()
    assert (indexes(np.full((99, 3), 9.0)) == 56).all()
    assert np.array_equal(indexes(np.kron(LEFT_BETTER, np.ones((70, 65)))), halves)


@pytest.mark.parametrize("side", [1, 2, 4, 8])
def test_groups_are_as_large_as_possible(side: int) -> None:
    groups = np.random.default_rng(0).integers(20, 30, (4, 5)).astype(np.uint8)
    blocks = groups.repeat(side, axis=0).repeat(side, axis=1)[: 3 * side + 1, : 4 * side + 1]
    body = quality_map.pack(blocks, 24)
    assert body[0] == side
    assert np.array_equal(quality_map.unpack(body, *blocks.shape, 24), blocks)


def test_maps_have_a_bounded_number_of_groups(
    photograph: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A map is decoded before any block, so a small file with a large map would be expensive."""
    noise = np.random.default_rng(0).normal(0, 1, (9, 13))
    fine = compress(Picture(photograph), 4, quality_map=noise, exact=False)
    monkeypatch.setattr(quality_map, "MAX_GROUPS", 8)
    coarse = compress(Picture(photograph), 4, quality_map=noise, exact=False)
    assert np.array_equal(decompress(coarse.data).pixels, coarse.reconstruction)
    monkeypatch.setattr(quality_map, "decode", None)
    with pytest.raises(CorruptDataError, match="finer than allowed"):
        decompress(fine.data)


def test_the_largest_pictures_have_a_map() -> None:
    for width, height in ((2**14, 2**14), (2**14 + 1, 2**14 - 1), (2**16 - 1, 2**12)):
        for size in (4, 8, 16):
            rows, columns = -(-height // size), -(-width // size)
            side = quality_map._side(rows, columns)
            assert quality_map._groups(side, rows, columns) <= quality_map.MAX_GROUPS


@pytest.mark.parametrize("offsets", [np.zeros((0, 3)), np.zeros(3), np.full((2, 2), np.nan)])
def test_invalid_maps_are_refused(offsets: NDArray[np.float64], photograph: Pixels) -> None:
    with pytest.raises(ValueError, match="map of quality"):
        compress(Picture(photograph), 4, quality_map=offsets)


@pytest.fixture
def mapped(photograph: Pixels) -> bytes:
    return compress(Picture(photograph), 4, quality_map=LEFT_BETTER, exact=False).data


@pytest.mark.parametrize("effort", ["fast", "thorough"])
@pytest.mark.parametrize("grey", [False, True])
def test_raised_blocks_have_more_bits_and_less_error(
    photograph: Pixels, effort: str, grey: bool
) -> None:
    pixels = photograph[..., :1].repeat(3, axis=2) if grey else photograph
    compressed, other = (
        compress(Picture(pixels, grey=grey), 4, quality_map=each, effort=effort, exact=False)
        for each in (LEFT_BETTER, -LEFT_BETTER)
    )
    assert np.array_equal(decompress(compressed.data).pixels, compressed.reconstruction)
    info = read_info(compressed.data)
    assert (info.has_quality_map, info.quality, info.version) == (True, 4, "1.3")
    better, worse = (block_maps(each.data, pixels) for each in (compressed, other))
    half = better.bits.shape[1] // 2
    assert better.bits[:, :half].sum() > 2 * worse.bits[:, :half].sum()
    assert better.mse[:, :half].mean() < worse.mse[:, :half].mean() / 2


def test_a_uniform_map_equals_a_single_quality(photograph: Pixels) -> None:
    picture = Picture(photograph)
    plain = compress(picture, 5, exact=False)
    none = compress(picture, 5, exact=False, quality_map=np.zeros((3, 3)))
    assert none.data == plain.data
    lifted = compress(picture, 4, exact=False, quality_map=np.ones((3, 3)))
    assert np.array_equal(lifted.reconstruction, plain.reconstruction)
    assert len(lifted.data) < len(plain.data) + 24


def test_maps_work_with_tiles_regions_fronts_batches_and_workers(
    photograph: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    picture, ramp = Picture(photograph), np.linspace(-2, 2, 50).reshape(10, 5)
    compressed = compress(picture, 4, quality_map=ramp, exact=False)
    assert read_info(compressed.data).tiles == 3
    true = compressed.reconstruction
    assert np.array_equal(decompress(compressed.data).pixels, true)
    assert np.array_equal(decompress_region(compressed.data, 20, 31, 30, 9), true[31:40, 20:50])
    height, width, _ = true.shape
    shown = np.zeros((height + 8, width + 8, 3), np.uint8)
    for front in decode_progressively(compressed.data):
        for row, column, block in zip(front.rows, front.columns, front.blocks, strict=True):
            shown[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = block
    assert np.array_equal(shown[:height, :width], true)
    others = [None, LEFT_BETTER]
    batch = compress_batch([picture, picture], 4, quality_maps=others, exact=False)
    assert batch[0].data == compress(picture, 4, exact=False).data
    assert batch[1].data == compress(picture, 4, exact=False, quality_map=LEFT_BETTER).data
    files = [compressed, *batch]
    for one, back in zip(files, decompress_batch([each.data for each in files]), strict=True):
        assert np.array_equal(back.pixels, one.reconstruction)


@pytest.fixture
def golden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that have a refinement, or one quality."""
    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))


def test_the_refinement_follows_the_map(golden: None) -> None:
    y, x = np.mgrid[0:45, 0:70]
    waves = np.stack([x * 3 + y, (x * y) // 9, 255 - x * 2 - y], axis=2).clip(0, 255)
    picture = Picture(waves.astype(np.uint8))
    refined, plain = (
        compress(picture, 3, weights="tiny", quality_map=LEFT_BETTER, exact=False, refine=refine)
        for refine in (True, False)
    )
    assert read_info(refined.data).refinement > 0
    assert not np.array_equal(refined.reconstruction, plain.reconstruction)
    assert np.array_equal(decompress(refined.data).pixels, refined.reconstruction)


def test_a_truncated_file_with_a_map_shows_its_beginning(mapped: bytes, photograph: Pixels) -> None:
    whole = decompress(mapped).pixels
    cut = decompress(mapped[:-20], partial=True)
    shown = (cut.pixels == whole).all(axis=2)
    assert 0.3 < shown.mean() < 1


def test_a_damaged_map_leaves_nothing_to_show(mapped: bytes) -> None:
    container = parse_container(mapped)
    assert container.quality_map
    damaged = bytearray(mapped)
    damaged[mapped.index(container.quality_map) + 2] ^= 1
    with pytest.raises(CorruptDataError, match="map of quality"):
        decompress(bytes(damaged))
    with pytest.raises(UnrecoverableDataError):
        decompress(bytes(damaged), partial=True)


@pytest.mark.parametrize("body", [b"\x03", b"\x02abc", b"\x00"])
def test_a_map_that_cannot_be_decoded_is_refused(mapped: bytes, body: bytes) -> None:
    data = pack_container(replace(parse_container(mapped), quality_map=body))
    with pytest.raises(CorruptDataError):
        decompress(data)
    with pytest.raises(UnrecoverableDataError):
        decompress(data, partial=True)


def test_models_of_one_quality_refuse_maps(golden: None, photograph: Pixels) -> None:
    with pytest.raises(LbbicError, match="one quality"):
        compress(Picture(photograph), weights="paper", quality_map=LEFT_BETTER)


def test_smooth_areas_get_more_quality_and_texture_less(photograph: Pixels) -> None:
    random = np.random.default_rng(0)
    pixels = np.full((128, 192, 3), 120, np.uint8)
    pixels[:, 64:128] += random.integers(0, 30, (128, 64, 3), dtype=np.uint8)
    pixels[:, 128:] = random.integers(0, 240, (128, 64, 3), dtype=np.uint8)
    offsets = visual_offsets(pixels, 8)
    assert offsets.shape == (16, 24)
    assert (offsets[:, :8] == 0.5).all()
    assert (offsets[:, 8:16] == 0).all()
    assert (offsets[:, 16:] <= -0.5).all()
    odd = visual_offsets(pixels[:99, :77], 8)
    assert odd.shape == (13, 10)


def test_visual_tuning_makes_a_map_and_adds_to_a_given_one(photograph: Pixels) -> None:
    pixels = np.concatenate([np.full((80, 104, 3), 90, np.uint8), photograph])
    picture = Picture(pixels)
    tuned = compress(picture, 4, tune="visual", exact=False)
    assert read_info(tuned.data).has_quality_map
    assert np.array_equal(decompress(tuned.data).pixels, tuned.reconstruction)
    both = compress(picture, 4, tune="visual", quality_map=LEFT_BETTER, exact=False)
    assert len({tuned.data, both.data, compress(picture, 4, exact=False).data}) == 3
    flat = Picture(np.full((64, 64, 3), 90, np.uint8))
    plain = compress(flat, 4, exact=False)
    assert compress(flat, 4, tune="visual", exact=False).data == plain.data
    with pytest.raises(ValueError, match="tune"):
        compress(picture, 4, tune="loud")
