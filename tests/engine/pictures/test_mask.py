"""A painted mask sets offsets of the quality."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lbbic_engine.errors import UnsupportedImageError
from lbbic_engine.pictures.mask import SPAN, read_mask


@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_white_raises_quality_and_black_lowers_it(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    image = Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert(mode)
    image.save(path)
    assert np.allclose(read_mask(path), [[-SPAN, SPAN, SPAN]])


def test_medium_grey_does_not_change_quality(tmp_path: Path) -> None:
    Image.new("L", (3, 2), 128).save(tmp_path / "mask.png")
    assert np.abs(read_mask(tmp_path / "mask.png")).max() < 1 / 16  # half a step of quality


def test_quality_does_not_change_where_the_mask_is_transparent(tmp_path: Path) -> None:
    pixels = np.array([[[255, 255], [255, 51], [255, 0], [0, 0], [0, 255]]], np.uint8)
    Image.fromarray(pixels, "LA").save(tmp_path / "mask.png")
    assert np.allclose(read_mask(tmp_path / "mask.png"), [[SPAN, SPAN / 5, 0, 0, -SPAN]])


def test_a_mask_that_is_not_a_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(b"no")
    with pytest.raises(UnsupportedImageError):
        read_mask(tmp_path / "mask.png")
