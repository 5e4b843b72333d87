"""Encoder and decoder with a real, tiny network: round trips, damage, progress, cancelling."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lbbic_engine.bitstream import chunks
from lbbic_engine.bitstream.container import pack_container, parse_container
from lbbic_engine.bitstream.segments import SymbolSink
from lbbic_engine.codec import (
    compress,
    compress_batch,
    decode_progressively,
    decompress,
    decompress_batch,
    decompress_region,
    read_info,
)
from lbbic_engine.coding import decoder, encoder
from lbbic_engine.coding.assemble import GREY
from lbbic_engine.coding.results import Progress
from lbbic_engine.coding.search.block_choice import BlockChoice
from lbbic_engine.errors import Cancelled, CorruptDataError, LbbicError, UnknownWeightsError
from lbbic_engine.layout import tiles
from lbbic_engine.layout.blocks import merge_blocks
from lbbic_engine.networks.weights import LoadedModel
from lbbic_engine.pictures.picture import Notice, NoticeKind, Picture

pytestmark = pytest.mark.usefixtures("tiny")


def picture_of(pixels: NDArray[np.uint8], **extra: object) -> Picture:
    plain = Picture(
        pixels=pixels, alpha=None, grey=False, icc=None, exif=None, xmp=None, notices=()
    )
    return replace(plain, **extra)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([1.0, 2.125, 4.0, 7.875, 8.0]),
    st.sampled_from(["noise", "flat", "extremes", "slope"]),
)
def test_any_picture_decodes_to_the_encoders_reconstruction(
    height: int, width: int, quality: float, content: str
) -> None:
    random = np.random.default_rng(height * 64 + width)
    pixels = {
        "noise": random.integers(0, 256, (height, width, 3)),
        "flat": np.full((height, width, 3), 77),
        "extremes": random.choice([0, 255], (height, width, 3)),
        "slope": np.linspace(0, 255, height * width * 3).reshape(height, width, 3),
    }[content].astype(np.uint8)
    compressed = compress(picture_of(pixels), quality)
    assert np.array_equal(decompress(compressed.data).pixels, compressed.reconstruction)


def test_fronts_add_up_to_the_picture(photograph: NDArray[np.uint8]) -> None:
    compressed = compress(picture_of(photograph), 5)
    height, width, _ = photograph.shape
    rows, columns = -(-height // 8), -(-width // 8)
    blocks = np.zeros((rows * columns, 192), np.uint8)
    for front in decode_progressively(compressed.data):
        blocks[front.rows * columns + front.columns] = front.blocks.reshape(-1, 192)
    assert np.array_equal(merge_blocks(blocks, height, width, 8), compressed.reconstruction)


def test_fronts_have_the_context_of_their_blocks(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    data = compress(picture_of(photograph), 5).data
    columns, tile_rows = -(-photograph.shape[1] // 8), parse_container(data).tile_block_rows
    done: set[int] = {-1}
    count = 0
    for front in decode_progressively(data):
        assert done.issuperset(front.context.ravel())
        for row, column, context in zip(front.rows, front.columns, front.context, strict=True):
            known = context[context >= 0]
            count += len(known)
            assert set(known // columns // tile_rows) <= {row // tile_rows}
            away = np.abs([known // columns - row, known % columns - column])
            assert away.size == 0 or away.max() == 1
        done |= set(front.rows * columns + front.columns)
    assert count > 2 * len(done)


def test_bits_of_blocks_add_up_to_the_payload(photograph: NDArray[np.uint8]) -> None:
    data = compress(picture_of(photograph), 6).data
    total = sum(front.bits.sum() for front in decode_progressively(data)) / 8
    assert total == pytest.approx(read_info(data).payload_bytes, rel=0.01)


def test_higher_quality_means_more_bytes_and_a_better_picture(
    photograph: NDArray[np.uint8],
) -> None:
    results = [compress(picture_of(photograph), q) for q in (1, 4, 8)]
    errors = [np.square(r.reconstruction.astype(float) - photograph).mean() for r in results]
    assert sorted(errors, reverse=True) == errors
    sizes = [len(r.data) for r in results]
    assert sorted(sizes) == sizes


@pytest.mark.parametrize("given", ["photo.jpg", b"bytes", None, np.zeros((8, 8, 3), np.uint8)])
def test_what_is_no_picture_or_no_file_is_named(given: Any) -> None:
    kind = type(given).__name__
    with pytest.raises(TypeError, match=f"as load_picture returns, not {kind}"):
        compress(given)
    if not isinstance(given, bytes):
        for read in (decompress, read_info, lambda data: next(decode_progressively(data))):
            with pytest.raises(TypeError, match=f"as bytes, not as {kind}"):
                read(given)


def test_a_grey_picture_stays_grey(photograph: NDArray[np.uint8]) -> None:
    grey = np.repeat(photograph[..., 1:2], 3, axis=2)
    decoded = decompress(compress(picture_of(grey, grey=True)).data)
    assert decoded.grey
    assert (decoded.pixels == decoded.pixels[..., :1]).all()


def test_alpha_and_metadata_round_trip(photograph: NDArray[np.uint8]) -> None:
    alpha = np.arange(photograph[..., 0].size).astype(np.uint8).reshape(photograph.shape[:2])
    source = picture_of(photograph, alpha=alpha, icc=b"profile", exif=b"exif", xmp=b"<x/>")
    decoded = decompress(compress(source).data)
    assert decoded.alpha is not None
    assert np.array_equal(decoded.alpha, alpha)
    assert (decoded.icc, decoded.exif, decoded.xmp) == (b"profile", b"exif", b"<x/>")


def test_tiles_cover_the_picture(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    compressed = compress(picture_of(photograph), 6)
    assert read_info(compressed.data).tiles == 3
    assert np.array_equal(decompress(compressed.data).pixels, compressed.reconstruction)


def test_a_file_that_ends_after_a_tile_is_not_complete(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    for pixels in (photograph, photograph // 128 * 255):
        data = compress(picture_of(pixels), 6).data
        container = parse_container(data)
        assert container.exact is (pixels is not photograph)
        cut = pack_container(replace(container, segments=container.segments[:-1]))
        assert read_info(data).complete
        assert not read_info(cut).complete


def test_a_file_may_be_a_bytearray(photograph: NDArray[np.uint8]) -> None:
    data = compress(picture_of(photograph, xmp=b"<x/>", icc=b"profile", exif=b"exif")).data
    given = bytearray(data)
    assert np.array_equal(decompress(given).pixels, decompress(data).pixels)
    assert np.array_equal(decompress(given, partial=True).pixels, decompress(data).pixels)
    assert read_info(given) == read_info(data)


def test_a_region_is_decoded_from_its_own_tiles_only(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    compressed = compress(picture_of(photograph), 6)
    container = parse_container(compressed.data)
    spoiled = tuple(
        replace(segment, stream=b"") if segment.tile != 1 else segment
        for segment in container.segments
    )
    data = pack_container(replace(container, segments=spoiled))
    top = 8 * container.tile_block_rows
    region = decompress_region(data, 20, top + 1, 30, 7)
    assert np.array_equal(region, compressed.reconstruction[top + 1 : top + 8, 20:50])
    with pytest.raises(ValueError, match="beyond"):
        decompress_region(data, 90, 0, 99, 8)


def test_a_batch_writes_the_same_files_as_single_calls(photograph: NDArray[np.uint8]) -> None:
    pictures = [picture_of(photograph), picture_of(photograph[:24, :40]), picture_of(photograph)]
    batch = compress_batch(pictures, 5)
    for one, picture in zip(batch, pictures, strict=True):
        assert np.array_equal(decompress(one.data).pixels, one.reconstruction)
        assert one.reconstruction.shape == picture.pixels.shape
    files = [one.data for one in batch]
    files.append(compress(pictures[1], 2).data)  # of another quality
    for decoded, data in zip(decompress_batch(files), files, strict=True):
        assert np.array_equal(decoded.pixels, decompress(data).pixels)


@pytest.mark.parametrize("limit", [1, 10**6])
def test_tiles_decode_identically_alone_and_together(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 1500)
    compressed = compress(picture_of(photograph), 6)
    monkeypatch.setattr(decoder, "GROUP_BLOCKS", {"cpu": limit})
    assert read_info(compressed.data).tiles > 3
    assert np.array_equal(decompress(compressed.data).pixels, compressed.reconstruction)
    with pytest.raises(Cancelled):
        decompress(compressed.data, cancelled=lambda: True)


def test_a_tile_larger_than_allowed_is_refused(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = compress(picture_of(photograph)).data
    monkeypatch.setattr(tiles, "MAX_TILE_BLOCKS", 100)
    with pytest.raises(CorruptDataError, match="larger"):
        decompress(data)


def shown(data: bytes, reconstruction: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels of a damaged file are shown; the others are grey."""
    with pytest.raises(CorruptDataError):
        decompress(data)
    decoded = decompress(data, partial=True)
    assert "incomplete" in decoded.notices[-1].text
    same = (decoded.pixels == reconstruction).all(axis=2)
    assert ((decoded.pixels == GREY).all(axis=2) | same).all()
    return np.asarray(same)


