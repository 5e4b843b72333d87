"""Failures of a device, simulated here, become errors with advice."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile

from lbbic_engine import codec, devices
from lbbic_engine.coding import adaptive_threads
from lbbic_engine.devices import CodingThread, choose_device, device_failures
from lbbic_engine.errors import CorruptDataError, LbbicError
from lbbic_engine.measure import baselines
from lbbic_engine.networks.integer_network import IntegerModel, IntegerNetwork
from lbbic_engine.pictures.picture import Picture
from lbbic_engine.pictures.read import load_picture

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


def test_torchs_out_of_memory_errors_are_recognised() -> None:
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


def test_programming_errors_are_not_translated() -> None:
    with pytest.raises(RuntimeError, match="shape"), device_failures():
        raise RuntimeError("the shape is wrong")


def test_auto_selects_the_faster_device() -> None:
    assert choose_device("cpu") == choose_device("auto") == "cpu"


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A host that has set torch's number of threads."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_coding_uses_one_thread_without_changing_the_callers(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: set[int] = set()
    synthesis = IntegerModel.synthesis_transform

    def spy(*args: Any) -> Any:
        inside.add(torch.get_num_threads())
        return synthesis(*args)

    monkeypatch.setattr(IntegerModel, "synthesis_transform", spy)
    monkeypatch.setattr(adaptive_threads, "usable_cores", lambda: 1)
    outside = {torch.get_num_threads() for _ in codec.decode_progressively(data)}
    codec.decompress(data, progress=lambda _: outside.add(torch.get_num_threads()))
    assert (inside, outside) == ({1}, {3})


@pytest.mark.usefixtures("three_threads")
def test_concurrent_calls_agree_and_do_not_change_the_host(
    data: bytes, photograph: NDArray[np.uint8], tmp_path: Path
) -> None:
    def compress() -> bytes:
        return codec.compress(Picture(photograph)).data

    def decompress() -> bytes:
        return codec.decompress(data).pixels.tobytes()

    def decode_progressively() -> bytes:
        return b"".join(front.blocks.tobytes() for front in codec.decode_progressively(data))

    def compare() -> bytes:
        return baselines.encode_at_quality(photograph, "jpeg", 80).data

    file = tmp_path / "remarkable.tif"
    Image.fromarray(photograph).save(file, tiffinfo={34665: {36864: b"0220"}, 315: "Å"})

    def load() -> bytes:
        return load_picture(file).pixels.tobytes()

    def of_the_host() -> tuple[Any, ...]:
        return (
            torch.get_num_threads(),
            list(warnings.filters),
            gc.isenabled(),
            dict(os.environ),
            (Image.MAX_IMAGE_PIXELS, ImageFile.MAXBLOCK, ImageFile.LOAD_TRUNCATED_IMAGES),
        )

    calls = 6 * [compress, decompress, decode_progressively, compare, load]
    before, alone = of_the_host(), [call() for call in calls[:5]]
    with ThreadPoolExecutor(8) as pool:
        assert [job.result() for job in [pool.submit(call) for call in calls]] == 6 * alone
        assert {pool.submit(torch.get_num_threads).result() for _ in range(8)} == {3}
    with ThreadPoolExecutor(1) as new:
        assert new.submit(of_the_host).result() == before
    assert of_the_host() == before


def test_importing_the_engine_does_not_change_the_environment() -> None:
    code = "import os; before = dict(os.environ); import lbbic_engine; lbbic_engine.compress; "
    code += "assert before == dict(os.environ)"
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


# --- processes that are forked ------------------------------------------------------------------

SERVER = """
import multiprocessing, sys
import numpy as np
from lbbic_engine import codec  # preloaded
from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures.picture import Picture

picture = Picture(np.zeros((24, 24, 3), np.uint8))

def serve(pipe):
    try:
        pipe.send(len(codec.decompress(codec.compress(picture).data).pixels))
    except LbbicError as error:
        pipe.send(error.title)

if __name__ == "__main__":
    if sys.argv[1] == "coded":
        codec.compress(picture)
    for method in sys.argv[2:]:
        context = multiprocessing.get_context(method)
        ours, theirs = context.Pipe()
        worker = context.Process(target=serve, args=(theirs,))
        worker.start()
        print(method, ours.recv())
        worker.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    ("parent", "answers"),
    [
        ("imported", ["fork 24", "fork 24"]),  # as a server that loads its program beforehand
        ("coded", ["fork Forked", "spawn 24"]),
    ],
)
def test_a_forked_process_codes_or_reports_an_error(
    parent: str, answers: list[str], tiny_weights: Path, tmp_path: Path
) -> None:
    script = tmp_path / "server.py"
    script.write_text(SERVER, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    methods = [answer.split()[0] for answer in answers]
    done = subprocess.run(
        [sys.executable, str(script), parent, *methods],
        env={**environment, "LBBIC_WEIGHTS": str(tiny_weights)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == answers


def test_steps_run_in_a_separate_thread_and_are_handed_over_in_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_HAND_OVER_SECONDS", 60.0)
    hand_overs: list[Any] = []
    run = CodingThread.run

    def spy(thread: CodingThread, *args: Any) -> Any:
        hand_overs.append(args)
        return run(thread, *args)

    monkeypatch.setattr(CodingThread, "run", spy)
    with CodingThread() as thread:
        steps = list(thread.each(get_ident() for _ in range(100)))
    assert len(steps) == 100
    assert set(steps).isdisjoint({get_ident()})
    assert len(hand_overs) == 1


def test_steps_before_a_failure_are_still_handed_over() -> None:
    def steps() -> Iterator[int]:
        yield from range(3)
        raise CorruptDataError("The file is damaged")

    seen: list[int] = []
    with CodingThread() as thread:
        taken = thread.each(steps())
        with pytest.raises(CorruptDataError):
            seen.extend(taken)
    assert seen == [0, 1, 2]
