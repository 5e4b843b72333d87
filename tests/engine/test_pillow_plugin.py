"""Pillow opens and saves ``.lbb`` files; here with a codec that stores raw pixels."""

import io
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError

from lbbic_engine.bitstream.chunks import Segment
from lbbic_engine.bitstream.container import Container, pack_container, parse_container
from lbbic_engine.config import DEFAULT_QUALITY
from lbbic_engine.errors import UnknownWeightsError
from lbbic_engine.pictures.picture import Notice, NoticeKind, Picture
from lbbic_engine.pictures.profile import SRGB, as_icc
from lbbic_engine.pillow_plugin import FORMAT, LbbicImageFile, register

EXIF = Image.Exif()
EXIF[271] = "Maker"
METADATA: dict[str, bytes] = {
    "icc_profile": as_icc(SRGB, grey=False),
    "exif": EXIF.tobytes(),
    "xmp": b"<xmp/>",
}


class StubCodec:
    """Compresses with zlib and records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def compress(
        self,
        picture: Picture,
        quality: float = 4.0,
        *,
        device: str = "auto",
        effort: str = "fast",
        tune: str = "psnr",
        exact: bool = True,
    ) -> SimpleNamespace:
        self.calls.append(("compress", quality, device, effort, tune, exact))
        raw = picture.pixels.tobytes()
        height, width, _ = picture.pixels.shape
        container = Container(
            width=width,
            height=height,
            grey=picture.grey,
            quality_eighths=round(quality * 8),
            tile_block_rows=0,
            weights_id=b"no model",
            pixels_crc=zlib.crc32(raw),
            segments=(Segment(0, 1, zlib.compress(raw)),),
            alpha=picture.alpha,
            icc=picture.icc,
            exif=picture.exif,
            xmp=picture.xmp,
        )
        return SimpleNamespace(data=pack_container(container))

    def decompress(self, data: bytes, *, partial: bool, max_pixels: int) -> Picture:
        self.calls.append(("decompress", partial))
        assert max_pixels == 2 * Image.MAX_IMAGE_PIXELS
        container = parse_container(data, partial=partial)
        raw = zlib.decompress(container.segments[0].stream) if container.segments else b""
        raw = raw.ljust(container.height * container.width * 3, b"\x80")
        pixels = np.frombuffer(raw, np.uint8).reshape(container.height, container.width, 3)
        notice = Notice(NoticeKind.INCOMPLETE, "The file is incomplete")
        notices = () if container.segments else (notice,)
        return Picture(pixels, container.alpha, container.grey, notices=notices)


@pytest.fixture(autouse=True)
def codec(monkeypatch: pytest.MonkeyPatch) -> StubCodec:
    """Install a codec without networks, and restore Pillow's registry afterwards."""
    stub = StubCodec()
    monkeypatch.setitem(sys.modules, "lbbic_engine.codec", stub)
    Image.init()
    for name in ("ID", "OPEN", "SAVE", "EXTENSION", "MIME"):
        monkeypatch.setattr(Image, name, getattr(Image, name).copy())
    register()
    return stub


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_saved_pictures_can_be_opened(tmp_path: Path, mode: str) -> None:
    shape = (5, 7) if mode == "L" else (5, 7, len(mode))
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, shape, np.uint8))
    metadata = METADATA | {"icc_profile": as_icc(SRGB, grey=mode.startswith("L"))}
    image.info.update(metadata)
    image.save(tmp_path / "picture.lbb")
    with Image.open(tmp_path / "picture.lbb") as again:
        assert isinstance(again, LbbicImageFile)
        assert (again.format, again.mode, again.size) == (FORMAT, mode, (7, 5))
        assert again.get_format_mimetype() == "image/x-lbb"
        assert again.info == metadata
        np.testing.assert_array_equal(np.asarray(again), np.asarray(image))


