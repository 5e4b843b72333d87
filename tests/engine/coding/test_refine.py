"""The refinement of decoded pictures, with tiny networks."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lbbic_engine.bitstream import chunks
from lbbic_engine.bitstream.container import parse_container
from lbbic_engine.codec import (
    compress,
    compress_batch,
    decode_progressively,
    decompress,
    decompress_batch,
    decompress_region,
    read_info,
)
from lbbic_engine.coding.refining.padded_tile import neighbourhoods
from lbbic_engine.coding.refining.whole_tiles import FILTER_OVERHEAD, squared_error
from lbbic_engine.errors import CorruptDataError, UnknownWeightsError
from lbbic_engine.layout import tiles
from lbbic_engine.layout.blocks import merge_blocks
from lbbic_engine.layout.wavefront import Grid
from lbbic_engine.networks import model_files, refinement_files, weights
from lbbic_engine.networks.kernels import KERNELS
from lbbic_engine.networks.refinement import Refinement
from lbbic_engine.pictures.picture import Picture

GOLDEN = Path(__file__).parents[2] / "golden"

Pixels = NDArray[np.uint8]


pytestmark = pytest.mark.usefixtures("refinement_file")


def assemble(data: bytes, shape: tuple[int, int], *, partial: bool = False) -> Pixels:
    """Assemble the fronts of a file, grey where there are none; check that no block comes twice."""
    rows, columns = -(-shape[0] // 8), -(-shape[1] // 8)
    blocks = np.full((rows * columns, 192), 128, np.uint8)
    seen: list[int] = []
    for front in decode_progressively(data, partial=partial):
        indexes = front.rows * columns + front.columns
        seen.extend(indexes.tolist())
        blocks[indexes] = front.blocks.reshape(-1, 192)
    assert len(set(seen)) == len(seen)
    return merge_blocks(blocks, *shape, 8)


@pytest.mark.parametrize("quality", [1, 4.5, 8])
@pytest.mark.parametrize("grey", [False, True])
def test_refinement_improves_the_picture_at_equal_bytes(
    photograph: Pixels, quality: float, grey: bool
) -> None:
    pixels = np.repeat(photograph[..., 1:2], 3, axis=2) if grey else photograph
    picture = Picture(pixels, grey=grey)
    plain, better = compress(picture, quality, refine=False), compress(picture, quality)
    weights_of_filter = parse_container(better.data).filter_weights
    added = 0 if weights_of_filter is None else FILTER_OVERHEAD + len(weights_of_filter)
    assert len(better.data) == len(plain.data) + added
    errors = [squared_error(each.reconstruction, pixels) for each in (plain, better)]
    assert errors[1] < errors[0]
    assert np.array_equal(decompress(better.data).pixels, better.reconstruction)
    assert read_info(plain.data).refinement == 0
    assert read_info(better.data).refinement > 0
    assert read_info(better.data).weights == weights.DEFAULT
    if grey:
        assert (better.reconstruction == better.reconstruction[..., :1]).all()


@pytest.mark.parametrize("grey", [False, True])
def test_workers_refine_strips_as_one_process_does(
    photograph: Pixels, grey: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 1 << 10)  # small pictures are large
    pixels = np.repeat(photograph[..., 1:2], 3, axis=2) if grey else photograph
    alone = compress(Picture(pixels, grey=grey), 4)
    with ThreadPoolExecutor(2) as executor:
        shared = compress(Picture(pixels, grey=grey), 4, executor=executor)
        back = decompress(alone.data, executor=executor)
    assert read_info(alone.data).refinement > 0
    assert shared.data == alone.data
    assert np.array_equal(shared.reconstruction, alone.reconstruction)
    assert np.array_equal(back.pixels, alone.reconstruction)


def test_a_harmful_refinement_is_turned_off(photograph: Pixels, refinement_file: Path) -> None:
    info = next(refinement_files.installed())
    tensors = model_files.load_file(refinement_file)
    tensors["layer_3.bias"] += 2**22  # far too bright
    refinement_files.save(refinement_file, info.config, tensors, {})
    plain = compress(Picture(photograph), 3, refine=False)
    assert compress(Picture(photograph), 3).data == plain.data


@pytest.mark.parametrize("tile_pixels", [2500, 10**6])
def test_fronts_batches_and_regions_are_refined_alike(
    photograph: Pixels, monkeypatch: pytest.MonkeyPatch, tile_pixels: int
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", tile_pixels)
    height, width, _ = photograph.shape
    one, other = compress_batch([Picture(photograph), Picture(photograph[3:50, 5:])], 6)
    assert parse_container(one.data).strength > 0
    assert parse_container(one.data).filter_weights is not None
    assert np.array_equal(assemble(one.data, (height, width)), one.reconstruction)
    both = decompress_batch([one.data, other.data])
    assert np.array_equal(both[1].pixels, other.reconstruction)
    region = decompress_region(one.data, 21, 30, 40, 17)
    assert np.array_equal(region, one.reconstruction[30:47, 21:61])


def test_a_truncated_file_is_refined_where_all_neighbours_are_decoded(
    photograph: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "PAGE_BYTES", 64)
    height, width, _ = photograph.shape
    plain, better = (compress(Picture(photograph), 6, refine=each) for each in (False, True))
    cut = better.data[: 2 * len(better.data) // 3]
    found = decompress(cut, partial=True)
    assert "incomplete" in found.notices[-1].text
    shown = {
        kind: (found.pixels == pixels).all(axis=2).mean()
        for kind, pixels in (
            ("refined", better.reconstruction),
            ("plain", plain.reconstruction),
            ("missing", np.full_like(photograph, 128)),
        )
    }
    assert min(shown.values()) > 0.05
    assert np.array_equal(assemble(cut, (height, width), partial=True), found.pixels)
    with pytest.raises(CorruptDataError):
        list(decode_progressively(cut))


def test_a_missing_refinement_is_named(photograph: Pixels, refinement_file: Path) -> None:
    data = compress(Picture(photograph), 3).data
    identity = parse_container(data).weights_id
    refinement_file.unlink()
    with pytest.raises(UnknownWeightsError, match=identity.hex()):
        decompress(data)
    assert not read_info(data).weights_installed
    plain = compress(Picture(photograph), 3)  # without it there is none
    assert parse_container(plain.data).strength == 0


def test_new_files_use_the_latest_refinement_and_older_files_still_decode(
    photograph: Pixels, refinement_file: Path
) -> None:
    old = compress(Picture(photograph), 3)
    info = next(refinement_files.installed())
    tensors = model_files.load_file(refinement_file)
    tensors["layer_3.bias"] += 8
    later = refinement_file.with_name("tiny-refinement-2.safetensors")
    refinement_file.rename(refinement_file.with_name("tiny-refinement-1.safetensors"))
    refinement_files.save(later, info.config, tensors, {})
    found = refinement_files.of_weights(info.weights_id)
    assert found is not None
    assert found.path == later
    assert np.array_equal(decompress(old.data).pixels, old.reconstruction)
    later.write_bytes(later.read_bytes()[:-1] + b"\xff")
    assert compress(Picture(photograph), 3).data == old.data


def test_a_damaged_refinement_is_refused(photograph: Pixels, refinement_file: Path) -> None:
    info = next(refinement_files.installed())
    refinement_file.write_bytes(refinement_file.read_bytes()[:-1] + b"\xff")
    with pytest.raises(UnknownWeightsError, match="checksum"):
        refinement_files.load(info, "cpu")


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_gives_the_same_residuals(refinement_file: Path, kernel: str) -> None:
    info = next(refinement_files.installed())
    tensors = model_files.load_file(refinement_file)
    side = info.config.side
    random = np.random.default_rng(1)
    patches = torch.from_numpy(random.choice(np.array([0, 255, 90], np.uint8), (64, side, side, 3)))
    found = Refinement(info.config, tensors, kernel, "cpu").residuals(patches, 20)
    assert torch.equal(found, refinement_files.load(info, "cpu").residuals(patches, 20))
    assert found.unique().numel() > 100


def test_the_papers_networks_have_no_refinement(photograph: Pixels, refinement_file: Path) -> None:
    shutil.copy(GOLDEN / "paper.safetensors", refinement_file.parent)
    compressed = compress(Picture(photograph), weights="paper")
    assert parse_container(compressed.data).strength == 0


def test_the_error_of_a_large_picture_does_not_overflow() -> None:
    black = np.zeros((2, 2**16 - 1, 3), np.uint8)
    assert squared_error(black, 255 - black) == black.size * 255**2


def test_neighbourhoods_are_a_block_and_its_eight_neighbours() -> None:
    found = neighbourhoods(Grid(2, 3))
    assert set(found[1].tolist()) == {0, 1, 2, 3, 4, 5, 6}
    assert set(found[0].tolist()) == {0, 1, 3, 4, 6}
    assert (found[:, 4] == np.arange(6)).all()
