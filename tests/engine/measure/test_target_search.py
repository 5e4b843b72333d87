from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbbic_engine import codec
from lbbic_engine.coding.results import Compressed, Progress
from lbbic_engine.errors import Cancelled, LbbicError
from lbbic_engine.measure import metrics, target_search
from lbbic_engine.measure.target_search import QUALITIES, search_quality
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.pictures.read import load_picture

GOLDEN = Path(__file__).parents[2] / "golden"
Draw = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def picture(draw: Draw) -> Picture:
    return load_picture(draw("a.png"))


@pytest.fixture
def encodings(picture: Picture) -> dict[float, Compressed]:
    return {quality: codec.compress(picture, quality) for quality in QUALITIES}


def test_qualities_are_the_57_eighths_from_1_to_8() -> None:
    assert len(QUALITIES) == 57
    assert (QUALITIES[0], QUALITIES[1], QUALITIES[-1]) == (1, 1.125, 8)


@pytest.mark.slow
def test_a_target_size_gives_the_best_quality_that_fits(
    picture: Picture, encodings: dict[float, Compressed]
) -> None:
    sizes = {quality: len(compressed.data) for quality, compressed in encodings.items()}
    for limit in range(sizes[1.0], sizes[8.0] + 2):
        found, compressed = search_quality(picture, max_bytes=limit)
        assert len(compressed.data) == sizes[found] <= limit
        assert found == 8 or sizes[found + 1 / 8] > limit


def test_at_most_six_encodings_are_made(picture: Picture) -> None:
    for limit in (65, 90, 10**6):
        ends: list[Progress] = []
        attempts: list[tuple[int, int]] = []
        search_quality(
            picture,
            max_bytes=limit,
            progress=ends.append,
            attempting=lambda *attempt, attempts=attempts: attempts.append(attempt),
        )
        assert sum(progress.done == progress.total for progress in ends) == len(attempts)
        assert attempts == [(number, 6) for number in range(1, len(attempts) + 1)]
        assert len(attempts) <= 6


def test_target_below_the_smallest_file_is_refused_with_its_size(
    picture: Picture, encodings: dict[float, Compressed]
) -> None:
    smallest = len(encodings[1.0].data)
    with pytest.raises(LbbicError, match=f"smallest possible file has {smallest} bytes"):
        search_quality(picture, max_bytes=smallest - 1)


def test_a_target_psnr_gives_the_lowest_quality_that_reaches_it(
    picture: Picture, encodings: dict[float, Compressed]
) -> None:
    psnrs = {q: metrics.psnr(picture.pixels, e.reconstruction) for q, e in encodings.items()}
    for quality in (1.0, 4.0, 6.25):
        found, compressed = search_quality(picture, min_psnr=psnrs[quality])
        assert metrics.psnr(picture.pixels, compressed.reconstruction) >= psnrs[quality]
        assert found == 1 or psnrs[found - 1 / 8] < psnrs[quality]


def test_unreachable_psnr_is_refused_with_the_highest(
    picture: Picture, encodings: dict[float, Compressed]
) -> None:
    highest = metrics.psnr(picture.pixels, encodings[8.0].reconstruction)
    with pytest.raises(LbbicError, match=f"highest possible PSNR is {highest:.2f} dB"):
        search_quality(picture, min_psnr=60)


@pytest.mark.parametrize("wishes", [{}, {"max_bytes": 1000, "min_psnr": 30.0}])
def test_exactly_one_target_is_required(picture: Picture, wishes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="either"):
        search_quality(picture, **wishes)  # type: ignore[arg-type]


def test_a_target_bpp_is_rounded_down_to_bytes(picture: Picture) -> None:
    assert target_search.bytes_for_bpp(picture, 0.5) == 24
    assert target_search.bytes_for_bpp(picture, 0.52) == 24


def test_a_search_can_be_cancelled(picture: Picture) -> None:
    with pytest.raises(Cancelled):
        search_quality(picture, max_bytes=10**6, cancelled=lambda: True)


def test_only_the_quality_of_a_single_quality_model_is_tried(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))
    quality, compressed = search_quality(picture, max_bytes=10**6, weights="paper")
    assert (quality, compressed.quality) == (4, 4)
    assert search_quality(picture, min_psnr=1, weights="paper")[0] == 4
    with pytest.raises(LbbicError, match=f"smallest possible file has {len(compressed.data)}"):
        search_quality(picture, max_bytes=10, weights="paper")


def test_a_thorough_search_starts_from_the_fast_result(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, float]] = []

    def compress(picture: Picture, quality: float, **options: Any) -> Compressed:
        asked.append((options["effort"], quality))
        return plain(picture, quality, **options)

    plain = codec.compress
    monkeypatch.setattr(codec, "compress", compress)
    limit = len(plain(picture, 5).data)
    quality, compressed = search_quality(picture, max_bytes=limit, effort="thorough")
    efforts = [effort for effort, _ in asked]
    assert efforts == sorted(efforts)  # the fast one's first
    assert efforts.count("thorough") <= 4
    assert len(compressed.data) <= limit
    assert quality == 8 or len(plain(picture, quality + 1 / 8, effort="thorough").data) > limit


def made_up(sizes: list[int]) -> Callable[[float], Compressed]:
    """Encodings of given sizes, which real pictures do not have on demand."""
    return lambda quality: Compressed(
        bytes(sizes[QUALITIES.index(quality)]), np.zeros((1, 1, 3), np.uint8), quality
    )


starts = st.none() | st.integers(0, 56)


@given(
    sizes=st.lists(st.integers(1, 20), min_size=57, max_size=57),
    limit=st.integers(1, 20),
    start=starts,
)
def test_the_result_fits_even_if_sizes_are_not_monotone(
    sizes: list[int], limit: int, start: int | None
) -> None:
    """Sizes of neighbouring qualities may be in the wrong order."""
    place, compressed = target_search.last_that_meets(
        lambda found: len(found.data) <= limit, made_up(sizes), QUALITIES, start
    )
    assert len(compressed.data) == sizes[max(place, 0)]
    assert sizes[0] > limit if place < 0 else sizes[place] <= limit


@given(fitting=st.integers(0, 57), start=starts)
def test_the_last_quality_that_fits_is_found_from_any_start(
    fitting: int, start: int | None
) -> None:
    asked: list[float] = []

    def encode(quality: float) -> Compressed:
        asked.append(quality)
        return made_up(list(range(57)))(quality)

    place, compressed = target_search.last_that_meets(
        lambda found: len(found.data) < fitting, encode, QUALITIES, start
    )
    assert place == fitting - 1
    assert compressed.quality == QUALITIES[max(place, 0)]
    assert len(asked) == len(set(asked))
    assert len(asked) <= (6 if start is None else 2 + abs(place - start))
