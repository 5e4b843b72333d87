"""Which device runs the networks, and what its failures mean. Knows no network.

torch reports a lack of memory or a broken GPU as RuntimeError, told apart by their words alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from lbbic_engine.errors import LbbicError

_OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|can.?t allocate memory|bad.?alloc|STATUS_ALLOC_FAILED"
    r"|could not create a primitive",  # that is what is left of oneDNN's lack of memory
    re.I,
)
_GPU = re.compile(r"cuda|cublas|cudnn|nvrtc|nvidia", re.I)


def choose_device(wish: str) -> str:
    """Return cpu or cuda for a wish: auto, cpu or cuda. LbbicError if there is none."""
    import torch

    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wish == "cuda" and not torch.cuda.is_available():
        raise LbbicError("No CUDA device", "This machine has none that works; use the CPU.")
    return wish


@contextmanager
def few_threads() -> Iterator[None]:
    """Let torch use one thread, unless OMP_NUM_THREADS says otherwise; restores the number.

    A front's products are too small to share. Measured on two cores with other work on them, a
    second thread made decoding 12 times slower (4.5 s instead of 0.38 s), encoding 12 times.
    """
    import torch

    before = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
        return LbbicError("Out of memory", f"The picture does not fit into {where}; {advice}.")
    if on_gpu:
        return LbbicError("The GPU failed", f"{text.strip().splitlines()[0]}; use the CPU.")
    return None
