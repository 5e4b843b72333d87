"""Where and when tasks run; what they compute does not matter here."""

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from lbbic_engine.devices import CodingThread, threads_are_fixed
from lbbic_engine.errors import Cancelled
from lbbic_engine.parallel import run as module
from lbbic_engine.parallel.run import Outcome, Task, run


def square(value: int, report: object) -> int:
    if value == 3:
        raise ValueError("three")
    return value * value


def tasks(*values: int) -> Iterator[Task[int]]:
    return (Task(value, seconds=0) for value in values)


@pytest.mark.parametrize(
    ("count", "seconds", "most", "workers"),
    [
        (9, 9.0, 4, 4),
        (9, 9.0, 400, 9),  # never more than tasks
        (9, 9.0, 0, 1),  # if there is memory for none
        (1, 99.0, 4, 1),  # a single task runs in this process
        (100, 0.01, 4, 1),  # and so do a few small ones
        (9, 0.3, 4, 2),  # each worker gets at least as much work as it takes to start one
    ],
)
def test_the_number_of_workers_fits_the_work(
    count: int, seconds: float, most: int, workers: int
) -> None:
    given = [Task(n, seconds) for n in range(count)]
    found, all_tasks = module._plan(iter(given), most)
    assert (found, list(all_tasks)) == (workers, given)


def test_planning_reads_no_more_inputs_than_needed() -> None:
    endless = (Task(n, seconds=1.0) for n in iter(int, 1))
    workers, _ = module._plan(endless, 8)
    assert workers == 8


def test_tasks_given_to_an_executor_are_limited_by_memory() -> None:
    limits = module._Limits(tasks=3, memory_bytes=100)
    large, small = Task(0, 1, memory_bytes=200), Task(0, 1, memory_bytes=50)
    assert limits.allow(large, [])
    assert not limits.allow(small, [large])
    assert limits.allow(small, [small])
    assert not limits.allow(small, [small, small])


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor], ids=["here", "threads"])
def test_every_task_has_an_outcome(executor: type[Executor] | None) -> None:
    def halve(value: int, report: object) -> float:
        return value / 2

    outcomes = run(halve, tasks(1, 2, 3), executor=executor and executor())
    assert sorted(outcomes, key=lambda each: each.content) == [
        Outcome(1, 0.5),
        Outcome(2, 1.0),
        Outcome(3, 1.5),
    ]


def test_an_exception_in_an_executor_is_the_outcome_of_its_task() -> None:
    with ThreadPoolExecutor(1) as threads:
        one, three, four = run(square, tasks(1, 3, 4), executor=threads)
    assert (one.result, four.result) == (1, 16)
    assert isinstance(three.error, ValueError)


def test_a_closed_executor_fails_only_the_remaining_tasks() -> None:
    broken = ProcessPoolExecutor(1)
    broken.shutdown()
    assert [type(each.error) for each in run(square, tasks(1, 2), executor=broken)] == [
        RuntimeError,
        RuntimeError,
    ]


@pytest.mark.parametrize("threads", [None, 1], ids=["here", "threads"])
def test_cancelling_stops_the_run_soon(threads: int | None) -> None:
    stop = threading.Event()
    begun = []

    def work(value: int, report: object) -> int:
        begun.append(value)
        return value

    with ThreadPoolExecutor(threads) as executor:
        outcomes = run(
            work,
            tasks(*range(10_000)),
            executor=executor if threads else None,
            cancelled=stop.is_set,
        )
        next(outcomes)
        stop.set()
        with pytest.raises(Cancelled):
            list(outcomes)
    assert len(begun) < 10_000


def test_closing_the_iterator_cancels_waiting_tasks() -> None:
    hold, entered = threading.Event(), threading.Event()
    begun = []

    def work(value: int, report: object) -> None:
        begun.append(value)
        if value == 1:
            entered.set()
            hold.wait()

    with ThreadPoolExecutor(1) as executor:
        outcomes = run(work, tasks(0, 1, 2, 3), executor=executor)
        next(outcomes)
        entered.wait()
        outcomes.close()  # type: ignore[attr-defined]
        hold.set()
    assert begun == [0, 1]


def is_kept_to_one_thread(value: int, report: object) -> bool:
    with CodingThread() as thread:
        return thread.run(threads_are_fixed)


@pytest.mark.parametrize(("jobs", "is_kept"), [(1, True), (None, False)])
def test_one_job_uses_one_core(
    jobs: int | None, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a second torch thread may help, where its core is idle."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (outcome,) = run(is_kept_to_one_thread, tasks(1), jobs=jobs)
    assert outcome.result is is_kept
    assert not threads_are_fixed()
