"""Unusual files, compressed and decompressed on the command line."""

import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import ExifTags, Image

from lbbic_engine.cli.program import main
from lbbic_engine.pictures.colour import to_srgb
from lbbic_engine.pictures.picture import Picture, to_image
from lbbic_engine.pictures.profile import SRGB, Colours, as_icc
from lbbic_engine.pictures.read import load_picture

pytestmark = pytest.mark.usefixtures("tiny")

LINEAR = Colours("linear", SRGB.red, SRGB.green, SRGB.blue, SRGB.white, (1.0,))


def of_a_phone(make: ModuleType) -> bytes:
    colours = Image.fromarray(make.colours())
    thumbnail = make.stored(colours.resize((24, 16)), "JPEG", quality=95)
    exif = make.camera_exif(6, 48, 32, thumbnail, b"a note")
    data: bytes = make.jpeg(exif=b"Exif\0\0" + exif)
    return data


def is_wide(picture: Picture) -> bool:
    """A picture whose red is not that of sRGB."""
    return bool(np.abs(to_srgb(picture).pixels.astype(int) - picture.pixels).mean() > 3)


def is_light(picture: Picture) -> bool:
    return bool(to_srgb(picture).pixels.mean() > picture.pixels.mean() + 30)


def has_300_dpi(picture: Picture) -> bool:
    return to_image(picture).getexif()[ExifTags.Base.XResolution] == 300


def is_upright(picture: Picture) -> bool:
    tags = to_image(picture).getexif()
    thumbnail = tags.get_ifd(ExifTags.IFD.IFD1)
    start, count = (thumbnail[tag] for tag in (0x0201, 0x0202))
    assert picture.exif is not None
    with Image.open(io.BytesIO(picture.exif[start : start + count])) as small:
        sizes = {small.width < small.height, picture.pixels.shape[:2] == (48, 32)}
    size = tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth]
    return sizes == {True} and (size, tags.get(ExifTags.Base.Orientation, 1)) == (32, 1)


Build = Callable[[ModuleType], bytes]
Check = Callable[[Picture], bool]
# The name of the input, its content, a check of the result, and words of the notice.
ODD: list[tuple[str, Build, Check, str]] = [
    ("cicp.png", lambda make: make.png(make.cicp(12, 13)), is_wide, ""),
    ("nclx.avif", lambda make: make.avif(12, 13), is_wide, ""),
    (
        "grey.png",
        lambda make: make.png(
            image=Image.fromarray(make.greys()), icc_profile=as_icc(LINEAR, grey=True)
        ),
        is_light,
        "",
    ),
    ("dpi.jpg", lambda make: make.jpeg(dpi=(300, 300)), has_300_dpi, ""),
    (
        "iptc.jpg",
        lambda make: make.jpeg(
            (0xED, make.photoshop(0x0404, make.iptc((120, b"A caption")))), comment=b"hello"
        ),
        lambda picture: b">A caption<" in (picture.xmp or b"") and b">hello<" in picture.xmp,  # type: ignore[operator]
        "",
    ),
    ("phone.jpg", of_a_phone, is_upright, ""),
    ("photo.jfif", lambda make: make.jpeg(), lambda picture: picture.notices == (), ""),
    (
        "deep.tif",
        lambda make: make.stored(Image.fromarray(make.greys().astype(np.uint16) * 257), "TIFF"),
        lambda picture: picture.grey and 100 < picture.pixels.mean() < 155,
        "Reduced from 16",
    ),
    ("rgb565.bmp", lambda make: make.rgb565(), lambda picture: not picture.grey, ""),
    (
        "text.png",
        lambda make: make.png(make.text("workflow", b"x" * 2_000_000)),
        lambda picture: not picture.grey,
        "'workflow'",
    ),
    (
        "exif.png",
        lambda make: make.png(exif=b"Exif\0\0II*\0\x08\0\0\0" + bytes(70_000)),
        lambda picture: len(picture.exif or b"") > 70_000,
        "",
    ),
]


@pytest.mark.parametrize(("name", "build", "check", "notice"), ODD, ids=[odd[0] for odd in ODD])
def test_unusual_pictures_round_trip(
    make: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    build: Build,
    check: Check,
    notice: str,
) -> None:
    (tmp_path / name).write_bytes(build(make))
    assert main(["compress", str(tmp_path), "-q", "8"]) == 0
    error = capsys.readouterr().err
    assert notice in error
    assert (error == "") == (notice == "")
    (packed,) = tmp_path.glob("*.lbb")
    for extension in ("png", "avif"):
        back = tmp_path / f"back.{extension}"
        assert main(["decompress", str(packed), "-o", str(back)]) == 0
        assert check(load_picture(back))
    assert capsys.readouterr().err == ""


def test_a_notice_names_what_a_jpeg_cannot_store(
    make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0" + bytes(70_000)
    (tmp_path / "a.png").write_bytes(make.png(exif=exif))
    assert main(["compress", str(tmp_path / "a.png")]) == 0
    arguments = ["decompress", str(tmp_path / "a.lbb"), "-o", str(tmp_path / "b.jpg")]
    assert main(arguments) == 0
    assert "note: JPEG cannot store all of the metadata" in capsys.readouterr().err


def test_an_output_format_that_cannot_store_the_picture_is_refused_before_decoding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_engine import codec

    Image.new("RGB", (16_384, 1)).save(tmp_path / "a.png")
    assert main(["compress", str(tmp_path / "a.png")]) == 0
    monkeypatch.setattr(codec, "decompress", None)
    arguments = ["decompress", str(tmp_path / "a.lbb"), "-o", str(tmp_path / "b.webp")]
    assert main(arguments) == 2
    assert "PNG and TIFF can store them" in capsys.readouterr().err
