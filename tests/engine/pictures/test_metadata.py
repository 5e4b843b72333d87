"""Metadata is kept where the format has a place for it; otherwise a notice names it."""

import io
import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import ExifTags, Image, TiffImagePlugin

from lbbic_engine.pictures.metadata import exif as exif_data
from lbbic_engine.pictures.metadata.xmp import with_properties
from lbbic_engine.pictures.picture import to_image
from lbbic_engine.pictures.read import load_picture
from lbbic_engine.pictures.write import save_image
from tests.engine.pictures.made import Make, left_out, load

# --- resolution ----------------------------------------------------------------------------------

SAY_300_DPI: dict[str, Make] = {
    "JFIF": lambda make: make.jpeg(dpi=(300, 300)),
    "JFIF, per centimetre": lambda make: make.jpeg().replace(
        b"JFIF\0\1\1\0\0\1\0\1", b"JFIF\0\1\1\2" + struct.pack(">HH", 118, 118)
    ),
    "PNG": lambda make: make.png(dpi=(300, 300)),
    "BMP": lambda make: make.stored(Image.fromarray(make.colours()), "BMP", dpi=(300, 300)),
    "TIFF": lambda make: make.stored(Image.fromarray(make.colours()), "TIFF", dpi=(300, 300)),
    "EXIF": lambda make: make.png(exif=exif_of_300_dpi()),
}


def exif_of_300_dpi() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = 300.0
    exif[ExifTags.Base.ResolutionUnit] = 2
    return exif


@pytest.mark.parametrize("case", SAY_300_DPI)
@pytest.mark.parametrize("extension", ["jpg", "png", "tiff", "bmp", "webp", "avif"])
def test_resolution_is_read_and_written(
    make: ModuleType, tmp_path: Path, case: str, extension: str
) -> None:
    picture = load(SAY_300_DPI[case](make))
    assert picture.exif is not None
    assert exif_data.resolution(picture.exif) == pytest.approx((300, 300), abs=0.3)
    save_image(picture, tmp_path / f"a.{extension}")
    with Image.open(tmp_path / f"a.{extension}") as image:
        if extension in ("webp", "avif"):
            assert image.getexif()[ExifTags.Base.XResolution] == pytest.approx(300, abs=0.3)
        else:
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.6)


@pytest.mark.parametrize("extension", ["png", "bmp", "tiff", "jpg", "webp", "avif"])
@pytest.mark.parametrize("dpi", [100_000, 2**32 - 1])
def test_a_resolution_that_a_format_cannot_store_is_kept_in_exif_alone(
    make: ModuleType, tmp_path: Path, extension: str, dpi: int
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = dpi
    exif[ExifTags.Base.ResolutionUnit] = 2
    picture = load(make.jpeg(exif=exif))
    save_image(picture, tmp_path / f"a.{extension}")
    again = load_picture(tmp_path / f"a.{extension}")
    found = again.exif and exif_data.resolution(again.exif)
    if extension == "bmp" and dpi > 100_000:  # Pillow's default
        assert found == pytest.approx((96, 96), abs=0.3)
    else:
        assert found == pytest.approx((dpi, dpi))
    if extension == "jpg":
        with Image.open(tmp_path / "a.jpg") as image:
            assert image.info["jfif_density"] == (1, 1)


@pytest.mark.parametrize(
    "build",
    [
        lambda make: make.png(make.chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0))),
        lambda make: make.jpeg().replace(
            b"JFIF\0\1\1\0\0\1\0\1", b"JFIF\0\1\1\0" + struct.pack(">HH", 2, 1)
        ),
    ],
)
def test_non_square_pixels_are_kept(make: ModuleType, build: Make) -> None:
    tags = to_image(load(build(make))).getexif()
    assert tags[ExifTags.Base.XResolution] == 2 * tags[ExifTags.Base.YResolution]
    assert tags[ExifTags.Base.ResolutionUnit] == 1


@pytest.mark.parametrize("exif", [None, exif_of_300_dpi().tobytes()])
def test_no_resolution_is_invented(make: ModuleType, exif: bytes | None) -> None:
    own = Image.Exif()
    own[ExifTags.Base.Make] = "Maker"
    for options in ({}, {"exif": own}):
        picture = load(make.jpeg(**options))
        assert picture.exif is None or exif_data.resolution(picture.exif) is None
    assert load(make.stored(Image.fromarray(make.colours()), "TIFF")).exif is None


