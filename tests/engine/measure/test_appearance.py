"""Measures of appearance, on pictures with known faults."""

import importlib.util
import shutil

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.codec import compress
from lbbic_engine.config import TUNES
from lbbic_engine.measure import ssimulacra2 as module
from lbbic_engine.measure.appearance import butteraugli, colour_error, seam_ratio
from lbbic_engine.measure.ssimulacra2 import ssimulacra2
from lbbic_engine.pictures.read import load_picture
from lbbic_engine.resources import FOLDER

Pixels = NDArray[np.uint8]


def test_the_blur_is_nearly_a_gaussian_and_sums_to_one() -> None:
    taps = np.array(module._taps())
    distances = np.arange(-5, 6)
    gaussian = np.exp(-(distances**2) / (2 * 1.5**2))
    assert taps.sum() == pytest.approx(1)
    assert np.abs(taps - gaussian / gaussian.sum()).max() < 0.003
    assert np.array_equal(taps, taps[::-1])


@pytest.mark.skipif(
    importlib.util.find_spec("ssimulacra2") is None, reason="the package ssimulacra2 is optional"
)
def test_ssimulacra2_decreases_with_quality(photograph: Pixels) -> None:
    image = Image.fromarray(photograph)
    coarse = np.asarray(image.resize((30, 20)).resize(image.size))
    noisy = np.clip(photograph + np.random.default_rng(0).normal(0, 3, photograph.shape), 0, 255)
    scores = [
        ssimulacra2(photograph, each.astype(np.uint8)) for each in (photograph, noisy, coarse)
    ]
    assert scores[0] == pytest.approx(100)
    assert scores[0] > scores[1] > scores[2]
    assert 30 < scores[1] < 95


@pytest.mark.skipif(
    shutil.which("butteraugli_main") is None, reason="butteraugli_main of libjxl is optional"
)
def test_butteraugli_is_zero_for_identical_pictures(photograph: Pixels) -> None:
    assert butteraugli(photograph, photograph) == pytest.approx(0, abs=1e-3)
    assert butteraugli(photograph, photograph // 2) > 1


def test_seams_measure_steps_between_blocks(photograph: Pixels) -> None:
    assert seam_ratio(photograph, photograph) == 1
    rows, columns = (np.arange(side) // 8 for side in photograph.shape[:2])
    squares = 12 * ((rows[:, None] + columns) % 2)[..., None]
    quilt = (photograph // 2 + squares).astype(np.uint8)
    assert seam_ratio(photograph // 2, quilt) > 1.5
    assert seam_ratio(np.zeros_like(photograph), np.zeros_like(photograph)) == 1


def test_the_colour_error_detects_a_tint_but_not_noise(photograph: Pixels) -> None:
    assert colour_error(photograph, photograph) == 0
    tinted = photograph.astype(np.int16) + np.array([6, 0, -6])
    noise = np.random.default_rng(0).integers(-6, 7, photograph.shape)
    errors = [
        colour_error(photograph, (photograph.astype(np.int16) + each).clip(0, 255).astype(np.uint8))
        for each in (tinted - photograph, noise)
    ]
    assert errors[0] > 5 * errors[1]
    white, black = (np.full((32, 32, 3), value, np.uint8) for value in (255, 0))
    assert colour_error(white, black) == pytest.approx(100, abs=0.1)


def test_large_areas_have_truer_colours_if_tuned_for_eyes() -> None:
    """With the shipped model, at low rates, where most errors are those of whole areas."""
    with Image.open(FOLDER / "samples" / "coffee.png") as image:
        picture = load_picture(image.convert("RGB").crop((0, 0, 256, 256)))
    errors = {}
    for tune in TUNES:
        coded = [compress(picture, quality, tune=tune, exact=False) for quality in (1, 3)]
        errors[tune] = [colour_error(picture.pixels, each.reconstruction) for each in coded]
    for psnr, visual in zip(errors["psnr"], errors["visual"], strict=True):
        assert visual < 0.95 * psnr
