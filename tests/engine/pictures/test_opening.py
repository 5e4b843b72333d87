"""Files are opened by content, no program is started, and the host's state is unchanged."""

import io
import struct
import subprocess
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, PngImagePlugin

from lbbic_engine.errors import UnknownFormatError, UnsupportedImageError
from lbbic_engine.pictures.find import READABLE_FORMATS
from lbbic_engine.pictures.picture import NoticeKind
from lbbic_engine.pictures.read import load_picture, load_preview

Image.init()
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 10\n%%EndComments\nshowpage\n"
WMF = b"\xd7\xcd\xc6\x9a\0\0" + bytes(40)


@pytest.mark.parametrize("load", [load_picture, lambda path: load_preview(path, 64)])
@pytest.mark.parametrize("content", [EPS, b"\xc5\xd0\xd3\xc6" + bytes(28) + EPS, WMF])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.eps"])
def test_no_other_program_is_started(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    load: Callable[[Path], object],
    content: bytes,
    name: str,
) -> None:
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *command, **_: started.append(command))
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: started.append("Ghostscript"))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnsupportedImageError):
        load(tmp_path / name)
    assert started == []


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (EPS, "EPS"),
    ],
)
def test_unsupported_formats_are_named(content: bytes, name: str) -> None:
    with pytest.raises(UnknownFormatError, match=name):
        load_picture(io.BytesIO(content))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (b"bytes", "bytes"),
        (None, "NoneType"),
        (np.zeros((8, 8, 3)), "ndarray"),
        (io.StringIO(), ""),
    ],
)
def test_what_no_picture_can_be_read_from_is_named(source: Any, name: str) -> None:
    with pytest.raises(UnsupportedImageError, match=f"binary mode .* not from {name}"):
        load_picture(source)


@pytest.mark.parametrize("format_", sorted(set(READABLE_FORMATS) & Image.SAVE.keys()))
def test_formats_are_recognised_by_content(make: ModuleType, format_: str) -> None:
    side = 64 if format_ == "ICNS" else 32
    image = Image.new("RGB", (side, side), (200, 100, 50))
    data = make.stored(image, format_)
    assert load_picture(io.BytesIO(data)).pixels.shape[2] == 3
    for length in range(18):
        with pytest.raises(UnsupportedImageError, match=r"damaged|cut off|empty|known format"):
            load_picture(io.BytesIO(data[:length]))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_an_empty_file_is_reported_as_empty(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").touch()
    with pytest.raises(UnsupportedImageError, match="The file is empty"):
        load_picture(tmp_path / f"a{suffix}")


ANCILLARY: dict[str, Callable[[ModuleType], bytes]] = {
    "an unknown chunk": lambda make: make.chunk(b"vpAg", b"abc"),
    "a wrong checksum": lambda make: make.chunk(b"tEXt", b"a\0b")[:-1] + b"\0",
    "too short a gamma": lambda make: make.chunk(b"gAMA", b"\0"),
    "no gamma": lambda make: make.gama(0),
    "an impossible gamma": lambda make: make.chunk(b"gAMA", struct.pack(">I", 1)),
    "a huge gamma": lambda make: make.chunk(b"gAMA", struct.pack(">I", 2**32 - 1)),
    "too short chromaticities": lambda make: make.chunk(b"cHRM", b"\0" * 8),
    "impossible chromaticities": lambda make: make.chrm(*[0.3] * 8),
    "no chromaticities": lambda make: make.chrm(*[0.0] * 8),
    "an unknown compression": lambda make: make.chunk(b"zTXt", b"a\0\7b"),
    "text that is not compressed": lambda make: make.chunk(b"zTXt", b"a\0\0b"),
    "a text of two megabytes": lambda make: make.text("a", b"x" * 2**21),
    "a key that is not ASCII": lambda make: make.chunk(b"iTXt", b"\xff\0\0\0\0\0\xff"),
    "an unfinished iTXt": lambda make: make.chunk(b"iTXt", b"a\0"),
    "a wrong animation": lambda make: make.chunk(b"acTL", b"\0"),
    "a frame out of place": lambda make: make.chunk(b"fcTL", bytes(26)),
    "a raw profile": lambda make: make.text("Raw profile type exif", b"\nexif\n 4\nzz"),
    "a short cICP": lambda make: make.chunk(b"cICP", b"\1"),
    "a short pHYs": lambda make: make.chunk(b"pHYs", b"\1"),
    "no EXIF": lambda make: make.chunk(b"eXIf", b""),
}


@pytest.mark.parametrize("case", ANCILLARY)
def test_ancillary_data_never_prevents_reading_a_png(make: ModuleType, case: str) -> None:
    before = (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)
    chunk = ANCILLARY[case](make)
    data = make.png(chunk)
    end = data.index(b"IEND") - 4
    for file in (data, make.png()[: end - len(chunk)] + chunk + data[end:]):
        picture = load_picture(io.BytesIO(file))
        np.testing.assert_array_equal(picture.pixels, make.colours())
        assert len(picture.notices) <= 1
        assert picture.icc is None
    assert before == (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)


def test_the_first_picture_of_an_animated_png_is_kept(make: ModuleType) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    options = {"save_all": True, "append_images": frames[1:]}
    for default in (False, True):
        data = make.stored(frames[0], "PNG", default_image=default, **options)
        picture = load_picture(io.BytesIO(data))
        assert (picture.pixels == (255, 0, 0)).all()
        assert [notice.kind for notice in picture.notices] == [NoticeKind.FRAMES]


@pytest.mark.parametrize("extension", ["ico", "icns"])
def test_the_largest_size_of_an_icon_is_kept(tmp_path: Path, extension: str) -> None:
    image = Image.new("RGB", (64, 64), "red")
    image.save(tmp_path / f"a.{extension}")
    picture = load_picture(tmp_path / f"a.{extension}")
    assert picture.pixels.shape[0] >= 64
    assert "sizes" in picture.notices[0].text


def test_16_bit_rgb_is_transparent_where_all_16_bits_match(make: ModuleType) -> None:
    samples = struct.pack(">9H", *(0x1234,) * 3, *(0x1235,) * 3, 0x1234, 0x1234, 0x1334)
    header = make.chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 1, 16, 2, 0, 0, 0))
    transparent = make.chunk(b"tRNS", struct.pack(">3H", *(0x1234,) * 3))
    data = b"\x89PNG\r\n\x1a\n" + header + transparent
    data += make.chunk(b"IDAT", make.zlib.compress(b"\0" + samples)) + make.chunk(b"IEND", b"")
    picture = load_picture(io.BytesIO(data))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[0, 255, 255]]


