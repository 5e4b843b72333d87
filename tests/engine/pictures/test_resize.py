"""Resized pictures: size, filter, transparency, and the size in metadata."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from lbbic_engine.pictures.metadata.strip import resize
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.pictures.read import load_picture
from tests.engine.pictures.made import noise


@pytest.mark.parametrize(("side", "shape"), [(30, (20, 30)), (60, (40, 60)), (90, (40, 60))])
def test_the_longer_side_is_bounded_and_nothing_is_enlarged(
    side: int, shape: tuple[int, int]
) -> None:
    picture = Picture(noise(40, 60, 3))
    assert resize(picture, side).pixels.shape == (*shape, 3)
    assert resize(picture, None) is picture


def test_resizing_uses_pillows_lanczos() -> None:
    pixels = noise(40, 60, 3)
    expected = Image.fromarray(pixels).resize((30, 20), Image.Resampling.LANCZOS)
    assert np.array_equal(resize(Picture(pixels), 30).pixels, np.asarray(expected))


def test_transparent_pixels_do_not_bleed() -> None:
    pixels, alpha = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8)
    pixels[:, :20], alpha[:, :20] = 200, 255  # grey, next to invisible black
    small = resize(Picture(pixels, alpha), 10)
    assert small.alpha is not None
    assert (small.pixels[small.alpha > 200] > 195).all()


def test_exif_and_xmp_have_the_new_size() -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] = 60
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageHeight] = 40
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        b'syntax-ns#"><rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" '
        b'exif:PixelXDimension="60" exif:PixelYDimension="40"/></rdf:RDF></x:xmpmeta>'
    )
    file = io.BytesIO()
    Image.fromarray(noise(40, 60, 3)).save(file, "JPEG", exif=exif, xmp=xmp)
    small = resize(load_picture(io.BytesIO(file.getvalue())), 30)
    assert small.exif is not None
    assert small.xmp is not None
    tags = Image.Exif()
    tags.load(small.exif)
    sizes = tags.get_ifd(ExifTags.IFD.Exif)
    assert sizes[ExifTags.Base.ExifImageWidth] == 30
    assert sizes[ExifTags.Base.ExifImageHeight] == 20
    assert b'PixelXDimension="30"' in small.xmp
    assert b'PixelYDimension="20"' in small.xmp
