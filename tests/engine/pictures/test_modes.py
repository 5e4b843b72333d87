"""Every mode is read without a visible change, or with a notice."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from lbbic_engine.errors import UnsupportedImageError
from lbbic_engine.pictures import read
from lbbic_engine.pictures.picture import Notice, NoticeKind, to_image
from lbbic_engine.pictures.read import load_picture
from tests.engine.pictures.made import SRGB, noise, stored


def test_rgb_is_read_and_written_unchanged() -> None:
    values = noise(9, 7, 3)
    picture = load_picture(Image.fromarray(values))
    np.testing.assert_array_equal(picture.pixels, values)
    assert (picture.alpha, picture.grey, picture.notices) == (None, False, ())
    np.testing.assert_array_equal(np.asarray(to_image(picture)), values)
    assert to_image(picture).mode == "RGB"


@pytest.mark.parametrize(
    ("mode", "grey", "alpha"),
    [
        ("1", True, False),
        ("L", True, False),
        ("LA", True, True),
        ("La", True, True),
        ("P", False, False),
        ("PA", False, True),
        ("RGB", False, False),
        ("RGBA", False, True),
        ("RGBa", False, True),
        ("RGBX", False, False),
        ("YCbCr", False, False),
        ("HSV", False, False),
    ],
)
def test_every_mode_is_converted_as_pillow_does(mode: str, grey: bool, alpha: bool) -> None:
    rgba = Image.fromarray(noise(9, 7, 4))
    via = {"La": "LA", "LA": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBA": "RGBA"}.get(mode, "RGB")
    image = rgba.convert(via).convert(mode)
    shown = np.asarray((image.convert("LA") if mode == "La" else image).convert("RGBA"))
    picture = load_picture(image)
    np.testing.assert_array_equal(picture.pixels, shown[..., :3])
    assert picture.grey == grey
    assert (picture.alpha is not None) == alpha
    if picture.alpha is not None:
        np.testing.assert_array_equal(picture.alpha, shown[..., 3])
    assert to_image(picture).mode == ("L" if grey else "RGB") + ("A" if alpha else "")
    np.testing.assert_array_equal(np.asarray(to_image(picture).convert("RGBA")), shown)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_that_is_opaque_everywhere_is_dropped(mode: str) -> None:
    assert load_picture(Image.new(mode, (4, 4))).alpha is not None
    opaque = Image.new(mode, (4, 4), "white")
    assert load_picture(opaque).alpha is None


@pytest.mark.parametrize("transparency", [3, bytes([0, 128, 255, 7])])
def test_a_transparent_palette_becomes_alpha(transparency: int | bytes) -> None:
    image = Image.fromarray(np.array([[0, 1, 2, 3]], np.uint8), "P")
    image.putpalette([10, 0, 0, 0, 20, 0, 0, 0, 30, 40, 40, 40])
    picture = load_picture(stored(image, "PNG", transparency=transparency))
    expected = [0, 128, 255, 7] if isinstance(transparency, bytes) else [255, 255, 255, 0]
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [expected]
    assert picture.pixels.tolist() == [[[10, 0, 0], [0, 20, 0], [0, 0, 30], [40, 40, 40]]]


def test_a_transparent_colour_becomes_alpha() -> None:
    grey = stored(Image.fromarray(np.array([[0, 9]], np.uint8)), "PNG", transparency=9)
    colour = stored(Image.new("RGB", (1, 2), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    for file, alpha in ((grey, [[255, 0]]), (colour, [[0], [0]])):
        picture = load_picture(file)
        assert picture.alpha is not None
        assert picture.alpha.tolist() == alpha


def test_16_bit_grey_is_rounded_with_a_notice() -> None:
    values = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    rounded = np.floor(values / 257 + 0.5).astype(np.uint8)
    files = [
        stored(Image.fromarray(values), "PNG"),
        stored(Image.fromarray(values), "TIFF"),
        stored(Image.fromarray(values), "PPM"),
    ]
    for picture in [load_picture(file) for file in files]:
        np.testing.assert_array_equal(picture.pixels, np.dstack([rounded] * 3))
        assert picture.grey
        assert "16" in picture.notices[0].text


def test_16_bit_transparency_becomes_alpha() -> None:
    values = np.array([[300, 301]], np.uint16)
    picture = load_picture(stored(Image.fromarray(values), "PNG", transparency=301))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 0]]


def png_of(depth: int, colour_type: int, row: bytes, transparency: bytes = b"") -> io.BytesIO:
    """A 2×1 PNG made by hand, of a kind that Pillow reads but does not write."""
    file = io.BytesIO()
    file.write(b"\x89PNG\r\n\x1a\n")
    header = struct.pack(">IIBBBBB", 2, 1, depth, colour_type, 0, 0, 0)
    PngImagePlugin.putchunk(file, b"IHDR", header)
    if transparency:
        PngImagePlugin.putchunk(file, b"tRNS", transparency)
    PngImagePlugin.putchunk(file, b"IDAT", zlib.compress(b"\0" + row))
    PngImagePlugin.putchunk(file, b"IEND")
    file.seek(0)
    return file


@pytest.mark.parametrize(
    "file",
    [
        png_of(1, 0, b"\x80", b"\0\1"),
        png_of(2, 0, b"\x90", b"\0\2"),
        png_of(4, 0, b"\x9a", b"\0\x09"),
        png_of(8, 0, b"\x09\x0a", b"\0\x09"),
        png_of(16, 0, b"\x12\x34\x12\x35", b"\x12\x34"),
        png_of(16, 2, b"\x12\x34" * 3 + b"\x22\x34" * 3, b"\x12\x34" * 3),
    ],
)
def test_the_transparent_colour_of_every_png_depth_becomes_alpha(file: io.BytesIO) -> None:
    picture = load_picture(file)
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("colour_type", "channels", "grey"), [(0, 1, True), (2, 3, False), (4, 2, True), (6, 4, False)]
)
def test_every_16_bit_png_is_reduced_with_a_notice(
    colour_type: int, channels: int, grey: bool
) -> None:
    picture = load_picture(png_of(16, colour_type, b"\x80\0" * channels + b"\xff\xff" * channels))
    assert picture.pixels.tolist() == [[[128] * 3, [255] * 3]]
    assert picture.grey == grey
    assert (picture.alpha is not None) == (colour_type in (4, 6))
    text = "Reduced from 16 to 8 bits per channel."
    assert picture.notices == (Notice(NoticeKind.DEPTH, text),)


@pytest.mark.parametrize(
    "image",
    [
        Image.new("F", (2, 2)),
        Image.new("I", (2, 2), 65_536),
        Image.new("I", (2, 2), -1),
        Image.new("RGB", (0, 3)),
    ],
)
def test_modes_beyond_8_bits_are_refused(image: Image.Image) -> None:
    with pytest.raises(UnsupportedImageError):
        load_picture(image)


def test_cmyk_without_a_profile_is_converted_with_a_notice() -> None:
    image = Image.fromarray(noise(5, 6, 4), "CMYK")
    picture = load_picture(stored(image, "TIFF"))
    np.testing.assert_array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    assert "CMYK" in picture.notices[0].text
    assert "without" in picture.notices[0].text


def test_cmyk_with_an_unfit_profile_is_converted_without_it() -> None:
    image = Image.new("CMYK", (5, 6), (10, 20, 30, 40))
    for icc in (SRGB, b"no profile"):
        picture = load_picture(stored(image, "TIFF", icc_profile=icc))
        assert picture.icc is None
        assert "without" in picture.notices[0].text


def test_cmyk_is_converted_through_its_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def image_to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
        used.append((image.mode, icc))
        return Image.new("RGB", image.size, (1, 2, 3))

    monkeypatch.setattr(read, "image_to_srgb", image_to_srgb)
    file = stored(Image.new("CMYK", (4, 4)), "JPEG", icc_profile=b"CMYK profile")
    picture = load_picture(file)
    assert used == [("CMYK", b"CMYK profile")]
    assert picture.icc is None
    assert (picture.pixels == (1, 2, 3)).all()
    assert "through its colour profile" in picture.notices[0].text


def test_lab_is_converted_with_a_notice() -> None:
    image = Image.new("RGB", (3, 3), (200, 100, 50)).convert("LAB")
    picture = load_picture(stored(image, "TIFF"))
    np.testing.assert_allclose(picture.pixels, np.full((3, 3, 3), (200, 100, 50)), atol=3)
    assert "LAB" in picture.notices[0].text
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image.info["icc_profile"] = lab
    assert "through" in load_picture(image).notices[0].text


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_of_several_frames_is_kept_with_a_notice(format_: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    options = {"lossless": True} if format_ == "WEBP" else {}
    file = stored(frames[0], format_, save_all=True, append_images=frames[1:], **options)
    picture = load_picture(file)
    assert (picture.pixels == (255, 0, 0)).all()
    assert "frames" in picture.notices[0].text
