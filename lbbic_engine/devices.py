"""Which device and how many threads run the networks, and what failures mean. Knows no network.

torch reports a lack of memory or a broken GPU as RuntimeError, told apart by their words alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lbbic_engine.errors import GpuError, LbbicError

if TYPE_CHECKING:
    pass

_OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|can.?t allocate memory|bad.?alloc|STATUS_ALLOC_FAILED"
    r"|could not create a primitive",  # that is what is left of oneDNN's lack of memory
    re.I,
)
_GPU = re.compile(r"cuda|cublas|cudnn|nvrtc|nvidia", re.I)


def choose_device(wish: str) -> str:
    """Return cpu or cuda for a wish: auto, cpu or cuda. LbbicError if there is none.

    auto is the CPU: a GPU waits for the small operations of each front to be launched, and for its
    symbols (a Kodak picture took an H200 0.51 s, the server core beside it 0.39 s).
    """
    if wish == "auto":
        return "cpu"
    if wish == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise LbbicError("No CUDA device", "This machine has none that works; use the CPU.")
    return wish


@contextmanager
def few_threads() -> Iterator[None]:
    """Let torch use one thread, unless OMP_NUM_THREADS says otherwise; restores the number.

    A front's products are small. On two idle cores a second thread saves a quarter of the time;
    with other work on them it made decoding 12 times slower (4.5 s instead of 0.38 s).
    ``SecondThread`` finds out which it is.
    """
    import torch

    before = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def device_failures() -> Iterator[None]:
    """Turn what torch and numpy raise when memory is short or a GPU fails into LbbicError."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        failure = _translate(error)
        if failure is None:
            raise
        raise failure from error


def _translate(error: RuntimeError | MemoryError) -> LbbicError | None:
    text = str(error)
    on_gpu = _GPU.search(text)
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(text):
        advice = "use the CPU" if on_gpu else "close other programs, or cut the picture into parts"
        where = "the GPU's memory" if on_gpu else "the memory"
        kind = GpuError if on_gpu else LbbicError
        return kind("Out of memory", f"The picture does not fit into {where}; {advice}.")
    if on_gpu:
        return GpuError("The GPU failed", f"{text.strip().splitlines()[0]}; use the CPU.")
    return None
