"""Exported pictures can be opened again, or are refused with an alternative format."""

from pathlib import Path

import numpy as np
import pytest

from lbbic_engine.errors import UnwritableImageError
from lbbic_engine.pictures.formats import format_for
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.pictures.profile import SRGB, as_icc
from lbbic_engine.pictures.read import load_picture
from lbbic_engine.pictures.write import encode_image, save_image

LIMITS = [("jpg", 65_500), ("webp", 16_383), ("avif", 32_768), ("png", 65_535), ("tga", 65_535)]


@pytest.mark.parametrize(("extension", "limit"), LIMITS)
@pytest.mark.parametrize("is_wide", [False, True])
def test_the_largest_picture_of_each_format_can_be_reopened(
    tmp_path: Path, extension: str, limit: int, is_wide: bool
) -> None:
    shape = (1, limit, 3) if is_wide else (limit, 1, 3)
    save_image(Picture(np.zeros(shape, np.uint8)), tmp_path / f"a.{extension}")
    assert load_picture(tmp_path / f"a.{extension}").pixels.shape == shape


@pytest.mark.parametrize(("extension", "limit"), LIMITS[:3])
@pytest.mark.parametrize("is_wide", [False, True])
def test_pictures_too_large_for_a_format_are_refused_with_an_alternative(
    tmp_path: Path, extension: str, limit: int, is_wide: bool
) -> None:
    shape = (1, limit + 1, 3) if is_wide else (limit + 1, 1, 3)
    with pytest.raises(
        UnwritableImageError, match=rf"at most {limit}; PNG and TIFF can store them"
    ):
        save_image(Picture(np.zeros(shape, np.uint8)), tmp_path / f"a.{extension}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("extension", "name"), [("webp", "WebP"), ("jp2", "JPEG 2000")])
def test_the_suffix_determines_the_format(extension: str, name: str) -> None:
    assert format_for(f"a.{extension.upper()}", 1, 1).name == name


@pytest.mark.parametrize("extension", ["j2k", "J2C", "jpc", "jp2"])
def test_jpeg_2000_is_a_codestream_or_in_a_container_by_its_suffix(extension: str) -> None:
    data, _ = encode_image(Picture(np.zeros((8, 8, 3), np.uint8)), f"a.{extension}")
    assert data.startswith(b"\xff\x4f\xff\x51") is (extension != "jp2")


def test_a_pgm_is_grey_and_a_pbm_is_not_written() -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    data, _ = encode_image(Picture(pixels, grey=True), "a.pgm")
    assert data.startswith(b"P5")
    with pytest.raises(UnwritableImageError, match="has no colours"):
        encode_image(Picture(pixels), "a.PGM")
    for name in ("a.pbm", "a.pfm"):
        with pytest.raises(UnwritableImageError, match="known format"):
            encode_image(Picture(pixels, grey=True), name)


@pytest.mark.parametrize("with_profile", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_an_avif_is_monochrome_only_if_it_is_grey(
    tmp_path: Path, grey: bool, with_profile: bool
) -> None:
    """A grey profile is invalid in a file of three channels, which other programs refuse."""
    icc = as_icc(SRGB, grey) if with_profile else None
    save_image(Picture(np.full((16, 16, 3), 99, np.uint8), None, grey, icc), tmp_path / "a.avif")
    data = (tmp_path / "a.avif").read_bytes()
    is_monochrome = bool(data[data.index(b"av1C") + 6] & 0x10)
    assert is_monochrome == grey
