"""Colours follow the file's definition, in whatever form; compared with the formulas."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.errors import UnfitPixelsError
from lbbic_engine.pictures import profile, read
from lbbic_engine.pictures.colour import conversion_to_srgb, to_srgb
from lbbic_engine.pictures.picture import NoticeKind, Picture
from lbbic_engine.pictures.profile import ADOBE_RGB, SRGB, as_icc, from_code_points
from lbbic_engine.pictures.read import load_picture, load_preview
from lbbic_engine.pictures.write import save_image

Make = Callable[[ModuleType], bytes]
Floats = NDArray[np.float64]

SRGB_XY = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3_XY = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
ADOBE_XY = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
BT2020_XY = ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046))
D65_XY = (0.3127, 0.3290)
ADOBE_CHRM = (*D65_XY, *ADOBE_XY[0], *ADOBE_XY[1], *ADOBE_XY[2])
SRGB_CHRM = (*D65_XY, *SRGB_XY[0], *SRGB_XY[1], *SRGB_XY[2])
P3 = from_code_points(12, 13)
assert P3 is not None
P3_ICC = as_icc(P3, grey=False)


def to_light(value: Floats) -> Floats:
    """IEC 61966-2-1, from values of 0 to 1."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def from_light(light: Floats) -> Floats:
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def to_xyz(points: tuple[tuple[float, float], ...]) -> Floats:
    """The matrix (3, 3) from linear colours to XYZ under D65."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in points]).T
    x, y = D65_XY
    return columns * np.linalg.solve(columns, [x / y, 1, (1 - x - y) / y])


def in_srgb(
    pixels: NDArray[np.uint8],
    points: tuple[tuple[float, float], ...] = SRGB_XY,
    gamma: float | None = None,
) -> Floats:
    """Convert values with other primaries and a gamma, or sRGB's curve, to sRGB, 0 to 255."""
    light = to_light(pixels / 255) if gamma is None else (pixels / 255) ** gamma
    return 255 * from_light(light @ to_xyz(points).T @ np.linalg.inv(to_xyz(SRGB_XY)).T)


SIGNALLED: dict[str, tuple[Make, dict[str, Any]]] = {
    "cICP, Display P3": (lambda make: make.png(make.cicp(12, 13)), {"points": P3_XY}),
    "cICP, BT.2020": (lambda make: make.png(make.cicp(9, 13)), {"points": BT2020_XY}),
    "cICP before ICC": (
        lambda make: make.png(make.cicp(1, 8), icc_profile=P3_ICC),
        {"gamma": 1.0},
    ),
    "gAMA 1": (lambda make: make.png(make.gama(1.0)), {"gamma": 1.0}),
    "gAMA 1/2.2": (lambda make: make.png(make.gama(1 / 2.2)), {"gamma": 2.2}),
    "gAMA and cHRM": (
        lambda make: make.png(make.gama(1 / 2.2), make.chrm(*ADOBE_CHRM)),
        {"points": ADOBE_XY, "gamma": 2.2},
    ),
    "cHRM": (lambda make: make.png(make.chrm(*ADOBE_CHRM)), {"points": ADOBE_XY}),
    "sRGB before gAMA": (
        lambda make: make.png(make.chunk(b"sRGB", b"\0"), make.gama(1.0)),
        {},
    ),
    "ICC before gAMA": (
        lambda make: make.png(make.gama(1.0), icc_profile=P3_ICC),
        {"points": P3_XY},
    ),
    "cHRM of sRGB": (lambda make: make.png(make.chrm(*SRGB_CHRM)), {}),
    "cICP, unspecified": (lambda make: make.png(make.cicp(2, 2)), {}),
    "EXIF of DCF, Adobe RGB": (
        lambda make: make.jpeg(exif=adobe_exif()),
        {"points": ADOBE_XY, "gamma": 563 / 256},
    ),
    "nclx, Display P3": (lambda make: make.avif(12, 13), {"points": P3_XY}),
    "nclx, linear": (lambda make: make.avif(1, 8), {"gamma": 1.0}),
    "nclx, unspecified": (lambda make: make.avif(2, 2), {}),
    "nclx, curve of BT.709": (lambda make: make.avif(1, 1), {}),
    "ICC before nclx": (
        lambda make: make.avif(1, 8, icc_profile=P3_ICC),
        {"points": P3_XY},
    ),
}


