"""Other formats at equal appearance: what is measured, and on which part of a picture."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lbbic_engine.measure import metrics, same_look, ssimulacra2
from lbbic_engine.measure.sample import SQUARE, sample
from lbbic_engine.pictures.picture import Picture


@pytest.mark.parametrize(
    ("is_installed", "side", "measure"),
    [
        (True, 64, ssimulacra2.ssimulacra2),
        (True, 7, metrics.psnr),
        (False, 176, same_look._ms_ssim),
        (False, 175, metrics.psnr),
    ],
)
def test_the_best_installed_measure_is_used(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool, side: int, measure: object
) -> None:
    monkeypatch.setattr(ssimulacra2, "is_installed", lambda: is_installed)
    assert same_look._measure(np.zeros((side, 500, 3), np.uint8)) is measure


def test_small_pictures_are_measured_completely_and_large_ones_in_samples() -> None:
    rows, columns = np.mgrid[: 3 * SQUARE, : 6 * SQUARE]
    pixels = np.stack([rows % 256, columns % 256, columns // 256], axis=2).astype(np.uint8)
    part = sample(pixels)
    assert part.shape == (3 * SQUARE, 3 * SQUARE, 3)
    seen = part[..., 1].astype(int) + 256 * part[..., 2].astype(int)
    assert (seen.min(), seen.max()) == (SQUARE // 2, 6 * SQUARE - SQUARE // 2 - 1)
    assert (part[..., 0] == pixels[:, : 3 * SQUARE, 0]).all()


@pytest.mark.parametrize("name", ["avif", "webp", "jpeg"])
def test_a_better_look_needs_a_higher_quality(
    tiny: None, photograph: NDArray[np.uint8], name: str
) -> None:
    how = {"device": "cpu", "weights": "photo", "effort": "fast", "tune": "psnr"}
    low, high = (
        same_look.convert_alike(
            Picture(photograph), f"a.{name}", name, quality, refine=True, **how
        ).quality
        for quality in (1, 8)
    )
    assert low < high
