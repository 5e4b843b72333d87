"""A second torch thread for the coding loop, if a core is idle and it is faster."""

from __future__ import annotations

import math
import os
import time
from functools import cache, partial
from statistics import median
from typing import TYPE_CHECKING

from lbbic_engine.devices import CodingThread, threads_are_fixed
from lbbic_engine.networks.block_model import BlockModel, SymbolPort
from lbbic_engine.parallel.cores import usable_cores

if TYPE_CHECKING:
    from torch import Tensor


class AdaptiveThreads:
    """A block model that uses a second torch thread if a ``ThreadTuner`` finds that faster.

    Heavy fronts, those of large pictures and of the thorough encoder, have a separate tuner:
    they can gain from a second thread even if waking it costs light fronts more than it saves.
    """

    WIDE = 8  # blocks of the smallest front that may use a second thread
    HEAVY = 128  # blocks of the smallest heavy front
    OVERHEAD = 16  # blocks that take as long as the fixed costs of a front

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
    """Decides, over all pictures, whether two threads code fronts faster than one.

    A trial compares one product with one thread and with two, then some fronts, alternating between
    one thread and two. If two threads are not faster, one is used for a while (a rest), twice as
    long as after the previous trial. Otherwise two are used for a number of fronts (a run), twice
    as many as before. A front that takes far too long, because other programs need the cores, ends
    a run with a trial, and a trial with a rest.

    Concurrent jobs share a tuner. They can spoil each other's trials, which only costs time.
    """

    FRONTS = 12  # in a trial
    ALONE = 4  # fronts of a trial with one thread; alternating, because fronts grow
    GAIN = 0.95  # two threads must take at most this share of the time of one
    RUN, LONGEST_RUN = 32, 1024  # fronts between trials
    REST, LONGEST_REST = 0.25, 64.0  # seconds with one thread
    TOO_LONG = 12.0  # times the duration of the picture's fastest front

    def __init__(self) -> None:
        self._rest = self.REST
        self._until = -math.inf
        self._end_of_run(self.RUN)
        self.begin_picture()

    def begin_picture(self) -> None:
        """Forget the fastest front: another picture's fronts may take longer."""
        self._best = math.inf  # seconds a block

    @property
    def threads(self) -> int:
        """Number of threads for the next front."""
        return 1 if self._count < 2 * self.ALONE and self._count % 2 == 0 else 2

    def use_two(self) -> bool:
        """Whether to use ``threads`` for the next front, rather than one during a rest."""
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
        """Record the time that a front took per block."""
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
        """Begin a trial; the run after it is to have that many fronts."""
        self._run = fronts
        self._count = 0
        self._seconds: dict[int, list[float]] = {1: [], 2: []}


_TUNERS = (ThreadTuner(), ThreadTuner())  # for light and for heavy fronts


def _two_threads_wait() -> bool:
    """Whether a product takes far longer with two threads, as it does if both cores are busy."""
    import torch

    values = torch.zeros((24, 1024), dtype=torch.int8)
    weight = torch.zeros((1024, 1024), dtype=torch.int8).t()

    def seconds() -> float:
        begin = time.perf_counter()
        torch._int_mm(values, weight)
        return time.perf_counter() - begin

    one, two = zip(*[(seconds(), _two_threads().run(seconds)) for _ in range(3)], strict=True)
    return bool(sum(two[1:]) > 3 * sum(one[1:]))  # the first one includes setting up


@cache
def _two_threads() -> CodingThread:
    """The thread that all work with two torch threads shares; two such would compete for cores."""
    return CodingThread(2)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_two_threads.cache_clear)  # threads do not survive a fork


def on_idle_cores(model: BlockModel, device: str, *, heavy: bool = False) -> BlockModel:
    """Return the model, with adaptive threads if the machine and the settings allow it.

    ``heavy`` is for the thorough encoder. To be used in a ``CodingThread``.
    """
    fixed = threads_are_fixed() or device != "cpu" or usable_cores() < 2
    return model if fixed else AdaptiveThreads(model, heavy=heavy)
