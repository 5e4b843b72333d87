"""One notice names everything that a picture loses when it is read or written."""

import io
import struct
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lbbic_engine.bitstream.bodies import MAX_METADATA_BYTES
from lbbic_engine.pictures.files import boxes, jxl
from lbbic_engine.pictures.files.extras import Extras
from lbbic_engine.pictures.metadata import collect
from lbbic_engine.pictures.picture import NoticeKind, Picture
from lbbic_engine.pictures.write import save_image
from tests.engine.pictures.made import Make, left_out, load

GAIN_MAP_XMP = (
    b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:RDF><r hdrgm:Version="1.0"/></rdf:RDF>'
    b"</x:xmpmeta>"
)


def multi_picture(make: ModuleType, kind: int, second: bytes, times: int = 1) -> bytes:
    """A JPEG followed by another one, and an index of both (CIPA DC-007).

    The second one is listed several ``times``.
    """
    length = 16 * (1 + times)
    index_bytes = 4 + 2 + 8 + 2 + 12 * 3 + 4 + length
    first = len(make.jpeg()) + 4 + index_bytes
    entries = struct.pack(">IIIHH", 0x030000, first, 0, 0, 0)
    entries += struct.pack(">IIIHH", kind, len(second), first - 8 - 2, 0, 0) * times
    index = b"MPF\0MM\0*" + struct.pack(">IH", 8, 3)
    index += struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    index += struct.pack(">HHII", 0xB001, 4, 1, 1 + times)
    index += struct.pack(">HHII", 0xB002, 7, length, 8 + 2 + 36 + 4)
    index += struct.pack(">I", 0) + entries
    data: bytes = make.jpeg((0xE2, index))
    return data + second


LOSE: dict[str, tuple[Make, list[str]]] = {
    "a text": (lambda make: make.png(make.text("prompt", b"a cat")), ["'prompt'"]),
    "a text of over a megabyte": (
        lambda make: make.png(make.text("workflow", b"x" * 2_000_000)),
        ["'workflow'"],
    ),
    "texts of over 64 megabytes": (
        lambda make: make.png(*(make.text(f"t{n}", b"x" * 2**20) for n in range(70))),
        ["'t69'"],
    ),
    "IPTC without a place in XMP": (
        lambda make: make.jpeg((0xED, make.photoshop(0x0404, make.iptc((200, b"x"))))),
        ["2:200"],
    ),
    "positions and private tags of TIFF": (
        lambda make: make.stored(
            Image.fromarray(make.colours()),
            "TIFF",
            tiffinfo={33550: (1.0, 1.0, 0.0), 42112: "<GDALMetadata/>", 65001: "x"},
        ),
        ["the TIFF tags 33550 (ModelPixelScaleTag), 42112 (GDAL_METADATA), 65001 (unknown)"],
    ),
    "clipping paths": (lambda make: make.jpeg((0xED, make.photoshop(2000, b"x"))), ["paths"]),
    "a gain map": (lambda make: make.jpeg((0xE1, GAIN_MAP_XMP)), ["HDR gain map"]),
    "an ISO gain map": (
        lambda make: make.jpeg((0xE2, b"urn:iso:std:iso:ts:21496:-1\0")),
        ["HDR gain map"],
    ),
    "a gain map behind the picture": (
        lambda make: multi_picture(make, 0, make.jpeg((0xE1, b"apdi HDRGainMap:"))),
        ["HDR gain map"],
    ),
    "a motion photo": (
        lambda make: make.jpeg((0xE1, GAIN_MAP_XMP.replace(b"hdrgm:V", b'MotionPhoto="1" v'))),
        ["motion photo"],
    ),
    "extended XMP": (
        lambda make: make.jpeg((0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40))),
        ["extended"],
    ),
    "content credentials": (lambda make: make.jpeg((0xEB, b"JP\0\1jumb")), ["C2PA"]),
    "content credentials of PNG": (lambda make: make.png(make.chunk(b"caBX", b"jumb")), ["C2PA"]),
    "much of it": (
        lambda make: make.jpeg((0xE1, GAIN_MAP_XMP), (0xEB, b"JP\0\1jumb")),
        ["HDR gain map", "C2PA"],
    ),
}


@pytest.mark.parametrize("case", LOSE)
def test_one_notice_names_everything_that_is_lost(make: ModuleType, case: str) -> None:
    build, names = LOSE[case]
    picture = load(build(make))
    for name in names:
        assert name in left_out(picture)
    assert picture.pixels.shape == (32, 48, 3)


