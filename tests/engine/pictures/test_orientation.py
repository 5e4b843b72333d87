"""Orientation is applied once, and the tags that define it are neutralised."""

import io
import struct

import numpy as np
import pylibjxl
import pytest
from PIL import ExifTags, Image

from lbbic_engine.pictures.picture import NoticeKind, to_image
from lbbic_engine.pictures.read import load_picture
from tests.engine.pictures.made import (
    CORNERS,
    UPRIGHT_XMP,
    XMP,
    dng,
    exif_bytes,
    orientation_of,
    stored,
)

# How a viewer shows CORNERS, by the rows and columns of the EXIF specification.
SHOWN = {
    1: CORNERS,
    2: CORNERS[:, ::-1],
    3: CORNERS[::-1, ::-1],
    4: CORNERS[::-1],
    5: CORNERS.T,
    6: CORNERS.T[:, ::-1],
    7: CORNERS.T[::-1, ::-1],
    8: CORNERS.T[::-1],
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP"])
def test_orientation_is_applied_exactly_once(format_: str, orientation: int) -> None:
    image = Image.fromarray(np.dstack([CORNERS] * 3))
    options = {"lossless": True} if format_ == "WEBP" else {}
    file = stored(image, format_, exif=exif_bytes(orientation), **options)
    picture = load_picture(file)
    np.testing.assert_array_equal(picture.pixels[..., 0], SHOWN[orientation])
    assert orientation_of(picture) in (1, None)
    again = load_picture(to_image(picture))
    np.testing.assert_array_equal(again.pixels, picture.pixels)


@pytest.mark.parametrize("format_", ["JPEG", "AVIF"])
def test_orientation_of_lossy_files_is_applied_exactly_once(format_: str) -> None:
    ramp = np.repeat(np.linspace(0, 255, 32).astype(np.uint8)[:, None], 16, axis=1)
    file = stored(Image.fromarray(ramp), format_, quality=95, exif=exif_bytes(8))
    picture = load_picture(file)
    assert picture.pixels.shape == (16, 32, 3)
    np.testing.assert_allclose(picture.pixels[..., 0], ramp.T[::-1], atol=8)
    assert orientation_of(picture) in (1, None)


def avif(orientation: int) -> tuple[bytes, bytes]:
    """A file of 32×16 pixels with that orientation in its container, and its EXIF, without it."""
    image = Image.new("RGB", (32, 16))
    data = stored(image, "AVIF", exif=exif_bytes(orientation)).getvalue()
    exif = exif_bytes(None)[6:]
    assert exif in data
    return data, exif


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("damage", ["signature", "offset", "directory"])
def test_an_avif_with_damaged_exif_is_read_and_turned_as_its_container_says(
    damage: str, orientation: int
) -> None:
    data, exif = avif(orientation)
    broken = {
        "signature": b"XXXX" + exif[4:],
        "offset": exif[:4] + b"\x7f" * 4 + exif[8:],
        "directory": exif[:8] + b"\xff" * 30 + exif[38:],
    }[damage]
    picture = load_picture(io.BytesIO(data.replace(exif, broken)))
    assert picture.pixels.shape == ((16, 32, 3) if orientation == 1 else (32, 16, 3))
    assert picture.exif is None
    assert [notice.text for notice in picture.notices] == [
        "Not everything in the file is kept; left out: damaged EXIF data."
    ]


@pytest.mark.parametrize("said", [None, 1, 3])
def test_an_avifs_exif_is_kept_if_its_orientation_differs(said: int | None) -> None:
    """Pillow would write it anew, which moves makers' notes."""
    data, exif = avif(6)
    tag = exif[10:22]
    assert tag[:2] == b"\x01\x0f"  # the maker
    other, upright = (struct.pack(">HHIHH", 0x0112, 3, 1, each or 1, 0) for each in (said, 1))
    if said is not None:
        data, exif = data.replace(tag, other), exif.replace(tag, upright)
    picture = load_picture(io.BytesIO(data))
    assert picture.pixels.shape == (32, 16, 3)
    assert picture.exif == exif


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_an_impossible_orientation_is_ignored(orientation: int) -> None:
    image = Image.fromarray(CORNERS)
    picture = load_picture(stored(image, "PNG", exif=exif_bytes(orientation)))
    np.testing.assert_array_equal(picture.pixels[..., 0], CORNERS)
    assert orientation_of(picture) == 1


def test_orientation_in_xmp_is_neutralised() -> None:
    file = stored(Image.fromarray(CORNERS), "WEBP", lossless=True, xmp=XMP)
    picture = load_picture(file)
    assert picture.pixels.shape == (3, 2, 3)
    assert picture.xmp == UPRIGHT_XMP
    assert load_picture(to_image(picture)).pixels.shape == (3, 2, 3)


@pytest.mark.parametrize("kind", ["AVIF", "JPEG XL", "camera raw"])
def test_only_the_file_itself_says_how_a_decoder_turns_it(kind: str) -> None:
    """Decoders of these formats turn the picture, and ignore the orientation in XMP."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    if kind == "AVIF":
        file = stored(Image.fromarray(pixels), "AVIF", xmp=XMP)
    elif kind == "JPEG XL":
        file = io.BytesIO(pylibjxl.encode(pixels, lossless=True, xmp=XMP))
    else:
        file = io.BytesIO(dng(turned=True, xmp=XMP))
    picture = load_picture(file)
    assert picture.pixels.shape == ((64, 48, 3) if kind == "camera raw" else (32, 48, 3))
    assert picture.xmp == UPRIGHT_XMP


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_kept_verbatim_except_its_orientation(order: str) -> None:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 2)
    maker = struct.pack(order + "HHI4s", 0x927C, 7, 4, b"note")
    tail = struct.pack(order + "I", 0) + b"bytes that no directory mentions"
    before = head + struct.pack(order + "HHIHH", 0x0112, 3, 1, 6, 0) + maker + tail
    after = head + struct.pack(order + "HHIHH", 0x0112, 3, 1, 1, 0) + maker + tail
    image = Image.fromarray(CORNERS)
    image.info["exif"] = b"Exif\0\0" + before
    assert load_picture(image).exif == after


@pytest.mark.parametrize(
    "exif", [b"garbage", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"]
)
def test_damaged_exif_is_left_out_with_a_notice(exif: bytes) -> None:
    image = Image.fromarray(CORNERS)
    image.info["exif"] = exif
    picture = load_picture(image)
    assert picture.exif is None
    (notice,) = picture.notices
    assert (notice.kind, "EXIF" in notice.text) == (NoticeKind.LEFT_OUT, True)
    np.testing.assert_array_equal(picture.pixels[..., 0], CORNERS)


def test_tiff_tags_about_the_picture_are_kept_and_layout_tags_dropped() -> None:
    file = stored(Image.fromarray(CORNERS), "TIFF", exif=exif_bytes(6))
    picture = load_picture(file)
    exif = to_image(picture).getexif()
    assert exif[ExifTags.Base.Make] == "Maker"
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] == b"a comment"
    assert ExifTags.Base.StripOffsets not in exif
    plain = load_picture(stored(Image.fromarray(CORNERS), "TIFF"))
    assert plain.exif is None
    assert plain.notices == ()
