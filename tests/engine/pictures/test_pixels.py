"""Pictures in and out: nothing is lost silently, and nothing is half written."""

import errno
import io
import os
import stat
import struct
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile, PngImagePlugin

from lbbic_engine.errors import TooLargeError, UnsupportedImageError
from lbbic_engine.pictures import read
from lbbic_engine.pictures.atomic import write_atomically
from lbbic_engine.pictures.files import opening
from lbbic_engine.pictures.picture import Notice, NoticeKind, Picture, to_image
from lbbic_engine.pictures.read import load_picture
from lbbic_engine.pictures.write import save_image

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<r:Description tiff:Orientation="6"/></x:xmpmeta><?xpacket end="w"?>'
)
UPRIGHT_XMP = XMP.replace(b'"6"', b'"1"')


def noise(*shape: int, dtype: type = np.uint8) -> NDArray[Any]:
    limit = np.iinfo(dtype).max + 1
    return np.random.default_rng(7).integers(0, limit, shape, dtype=dtype)


def exif_bytes(orientation: int | None = 6) -> bytes:
    exif = Image.Exif()
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: b"a comment"}
    return exif.tobytes()


def stored(image: Image.Image, format_: str, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, format_, **options)
    file.seek(0)
    return file


def orientation_of(picture: Picture) -> int | None:
    value: int | None = to_image(picture).getexif().get(ExifTags.Base.Orientation)
    return value


# --- orientation --------------------------------------------------------------------------------

CORNERS = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
# What a viewer shows of CORNERS, by the EXIF specification's rows and columns.
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


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_an_impossible_orientation_is_ignored(orientation: int) -> None:
    image = Image.fromarray(CORNERS)
    picture = load_picture(stored(image, "PNG", exif=exif_bytes(orientation)))
    np.testing.assert_array_equal(picture.pixels[..., 0], CORNERS)
    assert orientation_of(picture) == 1


def test_xmp_orientation_is_neutralised_too() -> None:
    file = stored(Image.fromarray(CORNERS), "WEBP", lossless=True, xmp=XMP)
    picture = load_picture(file)
    assert picture.pixels.shape == (3, 2, 3)
    assert picture.xmp == UPRIGHT_XMP
    assert load_picture(to_image(picture)).pixels.shape == (3, 2, 3)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_stays_verbatim_but_for_its_orientation(order: str) -> None:
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


def test_a_tiff_passes_on_what_describes_the_picture_and_not_its_layout() -> None:
    file = stored(Image.fromarray(CORNERS), "TIFF", exif=exif_bytes(6))
    picture = load_picture(file)
    exif = to_image(picture).getexif()
    assert exif[ExifTags.Base.Make] == "Maker"
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] == b"a comment"
    assert ExifTags.Base.StripOffsets not in exif
    plain = load_picture(stored(Image.fromarray(CORNERS), "TIFF"))
    assert plain.exif is None
    assert plain.notices == ()


# --- modes --------------------------------------------------------------------------------------


def test_rgb_comes_in_and_goes_out_unchanged() -> None:
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
def test_every_mode_looks_as_pillow_shows_it(mode: str, grey: bool, alpha: bool) -> None:
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
    """A 2×1 PNG made by hand, for what Pillow reads and doesn't write."""
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
def test_what_8_bits_cannot_hold_is_refused(image: Image.Image) -> None:
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


