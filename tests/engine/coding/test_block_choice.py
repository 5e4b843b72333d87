"""The fast encoder codes each block as the best of a few candidates."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lbbic_engine.codec import compress, compress_batch, decompress, read_info
from lbbic_engine.coding import encoder
from lbbic_engine.coding.results import Compressed
from lbbic_engine.coding.search import block_choice
from lbbic_engine.config import PaperConfig, lmbda
from lbbic_engine.layout import tiles
from lbbic_engine.pictures.picture import Picture


def picture_of(pixels: NDArray[np.uint8]) -> Picture:
    return Picture(pixels, alpha=None, grey=False, icc=None, exif=None, xmp=None, notices=())


def cost(pixels: NDArray[np.uint8], compressed: Compressed) -> float:
    """R + λD with the weight that the choice uses, without the container's bytes."""
    rate = 8 * read_info(compressed.data).payload_bytes / pixels[..., 0].size
    errors = (compressed.reconstruction.astype(float) - pixels) / 255
    weight = block_choice.BLOCK_DISTORTION * lmbda(compressed.quality)
    return float(rate + weight * np.square(errors).mean())


@pytest.mark.parametrize("quality", [1, 4, 8])
def test_more_candidates_make_better_files(
    photograph: NDArray[np.uint8], quality: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = picture_of(photograph)
    chosen = compress(picture, quality, refine=False)
    assert np.array_equal(decompress(chosen.data).pixels, chosen.reconstruction)
    monkeypatch.setattr(block_choice, "CANDIDATES", (1.0,))
    assert cost(photograph, chosen) < 0.995 * cost(
        photograph, compress(picture, quality, refine=False)
    )


@pytest.mark.usefixtures("tiny")
def test_equal_candidates_equal_rdoq(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_choice, "CANDIDATES", (1.0, 1.0, 1.0))
    single = compress(picture_of(photograph), 4)
    monkeypatch.setattr(encoder, "ModelConfig", PaperConfig)  # whose blocks have no candidates
    assert compress(picture_of(photograph), 4).data == single.data


@pytest.mark.usefixtures("tiny")
def test_pictures_of_a_batch_are_coded_like_single_ones(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    pictures = [picture_of(photograph), picture_of(photograph[:40, :56])]
    for picture, compressed in zip(pictures, compress_batch(pictures, 5), strict=True):
        assert compressed.data == compress(picture, 5).data
