"""Thumbnails of .lbb files: from a preview inside, from EXIF, or decoded."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lbbic_engine import codec, decompress
from lbbic_engine.bitstream.container import PREVIEW, pack_container, parse_container
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.previews import add_preview, thumbnail

pytestmark = pytest.mark.usefixtures("tiny")


def picture(width: int, height: int) -> Picture:
    noise = np.random.default_rng(3).integers(-60, 60, (height, width, 3))
    slope = np.linspace(60, 190, width)[None, :, None]
    return Picture((slope + noise).astype(np.uint8))


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(codec, "decompress", refuse)


@pytest.fixture(scope="module")
def coded(tiny_weights: object) -> tuple[Picture, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LBBIC_WEIGHTS", str(tiny_weights))
        whole = picture(1200, 800)
        return whole, codec.compress(whole, 8).data


def test_a_preview_takes_less_than_1_percent_and_changes_nothing_else(
    coded: tuple[Picture, bytes],
) -> None:
    whole, data = coded
    with_preview = add_preview(data, whole)
    assert len(data) < len(with_preview) <= 1.01 * len(data)
    container = parse_container(with_preview)
    ((kind, _),) = container.ancillary
    assert kind == PREVIEW
    assert replace(container, ancillary=()) == parse_container(data)
    assert (decompress(with_preview).pixels == decompress(data).pixels).all()


@pytest.mark.usefixtures("no_decoding")
def test_the_thumbnail_is_made_from_the_preview(coded: tuple[Picture, bytes]) -> None:
    whole, data = coded
    image = thumbnail(add_preview(data, whole), 128)
    assert image.size in ((128, 85), (128, 86))
    small = Image.fromarray(whole.pixels).resize(image.size, Image.Resampling.BOX)
    assert np.abs(np.asarray(image).astype(int) - np.asarray(small)).mean() < 10


def test_a_thumbnail_larger_than_file_managers_show_is_made_from_the_picture(
    coded: tuple[Picture, bytes],
) -> None:
    whole, data = coded
    assert max(thumbnail(add_preview(data, whole), 512).size) < 512
    assert max(thumbnail(add_preview(data, whole), 1024).size) == 1024


def test_a_preview_that_would_exceed_the_target_is_left_out(coded: tuple[Picture, bytes]) -> None:
    whole, data = coded
    assert add_preview(data, whole, max_bytes=len(data) + 50) == data


def test_previews_as_large_as_a_picture_are_ignored() -> None:
    """It would take more memory than the size of the file justifies."""
    data = codec.compress(picture(24, 24), 2).data
    file = io.BytesIO()
    Image.new("RGB", (2000, 2000), "red").save(file, "WEBP")
    container = replace(parse_container(data), ancillary=((PREVIEW, file.getvalue()),))
    red, green, _ = np.asarray(thumbnail(pack_container(container), 8)).mean(axis=(0, 1))
    assert abs(red - green) < 60


def test_small_files_get_no_preview() -> None:
    small = picture(40, 24)
    data = codec.compress(small, 2).data
    assert add_preview(data, small) == data
    assert thumbnail(data, 20).size == (20, 12)


def test_an_incomplete_file_has_a_thumbnail_of_what_is_there(coded: tuple[Picture, bytes]) -> None:
    whole, data = coded
    top = np.asarray(thumbnail(data[: len(data) // 2], 128))
    assert top.std() > 1
    part = add_preview(data, whole)[: len(data) // 2]
    assert thumbnail(part, 128) == thumbnail(add_preview(data, whole), 128)


def with_exif_thumbnail(data: bytes, size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "JPEG")
    head = b"II*\0\x08\0\0\0" + b"\0\0" + (14).to_bytes(4, "little")
    entries = [(513, 4, 1, 44), (514, 4, 1, len(file.getvalue()))]
    second = struct.pack("<H", 2) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    tiff = head + second + bytes(4)
    assert len(tiff) == 44
    container = replace(parse_container(data), exif=tiff + file.getvalue())
    return pack_container(container)


@pytest.mark.usefixtures("no_decoding")
def test_the_exif_thumbnail_is_used_without_a_preview(
    coded: tuple[Picture, bytes],
) -> None:
    image = thumbnail(with_exif_thumbnail(coded[1], (150, 100)), 128)
    assert image.size == (128, 85)
    assert image.getpixel((5, 5))[0] > 200


def test_an_exif_thumbnail_with_bars_is_not_used(coded: tuple[Picture, bytes]) -> None:
    image = thumbnail(with_exif_thumbnail(coded[1], (160, 120)), 128)
    assert image.size == (128, 85)
    assert len(np.unique(np.asarray(image))) > 100
