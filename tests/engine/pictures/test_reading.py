"""Reading files and images: paths, damage, limits."""

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile, PngImagePlugin

from lbbic_engine.errors import TooLargeError, UnsupportedImageError
from lbbic_engine.pictures.files import limits
from lbbic_engine.pictures.picture import NoticeKind, to_image
from lbbic_engine.pictures.read import load_picture
from tests.engine.pictures.made import CORNERS, SRGB, UPRIGHT_XMP, exif_bytes, noise, stored


def test_metadata_is_read_and_written(tmp_path: Path) -> None:
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
def test_paths_and_open_files_are_read_identically(tmp_path: Path, as_source: Any) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(CORNERS).save(path)
    np.testing.assert_array_equal(load_picture(as_source(path)).pixels[..., 0], CORNERS)


def test_the_callers_file_stays_open_and_its_image_unchanged() -> None:
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
def test_our_limit_of_pixels_applies_instead_of_pillows(
    monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    values = Image.fromarray(noise(100, 100, 3))
    file = stored(values, format_, **({"lossless": True} if format_ == "WEBP" else {}))
    expected = load_picture(file).pixels
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4_999)
    picture = load_picture(file)
    np.testing.assert_array_equal(picture.pixels, expected)
    assert picture.notices == ()
    monkeypatch.setattr(limits, "MAX_PIXELS", 9_999)
    with pytest.raises(TooLargeError, match="100 × 100 pixels exceed the limit"):
        load_picture(file)


def test_sides_beyond_the_limit_of_the_format_are_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="65535"):
        load_picture(stored(Image.new("1", (65_536, 1)), "PNG"))


def test_lack_of_memory_is_reported_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(UnsupportedImageError, match="not enough memory"):
        load_picture(tmp_path / "a.png")


JPEGS = [
    ("RGB", {}),
    ("RGB", {"progressive": True}),
    ("RGB", {"restart_marker_rows": 1}),
    ("RGB", {"keep_rgb": True}),
    ("L", {"comment": b"comment"}),
    ("CMYK", {}),
]


@pytest.mark.parametrize(("mode", "options"), JPEGS)
def test_damage_within_a_jpeg_causes_a_notice(mode: str, options: dict[str, Any]) -> None:
    """libjpeg detects it at the end of the data at the latest; Pillow ignores its warnings."""
    image = Image.fromarray(noise(160, 240, 3)).convert(mode)
    intact = stored(image, "JPEG", exif=exif_bytes(1), **options).getvalue()
    assert load_picture(io.BytesIO(intact)).notices == load_picture(image).notices
    middle = len(intact) // 2
    damaged = intact[:middle] + bytes(512) + intact[middle + 512 :]
    Image.open(io.BytesIO(damaged)).load()  # silently
    kinds = [notice.kind for notice in load_picture(io.BytesIO(damaged)).notices]
    assert kinds.count(NoticeKind.INCOMPLETE) == 1


def test_extra_bytes_in_a_jpegs_header_cause_no_notice() -> None:
    intact = stored(Image.fromarray(noise(40, 60, 3)), "JPEG", exif=exif_bytes(1)).getvalue()
    table = intact.index(b"\xff\xdb")
    assert load_picture(io.BytesIO(intact[:table] + bytes(11) + intact[table:])).notices == ()
