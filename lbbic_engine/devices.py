"""Which device and how many threads run the networks, and what failures mean. Knows no network.

torch reports a lack of memory or a broken GPU as RuntimeError, told apart by their words alone.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import ParamSpec, Self, TypeVar

from lbbic_engine.errors import GpuError, LbbicError

P = ParamSpec("P")
T = TypeVar("T")

DEVICES = ("auto", "cpu", "cuda")
_HAND_OVER_SECONDS = 0.02  # nobody sees a front, or needs an answer, sooner

_OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|can.?t allocate memory|bad.?alloc|STATUS_ALLOC_FAILED"
    r"|could not create a primitive",  # that is what is left of oneDNN's lack of memory
    re.I,
)
_GPU = re.compile(r"cuda|cublas|cudnn|nvrtc|nvidia", re.I)


def choose_device(wish: str) -> str:
    """Return cpu or cuda for a wish: auto, cpu or cuda. LbbicError if there is none, ValueError.

    auto is the CPU: a GPU waits for the small operations of each front to be launched, and for its
    symbols (``docs/benchmark.md`` has the times).
    """
    if wish not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {wish}")
    if wish == "auto":
        return "cpu"
    if wish == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise LbbicError(
                "No CUDA device", "This machine has no working CUDA device; use the CPU."
            )
    return wish


class CodingThread:
    """A thread to code in, so that the number of torch's threads is ours there and only there.

    It has one, unless OMP_NUM_THREADS says otherwise. A front's products are small: on two idle
    cores a second thread saves a quarter of the time, with other work on them it makes decoding
    12 times slower. ``coding.adaptive_threads`` finds out which it is.

    LbbicError in a process that was forked from one which has coded: torch's libraries may wait in
    it for ever, whatever the number of threads, for threads and locks that stayed behind.
    """

    def __init__(self, torch_threads: int = 1) -> None:
        if _Coded.before_fork:
            raise LbbicError(
                "Forked",
                "This process was forked from one that has coded pictures, and would wait for ever "
                "for what stayed there; start it by spawn or forkserver, or code after the fork "
                "only.",
            )
        import torch

        with _SETTING:
            torch.get_num_threads()  # the caller has its number from here on
        self._pool = ThreadPoolExecutor(1, "lbbic", _set_threads, (torch_threads,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns or raises there."""
        _Coded.here = True
        return self._pool.submit(function, *args, **kwargs).result()

    def each(self, steps: Iterator[T]) -> Iterator[T]:
        """The same steps, taken there, and handed over some at a time.

        To wake a thread takes as long as a few products: one hand-over a front cost 6 % of a
        decode.
        """
        end: Exception | None = None
        while end is None:
            taken, end = self.run(_take_some, steps)
            yield from taken
        if not isinstance(end, StopIteration):
            raise end


def _take_some(steps: Iterator[T]) -> tuple[list[T], Exception | None]:
    """The next steps, for a while, and what ended them if there are no more."""
    taken: list[T] = []
    until = time.monotonic() + _HAND_OVER_SECONDS
    try:
        while not taken or time.monotonic() < until:
            taken.append(next(steps))
    except Exception as end:
        return taken, end
    return taken, None


class _Coded:
    """Whether pictures were coded in this process, and in one that it was forked from."""

    here = False
    before_fork = False


_SETTING = Lock()


def _begin_forked() -> None:
    _Coded.before_fork |= _Coded.here
    _SETTING.release()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_SETTING.acquire, after_in_parent=_SETTING.release, after_in_child=_begin_forked
    )


def _set_threads(number: int) -> None:
    """Sets the number of torch's threads for the thread that calls, and for no other.

    torch keeps a number for each thread; one that is new to it gets what was set last in any. So a
    new thread sets that back. Nobody who takes the lock first is new in the meantime.
    """
    import torch

    if "OMP_NUM_THREADS" in os.environ:
        return
    with _SETTING, ThreadPoolExecutor(1) as new:
        for_new = new.submit(torch.get_num_threads).result()
        torch.get_num_threads()  # or the thread would still be new
        torch.set_num_threads(number)
        new.submit(torch.set_num_threads, for_new).result()


def wait_briefly() -> None:
    """For a program, before torch is imported: its threads sleep sooner. No library should do this.

    A thread that waits for its part of a product spins for a fifth of a millisecond before it
    sleeps: to wake it takes as long as most products do. On a busy machine longer spinning would
    slow others down.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "50000")


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
