"""Files that claim more than they contain: bytes and operations that they cost are counted."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.bitstream import bodies, chunks
from lbbic_engine.bitstream import container as format_
from lbbic_engine.bitstream.bodies import MAX_METADATA_BYTES
from lbbic_engine.bitstream.chunks import Segment
from lbbic_engine.bitstream.container import Container, pack_container, parse_container
from lbbic_engine.bitstream.entropy import max_rows
from lbbic_engine.codec import (
    compress,
    decode_progressively,
    decompress,
    decompress_region,
    read_info,
)
from lbbic_engine.coding import block_loop, decoder
from lbbic_engine.errors import (
    Cancelled,
    CorruptDataError,
    LbbicError,
    TooLargeError,
    UnrecoverableDataError,
)
from lbbic_engine.layout import tiles
from lbbic_engine.layout.tiles import Tile, cut
from lbbic_engine.networks import weights
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.pillow_plugin import register

MIB = 2**20
SIDE = 2**14  # the largest square picture

pytestmark = pytest.mark.usefixtures("tiny")


def bomb(
    tile_rows: int = 64, stream: bytes = b"\0" * 4, width: int = SIDE, height: int = SIDE
) -> Container:
    """A container that claims the largest allowed picture and all of its fronts."""
    info = weights.by_name(weights.DEFAULT)
    picture_tiles = cut(0, height, width, info.config, tile_rows)
    return Container(
        width=width,
        height=height,
        grey=False,
        quality_eighths=32,
        tile_block_rows=tile_rows,
        weights_id=info.id,
        pixels_crc=0,
        segments=tuple(Segment(tile.number, tile.fronts, stream) for tile in picture_tiles),
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return chunks.pack_chunk(kind, body)


def with_chunks(container: Container, chunks: bytes) -> bytes:
    data = pack_container(container)
    header_end = len(format_.SIGNATURE) + 2 + len(chunk(b"H", format_._pack_header(container)))
    return data[:header_end] + chunks + data[header_end:]


@pytest.fixture
def fronts_coded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of blocks in each front that went through the networks."""
    counted: list[int] = []

    def counting(*args: Any) -> Iterator[tuple[NDArray[np.int64], Any]]:
        for front, state in block_loop.code_grids(*args):
            counted.append(len(front))
            yield front, state

    monkeypatch.setattr(decoder, "code_grids", counting)
    return counted


def peak_of(work: Callable[[], object]) -> int:
    """The maximum of bytes allocated at a time, including arrays."""
    once = compress(Picture(np.zeros((8, 8, 3), np.uint8)), exact=False)  # what is loaded but once
    decompress(once.data)
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


USES: dict[str, Callable[[bytes], object]] = {
    "whole": decompress,
    "partial": lambda data: decompress(data, partial=True),
    "progressive": lambda data: next(decode_progressively(data)),
    "region": lambda data: decompress_region(data, 0, 0, 8, 8),
}


@pytest.mark.parametrize("use", ["whole", "progressive", "region"])
def test_a_stream_too_short_for_its_fronts_is_refused_without_work(
    use: str, fronts_coded: list[int]
) -> None:
    data = pack_container(bomb())

    def refused() -> None:
        with pytest.raises(CorruptDataError, match="less data than its picture needs"):
            USES[use](data)

    assert peak_of(refused) < MIB
    assert fronts_coded == [1]  # of the picture before


def test_partial_decoding_of_a_short_stream_does_no_work(fronts_coded: list[int]) -> None:
    data = pack_container(bomb(width=2**11, height=2**12, tile_rows=256))
    with pytest.raises(UnrecoverableDataError):
        decompress(data, partial=True)
    assert fronts_coded == []


def test_flat_pictures_have_at_least_the_required_bytes() -> None:
    """The shortest stream that an encoder makes: every row is insignificant."""
    flat = Picture(np.full((1024, 2048, 3), 128, np.uint8))
    compressed = compress(flat, 1, refine=False, exact=False)
    (segment,) = parse_container(compressed.data).segments
    assert np.array_equal(decompress(compressed.data).pixels, compressed.reconstruction)
    rows = compressed.reconstruction[..., 0].size // 64 * 2  # two slices a block
    assert max_rows(len(segment.stream)) >= rows


@pytest.mark.parametrize("use", ["whole", "partial", "progressive", "region"])
def test_tiles_below_the_minimum_height_are_refused(use: str, fronts_coded: list[int]) -> None:
    data = pack_container(bomb(tile_rows=1, width=2**12, height=2**12))
    with pytest.raises(CorruptDataError, match="smaller"):
        USES[use](data)
    assert fronts_coded == []


