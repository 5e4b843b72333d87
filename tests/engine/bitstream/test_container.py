"""The ``.lbb`` format: containers round-trip, and every kind of damage is recognised."""

import re
import struct
import zlib
from contextlib import suppress
from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbbic_engine.bitstream import bodies, chunks
from lbbic_engine.bitstream.bodies import MAX_METADATA_BYTES
from lbbic_engine.bitstream.chunks import PAGE_BYTES, Segment
from lbbic_engine.bitstream.container import (
    NO_WEIGHTS,
    SIGNATURE,
    Container,
    pack_container,
    parse_container,
)
from lbbic_engine.coding.decode_job import damage_notices
from lbbic_engine.errors import CorruptDataError, LbbicError, NotLbbicError, UnsupportedVersionError

PLAIN = Container(
    width=768,
    height=512,
    grey=False,
    quality_eighths=32,
    tile_block_rows=0,
    weights_id=b"weights!",
    pixels_crc=0xDEADBEEF,
    segments=(Segment(0, 222, b"entropy-coded" * 1500),),
)
RICH = Container(
    width=5,
    height=4,
    grey=True,
    quality_eighths=64,
    tile_block_rows=2,
    weights_id=bytes(range(8)),
    pixels_crc=7,
    segments=(Segment(0, 4, b"one"), Segment(1, 4, b"three")),
    alpha=np.arange(0, 240, 12, dtype=np.uint8).reshape(4, 5),
    icc=b"profile",
    exif=b"II*\0 verbatim",
    xmp=b"<x:xmpmeta/>",
    ancillary=((b"q", b"kept"), (b"q", b"twice"), (b"a", b"")),
    coarse=b"numbers",
    version=(1, 3),
)
VERSION_END = len(SIGNATURE) + 2
MINOR_VERSION_AT = len(SIGNATURE) + 1


