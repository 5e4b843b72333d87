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
        self._light_trials, self._heavy_trials = _TRIALS
        for trials in _TRIALS:
            trials.begin_picture()

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


class Trials:
    """Finds out, over all pictures, whether two threads code fronts faster than one.

    A trial is a product with one thread and with two, then some fronts, of which every other one
    has one thread: where two were no faster, waiting for each other or slowing each other down,
    there is one for a while, for twice as long as after the trial before. Otherwise two go on, for
    twice as many fronts. A front that takes far too long, since its products waited for their turn
    where cores have got other work, ends that: by a trial, or by a rest if it was in one.

    Jobs at the same time share it, and may empty a trial of each other's: that costs time alone.
    """

    FRONTS = 12  # of a trial
    ALONE = 4  # of them, with one thread; in between, as fronts grow
    GAIN = 0.95  # of the time of one thread, at most
    RUN, LONGEST_RUN = 32, 1024  # fronts from one trial to the next
    REST, LONGEST_REST = 0.25, 64.0  # seconds with one thread
    TOO_LONG = 12.0  # times the picture's fastest front

    def __init__(self) -> None:
        self._rest = self.REST
        self._until = -math.inf
        self._end_of_run(self.RUN)
        self.begin_picture()

    def begin_picture(self) -> None:
        """Its fronts may take another time than those of the one before."""
        self._best = math.inf  # seconds a block

    @property
    def threads(self) -> int:
        """What the next front is to have."""
        return 1 if self._count < 2 * self.ALONE and self._count % 2 == 0 else 2

    def worthwhile(self) -> bool:
        """Whether to go on."""
        if time.monotonic() < self._until:
            return False
        if self._count == 0 and _two_threads_wait():
            self._begin_rest()
            return False
        if self._count == self.FRONTS:
            one, two = self._seconds[1], self._seconds[2]
            if one and two and median(two) > self.GAIN * median(one):
                self._begin_rest()
                return False
        return True

    def judge(self, threads: int, seconds: float) -> None:
        """Takes the time of a front, a block."""
        self._count += 1
        self._seconds[threads].append(seconds)
        self._best = min(seconds, self._best)
        if seconds > self.TOO_LONG * self._best:
            if self._count > self.FRONTS:
                self._end_of_run(self.RUN)
            else:
                self._begin_rest()
        elif self._count >= self._run:
            self._rest = self.REST
            self._end_of_run(min(2 * self._run, self.LONGEST_RUN))

    def _begin_rest(self) -> None:
        self._until = time.monotonic() + self._rest
        self._rest = min(2 * self._rest, self.LONGEST_REST)
        self._end_of_run(self.RUN)

    def _end_of_run(self, fronts: int) -> None:
        """The next one is to have so many fronts."""
        self._run = fronts
        self._count = 0
        self._seconds: dict[int, list[float]] = {1: [], 2: []}


_TRIALS = (Trials(), Trials())  # of light and of heavy fronts


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
