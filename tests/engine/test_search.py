from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbbic_engine.errors import LbbicError


@pytest.fixture
def picture(draw: Any, pixels: Any) -> Any:
    return pixels.load_picture(draw("a.png"))


@pytest.fixture
def encodings(codec: Any, search: Any, picture: Any) -> dict[float, Any]:
    every = {quality: codec.compress(picture, quality) for quality in search.QUALITIES}
    codec.calls.clear()
    return every


def test_qualities_are_the_57_eighths_from_1_to_8(search: Any) -> None:
    assert len(search.QUALITIES) == 57
    assert (search.QUALITIES[0], search.QUALITIES[1], search.QUALITIES[-1]) == (1, 1.125, 8)


def test_target_size_is_met_by_the_best_quality(codec: Any, search: Any) -> None:
    sizes = {quality: 100 + 10 * index for index, quality in enumerate(search.QUALITIES)}
    encoded: list[float] = []

    def compress(_: Any, quality: float, **__: Any) -> Any:
        encoded.append(quality)
        return SimpleNamespace(data=bytes(sizes[quality]))

    codec.compress = compress
    for limit in range(100, 700, 5):
        encoded.clear()
        found, compressed = search.search_quality(None, max_bytes=limit)
        assert found == max(quality for quality, size in sizes.items() if size <= limit)
        assert len(compressed.data) == sizes[found]
        assert len(encoded) <= 6


def test_target_below_the_smallest_file_is_refused_with_its_size(
    search: Any, picture: Any, encodings: Any
) -> None:
    smallest = len(encodings[1.0].data)
    with pytest.raises(LbbicError, match=f"smallest possible file has {smallest} bytes"):
        search.search_quality(picture, max_bytes=smallest - 1)


def test_target_psnr_is_reached_by_the_lowest_quality(
    search: Any, metrics: Any, picture: Any, encodings: Any
) -> None:
    psnrs = {q: metrics.psnr(picture.pixels, e.reconstruction) for q, e in encodings.items()}
    for quality in (1.0, 4.0, 6.25):
        found, compressed = search.search_quality(picture, min_psnr=psnrs[quality])
        assert metrics.psnr(picture.pixels, compressed.reconstruction) >= psnrs[quality]
        assert found == min(q for q, psnr in psnrs.items() if psnr >= psnrs[quality])


def test_unreachable_psnr_is_refused_with_the_highest(
    monkeypatch: pytest.MonkeyPatch, search: Any, metrics: Any, picture: Any
) -> None:
    monkeypatch.setattr(metrics, "psnr", lambda *_: 41.234)
    with pytest.raises(LbbicError, match=r"highest PSNR possible is 41\.23 dB"):
        search.search_quality(picture, min_psnr=50)


@pytest.mark.parametrize("wishes", [{}, {"max_bytes": 1000, "min_psnr": 30.0}])
def test_exactly_one_wish_is_needed(search: Any, picture: Any, wishes: Any) -> None:
    with pytest.raises(ValueError, match="either"):
        search.search_quality(picture, **wishes)


def test_bits_per_pixel_are_whole_bytes_not_above(search: Any, picture: Any) -> None:
    assert search.bytes_for_bpp(picture, 0.5) == 24
    assert search.bytes_for_bpp(picture, 0.52) == 24


def test_options_reach_the_codec(codec: Any, search: Any, picture: Any) -> None:
    search.search_quality(picture, max_bytes=10**6, device="cpu", cancelled=lambda: False)
    assert codec.calls[0]["device"] == "cpu"
    assert codec.calls[0]["cancelled"]() is False


@given(sizes=st.lists(st.integers(1, 20), min_size=57, max_size=57), limit=st.integers(1, 20))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_answer_fits_even_when_sizes_are_not_monotone(
    codec: Any, search: Any, sizes: list[int], limit: int
) -> None:
    codec.compress = lambda _, quality, **__: SimpleNamespace(
        data=bytes(sizes[search.QUALITIES.index(quality)])
    )
    try:
        quality, compressed = search.search_quality(None, max_bytes=limit)
    except LbbicError:
        assert sizes[0] > limit
    else:
        assert sizes[search.QUALITIES.index(quality)] == len(compressed.data) <= limit