@pytest.mark.parametrize(("kind", "is_said"), [(0x010001, False), (0x020003, True)])
def test_further_pictures_except_previews_cause_a_notice(
    make: ModuleType, kind: int, is_said: bool
) -> None:
    picture = load(multi_picture(make, kind, make.jpeg()))
    assert [notice.kind for notice in picture.notices] == [NoticeKind.FRAMES] * is_said


def test_a_long_index_of_pictures_takes_little_memory(make: ModuleType) -> None:
    data = multi_picture(make, 0x020003, make.jpeg() + bytes(2**16), times=4000)
    tracemalloc.start()
    try:
        picture = load(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [notice.kind for notice in picture.notices] == [NoticeKind.FRAMES]
    assert peak < 20_000_000


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def full_box(kind: bytes, *parts: bytes) -> bytes:
    return box(kind, bytes(4), *parts)


@pytest.mark.parametrize(
    ("auxiliary", "item", "named"),
    [
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"av01", []),
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth", b"av01", ["a depth map"]),
        (b"urn:com:apple:photo:2020:aux:hdrgainmap", b"av01", ["an HDR gain map"]),
        (b"urn:something:else", b"av01", ["an auxiliary picture"]),
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"tmap", ["an HDR gain map"]),
    ],
)
def test_items_of_an_avif_are_read(auxiliary: bytes, item: bytes, named: list[str]) -> None:
    properties = box(
        b"ipco",
        box(b"colr", b"nclx", struct.pack(">HHH", 9, 16, 9)),
        full_box(b"pixi", b"\3", bytes([10] * 3)),
        box(b"colr", b"nclx", struct.pack(">HHH", 12, 13, 6)),
        full_box(b"auxC", auxiliary, b"\0"),
    )
    associations = struct.pack(">I", 2)
    associations += struct.pack(">HBB", 1, 1, 1) + struct.pack(">HBBB", 2, 2, 2, 3)
    meta = full_box(
        b"meta",
        full_box(b"pitm", struct.pack(">H", 2)),
        full_box(b"iinf", struct.pack(">H", 1), full_box(b"infe", bytes(4), item, b"\0")),
        box(b"iprp", properties, full_box(b"ipma", associations)),
    )
    data = box(b"ftyp", b"avif") + meta
    extras = boxes.read_avif(io.BytesIO(data))
    assert (extras.code_points, extras.bits, extras.left_out) == ((12, 13), 10, named)
    for length in range(len(data)):
        boxes.read_avif(io.BytesIO(data[:length]))


@pytest.mark.parametrize("length", [2**32, 2**63, 2**64 - 1])
def test_a_box_that_claims_more_than_any_file_holds_ends_the_file(length: int) -> None:
    endless = struct.pack(">I4sQ", 1, b"free", length)
    assert boxes.read_avif(io.BytesIO(endless)) == Extras()
    assert jxl.read_jxl(endless).has_unknown_colours


def test_metadata_that_an_lbb_file_cannot_store_is_left_out(
    make: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_METADATA_BYTES == 2**23
    monkeypatch.setattr(collect, "MAX_METADATA_BYTES", 10)
    picture = load(make.png(dpi=(300, 300)))
    assert picture.exif is None
    assert "EXIF" in left_out(picture)


# --- on the way out ------------------------------------------------------------------------------

LARGE: dict[str, Any] = {"exif": b"II*\0\x08\0\0\0" + bytes(70_000), "xmp": b"<x/>"}


@pytest.mark.parametrize(
    ("extension", "lost"),
    [
        ("png", []),
        ("webp", []),
        ("avif", []),
        ("jpg", ["EXIF"]),
        ("jp2", ["EXIF", "XMP"]),
        ("bmp", ["EXIF", "XMP"]),
        ("tga", ["EXIF", "XMP"]),
        ("ppm", ["EXIF", "XMP"]),
    ],
)
def test_notices_name_what_a_format_cannot_store(
    make: ModuleType, tmp_path: Path, extension: str, lost: list[str]
) -> None:
    alpha = np.zeros((32, 48), np.uint8)
    notices = save_image(Picture(make.colours(), alpha, **LARGE), tmp_path / f"a.{extension}")
    texts = {notice.kind: notice.text for notice in notices}
    assert len(texts) == len(notices)
    assert all(name in texts[NoticeKind.LEFT_OUT] for name in lost)
    assert (NoticeKind.LEFT_OUT in texts) == bool(lost)
    assert (NoticeKind.ALPHA in texts) == (extension in ("jpg", "bmp", "ppm"))
