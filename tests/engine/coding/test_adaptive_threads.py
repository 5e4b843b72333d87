"""A second thread is used where a core is idle, and not where it would have to wait."""

import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
import torch
from torch import Tensor

from lbbic_engine.coding import adaptive_threads
from lbbic_engine.coding.adaptive_threads import AdaptiveThreads, ThreadTuner, on_idle_cores
from lbbic_engine.devices import CodingThread
from lbbic_engine.networks.block_model import SymbolPort


class Clock:
    """A clock that only fronts advance, so that other work on the machine does not count."""

    def __init__(self) -> None:
        self.now = 100.0
        self.perf_counter = time.perf_counter

    def monotonic(self) -> float:
        return self.now


class Model:
    """A block model that takes given seconds per front, with one thread and with two."""

    block_size = 1

    def __init__(self, clock: Clock, one: float, two: float) -> None:
        self.clock = clock
        self.seconds = {1: one, 2: two}
        self.used: Counter[int] = Counter()

    def empty_state(self, blocks: int) -> Tensor:
        return torch.zeros(blocks + 1, 1)

    def code_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        threads = torch.get_num_threads()
        self.used[threads] += 1
        self.clock.now += self.seconds[threads]
        return around


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(adaptive_threads, "time", clock)
    monkeypatch.setattr(adaptive_threads, "_TUNERS", (ThreadTuner(), ThreadTuner()))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return clock


def code(model: AdaptiveThreads, fronts: int, width: int = 24) -> None:
    for _ in range(fronts):
        state = model.code_front(torch.arange(width), torch.ones(width), cast(SymbolPort, None))
        assert state.sum() == width


def test_a_second_thread_is_used_on_idle_cores(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(adaptive_threads, "_two_threads_wait", lambda: False)
    model = Model(clock, 0.004, 0.002)
    governed = AdaptiveThreads(model)
    code(governed, ThreadTuner.RUN)
    assert model.used == {1: ThreadTuner.ALONE, 2: ThreadTuner.RUN - ThreadTuner.ALONE}
    code(governed, 3, width=AdaptiveThreads.WIDE - 1)
    assert model.used[1] == ThreadTuner.ALONE + 3


def test_trials_become_rarer_while_two_threads_are_faster(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(adaptive_threads, "_two_threads_wait", lambda: False)
    model = Model(clock, 0.004, 0.002)
    for _ in range(7):  # pictures
        code(AdaptiveThreads(model), ThreadTuner.RUN)
    assert (
        model.used[1] == 3 * ThreadTuner.ALONE
    )  # after 1, 1 + 2, but not yet after 1 + 2 + 4 runs
    model.seconds = {1: 0.002, 2: 0.004}
    code(AdaptiveThreads(model), ThreadTuner.RUN)
    assert model.used[1] == 3 * ThreadTuner.ALONE + ThreadTuner.RUN - (
        ThreadTuner.FRONTS - ThreadTuner.ALONE
    )


def test_a_second_thread_that_gains_nothing_is_paused(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(adaptive_threads, "_two_threads_wait", lambda: False)
    model = Model(clock, 0.002, 0.004)
    code(AdaptiveThreads(model), 3 * ThreadTuner.RUN)
    assert model.used[2] == ThreadTuner.FRONTS - ThreadTuner.ALONE


@pytest.mark.parametrize("heavy", [False, True])
def test_heavy_fronts_are_judged_separately(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, heavy: bool
) -> None:
    monkeypatch.setattr(adaptive_threads, "_two_threads_wait", lambda: False)
    model = Model(clock, 0.002, 0.004)
    code(AdaptiveThreads(model), ThreadTuner.RUN)
    model.used.clear()
    model.seconds = {1: 0.02, 2: 0.01}
    width = 24 if heavy else AdaptiveThreads.HEAVY
    code(AdaptiveThreads(model, heavy=heavy), ThreadTuner.RUN, width)
    assert model.used == {1: ThreadTuner.ALONE, 2: ThreadTuner.RUN - ThreadTuner.ALONE}


def test_pauses_grow_while_a_second_thread_gains_nothing(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(adaptive_threads, "_two_threads_wait", lambda: False)
    monkeypatch.setattr(ThreadTuner, "REST", 0.01)
    monkeypatch.setattr(adaptive_threads, "_TUNERS", (ThreadTuner(), ThreadTuner()))
    model = Model(clock, 0.001, 0.002)
    for _ in range(10):  # pictures
        code(AdaptiveThreads(model), 60)
    assert model.used[2] == 6 * (ThreadTuner.FRONTS - ThreadTuner.ALONE)  # after 10 ms, 20, 40, …


def test_busy_cores_are_tried_again_occasionally(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    tried: list[float] = []

    def wait() -> bool:
        tried.append(clock.now)
        return True

    monkeypatch.setattr(adaptive_threads, "_two_threads_wait", wait)
    monkeypatch.setattr(ThreadTuner, "REST", 0.05)
    monkeypatch.setattr(adaptive_threads, "_TUNERS", (ThreadTuner(), ThreadTuner()))
    model = Model(clock, 0.005, 0.0)
    for _ in range(4):  # as many pictures
        code(AdaptiveThreads(model), 15)
    assert model.used == {1: 60}
    assert len(tried) == 3  # in 300 ms: at the start, after 50, after 150


@pytest.mark.parametrize("cores_are_busy", [False, True])
def test_a_waiting_front_causes_a_trial(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, cores_are_busy: bool
) -> None:
    monkeypatch.setattr(adaptive_threads, "_two_threads_wait", lambda: False)
    model = Model(clock, 0.004, 0.002)
    governed = AdaptiveThreads(model)
    code(governed, ThreadTuner.FRONTS + 1)
    model.seconds[2] = 0.1
    code(governed, 1)
    model.used.clear()
    if not cores_are_busy:
        model.seconds[2] = 0.002
    code(governed, 10)
    assert model.used == ({1: 9, 2: 1} if cores_are_busy else {1: ThreadTuner.ALONE, 2: 6})


def test_concurrent_jobs_share_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptive_threads, "_two_threads_wait", lambda: False)
    monkeypatch.setattr(ThreadTuner, "REST", 0.0)
    tuner = ThreadTuner()

    def code_fronts() -> None:
        for _ in range(20_000):
            if tuner.use_two():
                tuner.judge(tuner.threads, 1.0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(code_fronts) for _ in range(4)]
            for job in jobs:
                job.result()
    finally:
        sys.setswitchinterval(interval)


def test_omp_num_threads_fixes_the_threads(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    model = Model(clock, 0.0, 0.0)
    assert on_idle_cores(model, "cuda") is model
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert on_idle_cores(model, "cpu") is model


def test_a_trial_restores_the_number_of_threads() -> None:
    with CodingThread() as thread:
        assert isinstance(thread.run(adaptive_threads._two_threads_wait), bool)
        assert thread.run(torch.get_num_threads) == 1
