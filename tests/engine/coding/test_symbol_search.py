"""Encoders that search: their files are valid and smaller at the same quality."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lbbic_engine import codec
from lbbic_engine.codec import compress, compress_batch, decompress
from lbbic_engine.coding.latents import SymbolWriter
from lbbic_engine.coding.results import Compressed, Progress
from lbbic_engine.coding.search import block_choice, candidates
from lbbic_engine.coding.search.candidates import SEARCHES, Candidates, CandidateWriter, Tally
from lbbic_engine.coding.search.symbol_search import LMBDA_SPREAD
from lbbic_engine.config import EFFORTS, lmbda, spread_lmbda
from lbbic_engine.errors import Cancelled
from lbbic_engine.layout import tiles
from lbbic_engine.layout.blocks import split_blocks
from lbbic_engine.layout.wavefront import Grid, front_count
from lbbic_engine.measure import metrics
from lbbic_engine.networks import weights
from lbbic_engine.pictures.picture import Picture

GOLDEN = Path(__file__).parents[2] / "golden"


def picture_of(pixels: NDArray[np.uint8]) -> Picture:
    return Picture(pixels, alpha=None, grey=False, icc=None, exif=None, xmp=None, notices=())


def cost(pixels: NDArray[np.uint8], compressed: Compressed) -> float:
    """R + λD, without the container's bytes; λ is at most that of the search."""
    weight = min(lmbda(compressed.quality), spread_lmbda(compressed.quality, LMBDA_SPREAD))
    payload = codec.read_info(compressed.data).payload_bytes
    mse = 10 ** (-metrics.psnr(pixels, compressed.reconstruction) / 10)
    return 8 * payload / pixels[..., 0].size + weight * mse


@pytest.mark.parametrize("quality", [1, 4, 8])
@pytest.mark.slow
def test_searching_makes_better_files(photograph: NDArray[np.uint8], quality: float) -> None:
    picture = picture_of(photograph)
    fast, balanced, thorough = (compress(picture, quality, effort=effort) for effort in EFFORTS)
    for searched in (balanced, thorough):
        assert np.array_equal(decompress(searched.data).pixels, searched.reconstruction)
    assert cost(photograph, balanced) < cost(photograph, fast)
    assert cost(photograph, thorough) < cost(photograph, balanced)
    assert cost(photograph, thorough) < 0.99 * cost(photograph, fast)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("effort", ["balanced", "thorough"])
@pytest.mark.parametrize("size", [(1, 1), (8, 200), (200, 8), (9, 17), (64, 40)])
def test_any_shape_decodes_to_the_encoders_reconstruction(
    size: tuple[int, int], effort: str
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    compressed = compress(picture_of(pixels), 3, effort=effort)
    assert np.array_equal(decompress(compressed.data).pixels, compressed.reconstruction)


@pytest.mark.usefixtures("tiny")
@pytest.mark.slow
def test_pictures_of_a_batch_are_searched_separately(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_PIXELS", 2500)
    pictures = [picture_of(photograph), picture_of(photograph[:40, :56])]
    together = compress_batch(pictures, 5, effort="thorough")
    for picture, compressed in zip(pictures, together, strict=True):
        assert compressed.data == compress(picture, 5, effort="thorough").data


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("effort", ["balanced", "thorough"])
def test_identical_candidates_equal_the_fast_encoders_symbols(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, effort: str
) -> None:
    """The search must run the networks on the same contexts as the coding loop."""
    alike = (1.0,) * len(SEARCHES[effort].candidates)
    monkeypatch.setitem(SEARCHES, effort, replace(SEARCHES[effort], candidates=alike))
    monkeypatch.setattr(candidates, "VARIATION", 0.0)
    monkeypatch.setattr(candidates, "OUTWARD_BITS", 1e-9)
    monkeypatch.setattr(candidates, "OVERSHOOT", 0.0)
    monkeypatch.setattr(block_choice, "CANDIDATES", (1.0,))
    picture = picture_of(photograph)
    assert compress(picture, 4, effort=effort).data == compress(picture, 4).data


def test_candidates_that_share_a_row_equal_separate_ones(
    photograph: NDArray[np.uint8],
) -> None:
    network = weights.load(weights.by_name(weights.DEFAULT), "cpu")
    model, blocks = network.integer.at_quality(40), split_blocks(photograph, 8)
    count = len(blocks)
    random = torch.Generator().manual_seed(1)
    width = 4 * model.empty_state(0).shape[1]
    around = torch.randint(-128, 128, (count, width), generator=random).to(torch.int8)
    writer = CandidateWriter(Candidates(network, 40, blocks, SEARCHES["thorough"]))
    state = model.code_front(torch.arange(count), around, writer)

    tried = writer.tried()
    block, _ = tried.kept.nonzero(as_tuple=True)
    assert 2 * count < len(block) < 32 * count
    rows = torch.cat([block[:, None], tried.symbols], dim=1)
    assert len(rows.unique(dim=0)) == len(rows)
    apart = Tally(network.tables.bits())
    again = SymbolWriter(apart, tried.symbols)
    assert model.code_front(torch.arange(len(block)), around[block], again).equal(state)
    assert np.allclose(apart.bits, tried.bits)


@pytest.mark.usefixtures("tiny")
def test_progress_rises_to_the_end_and_cancelling_stops_it(photograph: NDArray[np.uint8]) -> None:
    steps: list[Progress] = []
    compress(picture_of(photograph), 4, effort="thorough", progress=steps.append)
    assert [s.done for s in steps] == sorted(s.done for s in steps)
    assert steps[-1].done == steps[-1].total == 9 * 13
    searched = steps[-1 - front_count(Grid(9, 13, from_middle=True))]
    assert 0.9 < searched.done / searched.total < 1  # as nearly all of the time has gone
    with pytest.raises(Cancelled):
        compress(picture_of(photograph), 4, effort="thorough", cancelled=lambda: True)


def test_the_papers_models_refuse_a_search(
    photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))
    picture = picture_of(photograph)
    fast, thorough = (
        compress(picture, weights="paper", effort=e).data for e in ("fast", "thorough")
    )
    assert fast == thorough


def test_an_unknown_effort_is_refused(photograph: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="fast, balanced, thorough"):
        compress(picture_of(photograph), 4, effort="some")