def test_cmyk_goes_through_its_profile(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_of_several_frames_the_first_is_kept_with_a_notice(format_: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    options = {"lossless": True} if format_ == "WEBP" else {}
    file = stored(frames[0], format_, save_all=True, append_images=frames[1:], **options)
    picture = load_picture(file)
    assert (picture.pixels == (255, 0, 0)).all()
    assert "frames" in picture.notices[0].text


# --- files --------------------------------------------------------------------------------------


def test_metadata_comes_in_and_goes_out(tmp_path: Path) -> None:
    path = tmp_path / "Bläue 图 🎈.png"
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", UPRIGHT_XMP.decode())
    image = Image.fromarray(noise(4, 5, 3))
    image.save(path, icc_profile=SRGB, exif=exif_bytes(1), pnginfo=info)
    picture = load_picture(str(path))
    assert picture.icc == SRGB
    assert picture.exif == exif_bytes(1)[6:]
    assert picture.xmp == UPRIGHT_XMP
    assert to_image(picture).info == {
        "icc_profile": SRGB,
        "exif": exif_bytes(1),
        "xmp": UPRIGHT_XMP,
    }


@pytest.mark.parametrize("as_source", [str, Path, lambda path: io.BytesIO(path.read_bytes())])
def test_paths_and_files_are_read_alike(tmp_path: Path, as_source: Any) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(CORNERS).save(path)
    np.testing.assert_array_equal(load_picture(as_source(path)).pixels[..., 0], CORNERS)


def test_a_file_of_the_caller_stays_open_and_its_image_unchanged() -> None:
    file = stored(Image.fromarray(CORNERS), "PNG", exif=exif_bytes(6))
    load_picture(file)
    assert not file.closed
    image = Image.open(file)
    load_picture(image)
    assert image.size == (3, 2)
    assert image.getexif()[ExifTags.Base.Orientation] == 6


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "störend.png"
    path.write_bytes(content)
    with pytest.raises(UnsupportedImageError, match=r"störend\.png"):
        load_picture(path)
    with pytest.raises(UnsupportedImageError, match="missing"):
        load_picture(tmp_path / "missing.png")
    with pytest.raises(UnsupportedImageError):
        load_picture(tmp_path)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_a_truncated_file_is_refused(format_: str) -> None:
    data = stored(Image.fromarray(noise(64, 64, 3)), format_).getvalue()
    for length in (len(data) // 2, len(data) * 9 // 10):
        with pytest.raises(UnsupportedImageError):
            load_picture(io.BytesIO(data[:length]))


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_a_damaged_file_never_raises_anything_else(format_: str) -> None:
    image = Image.fromarray(noise(6, 6, 3))
    data = stored(image, format_, exif=exif_bytes(3)).getvalue()
    for index in range(min(len(data), 300)):
        damaged = bytearray(data)
        damaged[index] ^= 0xFF
        with suppress(UnsupportedImageError):
            load_picture(io.BytesIO(bytes(damaged)))


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "AVIF"])
def test_pillows_limits_of_pixels_are_the_hosts_and_ours_count(
    monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    values = Image.fromarray(noise(100, 100, 3))
    file = stored(values, format_, **({"lossless": True} if format_ == "WEBP" else {}))
    expected = load_picture(file).pixels
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4_999)
    picture = load_picture(file)
    np.testing.assert_array_equal(picture.pixels, expected)
    assert picture.notices == ()
    monkeypatch.setattr(opening, "MAX_PIXELS", 9_999)
    with pytest.raises(TooLargeError, match="100 × 100 pixels are more than"):
        load_picture(file)


def test_a_side_that_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="65535"):
        load_picture(stored(Image.new("1", (65_536, 1)), "PNG"))


# --- saving -------------------------------------------------------------------------------------

FULL: dict[str, Any] = {"icc": SRGB, "exif": exif_bytes(1)[6:], "xmp": UPRIGHT_XMP}
LOSSLESS = ["png", "webp", "tiff", "tif", "bmp", "tga", "jp2", "ppm"]
OPAQUE = ["bmp", "ppm", "jpg"]
HOLDS_METADATA = ["png", "jpg", "webp", "avif", "tiff"]


