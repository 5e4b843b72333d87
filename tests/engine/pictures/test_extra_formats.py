"""HEIF, JPEG XL and camera raw: decoded in a separate process, with all metadata.

The files in ``extra`` contain a gradient drawn for them; ``extra/README.md`` describes how.
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pylibjxl
import pytest
from PIL import ExifTags, Image

from lbbic_engine.cli.tables import require_matplotlib
from lbbic_engine.errors import LbbicError, TooLargeError, UnknownFormatError, UnsupportedImageError
from lbbic_engine.measure.ssimulacra2 import require_package
from lbbic_engine.pictures import find
from lbbic_engine.pictures.colour import to_srgb
from lbbic_engine.pictures.files import decoders, extra_formats
from lbbic_engine.pictures.metadata import exif as exif_data
from lbbic_engine.pictures.picture import EXIF_PREFIX, NoticeKind
from lbbic_engine.pictures.read import load_picture, load_preview
from tests.engine.pictures.made import dng

EXTRA = Path(__file__).parent / "extra"
Y, X = np.mgrid[0:32, 0:48]
GRADIENT = np.stack([X * 5, Y * 7, 255 - X * 3], axis=2).clip(0, 255).astype(np.uint8)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    assert first.shape == second.shape
    return float(np.abs(first.astype(int) - second).mean())


def exif_of(data: bytes | None) -> Image.Exif:
    assert data is not None
    exif = Image.Exif()
    exif.load(data)
    return exif


def test_a_heic_picture_is_upright_and_keeps_its_exif() -> None:
    picture = load_picture(EXTRA / "turned.heic")
    assert difference(picture.pixels, np.rot90(GRADIENT, -1)) < 4
    exif = exif_of(picture.exif)
    assert exif[ExifTags.Base.Make] == "Maker"
    assert exif.get(ExifTags.Base.Orientation, 1) == 1
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2026:01:02 03:04:05"
    assert picture.notices == ()


def test_a_heic_pictures_profile_xmp_and_alpha_are_kept() -> None:
    picture = load_picture(EXTRA / "profile.heic")
    assert picture.icc is not None
    assert picture.xmp is not None
    assert picture.notices == ()
    picture = load_picture(EXTRA / "alpha.heic")
    assert picture.alpha is not None
    assert difference(picture.alpha, (X * 5).clip(0, 255)) < 4
    assert difference(picture.pixels, GRADIENT) < 4
    assert picture.notices == ()


def test_reducing_ten_bits_to_eight_causes_a_notice() -> None:
    picture = load_picture(EXTRA / "deep.heic")
    assert difference(picture.pixels, GRADIENT) < 4
    (notice,) = picture.notices
    assert notice.kind == NoticeKind.DEPTH
    assert "10" in notice.text


def test_a_preview_is_small_and_has_the_full_size() -> None:
    preview = load_preview(EXTRA / "turned.heic", 16)
    assert preview.pixels.shape == (16, 11, 4)
    assert (preview.width, preview.height) == (32, 48)


def test_jpeg_xl_keeps_pixels_profile_and_exif() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    icc = load_picture(EXTRA / "profile.heic").icc
    data = pylibjxl.encode(GRADIENT, lossless=True, exif=exif.tobytes(), icc=icc)
    picture = load_picture(io.BytesIO(data))
    assert difference(picture.pixels, GRADIENT) == 0
    assert picture.icc == icc
    assert exif_of(picture.exif)[ExifTags.Base.Make] == "Maker"
    assert picture.notices == ()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_xl_is_read_with_any_number_of_channels(channels: int) -> None:
    pixels = np.dstack([GRADIENT, GRADIENT[..., 1]])[..., -channels:]
    picture = load_picture(io.BytesIO(pylibjxl.encode(pixels.copy(), lossless=True)))
    assert picture.grey == (channels == 1)
    assert (picture.alpha is not None) == (channels == 4)
    assert picture.icc is None
    assert difference(picture.pixels[..., -1], pixels[..., min(channels, 3) - 1]) == 0


def test_colours_are_read_from_jpeg_xl_headers() -> None:
    picture = load_picture(EXTRA / "p3.jxl")
    assert picture.icc is not None
    plain = to_srgb(picture).pixels[0, 0]
    assert plain[0] > picture.pixels[0, 0, 0]  # this red of P3 is a stronger one in sRGB
    with pytest.raises(UnsupportedImageError, match="high dynamic range"):
        load_picture(EXTRA / "pq.jxl")


def test_exif_boxes_of_jpeg_xl_files_are_kept() -> None:
    whole = (EXTRA / "turned.jxl").read_bytes()  # signature and type in 32 bytes, the codestream
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Maker", 6
    body = bytes(4) + exif.tobytes().removeprefix(EXIF_PREFIX)
    box = struct.pack(">I4s", 8 + len(body), b"Exif") + body
    picture = load_picture(io.BytesIO(whole[:32] + box + whole[32:]))
    assert picture.pixels.shape == (24, 16, 3)
    assert picture.icc is None
    assert exif_of(picture.exif)[ExifTags.Base.Make] == "Maker"
    assert exif_data.orientation(picture.exif or b"") in (None, 1)
    assert picture.notices == ()


@pytest.mark.parametrize("turned", [False, True])
def test_camera_raw_is_developed_with_the_cameras_white_balance(turned: bool) -> None:
    picture = load_picture(io.BytesIO(dng(turned)))
    assert picture.pixels.shape == ((64, 48, 3) if turned else (48, 64, 3))
    red, green, blue = picture.pixels[8:-8, 8:-8].reshape(-1, 3).mean(axis=0)
    assert max(red, green, blue) - min(red, green, blue) < 8  # by daylight it would be green
    assert green > 100
    exif = exif_of(picture.exif)
    assert exif[ExifTags.Base.Make] == "Maker"
    assert exif_data.orientation(picture.exif or b"") in (None, 1)
    (notice,) = picture.notices
    assert notice.kind == NoticeKind.COLOUR
    assert "white balance" in notice.text


@pytest.mark.parametrize("name", ["turned.heic", "p3.jxl", "photo.dng"])
@pytest.mark.parametrize("damage", ["cut", "zeros"])
def test_a_damaged_file_is_refused_in_one_line(name: str, damage: str, tmp_path: Path) -> None:
    whole = dng() if name == "photo.dng" else (EXTRA / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(
        whole[: len(whole) // 3] if damage == "cut" else whole[:32] + bytes(len(whole) - 32)
    )
    with pytest.raises(UnsupportedImageError) as caught:
        load_picture(path)
    assert str(caught.value).startswith(f"Cannot read {path}: It is damaged")
    assert "\n" not in str(caught.value)


def test_a_crashing_decoder_raises_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    crash = [sys.executable, "-c", "import os; os.abort()"]
    monkeypatch.setattr(extra_formats, "_command", lambda: crash)
    with pytest.raises(UnsupportedImageError, match="It is damaged"):
        load_picture(EXTRA / "turned.heic")


def test_the_bundled_command_line_decodes_for_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = "import sys; sys.frozen = True; from lbbic_engine.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", frozen, decoders.COMMAND]
    monkeypatch.setattr(extra_formats, "_command", lambda: command)
    assert load_picture(EXTRA / "turned.heic").pixels.shape == (48, 32, 3)


def test_too_large_pictures_are_refused_before_decoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = (
        "import sys; from lbbic_engine.pictures.files import decoders, limits; "
        "limits.MAX_SIDE = 40; sys.exit(decoders.main(sys.argv[1:]))"
    )
    monkeypatch.setattr(extra_formats, "_command", lambda: [sys.executable, "-c", limit])
    with pytest.raises(TooLargeError, match="32 × 48"):
        load_picture(EXTRA / "turned.heic")


@pytest.mark.parametrize(
    ("extra", "name"), [("heif", "turned.heic"), ("jxl", "p3.jxl"), ("raw", "photo.dng")]
)
def test_a_missing_package_is_named_in_one_line(
    extra: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = EXTRA / name
    if extra == "raw":
        path = tmp_path / name
        path.write_bytes(dng())
    monkeypatch.setitem(sys.modules, find._EXTRA_PACKAGES[extra], None)
    with pytest.raises(UnknownFormatError, match=rf"pip install 'lbbic\[{extra}\]'"):
        load_picture(path)


def test_a_bundled_program_does_not_advise_to_install_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skipped = Counter({".heic": 1})
    assert "pip install" in find.format_counts(skipped)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    for name in ("matplotlib.figure", "ssimulacra2.ssimulacra2"):
        monkeypatch.setitem(sys.modules, name, None)
    assert find.format_counts(skipped) == "1 .heic"
    for require in (require_matplotlib, require_package):
        with pytest.raises(LbbicError) as found:
            require()
        assert "pip install" not in found.value.detail
        assert "This build does not contain it" in found.value.detail


def test_every_extra_has_suffixes_a_package_a_decoder_and_a_name() -> None:
    assert (
        find.EXTRA_SUFFIXES.keys()
        == find._EXTRA_PACKAGES.keys()
        == decoders.DECODERS.keys()
        == extra_formats.NAMES.keys()
    )
    assert find.picture_suffixes() >= find.pillow_suffixes().union(*find.EXTRA_SUFFIXES.values())


def test_decoders_are_not_imported_by_the_engine() -> None:
    code = (
        "import sys; from lbbic_engine.pictures.read import load_picture; "
        f"load_picture({str(EXTRA / 'turned.heic')!r}); "
        "print(sorted({'pi_heif', 'pylibjxl', 'rawpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
