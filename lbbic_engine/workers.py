"""Independent pieces of work side by side in threads. Knows no network.

Python runs one thread at a time, but torch's operations let go of it while they compute: where
they are large, two threads keep two cores busy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Full, Queue
from threading import Event
from typing import TypeVar

T = TypeVar("T")

_WAITING_ITEMS = 64  # that nobody has fetched yet: a slow reader must not fill the memory
_PATIENCE_SECONDS = 0.1


def worker_count() -> int:
    """Threads to use: OMP_NUM_THREADS, or as many as there are cores for this process."""
    if "OMP_NUM_THREADS" in os.environ:
        return int(os.environ["OMP_NUM_THREADS"])
    if hasattr(os, "sched_getaffinity"):  # Linux alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(tasks: Sequence[Callable[[], Iterator[T]]], workers: int) -> Iterator[T]:
    """Yield the items of all tasks as they come; the first failure of a task is raised here.

    Closing the iterator stops the tasks at their next item.
    """
    if min(workers, len(tasks)) < 2:
        for task in tasks:
            yield from task()
        return
    stop = Event()
    queue: Queue[tuple[T] | BaseException | None] = Queue(_WAITING_ITEMS)

    def put(item: tuple[T] | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(Full):
                queue.put(item, timeout=_PATIENCE_SECONDS)
                return

    def run(task: Callable[[], Iterator[T]]) -> None:
        try:
            for item in task():
                put((item,))
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    with ThreadPoolExecutor(min(workers, len(tasks)), initializer=_one_thread_each) as pool:
        for task in tasks:
            pool.submit(run, task)
        try:
            left = len(tasks)
            while left:
                found = queue.get()
                if isinstance(found, BaseException):
                    raise found
                if found is None:
                    left -= 1
                else:
                    yield found[0]
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _one_thread_each() -> None:
    """torch's number of threads is that of the thread which asks."""
    import torch

    torch.set_num_threads(1)