@pytest.mark.parametrize(
    ("extension", "with_alpha"),
    [(name, False) for name in LOSSLESS]
    + [(name, True) for name in LOSSLESS if name not in OPAQUE],
)
@pytest.mark.parametrize("grey", [False, True])
def test_formats_without_loss_keep_every_pixel(
    tmp_path: Path, extension: str, with_alpha: bool, grey: bool
) -> None:
    pixels = np.repeat(noise(40, 50, 1), 3, axis=2) if grey else noise(40, 50, 3)
    picture = Picture(pixels, noise(40, 50) if with_alpha else None, grey)
    path = tmp_path / f"picture.{extension.upper()}"
    save_image(picture, path)
    again = load_picture(path)
    np.testing.assert_array_equal(again.pixels, pixels)
    np.testing.assert_equal(again.alpha, picture.alpha)


@pytest.mark.parametrize("extension", ["jpg", "jpeg", "avif"])
def test_lossy_formats_keep_full_colour_resolution(tmp_path: Path, extension: str) -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = (200, 40, 40)
    stripes[:, 1::2] = (40, 40, 200)
    save_image(Picture(stripes), tmp_path / f"picture.{extension}")
    again = load_picture(tmp_path / f"picture.{extension}")
    assert np.abs(again.pixels.astype(int) - stripes).mean() < 8


@pytest.mark.parametrize("extension", HOLDS_METADATA)
@pytest.mark.parametrize("with_alpha", [False, True])
def test_metadata_goes_along(tmp_path: Path, extension: str, with_alpha: bool) -> None:
    picture = Picture(noise(16, 16, 3), noise(16, 16) if with_alpha else None, **FULL)
    path = tmp_path / f"picture.{extension}"
    save_image(picture, path)
    again = load_picture(path)
    assert again.icc == SRGB
    assert again.xmp == UPRIGHT_XMP
    exif = to_image(again).getexif()
    assert exif[ExifTags.Base.Make] == "Maker"
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] == b"a comment"
    assert orientation_of(again) in (1, None)


@pytest.mark.parametrize("extension", OPAQUE)
@pytest.mark.parametrize("grey", [False, True])
def test_alpha_is_laid_on_white_where_there_is_none(
    tmp_path: Path, extension: str, grey: bool
) -> None:
    alpha = np.zeros((16, 16), np.uint8)
    alpha[:, 8:] = 255
    picture = Picture(np.full((16, 16, 3), 96, np.uint8), alpha, grey)
    save_image(picture, tmp_path / f"picture.{extension}")
    again = load_picture(tmp_path / f"picture.{extension}")
    assert again.pixels[:, :8].min() >= 253
    assert np.abs(again.pixels[:, 8:].astype(int) - 96).max() <= 2
    assert again.alpha is None


@pytest.mark.parametrize("extension", ["webp", "avif"])
def test_a_grey_profile_never_lands_in_a_colour_file(tmp_path: Path, extension: str) -> None:
    picture = Picture(np.full((9, 9, 3), 80, np.uint8), noise(9, 9), True, icc=b"grey profile")
    save_image(picture, tmp_path / f"picture.{extension}")
    assert load_picture(tmp_path / f"picture.{extension}").icc is None


@pytest.mark.parametrize("key", ["exif", "xmp"])
def test_metadata_too_long_for_jpeg_is_left_out(tmp_path: Path, key: str) -> None:
    picture = Picture(noise(8, 8, 3), **{**FULL, key: bytes(70_000)})
    save_image(picture, tmp_path / "picture.jpg")
    again = load_picture(tmp_path / "picture.jpg")
    assert getattr(again, key) is None
    assert again.icc == SRGB


