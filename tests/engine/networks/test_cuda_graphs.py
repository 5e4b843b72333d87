"""Fronts as CUDA graphs, on the CPU: operations are recorded, then repeated on the same memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode

from lbbic_engine import codec
from lbbic_engine.bitstream.container import parse_container
from lbbic_engine.coding import decoder
from lbbic_engine.coding.decode_job import DecodeJob
from lbbic_engine.coding.decoder import decode_fronts
from lbbic_engine.networks import cuda_graphs, kernels, weights
from lbbic_engine.networks.block_model import BlockModel
from lbbic_engine.networks.cuda_graphs import GraphModel
from lbbic_engine.networks.integer_network import IntegerModel
from lbbic_engine.pictures.picture import Picture

GOLDEN = Path(__file__).parents[2] / "golden"


class RecordedGraph(TorchDispatchMode):
    """What a CUDA graph does: repeats operations, whose operands and results stay in place."""

    replays = 0

    def capture_begin(self, pool: object, capture_error_mode: str) -> None:
        assert capture_error_mode == "thread_local"
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self.__enter__()

    def capture_end(self) -> None:
        self.__exit__(None, None, None)

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        RecordedGraph.replays += 1
        for func, args, kwargs, result in self.calls:
            again = func(*args, **kwargs)
            if isinstance(result, torch.Tensor) and again.data_ptr() != result.data_ptr():
                result.copy_(again)


class Stream:
    """A stream of a device that does everything at once."""

    def wait_stream(self, other: Stream) -> None:
        pass

    def synchronize(self) -> None:
        pass


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Decoders use graphs, and products are those of a CUDA device."""
    fake = SimpleNamespace(
        CUDAGraph=RecordedGraph,
        Stream=Stream,
        current_stream=Stream,
        stream=nullcontext,
        graph_pool_handle=lambda: (0, 0),
    )
    monkeypatch.setattr(cuda_graphs, "cuda", fake)
    monkeypatch.setattr(kernels, "_PADDED_DEVICES", ("cpu",))
    made: dict[int, GraphModel] = {}

    def with_graphs(model: BlockModel) -> BlockModel:
        if not isinstance(model, IntegerModel):
            return model
        return made.setdefault(id(model), GraphModel(model))

    monkeypatch.setattr(decoder, "with_graphs", with_graphs)
    RecordedGraph.replays = 0
    weights._load.cache_clear()
    yield
    weights._load.cache_clear()


def test_golden_files_decode_to_their_stored_pixels(
    graphs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(GOLDEN))
    for line in (GOLDEN / "SHA256").read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        pixels = codec.decompress((GOLDEN / name).read_bytes()).pixels
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == digest, name
    assert RecordedGraph.replays > 0


@pytest.mark.parametrize("widths", [(4, 8, 64), (8,)], ids=["padded", "some too wide"])
def test_pictures_of_all_sizes_decode_to_the_encoders_pixels(
    graphs: None,
    photograph: NDArray[np.uint8],
    widths: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Together and one after the other, so that graphs are used again with other values."""
    monkeypatch.setattr(cuda_graphs, "WIDTHS", widths)
    pictures = [Picture(photograph), Picture(photograph[::-1, :40]), Picture(photograph[:8, :8])]
    for quality in (2.0, 7.0):
        coded = codec.compress_batch(pictures, quality)
        files = [one.data for one in coded]
        for decoded in (codec.decompress_batch(files), map(codec.decompress, files)):
            for picture, one in zip(decoded, coded, strict=True):
                assert np.array_equal(picture.pixels, one.reconstruction)
    assert RecordedGraph.replays > 0


def test_a_front_is_replayed_in_one_graph_more_than_it_has_slices(
    graphs: None, photograph: NDArray[np.uint8]
) -> None:
    config = weights.load(weights.by_name("photo"), "cpu").info.config
    data = codec.compress(Picture(photograph[:8, :8])).data
    RecordedGraph.replays = 0
    codec.decompress(data)
    assert RecordedGraph.replays == len(config.latent_slices) + 1


def bits_of_blocks(data: bytes) -> NDArray[np.float32]:
    """Summed up when all fronts are decoded."""
    job = DecodeJob(parse_container(data), "cpu")
    fronts = list(decode_fronts([job], job.tiles(0)))
    return np.concatenate([front.bits() for front in fronts])


def test_levels_that_a_port_keeps_do_not_change_with_later_fronts(
    graphs: None, photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = codec.compress(Picture(photograph)).data
    with_graphs = bits_of_blocks(data)
    monkeypatch.setattr(decoder, "with_graphs", lambda model: model)
    assert np.array_equal(with_graphs, bits_of_blocks(data))


def test_without_the_setting_or_a_gpu_a_model_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    model = weights.load(weights.by_name("photo"), "cpu").integer.at_quality(0)
    assert cuda_graphs.with_graphs(model) is model
    monkeypatch.setenv("LBBIC_CUDA_GRAPHS", "1")
    assert cuda_graphs.with_graphs(model) is model