def assert_same(left: Container, right: Container) -> None:
    for field in fields(Container):
        np.testing.assert_equal(getattr(left, field.name), getattr(right, field.name))


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk made by hand, with a body of at most 127 bytes."""
    start = kind + bytes([len(body)]) + body
    return start + struct.pack("<I", zlib.crc32(start))


def header_body(
    size: bytes = b"\x05\x04",
    flags: int = 0,
    quality: int = 32,
    tile: bytes = b"\0",
    weights: bytes = b"weights!",
) -> bytes:
    return size + bytes([flags, quality]) + tile + weights + struct.pack("<I", 7)


def file_of(*chunks: bytes, header: bytes | None = None) -> bytes:
    first = chunk(b"H", header_body() if header is None else header)
    return SIGNATURE + b"\x01\x02" + first + b"".join(chunks)


PAYLOAD = chunk(b"S", b"\x00\x03stream")
OLD_PAYLOAD = chunk(b"P", b"\x00\x03stream")


def chunk_ends(data: bytes) -> list[int]:
    """The ends of the chunks of a file whose bodies have less than 128 bytes."""
    ends, at = [], VERSION_END
    while at < len(data):
        at += 2 + data[at + 1] + 4
        ends.append(at)
    return ends


varints = st.integers(0, 2**35 - 1)
metadata = st.none() | st.binary(max_size=200)
unknown_letters = st.sampled_from([bytes([byte]) for byte in b"abcdfghjklmnopqrstuvwyz"])


@st.composite
def containers(draw: st.DrawFn) -> Container:
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    tile_block_rows = draw(st.integers(0, height))
    tile_count = draw(st.integers(1, -(-height // tile_block_rows))) if tile_block_rows else 1
    front_counts = st.integers(1, width + 2 * height)
    streams = st.binary(max_size=20) | st.binary(max_size=3).map(lambda part: part * PAGE_BYTES)
    exact = draw(st.booleans())
    mapped = None if exact else draw(st.none() | st.binary(min_size=1, max_size=9))
    if exact:
        front_counts = st.just(0)
    coarse = None if exact else draw(st.none() | st.binary(min_size=1, max_size=20))
    segments = [Segment(tile, draw(front_counts), draw(streams)) for tile in range(tile_count)]
    noise = np.random.default_rng(draw(st.integers(0, 99)))
    alpha = noise.integers(0, 256, (height, width), dtype=np.uint8)
    return Container(
        width=width,
        height=height,
        grey=draw(st.booleans()),
        quality_eighths=draw(st.integers(8, 64)),
        tile_block_rows=tile_block_rows,
        weights_id=NO_WEIGHTS if exact else draw(st.binary(min_size=8, max_size=8)),
        strength=0 if exact else draw(st.integers(0, 2)),
        exact=exact,
        quality_map=mapped,
        coarse=coarse,
        version=(1, 2) if mapped is coarse is None and not exact else (1, 3),
        pixels_crc=draw(st.integers(0, 2**32 - 1)),
        segments=tuple(segments),
        alpha=draw(st.sampled_from([None, alpha])),
        icc=draw(metadata),
        exif=draw(metadata),
        xmp=draw(metadata),
        ancillary=tuple(draw(st.lists(st.tuples(unknown_letters, st.binary()), max_size=3))),
    )


@given(containers())
def test_containers_round_trip(container: Container) -> None:
    data = pack_container(container)
    assert_same(parse_container(data), container)
    assert_same(parse_container(data, partial=True), container)


@given(varints)
def test_varints_of_up_to_five_bytes_round_trip(value: int) -> None:
    packed = chunks.pack_varint(value)
    assert chunks.parse_varint(packed + b"rest", 0) == (value, len(packed))


@given(st.binary(max_size=200), st.booleans())
def test_random_chunks_raise_only_errors_of_the_engine(data: bytes, partial: bool) -> None:
    for start in (b"", SIGNATURE + b"\x01\x00", file_of()):
        with suppress(LbbicError):
            parse_container(start + data, partial=partial)


def test_the_bytes_of_the_format_do_not_change() -> None:
    by_hand = file_of(PAYLOAD, header=header_body(flags=1, tile=b"\x81\x01"))
    packed = pack_container(
        Container(5, 4, True, 32, 129, b"weights!", 7, (Segment(0, 3, b"stream"),))
    )
    assert packed == by_hand
    assert packed.hex(" ") == (
        "8b 4c 42 42 0d 0a 1a 0a 01 02"
        " 48 12 05 04 01 20 81 01 77 65 69 67 68 74 73 21 07 00 00 00 66 71 fd 21"
        " 53 08 00 03 73 74 72 65 61 6d 07 f2 b2 7a"
    )


def test_checks_are_the_lower_halves_of_the_running_crc() -> None:
    stream = np.random.default_rng(1).bytes(2 * PAGE_BYTES + 1)
    pages = stream[:PAGE_BYTES], stream[PAGE_BYTES:-1], stream[-1:]
    start = b"S\x87\x0c\x00\x03"  # the length is 2 + 2 * 770 + 1
    crcs = [zlib.crc32(start + stream[:count]) for count in (PAGE_BYTES, 2 * PAGE_BYTES)]
    checks = [struct.pack("<I", crc)[:2] for crc in crcs]
    whole = start + pages[0] + checks[0] + pages[1] + checks[1] + pages[2]
    by_hand = file_of(whole + struct.pack("<I", zlib.crc32(whole)))
    container = Container(5, 4, False, 32, 0, b"weights!", 7, (Segment(0, 3, stream),))
    assert pack_container(container) == by_hand
    assert_same(parse_container(by_hand), container)


def test_wrong_checks_in_an_intact_chunk_are_reported() -> None:
    body = b"\x00\x03" + bytes(PAGE_BYTES + 2 + 4)
    data = file_of(chunks.pack_chunk(b"S", body))
    with pytest.raises(CorruptDataError, match="checks"):
        parse_container(data)
    assert parse_container(data, partial=True).segments == ()


def test_a_plain_file_has_48_bytes_plus_checks_besides_its_payload() -> None:
    payload = len(PLAIN.segments[0].stream)
    assert len(pack_container(PLAIN)) - payload <= 48 + 0.003 * payload


def test_smooth_alpha_is_small() -> None:
    alpha = np.broadcast_to(np.linspace(0, 255, 400).astype(np.uint8), (300, 400)).copy()
    plain = replace(PLAIN, width=400, height=300)
    with_alpha = replace(plain, alpha=alpha)
    assert len(pack_container(with_alpha)) - len(pack_container(plain)) < 800


def test_packing_does_not_change_the_callers_alpha() -> None:
    alpha = np.arange(20, dtype=np.uint8).reshape(4, 5)
    pack_container(replace(RICH, alpha=alpha))
    np.testing.assert_array_equal(alpha, np.arange(20, dtype=np.uint8).reshape(4, 5))


def test_every_truncation_is_reported_or_ends_between_payload_chunks() -> None:
    data = pack_container(RICH)
    ends = chunk_ends(data)
    for length in range(len(data)):
        if length in ends[-2:]:
            assert len(parse_container(data[:length]).segments) == ends[-2:].index(length) + 1
        else:
            with pytest.raises((CorruptDataError, NotLbbicError)):
                parse_container(data[:length])


def test_truncated_files_give_the_chunks_before_the_cut() -> None:
    data = pack_container(RICH)
    header_end, *ends = chunk_ends(data)
    for length in range(header_end, len(data)):
        part = parse_container(data[:length], partial=True)
        assert part.segments == RICH.segments[: sum(end <= length for end in ends[-2:])]
        assert (part.icc is None) == (length < ends[0])
        assert (part.coarse == b"") == (length < ends[-3])
        assert bool(part.lost) == (length not in [header_end, *ends])
    for length in range(header_end):
        with pytest.raises((CorruptDataError, NotLbbicError)):
            parse_container(data[:length], partial=True)


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_every_flipped_byte_is_reported(mask: int) -> None:
    data = pack_container(RICH)
    for index in range(len(data)):
        if index == MINOR_VERSION_AT:
            continue
        damaged = bytearray(data)
        damaged[index] ^= mask
        with pytest.raises(LbbicError):
            parse_container(bytes(damaged))


@pytest.mark.parametrize("mask", [0x01, 0x10, 0x80, 0xFF])
def test_a_flipped_byte_damages_only_its_own_chunk(mask: int) -> None:
    data = pack_container(RICH)
    header_end, *ends = chunk_ends(data)
    for index in range(header_end, len(data)):
        damaged = bytearray(data)
        damaged[index] ^= mask
        try:
            part = parse_container(bytes(damaged), partial=True)
        except UnsupportedVersionError:
            continue
        assert part.lost
        hit = sum(end <= index for end in ends) - len(ends)
        left = [segment for at, segment in zip((-2, -1), RICH.segments, strict=True) if at != hit]
        assert list(part.segments) == left


def test_a_damaged_stream_is_read_up_to_the_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """All other tiles are read, even if the byte is in the chunk's length or tile number."""
    monkeypatch.setattr(chunks, "PAGE_BYTES", 8)
    streams = [np.random.default_rng(tile).bytes(21) for tile in range(3)]
    segments = tuple(Segment(tile, 3, stream) for tile, stream in enumerate(streams))
    container = replace(RICH, height=6, alpha=None, segments=segments)
    data = pack_container(container)
    size = 4 + 21 + 2 * 2 + 4  # of a chunk
    for index in range(len(data) - 3 * size, len(data)):
        damaged = bytearray(data)
        damaged[index] ^= 0x55
        part = parse_container(bytes(damaged), partial=True)
        tile, place = divmod(index - (len(data) - 3 * size), size)
        pages = min(max(place - 4, 0) // 10, 2)
        left = [segment for segment in segments if segment.tile != tile]
        if pages:
            left.insert(tile, Segment(tile, 3, streams[tile][: 8 * pages], whole=False))
        assert list(part.segments) == left
        cut = parse_container(data[:index], partial=True)
        assert sum(len(each.stream) for each in cut.segments) == 21 * tile + 8 * pages


@pytest.mark.parametrize("kind", [b"i", b"e", b"x", b"A", b"q"])
def test_partial_reading_skips_damaged_chunks(kind: bytes) -> None:
    damaged = bytearray(chunk(kind, b"anything"))
    damaged[3] ^= 1
    data = file_of(bytes(damaged), PAYLOAD)
    part = parse_container(data, partial=True)
    assert part.lost == (kind,)
    assert (part.icc, part.exif, part.xmp, part.alpha, part.ancillary) == (None,) * 4 + ((),)
    assert part.segments == (Segment(0, 3, b"stream"),)
    with pytest.raises(CorruptDataError, match="has changed"):
        parse_container(data)


def test_partial_reading_names_every_chunk_that_it_skips() -> None:
    """For every wrong bit of the file."""
    data = pack_container(RICH)
    for place, bit in product(range(VERSION_END, len(data)), range(8)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << bit
        with suppress(LbbicError):  # the header, or what looks like a part of a newer version
            part = parse_container(bytes(damaged), partial=True)
            kept = replace(part, lost=())
            if any(
                not np.array_equal(getattr(kept, field.name), getattr(RICH, field.name))
                for field in fields(Container)
            ):
                missing = len(RICH.segments) - len(part.segments)
                assert damage_notices(part, missing_blocks=missing, blocks=2)


def test_files_of_versions_1_0_and_1_1_are_read() -> None:
    """Their tiles may have several streams; those after a damaged one cannot be decoded."""
    header = chunk(b"H", header_body(tile=b"\x02"))
    parts = [chunk(b"P", b"\x00\x03one"), chunk(b"P", b"\x00\x01"), chunk(b"P", b"\x01\x04three")]
    data = SIGNATURE + b"\x01\x00" + header + b"".join(parts)
    container = parse_container(data)
    assert container.version == (1, 0)
    assert container.segments == (
        Segment(0, 3, b"one"),
        Segment(0, 1, b""),
        Segment(1, 4, b"three"),
    )
    start = len(data) - sum(map(len, parts))
    for index in range(start, len(data)):
        damaged = bytearray(data)
        damaged[index] ^= 1
        whole = sum(start + sum(map(len, parts[: n + 1])) <= index for n in range(3))
        left = parse_container(bytes(damaged), partial=True)
        assert left.lost
        assert left.segments == container.segments[:whole]


@pytest.mark.parametrize("kind", [b"i", b"e", b"x", b"A"])
def test_files_of_versions_1_0_and_1_1_are_read_beyond_damaged_chunks(
    kind: bytes,
) -> None:
    header = chunk(b"H", header_body(tile=b"\x02"))
    parts = [chunk(kind, b"anything"), chunk(b"P", b"\x00\x03one"), chunk(b"P", b"\x00\x01")]
    data = bytearray(SIGNATURE + b"\x01\x00" + header + b"".join(parts))
    for place in range(len(header) + 12, len(header) + 20):  # its body; else a P may be missing
        data[place] ^= 1
        left = parse_container(bytes(data), partial=True)
        assert left.lost == (kind,)
        assert left.segments == (Segment(0, 3, b"one"), Segment(0, 1, b""))
        data[place] ^= 1


def test_streams_of_two_kinds_in_one_file_are_refused() -> None:
    header = chunk(b"H", header_body(tile=b"\x02"))
    old, new = chunk(b"P", b"\x00\x03one"), chunk(b"S", b"\x01\x03two")
    data = SIGNATURE + b"\x01\x02" + header + old + new
    with pytest.raises(CorruptDataError):
        parse_container(data)
    left = parse_container(data, partial=True)
    assert (left.lost, left.segments) == ((b"S",), (Segment(0, 3, b"one"),))


def test_unknown_ancillary_chunks_are_preserved() -> None:
    data = file_of(chunk(b"z", b"of a later version"), PAYLOAD)
    container = parse_container(data)
    assert container.ancillary == ((b"z", b"of a later version"),)
    assert pack_container(container) == data


@pytest.mark.parametrize(
    ("header", "stream"),
    [
        (header_body(flags=8), PAYLOAD),  # weights, though it needs none
        (header_body(flags=8, weights=NO_WEIGHTS), PAYLOAD),
        (header_body(flags=10, weights=NO_WEIGHTS), chunk(b"L", b"\0stream")),
        (header_body(), chunk(b"L", b"\0stream")),
        (header_body(flags=16), PAYLOAD),  # without its map
        (header_body(flags=16), chunk(b"M", b"\1") * 2 + PAYLOAD),
        (header_body(), chunk(b"M", b"\1") + PAYLOAD),
        (header_body(flags=64), chunk(b"F", b"\1") + PAYLOAD),  # not refined
        (header_body(flags=66), PAYLOAD),  # without its filter
        (header_body(flags=66), chunk(b"F", b"\1") * 2 + PAYLOAD),
        (header_body(flags=2), chunk(b"F", b"\1") + PAYLOAD),
        (header_body(flags=32), PAYLOAD),  # without its correction
        (header_body(flags=32), chunk(b"C", b"\1") * 2 + PAYLOAD),
        (header_body(), chunk(b"C", b"\1") + PAYLOAD),
        (header_body(flags=40, weights=NO_WEIGHTS), chunk(b"C", b"\1") + chunk(b"L", b"\0stream")),
        (header_body(flags=24, weights=NO_WEIGHTS), chunk(b"M", b"\1") + chunk(b"L", b"\0stream")),
    ],
)
def test_chunks_must_match_the_header(header: bytes, stream: bytes) -> None:
    with pytest.raises(CorruptDataError):
        parse_container(file_of(stream, header=header))


@pytest.mark.parametrize("partial", [False, True])
def test_unknown_critical_chunks_are_refused(partial: bool) -> None:
    with pytest.raises(UnsupportedVersionError, match="does not know"):
        parse_container(file_of(chunk(b"Z", b""), PAYLOAD), partial=partial)


@pytest.mark.parametrize("partial", [False, True])
def test_a_higher_major_version_is_refused(partial: bool) -> None:
    data = SIGNATURE + b"\x02\x00" + pack_container(PLAIN)[VERSION_END:]
    with pytest.raises(UnsupportedVersionError, match="version 2"):
        parse_container(data, partial=partial)


def test_a_higher_minor_version_is_read() -> None:
    data = SIGNATURE + b"\x01\x09" + pack_container(PLAIN)[VERSION_END:]
    assert_same(parse_container(data), replace(PLAIN, version=(1, 9)))


@pytest.mark.parametrize("flags", [6, 7, 0x80])
def test_unknown_flags_are_refused(flags: int) -> None:
    with pytest.raises(UnsupportedVersionError):
        parse_container(file_of(PAYLOAD, header=header_body(flags=flags)))


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", SIGNATURE[:-1], b"\0" + SIGNATURE])
def test_files_of_other_formats_are_refused(data: bytes) -> None:
    with pytest.raises(NotLbbicError):
        parse_container(data)


ALPHA = chunk(b"A", zlib.compress(bytes(20)))


@pytest.mark.parametrize(
    "data",
    [
        SIGNATURE,
        SIGNATURE + b"\x01\x00",
        SIGNATURE + b"\x00\x00" + file_of(PAYLOAD)[VERSION_END:],
        SIGNATURE + b"\x01\x02" + PAYLOAD,
        file_of(),
        file_of(PAYLOAD) + b"\0",
        file_of(PAYLOAD) + b"trailing",
        file_of(chunk(b"H", header_body()), PAYLOAD),
        file_of(ALPHA, ALPHA, PAYLOAD),
        file_of(PAYLOAD, ALPHA),
        file_of(PAYLOAD, chunk(b"z", b"")),
        file_of(chunk(b"e", b""), chunk(b"e", b""), PAYLOAD),
        file_of(chunk(b"i", b"not zlib"), PAYLOAD),
        file_of(chunk(b"i", zlib.compress(b"profile")[:-1]), PAYLOAD),
        file_of(chunk(b"i", zlib.compress(b"profile") + b"more"), PAYLOAD),
        file_of(chunk(b"A", zlib.compress(bytes(19))), PAYLOAD),
        file_of(chunk(b"A", zlib.compress(bytes(21))), PAYLOAD),
        file_of(b"S\x80\x80\x80\x80\x80\x01" + bytes(9)),
        file_of(b"S\x86\x00\x00\x03stream" + bytes(4)),
        file_of(b"S\xff\xff\xff\xff\x7f"),
        file_of(chunk(b"S", b"")),
        file_of(chunk(b"S", b"\x00")),
        file_of(chunk(b"S", b"\x00\x00stream")),
        file_of(chunk(b"S", b"\x00\x0e")),
        file_of(chunk(b"S", b"\x01\x03stream")),
        file_of(PAYLOAD, PAYLOAD),
        file_of(PAYLOAD, OLD_PAYLOAD),
        file_of(OLD_PAYLOAD, PAYLOAD),
        file_of(PAYLOAD, chunk(b"S", b"\x01\x03no such tile")),
        file_of(chunk(b"S", b"\x01\x03"), header=header_body(tile=b"\x01")),
        file_of(PAYLOAD, chunk(b"S", b"\x02\x03"), header=header_body(tile=b"\x01")),
        file_of(PAYLOAD, chunk(b"S", b"\x01\x03"), PAYLOAD, header=header_body(tile=b"\x01")),
        file_of(OLD_PAYLOAD, chunk(b"P", b"\x02\x03"), header=header_body(tile=b"\x01")),
        file_of(
            OLD_PAYLOAD, chunk(b"P", b"\x01\x03"), OLD_PAYLOAD, header=header_body(tile=b"\x01")
        ),
        file_of(PAYLOAD, header=header_body(size=b"\x00\x04")),
        file_of(PAYLOAD, header=header_body(size=b"\x05\x00")),
        file_of(PAYLOAD, header=header_body(size=b"\x80\x80\x01\x81\x80\x01")),
        file_of(PAYLOAD, header=header_body(size=b"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\x7f")),
        file_of(PAYLOAD, header=header_body(quality=7)),
        file_of(PAYLOAD, header=header_body(quality=65)),
        file_of(PAYLOAD, header=header_body()[:-1]),
        file_of(PAYLOAD, header=header_body() + b"\0"),
        file_of(PAYLOAD, header=b""),
    ],
)
def test_contradictory_headers_are_reported(data: bytes) -> None:
    with pytest.raises(CorruptDataError):
        parse_container(data)


def test_metadata_that_decompresses_beyond_the_limit_is_refused() -> None:
    body = zlib.compress(bytes(MAX_METADATA_BYTES + 1))
    data = file_of(chunks.pack_chunk(b"x", body), PAYLOAD)
    with pytest.raises(CorruptDataError, match="size"):
        parse_container(data)


def test_alpha_is_never_decompressed_beyond_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = []

    def inflate(body: bytes, max_bytes: int) -> bytes:
        limits.append(max_bytes)
        return bytes(max_bytes)

    monkeypatch.setattr(bodies, "_inflate", inflate)
    parse_container(file_of(ALPHA, PAYLOAD))
    assert limits == [20]


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"width": 2**14 + 1, "height": 2**14},
        {"quality_eighths": 7},
        {"weights_id": b"short"},
        {"strength": 3},
        {"segments": ()},
        {"segments": (Segment(1, 1, b""),)},
        {"segments": (Segment(0, 0, b""),)},
        {"segments": (Segment(0, 1, b""), Segment(0, 1, b""))},
        {"alpha": np.zeros((5, 4), np.uint8)},
        {"alpha": np.zeros((4, 5), np.uint16)},
        {"ancillary": ((b"Z", b""),)},
        {"ancillary": ((b"i", b""),)},
        {"ancillary": ((b"zz", b""),)},
        {"xmp": bytes(MAX_METADATA_BYTES + 1)},
    ],
)
def test_invalid_containers_are_not_written(change: dict[str, object]) -> None:
    with pytest.raises(CorruptDataError):
        pack_container(replace(RICH, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(("width", "height"), [(2**16, 1), (1, 2**16), (2**15, 2**14)])
def test_absurd_sizes_are_refused(width: int, height: int) -> None:
    with pytest.raises(CorruptDataError, match=r"65535|exceed the limit"):
        pack_container(replace(PLAIN, width=width, height=height))


def test_messages_about_damage_avoid_terms_of_the_format() -> None:
    data = pack_container(RICH)
    damaged = [data[:end] for end in range(len(SIGNATURE), len(data))]
    for index in range(len(SIGNATURE), len(data)):
        damaged.append(data[:index] + bytes([data[index] ^ 0xFF]) + data[index + 1 :])
    damaged += [
        file_of(chunk(b"Z", b""), PAYLOAD),
        file_of(PAYLOAD, PAYLOAD),
        file_of(chunk(b"e", b""), chunk(b"e", b""), PAYLOAD),
        file_of(header=header_body(flags=0x80)),
        file_of(header=header_body(quality=99)),
        file_of(chunk(b"P", b"\x05\x03stream")),
        file_of(chunk(b"P", b"\x00\x7fstream")),
    ]
    messages = set()
    for each in damaged:
        with suppress(LbbicError):
            parse_container(each)
            continue
        with pytest.raises(LbbicError) as caught:
            parse_container(each)
        messages.add(str(caught.value))
    assert len(messages) >= 8
    jargon = re.compile(r"part [A-Za-z]\b|front|tile|payload|chunk|flag|encod|byte|0x|b'")
    assert not [words for words in messages if jargon.search(words)]