def test_opening_does_not_decode_and_loading_decodes_once(tmp_path: Path, codec: StubCodec) -> None:
    Image.new("RGB", (3, 2)).save(
        tmp_path / "picture.lbb", quality=6.5, device="cpu", effort="thorough"
    )
    assert codec.calls.pop() == ("compress", 6.5, "cpu", "thorough", "psnr", True)
    with Image.open(tmp_path / "picture.lbb") as image:
        assert codec.calls == []
        image.load()
        image.load()
    assert image.getpixel((0, 0)) == (0, 0, 0)
    assert codec.calls == [("decompress", False)]


def test_the_default_quality_is_that_of_all_interfaces(codec: StubCodec) -> None:
    Image.new("L", (3, 2)).save(io.BytesIO(), FORMAT)
    assert codec.calls == [("compress", DEFAULT_QUALITY, "auto", "fast", "psnr", True)]


def test_options_of_the_encoder_can_be_chosen(codec: StubCodec) -> None:
    chosen = {"effort": "thorough", "tune": "visual", "exact": False}
    Image.new("L", (3, 2)).save(io.BytesIO(), FORMAT, quality=5, **chosen)
    assert codec.calls == [("compress", 5, "auto", "thorough", "visual", False)]


def test_metadata_may_be_replaced_when_saving() -> None:
    image = Image.new("RGB", (3, 2))
    image.info.update(METADATA)
    file = io.BytesIO()
    image.save(file, FORMAT, icc_profile=None, exif=EXIF, xmp=b"<other/>")
    assert Image.open(file).info == {"exif": METADATA["exif"], "xmp": b"<other/>"}
    assert image.info == METADATA


def test_warnings_name_what_saving_changes() -> None:
    with pytest.warns(UserWarning, match="CMYK"):
        Image.new("CMYK", (3, 2)).save(io.BytesIO(), FORMAT)


def test_pictures_that_cannot_be_saved_raise_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="floating-point"):
        Image.new("F", (3, 2)).save(tmp_path / "picture.lbb")
    assert list(tmp_path.iterdir()) == []


def stored() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((9, 9), 50).save(file, FORMAT)
    return file.getvalue()


def test_files_of_other_formats_are_refused() -> None:
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"something else"), formats=[FORMAT])
    with pytest.raises(SyntaxError):
        LbbicImageFile(io.BytesIO(b"something else"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:15],
        lambda data: data + b"more",
        lambda data: data[:8] + b"\x02" + data[9:],
    ],
)
def test_damaged_and_newer_files_raise_oserror(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(OSError, match="file"):
        Image.open(io.BytesIO(damage(stored())))


def test_a_failure_of_the_codec_raises_oserror(
    codec: StubCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UnknownWeightsError("Weights are missing", "Install them.")

    image = Image.open(io.BytesIO(stored()))
    monkeypatch.setattr(codec, "decompress", fail)
    with pytest.raises(OSError, match="Weights are missing"):
        image.load()


def test_a_truncated_file_opens_if_pillow_allows_it(
    codec: StubCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = stored()[:-1]
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    image = Image.open(io.BytesIO(data))
    with pytest.warns(UserWarning, match="incomplete"):
        assert image.getpixel((0, 0)) == 128
    assert codec.calls[-1] == ("decompress", True)


def test_registering_twice_is_harmless() -> None:
    register()
    assert Image.ID.count(FORMAT) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 9},
        {"quality": "high"},
        {"effort": "none"},
        {"tune": "loud"},
        {"device": "gpu"},
        {"exif": 5},
        {"icc_profile": Image},
    ],
)
def test_a_bad_option_is_refused_before_any_work(
    tmp_path: Path, codec: StubCodec, options: dict[str, Any]
) -> None:
    with pytest.raises((ValueError, TypeError)):
        Image.new("RGB", (3, 2)).save(tmp_path / "picture.lbb", **options)
    assert codec.calls == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["icc_profile", "exif", "xmp"])
