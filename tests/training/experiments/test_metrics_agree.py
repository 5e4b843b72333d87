"""The engine's metrics equal those of the packages used for published figures."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from lbbic_engine.measure.metrics import ms_ssim
from lbbic_engine.measure.rate_distortion import bd_rate
from lbbic_engine.resources import FOLDER

pytestmark = pytest.mark.train


@pytest.mark.parametrize("size", [(400, 600), (177, 301)])
def test_ms_ssim_equals_pytorch_msssim(size: tuple[int, int]) -> None:
    from pytorch_msssim import ms_ssim as published

    coffee = (FOLDER / "samples" / "coffee.png").read_bytes()
    picture = np.asarray(Image.open(io.BytesIO(coffee)))[: size[0], : size[1]]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=30)
    coded = np.asarray(Image.open(file))
    x, y = (torch.tensor(p, dtype=torch.float64).permute(2, 0, 1)[None] for p in (picture, coded))
    assert ms_ssim(picture, coded) == pytest.approx(float(published(x, y)), abs=1e-6)


def test_bd_rate_equals_scipys_pchip() -> None:
    from scipy.interpolate import PchipInterpolator

    random = np.random.default_rng(0)
    for points in range(2, 9):
        curves = [
            (random.uniform(0.1, 3, points), np.sort(random.uniform(25, 42, points)))
            for _ in range(2)
        ]
        start = max(quality[0] for _, quality in curves)
        end = min(quality[-1] for _, quality in curves)
        if start < end:
            anchor, ours = (
                PchipInterpolator(quality, np.log(bpp)).integrate(start, end) / (end - start)
                for bpp, quality in curves
            )
            expected = 100 * np.expm1(ours - anchor)
            assert bd_rate(*curves[0], *curves[1]) == pytest.approx(expected)
