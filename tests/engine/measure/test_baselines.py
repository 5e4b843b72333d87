"""Pillow's codecs at a quality and at a size."""

import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import pytest
from PIL import Image

from lbbic_engine.errors import Cancelled, LbbicError, UnsupportedImageError
from lbbic_engine.measure import baseline_process
from lbbic_engine.measure.baselines import CODECS, SETTINGS, encode_at_quality, encode_at_size
from lbbic_engine.measure.metrics import psnr

HEIGHT, WIDTH = 60, 83
Y, X = np.mgrid[:HEIGHT, :WIDTH]
PICTURE = np.stack([Y * 4, X * 3, 128 + 60 * np.sin(X * Y / 90)], axis=2).astype(np.uint8)

every_codec = pytest.mark.parametrize("codec", sorted(CODECS))


@every_codec
def test_a_higher_quality_is_more_accurate_and_larger(codec: str) -> None:
    low, high = (encode_at_quality(PICTURE, codec, quality) for quality in (20, 90))
    assert low.reconstruction.shape == high.reconstruction.shape == PICTURE.shape
    assert high.reconstruction.dtype == np.uint8
    assert len(low.data) < len(high.data)
    assert psnr(PICTURE, low.reconstruction) < psnr(PICTURE, high.reconstruction)


@every_codec
def test_the_requested_size_is_used_but_not_exceeded(codec: str) -> None:
    max_bytes = len(encode_at_quality(PICTURE, codec, 60).data)
    result = encode_at_size(PICTURE, codec, max_bytes)
    assert len(result.data) <= max_bytes
    assert result.setting in SETTINGS[codec]
    at_quality = encode_at_quality(PICTURE, codec, 60).reconstruction
    assert psnr(PICTURE, result.reconstruction) >= psnr(PICTURE, at_quality)


def test_the_better_setting_is_chosen() -> None:
    """Colours that change from pixel to pixel need 4:4:4; grey noise is better without it."""
    rng = np.random.default_rng(1)
    grey = np.repeat(rng.integers(0, 256, (64, 64, 1), np.uint8), 3, axis=2)
    colour = np.zeros((64, 64, 3), np.uint8)
    colour[::2, ::2, 0] = colour[1::2, 1::2, 2] = 255
    for picture, max_bytes in ((grey, 1800), (colour, 4000)):
        best = encode_at_size(picture, "jpeg", max_bytes)
        assert best.setting == ("4:2:0" if picture is grey else "4:4:4")


@every_codec
def test_a_size_beyond_need_gives_the_highest_quality(codec: str) -> None:
    result = encode_at_size(PICTURE, codec, 10**6)
    assert result.quality == 100


@every_codec
def test_an_unreachable_size_gives_the_smallest_file(codec: str) -> None:
    result = encode_at_size(PICTURE, codec, 30)
    assert result.quality == 1
    assert 30 < len(result.data) <= len(encode_at_quality(PICTURE, codec, 1).data)


@every_codec
def test_noise_can_be_coded(codec: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 350, 3), np.uint8)
    assert encode_at_quality(noise, codec, 90).reconstruction.shape == noise.shape


@every_codec
@pytest.mark.parametrize("limit", [100, 4000])
def test_pillows_limit_of_pixels_does_not_apply(
    codec: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert encode_at_quality(PICTURE, codec, 50).reconstruction.shape == PICTURE.shape


@every_codec
def test_a_picture_too_large_for_the_format_is_reported(codec: str) -> None:
    with pytest.raises(UnsupportedImageError, match=codec.upper()):
        encode_at_quality(np.zeros((1, 70_000, 3), np.uint8), codec, 50)


def test_a_search_stops_when_it_is_cancelled() -> None:
    asked: list[bool] = []
    with pytest.raises(Cancelled):
        encode_at_size(
            PICTURE, "jpeg", 10**6, cancelled=lambda: asked.append(True) or len(asked) > 2
        )
    assert len(asked) == 3


def _die(*_: object) -> None:
    os._exit(1)


def _die_within_a_message(answers: Connection, *_: object) -> None:
    os.write(answers.fileno(), b"\0\0\0\x08half")
    os._exit(1)


_within = pytest.mark.skipif(sys.platform == "win32", reason="messages are whole there")


@pytest.mark.parametrize("work", [_die, pytest.param(_die_within_a_message, marks=_within)])
def test_a_comparison_whose_process_dies_reports_an_error(
    work: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline_process, "_encode", work)
    with pytest.raises(LbbicError, match="JPEG process ended unexpectedly") as caught:
        baseline_process.encode_at_size(PICTURE, "jpeg", 10**6, lambda: False)
    assert caught.value.title == "The comparison failed"