def test_none_removes_metadata_without_a_warning(key: str) -> None:
    image = Image.new("RGB", (3, 2))
    image.info.update(METADATA)
    file = io.BytesIO()
    image.save(file, FORMAT, **{key: None})
    assert Image.open(file).info.keys() == METADATA.keys() - {key}


def test_a_file_is_closed_once_its_picture_is_loaded(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2)).save(tmp_path / "picture.lbb")
    image = Image.open(tmp_path / "picture.lbb")
    file = image.fp
    assert file is not None
    image.load()
    assert file.closed
    own = io.BytesIO((tmp_path / "picture.lbb").read_bytes())
    Image.open(own).load()
    assert not own.closed


def saved(image: Image.Image, **options: Any) -> dict[Any, Any]:
    """The metadata of the image as it is saved, without a warning."""
    file = io.BytesIO()
    before = dict(image.info)
    image.save(file, FORMAT, **options)
    assert image.info.items() >= before.items()
    return Image.open(file).info


def opened(format_: str, **options: Any) -> Image.Image:
    file = io.BytesIO()
    Image.new("RGB", (6, 4), (200, 100, 50)).save(file, format_, **options)
    return Image.open(file)


def raw_profile(name: str, data: bytes) -> str:
    return f"\n{name}\n{len(data):8}\n{data.hex()}\n"


@pytest.mark.parametrize("key", ["XML:com.adobe.xmp", "Raw profile type xmp"])
def test_none_removes_the_xmp_of_a_png_however_it_is_stored(key: str) -> None:
    text = PngImagePlugin.PngInfo()
    packet = b"<x:xmpmeta><rdf:RDF><a/></rdf:RDF></x:xmpmeta>"
    text.add_itxt(key, packet.decode() if key.startswith("XML") else raw_profile("xmp", packet))
    text.add_text("Title", "a title")
    assert "xmp" not in saved(opened("PNG", pnginfo=text), xmp=None)
    again = saved(opened("PNG", pnginfo=text), exif=EXIF)
    assert again["exif"] == METADATA["exif"]
    assert again["xmp"].startswith(packet[:25])
    assert b"a title" in again["xmp"]


@pytest.mark.parametrize("key", ["icc_profile", "xmp"])
@pytest.mark.parametrize("value", [None, METADATA])
def test_replacing_one_kind_of_metadata_of_a_tiff_keeps_the_others(
    key: str, value: dict[str, bytes] | None
) -> None:
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    again = saved(opened("TIFF", exif=exif), **{key: value and value[key]})
    assert again.get(key) == (value and value[key])
    tags = Image.Exif()
    tags.load(again["exif"])
    assert tags[271] == "Maker"
    assert 282 not in tags  # no resolution


def test_a_png_opened_by_the_host_keeps_its_raw_profiles() -> None:
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", raw_profile("exif", exif.tobytes()), zip=True)
    text.add_text("Raw profile type icc", raw_profile("icc", METADATA["icc_profile"]))
    file = io.BytesIO()
    opened("PNG", pnginfo=text).save(file, FORMAT)
    again = Image.open(file)
    assert again.size == (4, 6)
    assert b"Maker" in again.info["exif"]
    assert again.info["icc_profile"] == METADATA["icc_profile"]


@pytest.mark.parametrize("loaded", [False, True])
def test_a_png_opened_by_the_host_has_the_colours_of_its_code_points(
    make: ModuleType, tmp_path: Path, loaded: bool
) -> None:
    for transfer in (13, 16):  # sRGB's and PQ
        path = tmp_path / f"{transfer}.png"
        path.write_bytes(make.png(make.cicp(12, transfer)))
        image = Image.open(path)
        if loaded:
            image.load()
        if transfer == 16:
            with pytest.raises(OSError, match="high dynamic range"):
                saved(image)
        else:
            assert "icc_profile" in saved(image)  # Display P3
