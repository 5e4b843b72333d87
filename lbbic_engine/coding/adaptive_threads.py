"""A second thread for the coding loop, where a core is idle and that is faster."""

from __future__ import annotations

import math
import os
import time
from functools import cache, partial
from statistics import median
from typing import TYPE_CHECKING

from lbbic_engine.devices import CodingThread
from lbbic_engine.networks.block_model import BlockModel, SymbolPort
from lbbic_engine.parallel.cores import usable_cores

if TYPE_CHECKING:
    from torch import Tensor


class AdaptiveThreads:
    """A block model whose fronts get a second thread where a ``ThreadTuner`` finds that faster.

    Heavy fronts, those of large pictures and of a thorough encoder, are judged by themselves: their
    products are long enough to gain even where waking a thread costs light ones more than it gives.
    """

    WIDE = 8  # blocks of a front that is worth a second thread
    HEAVY = 128  # blocks
    OVERHEAD = 16  # a front takes the time of so many blocks besides its own

    def __init__(self, model: BlockModel, *, heavy: bool = False) -> None:
        self._model = model
        self._heavy = heavy
        self.block_size = model.block_size
        self._light_tuner, self._heavy_tuner = _TUNERS
        for tuner in _TUNERS:
            tuner.begin_picture()

    def empty_state(self, blocks: int) -> Tensor:
        return self._model.empty_state(blocks)

    def code_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        heavy = self._heavy or len(front) >= self.HEAVY
        tuner = self._heavy_tuner if heavy else self._light_tuner
        code = partial(self._model.code_front, front, around, port)
        if len(front) < self.WIDE or not tuner.use_two():
            return code()
        threads = tuner.threads
        begin = time.monotonic()
        coded = _two_threads().run(code) if threads == 2 else code()
        tuner.judge(threads, (time.monotonic() - begin) / (len(front) + self.OVERHEAD))
        return coded


class ThreadTuner:
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

    def use_two(self) -> bool:
        """Whether two threads may be worth it now, or one of the fronts of a trial."""
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


_TUNERS = (ThreadTuner(), ThreadTuner())  # of light and of heavy fronts


def _two_threads_wait() -> bool:
    """Whether a product takes far longer with two threads: ten times, where both cores are busy."""
    import torch

    values = torch.zeros((24, 1024), dtype=torch.int8)
    weight = torch.zeros((1024, 1024), dtype=torch.int8).t()

    def seconds() -> float:
        begin = time.perf_counter()
        torch._int_mm(values, weight)
        return time.perf_counter() - begin

    one, two = zip(*[(seconds(), _two_threads().run(seconds)) for _ in range(3)], strict=True)
    return bool(sum(two[1:]) > 3 * sum(one[1:]))  # the first may have to set up


@cache
def _two_threads() -> CodingThread:
    """Where two threads are used, one job after the other: more would wait for each other."""
    return CodingThread(2)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_two_threads.cache_clear)  # a child has no such thread


def on_idle_cores(model: BlockModel, device: str, *, heavy: bool = False) -> BlockModel:
    """The model, with a second thread where there is a second core that has nothing else to do.

    ``heavy`` says that its blocks are a thorough encoder's. To be used in a ``CodingThread``.
    """
    fixed = "OMP_NUM_THREADS" in os.environ or device != "cpu" or usable_cores() < 2
    return model if fixed else AdaptiveThreads(model, heavy=heavy)
