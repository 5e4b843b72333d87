"""Which files count as pictures: one list, derived from what Pillow can open."""

from pathlib import Path

import pytest
from PIL import Image

from lbbic_engine.pictures.find import (
    READABLE_FORMATS,
    find_files,
    picture_suffixes,
    pillow_suffixes,
)
from lbbic_engine.pictures.read import load_picture


@pytest.mark.parametrize("suffix", sorted(pillow_suffixes()))
def test_every_listed_suffix_has_a_readable_format(suffix: str) -> None:
    assert Image.registered_extensions()[suffix] in READABLE_FORMATS
    assert Image.registered_extensions()[suffix] in Image.OPEN


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JPG", ".tga", ".qoi", ".j2k"])
def test_rare_suffixes_of_pictures_are_accepted(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"photo{suffix}"
    format_ = Image.registered_extensions()[suffix.lower()]
    Image.new("RGB", (20, 10), "red").save(file, format_)
    assert find_files(tmp_path, picture_suffixes()).files == (file,)
    assert load_picture(file).pixels.shape == (10, 20, 3)


@pytest.mark.parametrize("suffix", [".eps", ".ps", ".wmf", ".emf", ".mpg", ".hdf", ".grib"])
def test_formats_drawn_by_other_programs_are_not_accepted(suffix: str) -> None:
    assert suffix not in picture_suffixes()