DEEP: dict[str, tuple[Callable[[ModuleType], bytes], int]] = {
    "RGB565": (lambda make: make.rgb565(), 8),
    "PPM": (lambda _: b"P6 1 1 65535\n" + bytes(6), 16),
    "PPM of 10 bits": (lambda _: b"P6 1 1 1023\n" + bytes(6), 10),
    "PGM of 12 bits": (lambda _: b"P5 1 1 4095\n" + b"\x0f\xff", 12),
    "JPEG 2000": (
        lambda make: make.stored(Image.new("I;16", (8, 8), 65_535), "JPEG2000"),
        16,
    ),
    "TIFF of 12 bits": (lambda make: make.tiff(12, 1, b"\xff\xff\xff"), 12),
    "TIFF whose white is zero": (lambda make: make.tiff(16, 0, bytes(4)), 16),
}


def test_a_deep_png_opened_by_the_host_causes_a_notice(make: ModuleType) -> None:
    header = make.chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + make.chunk(b"IDAT", make.zlib.compress(bytes(7)))
    with Image.open(io.BytesIO(data + make.chunk(b"IEND", b""))) as image:
        assert "16 to 8 bits" in load_picture(image).notices[0].text


@pytest.mark.parametrize("case", DEEP)
def test_notices_have_the_true_bit_depth(make: ModuleType, case: str) -> None:
    build, bits = DEEP[case]
    picture = load_picture(io.BytesIO(build(make)))
    texts = [notice.text for notice in picture.notices]
    assert texts == ([f"Reduced from {bits} to 8 bits per channel."] if bits > 8 else [])
    if picture.grey:
        assert (picture.pixels == 255).all()


def test_the_hosts_warnings_and_limits_are_not_changed(make: ModuleType) -> None:
    before = list(warnings.filters), Image.MAX_IMAGE_PIXELS, Image.OPEN.copy()
    data = [make.png(make.gama(1.0)), make.jpeg(dpi=(72, 72)), make.avif(12, 13)] * 8
    threads = [threading.Thread(target=load_picture, args=(io.BytesIO(each),)) for each in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (list(warnings.filters), Image.MAX_IMAGE_PIXELS, Image.OPEN) == before


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_previews_have_the_brightness_of_the_picture(
    make: ModuleType, dtype: str, orientation: int
) -> None:
    values = make.greys().astype(dtype) * (257 if dtype == "uint16" else 1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = make.stored(Image.fromarray(values), "PNG", exif=exif)
    preview = load_preview(io.BytesIO(data), 16)
    whole = load_picture(io.BytesIO(data)).pixels
    assert (preview.height, preview.width) == whole.shape[:2]
    nearly_square = make.stored(Image.new("L", (400, 401)), "PNG", exif=exif)
    size = load_preview(io.BytesIO(nearly_square), 16)
    assert (size.width < size.height) == (orientation == 1)
    assert max(preview.pixels.shape[:2]) == 16
    assert abs(preview.pixels[..., :3].mean() - whole.mean()) < 2
    assert (preview.pixels[..., 3] == 255).all()
