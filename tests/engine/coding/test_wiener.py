"""The filter that an encoder fits to each refined tile."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lbbic_engine.bitstream.container import pack_container, parse_container
from lbbic_engine.codec import compress, decode_progressively, decompress
from lbbic_engine.coding.refining import wiener
from lbbic_engine.coding.refining.padded_tile import PaddedTile
from lbbic_engine.errors import CorruptDataError
from lbbic_engine.layout import tiles
from lbbic_engine.layout.wavefront import Grid
from lbbic_engine.pictures.picture import Picture

Pixels = NDArray[np.uint8]


pytestmark = pytest.mark.usefixtures("refinement_file")


def padded(values: NDArray[np.int16]) -> PaddedTile[np.int16]:
    """Values (H, W, 3) with a ring."""
    height, width, _ = values.shape
    tile = PaddedTile(
        np.int16, Grid(-(-height // 8), -(-width // 8)), 8, wiener.RADIUS, height, width
    )
    tile.place(values)
    tile.repeat_edges()
    return tile


def random_values(seed: int, shape: tuple[int, int] = (45, 70)) -> NDArray[np.int16]:
    random = np.random.default_rng(seed)
    return random.integers(0, 255 * wiener.PARTS + 1, (*shape, 3)).astype(np.int16)


def exact(values: NDArray[np.int16], weights: wiener.Weights) -> Pixels:
    """The filter as the specification has it, in integers of any size, pixel by pixel."""
    ring = wiener.RADIUS
    red, green, blue = np.moveaxis(values.astype(object), 2, 0)
    planes = red + 2 * green + blue, red - blue, 2 * green - red - blue
    height, width = values.shape[0] - 2 * ring, values.shape[1] - 2 * ring
    pixels = np.zeros((height, width, 3), np.uint8)
    for y, x in np.ndindex(height, width):
        centre = y + ring, x + ring

        def square(plane: int, side: int, at: tuple[int, int] = centre) -> int:
            reach = side // 2
            rows, columns = (slice(each - reach, each + reach + 1) for each in at)
            return int(planes[plane][rows, columns].sum() - side * side * planes[plane][at])

        def clipped(value: int, most: int) -> int:
            return min(max(value, -most), most)

        luma, at = planes[0], centre
        across = luma[at[0], at[1] - 2] + luma[at[0], at[1] + 2] - 2 * luma[at]
        down = luma[at[0] - 2, at[1]] + luma[at[0] + 2, at[1]] - 2 * luma[at]
        terms = [[4 * square(0, 3), 2 * square(0, 5), square(0, 7), 16 * across, 16 * down]]
        terms[0] += [4 * clipped(square(0, 5), 25 * 128), 4 * clipped(square(0, 5), 25 * 384)]
        terms[0].append(8 * clipped(square(0, 3), 9 * 128))
        for own, other, most in ((1, 2, 25 * 32), (2, 1, 25 * 64)):
            terms.append([16 * square(own, 3), 8 * square(own, 5), 4 * square(own, 7)])
            terms[-1] += [8 * clipped(square(own, 5), most), 2 * square(0, 5)]
            terms[-1].append(16 * square(other, 3))
        first, changes = 0, []
        for part in terms[: 1 if len(weights) == wiener.GREY_WEIGHTS else 3]:
            own_weights = weights[first : first + len(part)].tolist()
            total = sum(a * b for a, b in zip(part, own_weights, strict=True))
            changes.append((total + 8) >> 4)
            first += len(part)
        y0, o, g = (*changes, 0, 0)[:3]
        for colour, change in enumerate((y0 + 2 * o - g, y0 + g, y0 - 2 * o - g)):
            total = (int(values[*centre, colour]) << 11) + change + (1 << 14)
            pixels[y, x, colour] = min(max(total >> 15, 0), 255)
    return pixels


@pytest.mark.parametrize("count", [wiener.WEIGHTS, wiener.GREY_WEIGHTS])
@pytest.mark.parametrize("extreme", [False, True])
def test_the_filter_is_that_of_the_specification(count: int, extreme: bool) -> None:
    random = np.random.default_rng(count)
    values = random_values(1, (13, 17))
    if extreme:  # the largest sums: nothing may wrap around
        values = np.where(values > 127 * wiener.PARTS, 255 * wiener.PARTS, 0).astype(np.int16)
    for _ in range(3):
        weights = random.choice([-127, 127], count) if extreme else random.integers(-9, 9, count)
        own = weights.astype(np.int8)
        tile = padded(values).with_ring()
        assert np.array_equal(wiener.filtered(tile, own), exact(tile, own))


def test_weights_of_zero_round_to_pixels() -> None:
    values = random_values(2)
    nothing = np.zeros(wiener.WEIGHTS, np.int8)
    assert np.array_equal(
        wiener.filtered(padded(values).with_ring(), nothing), wiener.to_pixels(values)
    )


def test_blocks_are_filtered_as_the_whole_tile_is(photograph: Pixels) -> None:
    values = photograph.astype(np.int16) * wiener.PARTS
    weights = np.random.default_rng(3).integers(-30, 30, wiener.WEIGHTS).astype(np.int8)
    tile = padded(values)
    whole = padded(wiener.filtered(tile.with_ring(), weights).astype(np.int16))
    indexes = np.array([0, 5, 12, 13, 14, 60, 116])
    assert np.array_equal(wiener.filtered_blocks(tile, indexes, weights), whole.blocks(indexes))


@pytest.mark.parametrize("grey", [False, True])
def test_the_fit_removes_what_depends_on_the_surroundings(photograph: Pixels, grey: bool) -> None:
    original = np.repeat(photograph[..., 1:2], 3, axis=2) if grey else photograph
    noise = np.random.default_rng(4).normal(0, 6, original.shape[: 2 if grey else 3])
    noisy = original + (noise[..., None] if grey else noise)
    values = (noisy.clip(0, 255) * wiener.PARTS).round().astype(np.int16)
    tile = padded(values).with_ring()
    weights = wiener.fit(tile, original, grey=grey)
    assert len(weights) == wiener.weight_count(grey=grey)

    def error(pixels: Pixels) -> float:
        return float(np.square(pixels - original.astype(float)).mean())

    assert error(wiener.filtered(tile, weights)) < 0.8 * error(wiener.to_pixels(values))


def test_a_flat_tile_needs_no_weights() -> None:
    original = np.full((16, 24, 3), 90, np.uint8)
    tile = padded(original.astype(np.int16) * wiener.PARTS + 3).with_ring()
    assert not wiener.fit(tile, original, grey=False).any()


def test_a_filter_that_is_not_worth_its_bytes_is_left_out(photograph: Pixels) -> None:
    assert parse_container(compress(Picture(photograph), 5).data).filter_weights is not None
    small = compress(Picture(photograph[:16, :16]), 1, exact=False)
    assert parse_container(small.data).filter_weights is None


def test_tiles_have_weights_of_their_own(
    photograph: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    compressed = compress(Picture(photograph), 5)
    body = parse_container(compressed.data).filter_weights
    assert body is not None
    weights = np.frombuffer(body, np.int8).reshape(-1, wiener.WEIGHTS)
    assert len(weights) > 1
    assert (weights[0] != weights[1]).any()
    assert np.array_equal(decompress(compressed.data).pixels, compressed.reconstruction)


def test_a_damaged_filter_is_left_out_of_a_partial_picture_with_a_notice(
    photograph: Pixels,
) -> None:
    compressed = compress(Picture(photograph), 5)
    container = parse_container(compressed.data)
    assert container.filter_weights is not None
    wrong = pack_container(replace(container, filter_weights=container.filter_weights[:-1]))
    with pytest.raises(CorruptDataError):
        decompress(wrong)
    at = compressed.data.index(container.filter_weights)
    flipped = bytearray(compressed.data)
    flipped[at] ^= 1
    for data in (wrong, bytes(flipped)):
        found = decompress(data, partial=True)
        assert "filter" in found.notices[-1].text
        assert not np.array_equal(found.pixels, compressed.reconstruction)
        assert sum(len(front.rows) for front in decode_progressively(data, partial=True)) == 117