def test_damaged_exif_of_a_camera_is_left_out_without_a_warning(make: ModuleType) -> None:
    entries = struct.pack("<HHHII", 1, ExifTags.Base.Make, 2, 2**16, 2**31)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + entries
    data = make.jpeg((0xE1, exif))
    start = data.index(b"\xff\xe0")
    camera = data[:start] + data[start + 18 :]  # no JFIF, which cameras do not write
    assert "EXIF" in left_out(load(camera))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_resolution_is_added_without_moving_existing_tags(order: str) -> None:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 2)
    model = struct.pack(order + "HHI4s", ExifTags.Base.Model, 2, 4, b"abc\0")
    artist = struct.pack(order + "HHII", ExifTags.Base.Artist, 2, 6, 38)
    before = head + model + artist + struct.pack(order + "I", 0) + b"name!\0"
    after = exif_data.with_resolution(before, 300, 150)
    assert after[38:44] == b"name!\0"
    tags = Image.Exif()
    tags.load(after)
    assert dict(tags) == {
        ExifTags.Base.Model: "abc",
        ExifTags.Base.Artist: "name!",
        ExifTags.Base.XResolution: 300,
        ExifTags.Base.YResolution: 150,
        ExifTags.Base.ResolutionUnit: 2,
    }
    assert exif_data.with_resolution(after, 72, 72) == after


# --- what depends on the picture -----------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_agrees_with_the_upright_picture(make: ModuleType, orientation: int) -> None:
    colours = Image.fromarray(make.colours())
    thumbnail = make.stored(colours.resize((24, 16)), "JPEG", quality=100, subsampling=0)
    note = b"a note of a maker"
    exif = make.camera_exif(orientation, 48, 32, thumbnail, note)
    picture = load(make.stored(colours, "PNG", exif=b"Exif\0\0" + exif))
    height, width, _ = picture.pixels.shape
    assert picture.exif is not None
    assert picture.exif.index(note) == exif.index(note)
    assert len(picture.exif) == len(exif)
    tags = Image.Exif()
    tags.load(picture.exif)
    own = tags.get_ifd(ExifTags.IFD.Exif)
    assert (own[ExifTags.Base.ExifImageWidth], own[ExifTags.Base.ExifImageHeight]) == (
        width,
        height,
    )
    assert (tags[ExifTags.Base.ImageWidth], tags[ExifTags.Base.Orientation]) == (width, 1)
    second = tags.get_ifd(ExifTags.IFD.IFD1)
    assert second[ExifTags.Base.Orientation] == (orientation if orientation == 1 else 1)
    start = second[ExifTags.Base.JpegIFOffset]
    small = picture.exif[start : start + second[ExifTags.Base.JpegIFByteCount]]
    with Image.open(io.BytesIO(small)) as image:
        expected = Image.fromarray(picture.pixels).resize(image.size)
        assert (image.width > image.height) == (width > height)
        assert np.abs(np.asarray(image).astype(int) - np.asarray(expected)).mean() < 6


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "avif"])
def test_makers_notes_stay_in_place(make: ModuleType, tmp_path: Path, extension: str) -> None:
    thumbnail = make.stored(Image.fromarray(make.colours()).resize((24, 16)), "JPEG")
    exif = make.camera_exif(8, 48, 32, thumbnail, b"a note of a maker")
    save_image(load(make.png(exif=b"Exif\0\0" + exif)), tmp_path / f"a.{extension}")
    with Image.open(tmp_path / f"a.{extension}") as image:
        after = image.info["exif"].removeprefix(b"Exif\0\0")
        assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        assert image.getexif().get_ifd(ExifTags.IFD.IFD1).keys() >= {0x0201, 0x0202}
    assert after.index(b"a note of a maker") == exif.index(b"a note of a maker")


def test_a_thumbnail_that_cannot_be_turned_is_left_out(make: ModuleType) -> None:
    exif = make.camera_exif(6, 48, 32, b"no JPEG at all", b"note")
    picture = load(make.png(exif=b"Exif\0\0" + exif))
    assert Image.Exif().load(picture.exif) is None
    tags = to_image(picture).getexif()
    assert tags.get_ifd(ExifTags.IFD.IFD1) == {}
    assert tags[ExifTags.Base.ImageWidth] == 32