def test_a_profile_that_an_lbb_file_cannot_store_is_applied(
    make: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make.stored(Image.fromarray(make.colours()), "PNG", icc_profile=P3_ICC)
    expected = to_srgb(load_picture(io.BytesIO(data))).pixels
    monkeypatch.setattr(read, "MAX_METADATA_BYTES", 100)
    picture = load_picture(io.BytesIO(data))
    assert picture.icc is None
    np.testing.assert_array_equal(picture.pixels, expected)
    assert [notice.kind for notice in picture.notices] == [NoticeKind.COLOUR]


def adobe_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R03"}}
    return exif


@pytest.mark.parametrize("case", SIGNALLED)
def test_colours_are_those_defined_by_the_file(make: ModuleType, tmp_path: Path, case: str) -> None:
    build, colours = SIGNALLED[case]
    data = build(make)
    picture = load_picture(io.BytesIO(data))
    with Image.open(io.BytesIO(data)) as image:  # lossy formats, too, as they were stored
        values = np.asarray(image.convert("RGB"))
    expected = in_srgb(values, **colours)
    assert np.abs(to_srgb(picture).pixels - expected).max() <= 1.5
    assert (picture.icc is None) == (not colours)
    assert [notice for notice in picture.notices if notice.kind is NoticeKind.COLOUR] == []
    save_image(picture, tmp_path / "again.png")
    again = to_srgb(load_picture(tmp_path / "again.png"))
    np.testing.assert_array_equal(again.pixels, to_srgb(picture).pixels)
    preview = load_preview(io.BytesIO(data), 8).pixels[..., :3]
    assert np.abs(preview.mean((0, 1)) - expected.mean((0, 1))).max() < 8


def test_a_gamma_of_grey_becomes_a_grey_profile(make: ModuleType) -> None:
    data = make.png(make.gama(1.0), image=Image.fromarray(make.greys()))
    picture = load_picture(io.BytesIO(data))
    assert picture.grey
    expected = 255 * from_light(make.greys() / 255)
    assert np.abs(to_srgb(picture).pixels[..., 0] - expected).max() <= 0.6
    primaries = make.png(make.cicp(12, 13), image=Image.fromarray(make.greys()))
    assert load_picture(io.BytesIO(primaries)).icc is None  # which grey has none of


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize(
    "build",
    [
        lambda make, transfer: make.png(make.cicp(9, transfer)),
        lambda make, transfer: make.avif(9, transfer),
    ],
)
def test_high_dynamic_range_is_refused(
    make: ModuleType, build: Callable[[ModuleType, int], bytes], transfer: int
) -> None:
    with pytest.raises(UnfitPixelsError, match="high dynamic range"):
        load_picture(io.BytesIO(build(make, transfer)))


@pytest.mark.parametrize(
    "build",
    [
        lambda make: make.png(make.cicp(200, 13)),
        lambda make: make.png(make.cicp(1, 9)),
        lambda make: make.jp2(enumerated=14),
    ],
)
def test_unknown_colours_cause_a_notice(make: ModuleType, build: Make) -> None:
    picture = load_picture(io.BytesIO(build(make)))
    assert [notice.kind for notice in picture.notices] == [NoticeKind.COLOUR]


def test_the_narrow_range_of_cicp_is_stretched(make: ModuleType) -> None:
    picture = load_picture(io.BytesIO(make.png(make.cicp(1, 13, full=0))))
    expected = ((make.colours().astype(float) - 16) * 255 / 219).clip(0, 255)
    assert np.abs(picture.pixels - expected).max() <= 0.5
    assert [notice.kind for notice in picture.notices] == [NoticeKind.COLOUR]


# --- the effect of a profile, not its name -------------------------------------------------------


@pytest.mark.parametrize("grey", [False, True])
def test_profiles_are_judged_by_their_effect(grey: bool) -> None:
    linear = as_icc(replace(SRGB, name="sRGB IEC61966-2.1", curve=(1.0,)), grey)
    conversion = conversion_to_srgb(linear, grey)
    assert conversion is not None
    assert conversion.convert(np.full((1, 1, 3), 128, np.uint8)).tolist() == [[[188] * 3]]
    assert conversion_to_srgb(as_icc(replace(SRGB, name="Wide"), grey), grey) is None


@pytest.mark.parametrize("colours", [ADOBE_RGB, *profile._PRIMARIES.values()])
def test_profiles_agree_with_the_formulas_in_lcms(colours: profile.Colours) -> None:
    if colours.white != D65_XY or colours.is_srgb():
        return
    pixels = np.random.default_rng(1).integers(0, 256, (20, 20, 3), np.uint8)
    conversion = conversion_to_srgb(as_icc(colours, grey=False), grey=False)
    assert conversion is not None
    gamma = colours.curve[0] if len(colours.curve) == 1 else None
    expected = in_srgb(pixels, (colours.red, colours.green, colours.blue), gamma)
    assert np.abs(conversion.convert(pixels) - expected).max() <= 1


GREY_LINEAR = as_icc(replace(SRGB, curve=(1.0,)), grey=True)
MISFITS = [
    (b"no profile", "RGB", False, None),
    (b"no profile", "L", True, None),
    (GREY_LINEAR, "RGB", False, None),
    (as_icc(SRGB, grey=False), "L", True, None),
    (P3_ICC, "L", False, P3_ICC),  # it may still be an RGB picture
]


@pytest.mark.parametrize(("icc", "mode", "grey", "kept"), MISFITS)
def test_a_profile_for_other_pixels_causes_a_notice(
    make: ModuleType, icc: bytes, mode: str, grey: bool, kept: bytes | None
) -> None:
    image = Image.fromarray(make.colours()).convert(mode)
    image.info["icc_profile"] = icc
    picture = load_picture(image)
    assert [notice.kind for notice in picture.notices] == [NoticeKind.PROFILE]
    assert (picture.grey, picture.icc) == (grey, kept)
    np.testing.assert_array_equal(picture.pixels[..., 0], np.asarray(image.convert("RGB"))[..., 0])


@pytest.mark.parametrize(
    "build",
    [
        lambda make: make.png(make.chunk(b"iCCP", b"a\0\0not deflated")),
        lambda make: make.jpeg((0xE2, b"ICC_PROFILE\0\1\3the first of three")),
    ],
)
def test_an_incomplete_profile_causes_a_notice(make: ModuleType, build: Make) -> None:
    picture = load_picture(io.BytesIO(build(make)))
    assert picture.icc is None
    assert any("profile" in notice.text or "iCCP" in notice.text for notice in picture.notices)


def test_a_profile_larger_than_a_megabyte_is_kept(make: ModuleType) -> None:
    """Printers' profiles are that large; Pillow refuses a PNG that contains one."""
    padded = P3_ICC + np.random.default_rng(1).bytes(2**21)
    padded = len(padded).to_bytes(4, "big") + padded[4:]
    data = make.png(icc_profile=padded)
    assert load_picture(io.BytesIO(data)).icc == padded


@pytest.mark.parametrize(
    "build", [lambda make: make.jp2(icc=P3_ICC), lambda make: make.bmp(P3_ICC)]
)
def test_profiles_that_pillow_ignores_are_kept(make: ModuleType, build: Make) -> None:
    assert load_picture(io.BytesIO(build(make))).icc == P3_ICC


@pytest.mark.parametrize("extension", ["png", "jpg", "tiff", "webp", "avif", "jp2", "bmp", "tga"])
@pytest.mark.parametrize(("grey", "with_alpha"), [(False, False), (True, False), (True, True)])
def test_exported_colours_are_the_same_in_every_format(
    make: ModuleType, tmp_path: Path, extension: str, grey: bool, with_alpha: bool
) -> None:
    pixels = np.dstack([make.greys()] * 3) if grey else make.colours()
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    alpha[0, 0] = 0
    icc = GREY_LINEAR if grey else P3_ICC
    picture = Picture(pixels, alpha if with_alpha else None, grey, icc)
    notices = save_image(picture, tmp_path / f"a.{extension}")
    again = to_srgb(load_picture(tmp_path / f"a.{extension}"))
    difference = (again.pixels.astype(int) - to_srgb(picture).pixels)[:, 8:]
    is_lossy = extension in ("jpg", "avif")
    assert np.abs(difference).max() <= (40 if is_lossy else 1)
    assert np.abs(difference).mean() <= (2 if is_lossy else 0.5)
    is_converted = NoticeKind.COLOUR in {notice.kind for notice in notices}
    is_grey_alpha_in_colour = extension == "avif" and with_alpha
    assert is_converted == (
        extension in ("jp2", "bmp", "tga")
        or (extension == "webp" and grey)
        or is_grey_alpha_in_colour
    )
