"""Removing metadata: what must be kept, and what must not."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from lbbic_engine.pictures.metadata.exif import is_adobe_rgb, without_gps
from lbbic_engine.pictures.metadata.strip import strip
from lbbic_engine.pictures.metadata.xmp import without_places
from lbbic_engine.pictures.picture import NoticeKind, Picture
from lbbic_engine.pictures.read import load_picture
from lbbic_engine.pictures.write import save_image

POSITION = ((48.0, 51.0, 29.6), (2.0, 17.0, 40.2))
PACKET = """<?xpacket begin=''?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF
 xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about=''
 xmlns:exif='http://ns.adobe.com/exif/1.0/' xmlns:e='http://ns.adobe.com/exif/1.0/'
 xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:photoshop='http://ns.adobe.com/photoshop/1.0/'
 xmlns:drone-dji='http://www.dji.com/drone-dji/1.0/' xmlns:Iptc4xmpExt='http://iptc.org/x/'
 exif:GPSLatitude="48,51.49N" e:GPSLongitude = '2,17.67E' drone-dji:GpsLatitude="48.85"
 photoshop:City="Paris" dc:title="GPS: a tale">
 <exif:GPSTimeStamp>2020-01-02T03:04:05Z</exif:GPSTimeStamp><exif:GPSAltitude/>
 <dc:creator>somebody</dc:creator>
 <Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li Iptc4xmpExt:City="Paris"/></rdf:Bag>
 </Iptc4xmpExt:LocationShown></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""


def exif_with_gps(order: str = "<") -> bytes:
    """Camera, exposure, a maker's note and a position."""
    exif = Image.Exif()
    exif.endian = order
    exif[ExifTags.Base.Make] = "A maker of cameras"
    exif[ExifTags.Base.Software] = "of software"
    exif[ExifTags.Base.Artist] = "somebody"
    exif.get_ifd(ExifTags.IFD.Exif).update({0x829A: 0.01, 0x927C: b"note" * 20})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: POSITION[0], 3: "E", 4: POSITION[1]})
    exif[0xC614] = "behind the pointer"
    return exif.tobytes().removeprefix(b"Exif\0\0")


def entries(exif: bytes) -> dict[object, object]:
    tags = Image.Exif()
    tags.load(exif)
    parts = {place: dict(tags.get_ifd(place)) for place in (ExifTags.IFD.Exif,)}
    return {**dict(tags), **parts}


@pytest.fixture
def picture() -> Picture:
    pixels = np.arange(24 * 16 * 3, dtype=np.uint8).reshape(16, 24, 3)
    return Picture(pixels, exif=exif_with_gps(), xmp=PACKET.encode())


@pytest.mark.parametrize("order", ["<", ">"])
def test_removing_the_position_moves_nothing_else(order: str) -> None:
    before = exif_with_gps(order)
    after = without_gps(before)
    assert len(after) == len(before)
    assert after.index(b"notenote") == before.index(b"notenote")
    expected = entries(before)
    del expected[ExifTags.IFD.GPSInfo]
    assert entries(after) == expected
    tags = Image.Exif()
    tags.load(after)
    assert not tags.get_ifd(ExifTags.IFD.GPSInfo)
    for degrees in (48, 51, 17):  # not even where nothing points
        number = int(degrees).to_bytes(4, "little" if order == "<" else "big")
        one = (1).to_bytes(4, "little" if order == "<" else "big")
        assert number + one in before
        assert number + one not in after


def test_damaged_metadata_is_removed_entirely_with_a_notice(picture: Picture) -> None:
    for exif, left_out in (
        (exif_with_gps()[:20], True),
        (b"no TIFF", True),
        (exif_with_gps()[:-8], False),  # a value is missing, which does not matter
    ):
        stripped = strip(replace(picture, exif=exif), ["gps"])
        assert (stripped.exif is None) is left_out
        assert [notice.kind for notice in stripped.notices] == [NoticeKind.LEFT_OUT] * left_out
    stripped = strip(replace(picture, xmp=PACKET.encode("utf-16")), ["gps"])
    assert stripped.xmp is None
    assert "XMP" in stripped.notices[0].text


def test_places_are_removed_from_xmp_in_every_spelling() -> None:
    after = without_places(PACKET.encode())
    assert re.findall(rb"GPS\w+|Gps\w+|Paris|City|Location\w+", after) == []
    assert b'dc:title="GPS: a tale"' in after
    assert b"<dc:creator>somebody</dc:creator>" in after
    ElementTree.fromstring(after)  # which is XML still


@pytest.mark.parametrize(
    "part", [b" ", b"\n ", b"<exif:GPSLatitude>", b"<exif:GPSLatitude ", b' exif:GPSLatitude="']
)
def test_the_time_to_remove_places_is_proportional_to_the_packet(part: bytes) -> None:
    """Padding, and elements that do not end: if it grew with the square, this would take hours."""
    packet = PACKET.encode() + part * 200_000
    assert b"Paris" not in without_places(packet)


def test_an_element_ends_where_its_own_end_is() -> None:
    inner = b"<exif:GPSa><exif:GPSb></exif:GPSb><x/></exif:GPSa >"
    assert without_places(b"1<exif:GPSc>2" + inner + b"3<exif:GPSc/>4") == b"1<exif:GPSc>234"
    assert without_places(b"<exif:GPSa>1</exif:GPSaRef>") == b"<exif:GPSa>1</exif:GPSaRef>"


