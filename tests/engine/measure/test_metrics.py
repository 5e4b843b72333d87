"""PSNR, MS-SSIM against a slow reference, BD-rate against known values."""

import json
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbbic_engine.errors import LbbicError
from lbbic_engine.measure.metrics import ms_ssim, psnr
from lbbic_engine.measure.rate_distortion import (
    Curve,
    Measurement,
    bd_rate,
    compressai_document,
    load_curve,
)

# Kodak, from CompressAI's repository at 869a9f5d, results/image/kodak:
# compressai-mbt2018-mean_mse_cuda.json and compressai-cheng2020-anchor_mse_cuda.json.
MBT2018_MEAN = Curve(
    "mbt2018-mean",
    "CompressAI",
    (0.12392, 0.19798, 0.30724, 0.46061, 0.66167, 0.9144, 1.23421, 1.61909),
    (27.6995, 29.3588, 31.1289, 32.9507, 34.9683, 36.9111, 38.8375, 40.6333),
)
CHENG2020 = Curve(
    "cheng2020-anchor",
    "CompressAI",
    (0.11959, 0.1838, 0.27095, 0.41738, 0.59447, 0.80574),
    (28.5824, 29.9693, 31.3428, 33.3903, 35.1189, 36.7041),
)


def noisy_pair(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of coloured tiles, and the same with noise."""
    random = np.random.default_rng(seed)
    tiles = random.integers(0, 256, (height // 7 + 1, width // 7 + 1, 3))
    picture = tiles.repeat(7, axis=0).repeat(7, axis=1)[:height, :width]
    noisy = np.clip(picture + random.normal(0, 15, picture.shape), 0, 255)
    return picture.astype(np.uint8), noisy.astype(np.uint8)


def slow_ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """MS-SSIM by the definition: a two-dimensional window at every place, pooling by hand."""
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2

    def filtered(plane: np.ndarray) -> np.ndarray:
        places = np.lib.stride_tricks.sliding_window_view(plane, (11, 11))
        return np.einsum("yxij,ij->yx", places, window)

    def halved(plane: np.ndarray) -> np.ndarray:
        height, width = ((side + 1) // 2 for side in plane.shape)
        smaller = np.empty((height, width))
        for y, x in np.ndindex(height, width):
            top, left = 2 * y - plane.shape[0] % 2, 2 * x - plane.shape[1] % 2
            smaller[y, x] = plane[max(top, 0) : top + 2, max(left, 0) : left + 2].sum() / 4
        return smaller

    colours = []
    for colour in range(3):
        x, y = a[..., colour].astype(float), b[..., colour].astype(float)
        similarity = 1.0
        for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
            mean_x, mean_y = filtered(x), filtered(y)
            spread = filtered(x * x) + filtered(y * y) - mean_x**2 - mean_y**2
            common = filtered(x * y) - mean_x * mean_y
            terms = (2 * common + (0.03 * 255) ** 2) / (spread + (0.03 * 255) ** 2)
            if scale == 4:
                bias = (0.01 * 255) ** 2
                terms *= (2 * mean_x * mean_y + bias) / (mean_x**2 + mean_y**2 + bias)
            similarity *= max(terms.mean(), 0) ** weight
            x, y = halved(x), halved(y)
        colours.append(similarity)
    return float(np.mean(colours))


def test_psnr_of_an_error_of_one_everywhere() -> None:
    grey = np.full((5, 4, 3), 200, np.uint8)
    assert psnr(grey, grey + np.uint8(1)) == pytest.approx(20 * math.log10(255))
    assert psnr(grey, grey - np.uint8(1)) == pytest.approx(20 * math.log10(255))


def test_psnr_of_equal_pictures_is_infinite() -> None:
    assert psnr(*[np.zeros((1, 1, 3), np.uint8)] * 2) == math.inf


def test_pictures_of_different_shape_are_refused() -> None:
    a, b = np.zeros((200, 200, 3), np.uint8), np.zeros((200, 1, 3), np.uint8)
    with pytest.raises(ValueError, match="different shape"):
        psnr(a, b)
    with pytest.raises(ValueError, match="different shape"):
        ms_ssim(a, b)


@pytest.mark.parametrize("size", [(176, 176), (177, 181), (190, 179)])
def test_ms_ssim_equals_the_slow_reference(size: tuple[int, int]) -> None:
    a, b = noisy_pair(*size)
    assert ms_ssim(a, b) == pytest.approx(slow_ms_ssim(a, b), abs=1e-9)


def test_ms_ssim_of_equal_pictures_is_one() -> None:
    a, _ = noisy_pair(180, 200)
    assert ms_ssim(a, a) == pytest.approx(1)


def test_ms_ssim_of_a_small_picture_is_not_defined() -> None:
    assert ms_ssim(*noisy_pair(175, 400)) is None


@pytest.mark.slow
def test_large_pictures_need_little_memory() -> None:
    a, b = noisy_pair(1500, 2000)
    tracemalloc.start()
    psnr(a, b)
    ms_ssim(a, b)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * a.nbytes


def test_bd_rate_equals_scipys_pchip() -> None:
    curves = MBT2018_MEAN.bpp, MBT2018_MEAN.psnr, CHENG2020.bpp, CHENG2020.psnr
    assert bd_rate(*curves) == pytest.approx(-16.495915549332686, abs=1e-9)
    assert bd_rate(*curves, low=30, high=33) == pytest.approx(-17.243532078588576, abs=1e-9)


def test_bd_rate_of_a_turning_curve_equals_scipys_pchip() -> None:
    turning = (1, 2, 1.5, 4, 4, 4.2), (0, 1, 3, 4, 6, 7.5)
    flat = (1, 1), (0.5, 7)
    assert bd_rate(*flat, *turning) == pytest.approx(math.expm1(0.9953193452138808) * 100)


@given(st.floats(0.1, 10), st.permutations(range(8)))
def test_a_constant_factor_of_the_rate_is_the_bd_rate(factor: float, order: list[int]) -> None:
    bpp = [MBT2018_MEAN.bpp[k] * factor for k in order]
    quality = [MBT2018_MEAN.psnr[k] for k in order]
    found = bd_rate(MBT2018_MEAN.bpp, MBT2018_MEAN.psnr, bpp, quality)
    assert found == pytest.approx(100 * (factor - 1), abs=1e-9)


@pytest.mark.parametrize(
    ("bpp", "quality", "message"),
    [
        ((1, 2), (50, 60), "no PSNR range"),
        ((1,), (30,), "at least two"),
        ((1, 2, 3), (30, 31), "equally long"),
        ((1, 2), (30, 30), "same PSNR"),
        ((0, 2), (30, 31), "positive"),
        ((1, 2), (30, math.inf), "finite"),
    ],
)
def test_curves_without_a_bd_rate_are_refused(
    bpp: tuple[float, ...], quality: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bd_rate(CHENG2020.bpp, CHENG2020.psnr, bpp, quality)


def test_a_saved_curve_is_loaded_again(tmp_path: Path) -> None:
    CHENG2020.save(tmp_path / "curve.json")
    assert load_curve(tmp_path / "curve.json") == CHENG2020


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"name": "", "source": "", "bpp": [1], "psnr": []}',
        '{"name": "", "source": "", "bpp": 1, "psnr": 1}',
        '{"name": "", "source": "", "bpp": ["x"], "psnr": [1]}',
    ],
)
def test_a_file_without_a_curve_is_reported(tmp_path: Path, text: str) -> None:
    path = tmp_path / "curve.json"
    path.write_text(text)
    with pytest.raises(LbbicError, match=r"curve\.json"):
        load_curve(path)


def test_a_missing_curve_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LbbicError, match=r"missing\.json"):
        load_curve(tmp_path / "missing.json")


@pytest.mark.parametrize("key", ["psnr", "psnr-rgb"])
def test_curves_in_compressais_format_are_loaded(tmp_path: Path, key: str) -> None:
    path = tmp_path / "mbt2018.json"
    results = {"bpp": [0.1, 0.2], key: [28, 30.5], "ms-ssim": [0.9, 0.95]}
    path.write_text(json.dumps({"name": "m", "description": "d", "results": results}))
    assert load_curve(path) == Curve("m", "d", (0.1, 0.2), (28.0, 30.5))
    path.write_text(json.dumps({"results": results}))
    assert load_curve(path).name == "mbt2018"
    path.write_text(json.dumps({"results": {"bpp": [0.1]}}))
    with pytest.raises(LbbicError, match="Not a rate"):
        load_curve(path)


def test_results_are_written_in_compressais_format() -> None:
    row = Measurement(bpp=0.1, psnr=30.0, ms_ssim=None, encode_seconds=1.5, decode_seconds=2.5)
    document = compressai_document("n", "d", [row])
    assert document == {
        "name": "n",
        "description": "d",
        "results": {
            "bpp": [0.1],
            "psnr-rgb": [30.0],
            "encoding_time": [1.5],
            "decoding_time": [2.5],
        },
    }