@pytest.mark.parametrize("block_size", [4, 8, 16])
def test_written_tiles_have_the_minimum_height(block_size: int) -> None:
    random = np.random.default_rng(0)
    sizes = [2 ** random.uniform(0, 16, 2) for _ in range(20_000)]
    sizes += [(65535, height) for height in range(1, 4097, 7)]
    for width, height in ((int(w), int(h)) for w, h in sizes if w * h <= 2**28):
        rows = tiles.tile_rows(height, width, block_size)
        found = [Tile(0, n, 0, rows or height, -(-width // block_size), True) for n in (0, 1)]
        if rows:
            assert tiles.are_allowed(found, block_size), (width, height)


@pytest.mark.parametrize("exact", [False, True])
def test_decoding_a_region_needs_memory_for_it_and_one_tile(exact: bool) -> None:
    """A valid picture of four tiles, each of two megapixels."""
    flat = Picture(np.full((4096, 2048, 3), 90, np.uint8))
    compressed = compress(flat, 1, refine=False, exact=exact)
    assert compressed.exact == exact
    assert len(parse_container(compressed.data).segments) == 4
    height, width, _ = flat.pixels.shape
    of_tile = width * height // 4
    whole = peak_of(lambda: decompress(compressed.data))
    part = peak_of(lambda: decompress_region(compressed.data, 8, 3000, 16, 8))
    first = peak_of(lambda: next(decode_progressively(compressed.data)))
    assert part < whole - 3 * 3 * of_tile * 0.9
    assert first < whole - 3 * 3 * of_tile * 0.9


@pytest.mark.parametrize("use", ["whole", "progressive"])
def test_pictures_beyond_max_pixels_are_refused_before_decompression(
    use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = compress(Picture(np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.uint8))).data
    call = {"whole": decompress, "progressive": lambda *a, **k: list(decode_progressively(*a, **k))}
    call[use](data, max_pixels=600)  # type: ignore[operator]
    monkeypatch.setattr(bodies, "_inflate", None)
    with pytest.raises(TooLargeError, match="30 × 20 pixels exceed the limit of 599"):
        call[use](data, max_pixels=599)  # type: ignore[operator]


def test_the_plugin_obeys_pillows_limits_of_pixels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    register()
    path = tmp_path / "a.lbb"
    path.write_bytes(compress(Picture(np.zeros((20, 30, 3), np.uint8))).data)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    with pytest.warns(Image.DecompressionBombWarning), Image.open(path) as image:
        image.load()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with Image.open(path) as image:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
        with pytest.raises(OSError, match="exceed the limit"):
            image.load()


def test_a_cancelled_decode_does_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Picture(np.zeros((20, 30, 3), np.uint8))
    data = compress(picture).data
    monkeypatch.setattr("lbbic_engine.codec.parse_container", None)
    monkeypatch.setattr("lbbic_engine.codec.weights_files", None)
    with pytest.raises(Cancelled):
        decompress(data, cancelled=lambda: True)
    with pytest.raises(Cancelled):
        compress(picture, cancelled=lambda: True)


def test_reading_information_takes_no_memory_beyond_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing proportional to the picture's size is decompressed, computed or allocated."""
    transparency = zlib.compress(bytes(SIDE * SIDE), 9)
    data = with_chunks(bomb(), chunk(b"A", transparency))
    assert len(data) < MIB
    monkeypatch.setattr(bodies, "parse_alpha", None)
    assert read_info(data).has_alpha
    assert peak_of(lambda: read_info(data)) < MIB


def test_transparency_is_decompressed_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    alpha = random.integers(0, 256, (300, 200), dtype=np.uint8)
    picture = Picture(np.zeros((300, 200, 3), np.uint8), alpha)
    data = compress(picture).data
    steps: list[int] = []
    monkeypatch.setattr(bodies, "pairwise", lambda rows: _counted(rows, steps))
    assert np.array_equal(decompress(data).alpha, alpha)
    assert len(steps) == 299


def _counted(rows: Any, steps: list[int]) -> Iterator[Any]:
    from itertools import pairwise

    for pair in pairwise(rows):
        steps.append(1)
        yield pair


@pytest.mark.parametrize("kind", [b"i", b"e", b"x"])
def test_metadata_beyond_the_limit_is_refused(kind: bytes) -> None:
    honest = parse_container(compress(Picture(np.zeros((8, 8, 3), np.uint8))).data)
    for length, allowed in ((MAX_METADATA_BYTES, True), (MAX_METADATA_BYTES + 1, False)):
        body = bytes(length)
        data = with_chunks(honest, chunk(kind, body if kind == b"e" else zlib.compress(body)))
        if allowed:
            parse_container(data)
            continue
        with pytest.raises(CorruptDataError):
            parse_container(data)
        assert kind in parse_container(data, partial=True).lost
        bound = 3 * MAX_METADATA_BYTES + 4 * len(data)
        assert peak_of(lambda data=data: read_info(data)) < bound  # type: ignore[misc]


@pytest.mark.parametrize("kind", [b"A", b"i", b"e", b"x"])
def test_what_is_lost_is_not_unpacked_again(kind: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand chunks of a megabyte would be unpacked one after another."""
    unpacked: list[bytes] = []

    def refuse(body: bytes, *_: Any, **__: Any) -> bytes:
        unpacked.append(body)
        raise CorruptDataError("It does not unpack.")

    monkeypatch.setattr(bodies, "parse_alpha", refuse)
    monkeypatch.setattr(bodies, "unpack_metadata", refuse)
    honest = parse_container(compress(Picture(np.zeros((8, 8, 3), np.uint8))).data)
    left = parse_container(with_chunks(honest, chunk(kind, b"bytes") * 50), partial=True)
    assert left.lost == (kind,)
    assert left.segments
    assert len(unpacked) == 1


def test_too_many_chunks_are_refused() -> None:
    honest = parse_container(compress(Picture(np.zeros((8, 8, 3), np.uint8))).data)
    most = with_chunks(honest, chunk(b"z", b"") * format_.MAX_CHUNKS)
    assert len(parse_container(most).ancillary) == format_.MAX_CHUNKS
    more = with_chunks(honest, chunk(b"z", b"") * (format_.MAX_CHUNKS + 1))
    with pytest.raises(CorruptDataError, match="more than 1000 parts"):
        parse_container(more)
    left = parse_container(more, partial=True)
    assert (len(left.ancillary), left.lost) == (format_.MAX_CHUNKS, (b"z",))


@pytest.fixture
def checked_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each CRC that is computed, while the search may cost 500 positions."""
    counted: list[int] = []
    crc32 = zlib.crc32
    monkeypatch.setattr(chunks, "_MAX_COST", 500 * chunks._POSITION_COST)

    def counting(data: Any, *start: int) -> int:
        counted.append(len(data))
        return crc32(data, *start)

    monkeypatch.setattr(chunks.zlib, "crc32", counting)
    return counted


@pytest.mark.parametrize(("kind", "begins"), [(b"S", b""), (b"L", b"\0\x2f")])
def test_the_search_for_streams_after_damage_is_bounded(
    kind: bytes, begins: bytes, checked_bytes: list[int]
) -> None:
    """A candidate is read up to its first check, if it has one; their cost is limited."""
    picture = Picture(np.zeros((8, 8, 3), np.uint8))
    honest = compress(picture, exact=kind == b"L").data
    claims = kind + chunks.pack_varint(2**16) + begins
    data = honest + claims * 20_000
    with pytest.raises(LbbicError):
        parse_container(data)
    checked_bytes.clear()
    assert parse_container(data, partial=True).lost
    assert len(checked_bytes) < 5000
    assert sum(checked_bytes) < 2 * len(data) + 5000 * 800 + chunks._MAX_COST


HOSTILE_BYTES = 200_000
LONGEST = range(0, HOSTILE_BYTES - 2**15, 12)


def candidates(places: Sequence[int], end: int, checks: int = 1) -> bytes:
    """S chunks that begin at ``places`` and end at ``end``, with their first checks right."""
    data = bytearray(HOSTILE_BYTES)
    sums, begins = {}, {}
    for place in places:
        head = b"S" + chunks.pack_varint(end - place - 8) + chunks.pack_varint(200) + b"\1"
        assert len(head) == 7
        data[place : place + 7] = head
        sums[place], begins[place] = 0, place
    ends = [(place + 775 + 770 * i, place) for place in places for i in range(checks)]
    for at, place in sorted(ends):
        sums[place] = zlib.crc32(data[begins[place] : at], sums[place])
        data[at : at + 2] = (sums[place] & 0xFFFF).to_bytes(2, "little")
        begins[place] = at + 2
    return bytes(data)


def between_streams() -> bytes:
    """Damaged chunks that claim all that follows, and between them intact streams."""
    parts = [
        b"e" + chunks.pack_varint(HOSTILE_BYTES - place - 8) + chunk(b"S", b"\0\0")
        for place in LONGEST
    ]
    return b"".join(parts).ljust(HOSTILE_BYTES, b"\0")


def before_a_damaged_chunk() -> bytes:
    half = HOSTILE_BYTES // 2
    data = candidates(range(0, half - 2**15, 780), half)
    return data[:half] + b"e" + chunks.pack_varint(half - 8) + data[half + 4 :]


HOSTILE = {
    "cut off": lambda: candidates(LONGEST, 2**20),
    "up to the end": lambda: candidates(LONGEST, HOSTILE_BYTES),
    "within each other": lambda: candidates(range(0, 768 * 60, 768), 2**20, checks=200),
    "streams between damaged chunks": between_streams,
    "before a damaged chunk": before_a_damaged_chunk,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_streams_that_seem_to_begin_cost_no_more_than_their_bytes(
    name: str, checked_bytes: list[int]
) -> None:
    honest = compress(Picture(np.zeros((8, 8, 3), np.uint8)), exact=False).data
    data = honest[:-4] + b"\0" * 4 + HOSTILE[name]()
    checked_bytes.clear()
    found = parse_container(data, partial=True)
    assert found.lost
    assert sum(len(segment.stream) for segment in found.segments) < len(data)
    assert sum(checked_bytes) < 8 * len(data) + chunks._MAX_COST