def test_exif_with_too_many_directories_is_removed_with_a_notice(picture: Picture) -> None:
    places = range(8, 8 + 6 * 200, 6)
    chain = b"".join(b"\0\0" + (place + 6).to_bytes(4, "little") for place in places)
    stripped = strip(replace(picture, exif=b"II*\0\x08\0\0\0" + chain + bytes(6)), ["gps"])
    assert stripped.exif is None
    assert "EXIF" in stripped.notices[0].text


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        ((), {"exif", "xmp", "gps"}),
        (("exif",), {"xmp", "gps"}),
        (("gps",), {"exif", "xmp"}),
        (("xmp", "gps"), {"exif"}),
        (("exif", "gps", "icc", "xmp"), set()),
    ],
)
def test_only_the_named_kinds_are_removed(
    picture: Picture, kinds: tuple[str, ...], left: set[str]
) -> None:
    stripped = strip(picture, kinds)
    found = {kind for kind in ("exif", "xmp") if getattr(stripped, kind)}
    tags = Image.Exif()
    tags.load(stripped.exif or b"")
    has_place = tags.get_ifd(ExifTags.IFD.GPSInfo) or b"GPSLatitude" in (stripped.xmp or b"")
    assert found | ({"gps"} if has_place else set()) == left


@pytest.mark.parametrize("kind", ["all", "EXIF", ""])
def test_an_unknown_kind_is_refused(picture: Picture, kind: str) -> None:
    with pytest.raises(ValueError, match=f"'{kind}' is not one of exif, gps, icc, xmp"):
        strip(picture, ["icc", kind])


@pytest.mark.parametrize("grey", [False, True])
def test_removing_the_profile_converts_to_srgb(tmp_path: Path, grey: bool) -> None:
    linear = ImageCms.ImageCmsProfile(io.BytesIO(_linear_profile(grey)))
    image = Image.new("L" if grey else "RGB", (8, 8), 128 if grey else (128, 30, 200))
    image.save(tmp_path / "a.png", icc_profile=linear.tobytes())
    picture = load_picture(tmp_path / "a.png")
    stripped = strip(picture, ["icc"])
    assert stripped.icc is None
    assert abs(int(stripped.pixels[0, 0, 0]) - 188) <= 1  # 128 of linear light
    assert strip(picture, ["exif"]).icc == picture.icc


@pytest.mark.parametrize("index", [{}, {1: "R03"}])
@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "tiff"])
def test_without_its_profile_a_picture_does_not_claim_another_colour_space(
    tmp_path: Path, index: dict[int, str], extension: str
) -> None:
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {0xA001: 0xFFFF if index else 2, ExifTags.IFD.Interop: index}
    xmp = b'<x:xmpmeta><rdf:RDF><r exif:ColorSpace="2"/></rdf:RDF></x:xmpmeta>'
    Image.new("RGB", (8, 8), (200, 60, 59)).save(tmp_path / "a.webp", exif=exif, xmp=xmp)
    picture = load_picture(tmp_path / "a.webp")
    assert picture.icc is not None
    stripped = strip(picture, ["icc"])
    assert stripped.xmp == xmp.replace(b"2", b"1")
    save_image(stripped, tmp_path / f"b.{extension}")
    again = load_picture(tmp_path / f"b.{extension}")
    assert again.icc is None
    assert np.abs(again.pixels.astype(int) - stripped.pixels).max() <= 3
    tags = Image.Exif()
    tags.load(again.exif or b"")
    assert tags.get_ifd(ExifTags.IFD.Exif)[0xA001] == 1


def test_a_picture_read_as_srgb_does_not_claim_another_colour_space(make: ModuleType) -> None:
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {0xA001: 2}
    data = make.png(make.chunk(b"sRGB", b"\0"), make.chunk(b"eXIf", exif.tobytes()[6:]))
    picture = load_picture(io.BytesIO(data))
    assert picture.icc is None
    assert picture.exif is not None
    assert not is_adobe_rgb(picture.exif)


def _linear_profile(grey: bool) -> bytes:
    """A linear profile with the primaries of sRGB."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    curves = {b"rTRC", b"gTRC", b"bTRC"}
    count = int.from_bytes(data[128:132], "big")
    tags = [bytes(data[132 + 12 * i : 144 + 12 * i]) for i in range(count)]
    if grey:
        data[16:20] = b"GRAY"
        table = [tag for tag in tags if tag[:4] not in curves and tag[1:4] != b"XYZ"]
        red = next(tag for tag in tags if tag[:4] == b"rTRC")
        tags = [*table, b"kTRC" + red[4:]]
    for tag in tags:
        if tag[1:4] == b"TRC":
            start = int.from_bytes(tag[4:8], "big")
            data[start : start + 12] = b"curv" + bytes(8)  # no entries: the identity
    data[128:132] = len(tags).to_bytes(4, "big")
    block = b"".join(tags).ljust(12 * count, b"\0")
    data[132 : 132 + 12 * count] = block
    return bytes(data)
