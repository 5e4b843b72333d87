"""Tiles of a picture coded by workers, which are threads in most of the tests."""

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lbbic_engine import codec
from lbbic_engine.bitstream.container import parse_container
from lbbic_engine.codec import compress, decode_progressively, decompress
from lbbic_engine.coding import strips
from lbbic_engine.coding.decode_job import DecodeJob
from lbbic_engine.coding.results import Front, Progress
from lbbic_engine.config import ModelConfig
from lbbic_engine.devices import CodingThread
from lbbic_engine.errors import Cancelled, CorruptDataError
from lbbic_engine.layout import tiles
from lbbic_engine.layout.blocks import merge_blocks
from lbbic_engine.layout.tiles import Tile
from lbbic_engine.parallel.pool import WorkerPool
from lbbic_engine.pictures.picture import Picture

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture(params=["tile by tile", 1, 2])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    """Decodes single tiles, or strips of several, so many of them."""
    monkeypatch.setattr(tiles, "TILE_PIXELS", 1 << 10)  # small pictures are large
    if request.param == "tile by tile":
        with ThreadPoolExecutor(2) as threads:
            yield threads
        return
    with WorkerPool(0, helped=True) as pool:
        pool.size = request.param
        yield pool


@pytest.fixture
def picture(photograph: NDArray[np.uint8]) -> Picture:
    alpha = np.full(photograph.shape[:2], 200, np.uint8)
    return Picture(photograph, alpha=alpha, xmp=b"<x/>")


def drawing() -> Picture:
    """A picture that is stored exactly."""
    squares = 9 * np.kron(np.eye(7, 9), np.ones((8, 8))).astype(np.uint8)
    return Picture(squares[..., None].repeat(3, axis=2))


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


def test_strips_use_their_part_of_the_map(picture: Picture, executor: Executor) -> None:
    ramp = np.linspace(-2, 2, 45).reshape(9, 5)
    alone = compress(picture, 4, quality_map=ramp, exact=False)
    shared = compress(picture, 4, quality_map=ramp, exact=False, executor=executor)
    assert shared.data == alone.data
    back = decompress(alone.data, executor=executor)
    assert (back.pixels == alone.reconstruction).all()


def test_drawings_are_stored_exactly_by_workers_too(executor: Executor) -> None:
    picture = drawing()
    alone = compress(picture, 8)
    assert alone.exact
    assert codec.read_info(alone.data).tiles > 1
    assert compress(picture, 8, executor=executor).data == alone.data
    assert (decompress(alone.data, executor=executor).pixels == picture.pixels).all()


def test_grey_pictures_are_grey_in_each_strip(picture: Picture, executor: Executor) -> None:
    grey = Picture(np.repeat(picture.pixels[..., :1], 3, axis=2), grey=True)
    alone = compress(grey, 2)
    shared = compress(grey, 2, executor=executor)
    assert shared.data == alone.data
    assert (decompress(alone.data, executor=executor).pixels == alone.reconstruction).all()


def test_damage_in_a_strip_is_reported(picture: Picture, executor: Executor) -> None:
    data = bytearray(compress(picture, 5).data)
    data[-40] ^= 1
    with pytest.raises(CorruptDataError):
        decompress(bytes(data), executor=executor)


def maps(fronts: Iterable[Front], rows: int, columns: int) -> tuple[NDArray[Any], ...]:
    """The pixels (n, 8, 8, 3), bits (n,) and context (n, 4) of all blocks, from fronts."""
    count = rows * columns
    blocks, times = np.zeros((count, 8, 8, 3), np.uint8), np.zeros(count, int)
    bits, context = np.zeros(count, np.float32), np.zeros((count, 4), np.int32)
    for front in fronts:
        places = front.rows * columns + front.columns
        times[places] += 1
        blocks[places], bits[places], context[places] = front.blocks, front.bits, front.context
    assert (times == 1).all()
    return blocks, bits, context