def test_xmp_agrees_with_the_upright_picture(make: ModuleType) -> None:
    xmp = (
        b"<x:xmpmeta><rdf:RDF><r tiff:Orientation='8' exif:PixelXDimension=\"48\">"
        b"<tiff:ImageLength>32</tiff:ImageLength></r></rdf:RDF></x:xmpmeta>"
    )
    image = Image.fromarray(make.colours())
    picture = load(make.stored(image, "WEBP", lossless=True, xmp=xmp))
    assert picture.pixels.shape == (48, 32, 3)
    assert picture.xmp == xmp.replace(b"'8'", b"'1'").replace(b'"48"', b'"32"').replace(
        b">32<", b">48<"
    )


# --- texts ---------------------------------------------------------------------------------------

IPTC = [(120, "Grüße".encode()), (25, b"one"), (25, b"two"), (80, b"Somebody"), (90, b"Ulm")]
IN_XMP = ["<dc:description>", ">Grüße<", "<rdf:li>one</rdf:li><rdf:li>two</rdf:li>", ">Somebody<"]


def tiff_with_iptc(make: ModuleType) -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[33723] = make.iptc(*IPTC)
    tags.tagtype[33723] = 7
    data: bytes = make.stored(Image.fromarray(make.colours()), "TIFF", tiffinfo=tags)
    return data


def raw_profile(kind: str, data: bytes) -> bytes:
    return f"\n{kind}\n{len(data):8}\n{data.hex()}\n".encode()


SAY_TEXTS: dict[str, tuple[Make, list[str]]] = {
    "IPTC in JPEG": (
        lambda make: make.jpeg((0xED, make.photoshop(0x0404, make.iptc(*IPTC)))),
        [*IN_XMP, "<photoshop:City>Ulm</photoshop:City>"],
    ),
    "IPTC in TIFF": (tiff_with_iptc, IN_XMP),
    "IPTC in PNG": (
        lambda make: make.png(
            make.text("Raw profile type iptc", raw_profile("iptc", make.iptc(*IPTC)))
        ),
        IN_XMP,
    ),
    "comment of JPEG": (
        lambda make: make.jpeg((0xFE, b"one"), (0xFE, "zwölf".encode("latin-1"))),
        ["<exif:UserComment>", ">one\nzwölf<"],
    ),
    "comment of GIF": (
        lambda make: make.stored(Image.fromarray(make.greys()), "GIF", comment=b"hello"),
        ["<exif:UserComment>", ">hello<"],
    ),
    "comment of JPEG 2000": (
        lambda make: make.stored(Image.fromarray(make.greys()), "JPEG2000", comment="hello"),
        ["<exif:UserComment>", ">hello<"],
    ),
    "texts of PNG of the same key": (
        lambda make: make.png(
            *(make.text("Author", each) for each in (b"One", b"Two", b"One")),
            *(make.text("Title", each) for each in (b"Title", b"Titel")),
            *(make.text("Source", each) for each in (b"here", b"there")),
        ),
        [
            "<rdf:li>One</rdf:li><rdf:li>Two</rdf:li></rdf:Seq>",
            ">Title\nTitel<",
            ">here\nthere</photoshop:Source>",
        ],
    ),
    "texts and IPTC of PNG": (
        lambda make: make.png(
            make.text("Raw profile type iptc", raw_profile("iptc", make.iptc(*IPTC))),
            make.text("Author", b"Another"),
        ),
        ["<rdf:li>Somebody</rdf:li><rdf:li>Another</rdf:li></rdf:Seq>"],
    ),
    "texts of PNG": (
        lambda make: make.png(
            make.text("Title", b"A <title>"),
            make.text("Author", b"Somebody"),
            make.text("Copyright", "© Nobody".encode("latin-1")),
        ),
        [">A &lt;title&gt;<", "<rdf:Seq><rdf:li>Somebody</rdf:li></rdf:Seq>", ">© Nobody<"],
    ),
}


ONLY_IN_FILES = ("comment of JPEG", "texts of PNG of the same key")  # Pillow reports the last