@pytest.mark.parametrize("name", ["picture", "picture.xyz", "picture.gif", "picture.lbb"])
def test_an_unknown_extension_is_reported(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedImageError, match=name):
        save_image(Picture(noise(4, 4, 3)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_too_large_for_its_format_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match="16383; PNG"):
        save_image(Picture(np.zeros((1, 20_000, 3), np.uint8)), tmp_path / "wide.webp")
    assert list(tmp_path.iterdir()) == []


def test_saving_does_not_replace_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        save_image(Picture(noise(4, 4, 3)), path)
    assert path.read_bytes() == b"precious"
    save_image(Picture(noise(4, 4, 3)), path, overwrite=True)
    assert load_picture(path).pixels.shape == (4, 4, 3)


# --- write_atomically ---------------------------------------------------------------------------


def fail(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_written_with_ordinary_permissions(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / ("ä" * 127)
    write_atomically(path, b"data", overwrite=overwrite)
    assert path.read_bytes() == b"data"
    assert list(tmp_path.iterdir()) == [path]
    reference = tmp_path / "reference"
    reference.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(reference.stat().st_mode)


@pytest.mark.parametrize(
    ("source", "existing", "mode"),
    [
        (0o600, None, 0o600),
        (0o640, None, 0o640),
        (0o444, None, 0o644),  # its owner may write it, else it could not be replaced
        (0o400, 0o644, 0o600),
        (0o644, 0o600, 0o600),
        (0o644, 0o755, 0o644),
        (None, 0o640, 0o640),
    ],
)
def test_nobody_may_read_a_result_who_may_not_read_what_it_is_made_of(
    tmp_path: Path, source: int | None, existing: int | None, mode: int
) -> None:
    picture, path = tmp_path / "picture", tmp_path / "file"
    picture.touch()
    picture.chmod(source or 0o644)
    if existing is not None:
        path.touch()
        path.chmod(existing)
    like = None if source is None else picture.stat()
    umask = os.umask(0o022)
    write_atomically(path, b"data", overwrite=existing is not None, like=like)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_a_group_may_read_is_not_opened_to_another(tmp_path: Path) -> None:
    picture, path = tmp_path / "picture", tmp_path / "file"
    picture.touch()
    picture.chmod(0o640)
    facts = list(picture.stat())
    facts[5] += 1  # the group
    write_atomically(path, b"data", overwrite=False, like=os.stat_result(facts))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("link", [os.link, fail])
def test_the_date_is_kept_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: Callable[..., None]
) -> None:
    monkeypatch.setattr(os, "link", link)
    picture = tmp_path / "picture"
    picture.touch()
    os.utime(picture, ns=(1, 1_234_567_890_123_456_789))
    for keep_date in (False, True):
        path = tmp_path / str(keep_date)
        write_atomically(path, b"", overwrite=False, like=picture.stat(), keep_date=keep_date)
        assert (path.stat().st_mtime_ns == picture.stat().st_mtime_ns) is keep_date


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new", overwrite=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    monkeypatch.setattr(os, "fsync", lambda _: path.write_bytes(b"faster"))
    with pytest.raises(FileExistsError):
        write_atomically(path, b"slower", overwrite=False)
    assert path.read_bytes() == b"faster"
    monkeypatch.setattr(os, "link", fail)
    path.unlink()
    with pytest.raises(FileExistsError):
        write_atomically(path, b"slower", overwrite=False)
    assert path.read_bytes() == b"faster"
    assert list(tmp_path.iterdir()) == [path]


def test_without_hard_links_the_file_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", fail)
    path = tmp_path / "file"
    write_atomically(path, b"data", overwrite=False)
    assert path.read_bytes() == b"data"
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "other", b"data", overwrite=False)
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_writers_exactly_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "file"
    outcomes: list[bytes | None] = []

    def write(data: bytes) -> None:
        try:
            write_atomically(path, data, overwrite=False)
            outcomes.append(data)
        except FileExistsError:
            outcomes.append(None)

    threads = [threading.Thread(target=write, args=(bytes([n]) * 1000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [data for data in outcomes if data] == [path.read_bytes()]
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed_and_a_folder_is_not_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path, b"new", overwrite=True)
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "folder", b"new", overwrite=False)


def test_lack_of_memory_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(UnsupportedImageError, match="not enough memory"):
        load_picture(tmp_path / "a.png")