@pytest.mark.parametrize("is_exact", [False, True])
def test_fronts_of_workers_equal_those_of_one_process(
    picture: Picture, executor: Executor, is_exact: bool
) -> None:
    compressed = compress(drawing() if is_exact else picture, 8)
    assert compressed.exact == is_exact
    rows, columns = (-(-side // 8) for side in compressed.reconstruction.shape[:2])
    alone = maps(decode_progressively(compressed.data), rows, columns)
    shared = maps(decode_progressively(compressed.data, executor=executor), rows, columns)
    for one, other in zip(alone, shared, strict=True):
        assert (one == other).all()


def test_blocks_of_several_strips_arrive_before_one_is_complete(
    picture: Picture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One strip is decoded here, another by a process that starts once this one has begun."""
    if sys.platform == "win32":
        pytest.skip("there are no named pipes in its file system")
    monkeypatch.setattr(tiles, "TILE_PIXELS", 1 << 11)  # three tiles; a process allows one alone
    compressed = compress(picture, 5, exact=False)
    second = 2 * parse_container(compressed.data).tile_block_rows
    rows, columns = (-(-side // 8) for side in compressed.reconstruction.shape[:2])
    go_on, decode = threading.Event(), strips.uncorrected_fronts

    def begin_and_wait(job: DecodeJob, part: Sequence[Tile]) -> Iterator[Front]:
        fronts = decode(job, part)
        yield next(fronts)
        assert go_on.wait(600)
        yield from fronts

    # Here, not in the process; and front by front.
    monkeypatch.setattr(strips, "uncorrected_fronts", begin_and_wait)
    monkeypatch.setattr(CodingThread, "each", lambda self, steps: steps)
    hold = tmp_path / "hold"
    os.mkfifo(hold)
    arrived = np.zeros(rows, int)  # blocks in each row
    kept: list[Front] = []
    with WorkerPool(1, helped=True) as pool:
        pool.submit(Path.read_bytes, hold)
        for front in decode_progressively(compressed.data, executor=pool):
            np.add.at(arrived, front.rows, 1)
            of_strips = np.add.reduceat(arrived, [0, second])
            if not kept:
                hold.write_bytes(b"")
            elif not go_on.is_set():
                assert of_strips[0] < second * columns
                assert 0 < of_strips[1] < (rows - second) * columns
                go_on.set()
            kept.append(front)
    assert go_on.is_set()
    blocks, _, _ = maps(kept, rows, columns)
    height, width, _ = picture.pixels.shape
    pixels = merge_blocks(blocks.reshape(rows * columns, -1), height, width, 8)
    assert (pixels == compressed.reconstruction).all()


def test_closing_the_fronts_stops_the_processes(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 1 << 11)  # three tiles; a process allows one alone
    data = compress(picture, 5, exact=False).data
    with WorkerPool(1, helped=True) as pool:
        fronts = decode_progressively(data, executor=pool)
        next(fronts)
        fronts.close()  # type: ignore[attr-defined]
        with pytest.raises(Cancelled):
            list(decode_progressively(data, executor=pool, cancelled=lambda: True))
        assert pool.submit(int).result() == 0


@pytest.mark.parametrize(
    ("count", "workers", "most", "sizes"),
    [
        (6, 1, 9, [3, 3]),  # so many blocks, a group has four at most
        (6, 2, 9, [3, 3]),
        (6, 4, 9, [2, 2, 1, 1]),
        (6, 8, 9, [1] * 6),
        (20, 2, 9, [4, 4, 3, 3, 3, 3]),
        (6, 2, 2, [2, 2, 1, 1]),
        (6, 2, 1, [1] * 6),
    ],
)
def test_tiles_are_shared_evenly(count: int, workers: int, most: int, sizes: list[int]) -> None:
    columns, rows = 500, 65
    picture = tiles.cut(0, 8 * rows * count, 8 * columns, ModelConfig(), rows)
    parts = tiles.share(picture, workers, most)
    assert [len(part) for part in parts] == sizes
    assert [tile for part in parts for tile in part] == picture


def test_coding_by_workers_can_be_cancelled(picture: Picture, executor: Executor) -> None:
    with pytest.raises(Cancelled):
        compress(picture, 5, executor=executor, cancelled=lambda: True)