@pytest.mark.parametrize("case", SAY_TEXTS)
def test_texts_become_xmp_properties(make: ModuleType, tmp_path: Path, case: str) -> None:
    build, expected = SAY_TEXTS[case]
    picture = load(build(make))
    with Image.open(io.BytesIO(build(make))) as image:  # by the host, who may save it as .lbb
        host = load_picture(image)
    for each in (picture,) if case in ONLY_IN_FILES else (picture, host):
        assert left_out(each) == ""
        assert each.xmp is not None
        for part in expected:
            assert part in each.xmp.decode()
    save_image(picture, tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.info["xmp"] == picture.xmp


@pytest.mark.parametrize(
    ("day", "time", "date"),
    [
        (b"20200131", None, "2020-01-31"),
        (b"20200131", b"102030+0100", "2020-01-31T10:20:30+01:00"),
        (b"20200131", b"102030", "2020-01-31T10:20:30"),
        (b"20200100", None, "2020-01"),
        (b"20200000", None, "2020"),
        (b"2020-01-31", None, "2020-01-31"),
    ],
)
def test_iptc_dates_become_xmp_dates(
    make: ModuleType, day: bytes, time: bytes | None, date: str
) -> None:
    datasets = make.iptc((55, day), *([(60, time)] if time else []))
    data = make.jpeg((0xED, make.photoshop(0x0404, datasets)))
    picture = load(data)
    assert left_out(picture) == ""
    assert f"<photoshop:DateCreated>{date}</photoshop:DateCreated>" in (picture.xmp or b"").decode()
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + (picture.xmp or b"")
    again = load(make.jpeg((0xE1, xmp), (0xED, make.photoshop(0x0404, datasets))))
    assert (left_out(again), again.xmp) == ("", picture.xmp)


@pytest.mark.parametrize("day", [[], [(55, b"20200100")], [(55, b"January")]])
def test_an_iptc_time_without_a_day_is_left_out(
    make: ModuleType, day: list[tuple[int, bytes]]
) -> None:
    datasets = make.iptc(*day, (60, b"102030"))
    assert "2:60" in left_out(load(make.jpeg((0xED, make.photoshop(0x0404, datasets)))))


def test_an_encoders_comment_in_jpeg_2000_is_not_kept(make: ModuleType) -> None:
    data = make.stored(Image.fromarray(make.greys()), "JPEG2000")
    assert b"Created by OpenJPEG" in data
    assert load(data).xmp is None


def test_new_xmp_properties_are_added_to_existing_ones() -> None:
    packet, lost = with_properties(None, {"dc:title": ["One"]})
    assert lost == []
    assert packet is not None
    more, lost = with_properties(packet, {"dc:title": ["Other"], "dc:subject": ["a"]})
    assert lost == ["dc:title"]
    assert more is not None
    assert b">One<" in more
    assert b"<rdf:li>a</rdf:li>" in more
    assert with_properties(packet, {"dc:title": ["One"]}) == (packet, [])
    assert with_properties(b"\xff\xfe unreadable", {"dc:title": ["One"]}) == (
        b"\xff\xfe unreadable",
        ["dc:title"],
    )


@pytest.mark.parametrize("distinct", [False, True])
def test_many_keywords_are_compared_with_xmp_in_one_pass(distinct: bool) -> None:
    """If each were looked for by itself, this would take hours."""
    keywords = [f"{number if distinct else 0:06}" for number in range(300_000)]
    space = " " * 4_000_000
    packet = f"<rdf:RDF><dc:subject>{space}{''.join(keywords)}</dc:subject></rdf:RDF>".encode()
    properties = {"dc:subject": keywords, "dc:title": ["a title"]}
    after, lost = with_properties(packet, properties)
    assert after is not None
    assert b"a title" in after
    assert lost == ["dc:subject"] * distinct


def test_values_that_xmp_has_are_not_lost() -> None:
    has = b"<rdf:RDF photoshop:City='Paris'><dc:title> It's \"a\" title</dc:title></rdf:RDF>"
    for title, is_lost in (('It\'s "a" title', False), ("another", True)):
        lost = with_properties(has, {"dc:title": [title], "photoshop:City": ["Paris"]})[1]
        assert lost == ["dc:title"] * is_lost
