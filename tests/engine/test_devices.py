"""Failures of a device, which cannot be had on demand, become errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lbbic_engine import codec
from lbbic_engine.devices import choose_device, device_failures
from lbbic_engine.errors import LbbicError
from lbbic_engine.networks.integer_network import IntegerNetwork
from lbbic_engine.pictures.picture import Picture

OUT_OF_MEMORY = [
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes."), "programs"),
    (RuntimeError("DefaultCPUAllocator: not enough memory: you tried 9 bytes."), "programs"),
    (RuntimeError("could not create a primitive"), "programs"),
    (MemoryError(), "programs"),
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB."), "use the CPU"),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling it"), "use the CPU"),
]


@pytest.fixture
def data(tiny: None, photograph: NDArray[np.uint8]) -> bytes:
    return codec.compress(Picture(photograph)).data


@pytest.mark.parametrize(("failure", "advice"), OUT_OF_MEMORY)
@pytest.mark.parametrize(
    "work",
    [
        lambda data, pixels: codec.compress(Picture(pixels)),
        lambda data, pixels: codec.decompress(data),
        lambda data, pixels: list(codec.decode_progressively(data)),
    ],
)
def test_lack_of_memory_is_reported_with_advice(
    data: bytes,
    photograph: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[bytes, NDArray[np.uint8]], object],
    failure: Exception,
    advice: str,
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(IntegerNetwork, "at_quality", fail)
    with pytest.raises(LbbicError, match=advice) as caught:
        work(data, photograph)
    assert caught.value.title == "Out of memory"
    assert caught.value.__cause__ is failure


def test_memory_that_torch_cannot_have_is_recognised() -> None:
    with pytest.raises(LbbicError, match="Out of memory"), device_failures():
        torch.empty(1 << 60, dtype=torch.uint8)
    with pytest.raises(LbbicError, match="Out of memory"), device_failures():
        np.empty(1 << 60, np.uint8)


def test_a_failing_gpu_is_reported_in_one_line() -> None:
    failure = RuntimeError("CUDA error: an illegal instruction\nCUDA kernel errors might\n")
    with pytest.raises(LbbicError) as caught, device_failures():
        raise failure
    assert caught.value.title == "The GPU failed"
    assert caught.value.detail == "CUDA error: an illegal instruction; use the CPU."


def test_mistakes_of_the_program_are_left_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shape"), device_failures():
        raise RuntimeError("the shape is wrong")


def test_auto_takes_the_faster() -> None:
    assert choose_device("cpu") == choose_device("auto") == "cpu"


def test_coding_uses_one_thread_and_gives_the_others_back(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen = {torch.get_num_threads() for _ in codec.decode_progressively(data)}
        codec.decompress(data, progress=lambda _: seen.add(torch.get_num_threads()))
        assert seen == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
