"""Tiles of a picture by workers: here threads, to which it is all the same."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from lbbic_engine import codec
from lbbic_engine.codec import compress, decompress
from lbbic_engine.coding.results import Progress
from lbbic_engine.errors import Cancelled, CorruptDataError
from lbbic_engine.layout import tiles
from lbbic_engine.pictures.picture import Picture

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 1 << 10)  # small pictures are large
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture
def picture(photograph: NDArray[np.uint8]) -> Picture:
    alpha = np.full(photograph.shape[:2], 200, np.uint8)
    return Picture(photograph, alpha=alpha, xmp=b"<x/>")


@pytest.mark.parametrize("effort", ["fast", "thorough"])
def test_workers_make_the_same_file_and_the_same_picture(
    picture: Picture, executor: Executor, effort: str
) -> None:
    alone = compress(picture, 5, effort=effort)
    assert codec.read_info(alone.data).tiles > 3
    reports: list[Progress] = []
    shared = compress(picture, 5, effort=effort, executor=executor, progress=reports.append)
    assert shared.data == alone.data
    assert (shared.reconstruction == alone.reconstruction).all()
    assert [each.done for each in reports] == sorted(each.done for each in reports)
    assert reports[-1].done == reports[-1].total
    back = decompress(alone.data, executor=executor)
    assert (back.pixels == alone.reconstruction).all()
    assert back.xmp == picture.xmp


def test_strips_have_their_part_of_a_map(picture: Picture, executor: Executor) -> None:
    ramp = np.linspace(-2, 2, 45).reshape(9, 5)
    alone = compress(picture, 4, quality_map=ramp, exact=False)
    shared = compress(picture, 4, quality_map=ramp, exact=False, executor=executor)
    assert shared.data == alone.data
    back = decompress(alone.data, executor=executor)
    assert (back.pixels == alone.reconstruction).all()


def test_drawings_are_stored_exactly_by_workers_too(executor: Executor) -> None:
    squares = 9 * np.kron(np.eye(7, 9), np.ones((8, 8))).astype(np.uint8)
    drawing = Picture(squares[..., None].repeat(3, axis=2))
    alone = compress(drawing, 8)
    assert alone.exact
    assert codec.read_info(alone.data).tiles > 1
    assert compress(drawing, 8, executor=executor).data == alone.data
    assert (decompress(alone.data, executor=executor).pixels == drawing.pixels).all()


def test_grey_pictures_are_grey_in_each_strip(picture: Picture, executor: Executor) -> None:
    grey = Picture(np.repeat(picture.pixels[..., :1], 3, axis=2), grey=True)
    alone = compress(grey, 2)
    shared = compress(grey, 2, executor=executor)
    assert shared.data == alone.data
    assert (decompress(alone.data, executor=executor).pixels == alone.reconstruction).all()


def test_damage_in_a_strip_is_told(picture: Picture, executor: Executor) -> None:
    data = bytearray(compress(picture, 5).data)
    data[-40] ^= 1
    with pytest.raises(CorruptDataError):
        decompress(bytes(data), executor=executor)


def test_it_can_be_cancelled(picture: Picture, executor: Executor) -> None:
    with pytest.raises(Cancelled):
        compress(picture, 5, executor=executor, cancelled=lambda: True)
