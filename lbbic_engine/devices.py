"""Which device and how many threads run the networks, and what failures mean. Knows no network.

torch reports a lack of memory or a broken GPU as RuntimeError, told apart by their words alone.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Generic

from lbbic_engine.errors import GpuError, LbbicError
from lbbic_engine.wavefront import BlockModel, ExchangeT

if TYPE_CHECKING:
    from torch import Tensor

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


class SecondThread(Generic[ExchangeT]):
    """A block model whose fronts get a second thread where that makes them faster (``Trials``).

    Heavy fronts, those of large pictures and of a thorough sender, are judged by themselves: their
    products are long enough to gain even where waking a thread costs light ones more than it gives.
    """

    WIDE = 8  # blocks of a front that is worth a second thread
    HEAVY = 128  # blocks
    OVERHEAD = 16  # a front takes the time of so many blocks besides its own

    def __init__(self, model: BlockModel[ExchangeT], *, heavy: bool = False) -> None:
        self._model = model
        self._heavy = heavy
        self.block_size = model.block_size
        self._light_trials, self._heavy_trials = (Trials(rest) for rest in _RESTS)

    def empty_state(self, blocks: int) -> Tensor:
        return self._model.empty_state(blocks)

    def code_front(self, front: Tensor, around: Tensor, exchange: ExchangeT) -> Tensor:
        import torch

        heavy = self._heavy or len(front) >= self.HEAVY
        trials = self._heavy_trials if heavy else self._light_trials
        if len(front) < self.WIDE or not trials.worthwhile():
            return self._model.code_front(front, around, exchange)
        threads = trials.threads
        begin = time.monotonic()
        torch.set_num_threads(threads)
        coded = self._model.code_front(front, around, exchange)
        torch.set_num_threads(1)
        trials.judge(threads, (time.monotonic() - begin) / (len(front) + self.OVERHEAD))
        return coded


@dataclass
class Rest:
    """How long to go on with one thread, in seconds; longer the next time."""

    FIRST, LONGEST = 1.0, 64.0

    seconds: float = FIRST
    until: float = -math.inf

    def begin(self) -> None:
        self.until = time.monotonic() + self.seconds
        self.seconds = min(2 * self.seconds, self.LONGEST)


_RESTS = (Rest(), Rest())  # of light and of heavy fronts, for all pictures


class Trials:
    """Finds out whether two threads code the fronts of a picture faster than one.

    That is tried on a product at the start and every few fronts. A front that takes far too long
    ends it as well: where cores have other work, each of its products waits for its turn. As the
    trial does, too (a tenth of a second), the next one comes after twice the time.

    After each trial every other front has one thread, later ones two; if the first of these, or
    all, were no faster, that ends it, too: on some machines a waiting thread slows the other down.
    """

    ROUND = 32  # fronts between trials
    ALONE = 4  # of them, to compare with: in between, as fronts grow
    EARLY = 12  # of them, after which two threads have to have gained
    GAIN = 0.95  # of the time of one thread, at most
    TOO_LONG = 12.0

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._count = 0
        self._best = math.inf  # seconds a block
        self._seconds: dict[int, list[float]] = {1: [], 2: []}  # the same, since the last trial

    @property
    def threads(self) -> int:
        """What the next front is to have."""
        place = self._count % self.ROUND
        return 1 if place < 2 * self.ALONE and place % 2 == 0 else 2

    def worthwhile(self) -> bool:
        """Whether to go on; found out at the start of a round and early in it."""
        if time.monotonic() < self._rest.until:
            return False
        place = self._count % self.ROUND
        if place not in (0, self.EARLY):
            return True
        one, two = (self._seconds[threads] for threads in (1, 2))
        gained = not two or median(two) < self.GAIN * median(one)
        if not gained or (place == 0 and _two_threads_wait()):
            self._end()
            return False
        if two:
            self._rest.seconds = Rest.FIRST
        if place == 0:
            self._seconds = {1: [], 2: []}
        return True

    def judge(self, threads: int, seconds: float) -> None:
        """Takes the time of a front, a block."""
        self._count += 1
        self._seconds[threads].append(seconds)
        self._best = min(seconds, self._best)
        if seconds > self.TOO_LONG * self._best:
            self._end()

    def _end(self) -> None:
        self._rest.begin()
        self._count = 0
        self._seconds = {1: [], 2: []}


def _two_threads_wait() -> bool:
    """Whether a product takes far longer with two threads: ten times, where both cores are busy."""
    import torch

    values = torch.zeros((24, 1024), dtype=torch.int8)
    weight = torch.zeros((1024, 1024), dtype=torch.int8).t()
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for threads in (1, 2, 1, 2, 1, 2):
        torch.set_num_threads(threads)
        begin = time.perf_counter()
        torch._int_mm(values, weight)
        seconds[threads].append(time.perf_counter() - begin)
    torch.set_num_threads(1)
    return sum(seconds[2][1:]) > 3 * sum(seconds[1][1:])  # the first may have to set up


def on_idle_cores(
    model: BlockModel[ExchangeT], device: str, *, heavy: bool = False
) -> BlockModel[ExchangeT]:
    """The model, with a second thread where there is a second core that has nothing else to do.

    ``heavy`` says that its blocks are a thorough sender's. To be used within ``few_threads``.
    """
    fixed = "OMP_NUM_THREADS" in os.environ or device != "cpu" or usable_cores() < 2
    return model if fixed else SecondThread(model, heavy=heavy)


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