def test_a_truncated_file_shows_every_complete_front(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "PAGE_BYTES", 64)
    compressed = compress(picture_of(photograph), 6)
    ends = np.cumsum([front.bits.sum() / 8 for front in decode_progressively(compressed.data)])
    sizes = np.cumsum([len(front.rows) for front in decode_progressively(compressed.data)])
    payload = len(parse_container(compressed.data).segments[0].stream)
    begin = len(compressed.data) - 4 - payload - 2 * (-(-payload // 64) - 1)
    for cut in range(begin + 66, len(compressed.data), 97):
        whole_pages = (cut - begin) // 66 * 64
        blocks = shown(compressed.data[:cut], compressed.reconstruction).sum() / 64
        # A decoder reads ahead by two words at most; blocks at the edges are incomplete.
        assert blocks >= 0.9 * sizes[ends + 8 < whole_pages][-1:].sum()


def test_damage_affects_only_its_own_tile(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    monkeypatch.setattr(chunks, "PAGE_BYTES", 64)
    compressed = compress(picture_of(photograph), 6)
    container = parse_container(compressed.data)
    rows = 8 * container.tile_block_rows
    for tile, segment in enumerate(container.segments):
        damaged = bytearray(compressed.data)
        damaged[compressed.data.index(segment.stream[64:128]) + 30] ^= 4
        same = shown(bytes(damaged), compressed.reconstruction)
        part = same[tile * rows : (tile + 1) * rows]
        assert 0 < part.mean() < 0.9
        assert same.sum() - part.sum() == same.size - part.size


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (5, "XMP"),  # its body
        (0, "data of an unknown kind"),  # its type
        (1, "XMP, data of an unknown kind"),  # its length
    ],
)
def test_notices_name_what_damage_affects_besides_blocks(
    photograph: NDArray[np.uint8], place: int, words: str
) -> None:
    source = picture_of(photograph, icc=b"profile", xmp=b"<x/>")
    data = bytearray(compress(source).data)
    data[data.index(b"x\x0c") + place] ^= 1
    decoded = decompress(bytes(data), partial=True)
    assert (decoded.icc, decoded.xmp) == (b"profile", None)
    text = f"The file is damaged: {words} could not be read."
    assert decoded.notices == (Notice(NoticeKind.INCOMPLETE, text),)


def test_surplus_data_causes_a_notice(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    compressed = compress(picture_of(photograph))
    container = parse_container(compressed.data)
    first, *others = container.segments
    more = replace(first, front_count=first.front_count + 1)
    for segments in ((more, *others), (first, *others, replace(first, tile=len(others) + 1))):
        data = pack_container(replace(container, segments=segments))
        with pytest.raises(CorruptDataError, match="more data than its picture needs"):
            decompress(data)
        decoded = decompress(data, partial=True)
        assert np.array_equal(decoded.pixels, compressed.reconstruction)
        assert "data of an unknown kind" in decoded.notices[0].text


def test_a_checksum_mismatch_is_reported(photograph: NDArray[np.uint8]) -> None:
    container = parse_container(compress(picture_of(photograph)).data)
    data = pack_container(replace(container, pixels_crc=container.pixels_crc ^ 1))
    with pytest.raises(CorruptDataError, match="Checksum"):
        decompress(data)
    with pytest.raises(CorruptDataError, match="Checksum"):
        list(decode_progressively(data))


@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_number_of_fronts_is_reported(photograph: NDArray[np.uint8], change: int) -> None:
    container = parse_container(compress(picture_of(photograph)).data)
    (segment,) = container.segments
    wrong = replace(segment, front_count=segment.front_count + change)
    with pytest.raises(CorruptDataError):
        decompress(pack_container(replace(container, segments=(wrong,))))


def test_every_flipped_byte_is_reported(photograph: NDArray[np.uint8]) -> None:
    data = compress(picture_of(photograph[:16, :24]), 2).data
    minor_version = 9  # a newer minor version is still readable
    for place in set(range(len(data))) - {minor_version}:
        damaged = bytearray(data)
        damaged[place] ^= 0x11
        with pytest.raises(LbbicError):
            decompress(bytes(damaged))


def test_every_truncation_is_reported(photograph: NDArray[np.uint8]) -> None:
    data = compress(picture_of(photograph[:16, :24]), 2).data
    for size in range(len(data)):
        with pytest.raises(LbbicError):
            decompress(data[:size])


def test_progress_rises_to_the_end(photograph: NDArray[np.uint8]) -> None:
    seen: list[Progress] = []
    data = compress(picture_of(photograph), progress=seen.append).data
    decompress(data, progress=seen.append)
    for stage in ("Encoding", "Decoding"):
        done = [p.done for p in seen if p.stage == stage]
        assert sorted(done) == done
        assert done[-1] == seen[0].total == 9 * 13


def test_cancelling_stops_at_the_next_front(photograph: NDArray[np.uint8]) -> None:
    asked: list[None] = []

    def cancelled() -> bool:
        asked.append(None)
        return len(asked) == 3

    with pytest.raises(Cancelled):
        compress(picture_of(photograph), cancelled=cancelled)
    assert len(asked) == 3


def test_encoding_reads_the_original_of_every_block_and_leaves_the_picture(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coded blocks take the place of the originals, front by front."""
    read = []

    class Spy(BlockChoice):
        def __init__(
            self, network: LoadedModel, index: int, sink: SymbolSink, blocks: NDArray[np.uint8]
        ) -> None:
            super().__init__(network, index, sink, blocks)
            self.originals = torch.from_numpy(blocks.copy())

        def begin(self, front: torch.Tensor, *sources: torch.Tensor) -> None:
            read.append(torch.equal(self._blocks[front], self.originals[front]))
            super().begin(front, *sources)

    monkeypatch.setattr(encoder, "BlockChoice", Spy)
    for width in (photograph.shape[1], 8):
        pixels = photograph[:, :width].copy()
        compress(picture_of(pixels), 2)
        assert np.array_equal(pixels, photograph[:, :width])
    assert len(read) > 2
    assert all(read)


def test_unknown_weights_are_named(photograph: NDArray[np.uint8]) -> None:
    container = parse_container(compress(picture_of(photograph)).data)
    data = pack_container(replace(container, weights_id=b"whatever"))
    with pytest.raises(UnknownWeightsError, match=b"whatever".hex()):
        decompress(data)
    assert not read_info(data).weights_installed
    with pytest.raises(UnknownWeightsError, match="nothing"):
        compress(picture_of(photograph), weights="nothing")


@pytest.mark.parametrize("quality", [0.9, 8.1, float("nan")])
def test_a_quality_out_of_range_is_refused(photograph: NDArray[np.uint8], quality: float) -> None:
    with pytest.raises(ValueError, match="quality"):
        compress(picture_of(photograph), quality)


def test_damaged_weights_are_refused(tiny_weights: Path, tmp_path: Path) -> None:
    from lbbic_engine.networks import weights

    damaged = bytearray((tiny_weights / "tiny.safetensors").read_bytes())
    place = len(damaged) - 1000  # among the integer tensors, at the end by name
    damaged[place] ^= 1
    (tmp_path / "bad.safetensors").write_bytes(bytes(damaged))
    (description,) = weights.describe_folder(tmp_path)
    with pytest.raises(UnknownWeightsError, match="checksum"):
        weights.load(description, "cpu")
