"""The device and the threads that run the networks, and what their failures mean.

torch raises RuntimeError if memory or the GPU fails; only the message tells which.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock, local
from typing import ParamSpec, Self, TypeVar

from lbbic_engine.errors import GpuError, LbbicError

P = ParamSpec("P")
T = TypeVar("T")

DEVICES = ("auto", "cpu", "cuda")
_HAND_OVER_SECONDS = 0.02  # nobody sees a front, or needs an answer, sooner

_OUT_OF_MEMORY = re.compile(
    r"out of memory|not enough memory|can.?t allocate memory|bad.?alloc|STATUS_ALLOC_FAILED"
    r"|could not create a primitive",  # raised by oneDNN when memory is short
    re.I,
)
_GPU = re.compile(r"cuda|cublas|cudnn|nvrtc|nvidia", re.I)


def choose_device(wish: str) -> str:
    """Return cpu or cuda for auto, cpu or cuda.

    ``auto`` is the CPU: fronts are so small that a GPU mostly waits for operations to be launched
    and for symbols (see the times in ``docs/benchmark.md``). LbbicError if there is no CUDA device,
    ValueError for other names.
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
    """A thread for coding, with its own number of torch threads; the caller's is not changed.

    The number is one unless OMP_NUM_THREADS is set. Matrix products are small: a second torch
    thread saves time on idle cores and slows coding down severely on busy ones.
    ``coding.adaptive_threads`` decides at run time, unless the number is ``fixed``, as it is where
    several processes work.

    LbbicError in a process forked from one that has coded pictures: torch's libraries could wait
    for ever there, for threads and locks that a fork does not copy.
    """

    def __init__(self, torch_threads: int = 1, *, fixed: bool = False) -> None:
        if _Coded.before_fork:
            raise LbbicError(
                "Forked",
                "This process was forked from one that has coded pictures, so coding could hang. "
                "Start it by spawn or forkserver, or code only after the fork.",
            )
        import torch

        with _SETTING:
            torch.get_num_threads()  # fixes the number of the calling thread
        fixed |= getattr(_here, "fixed", False)
        self._pool = ThreadPoolExecutor(1, "lbbic", _set_threads, (torch_threads, fixed))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function in the thread; return or raise what it does."""
        _Coded.here = True
        return self._pool.submit(function, *args, **kwargs).result()

    def each(self, steps: Iterator[T]) -> Iterator[T]:
        """Iterate in the thread, which returns several steps at a time.

        Waking a thread takes as long as a few products; doing so for each front would cost some 6 %
        of the time to decode.
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
    """Whether pictures were coded in this process, or in one that it was forked from."""

    here = False
    before_fork = False


_SETTING = Lock()
_here = local()


def _begin_forked() -> None:
    _Coded.before_fork |= _Coded.here
    _SETTING.release()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_SETTING.acquire, after_in_parent=_SETTING.release, after_in_child=_begin_forked
    )


def threads_are_fixed() -> bool:
    """Whether the number of torch's threads must stay as it is in the thread that asks."""
    return "OMP_NUM_THREADS" in os.environ or getattr(_here, "fixed", False)


@contextmanager
def one_core() -> Iterator[None]:
    """Keep coding threads that are made here, in the calling thread, to one torch thread."""
    before = getattr(_here, "fixed", False)
    _here.fixed = True
    try:
        yield
    finally:
        _here.fixed = before


def _set_threads(number: int, fixed: bool) -> None:
    """Set the number of torch's threads for the calling thread only.

    torch keeps a number for each thread, but a thread that calls it for the first time gets the
    number set last by any thread. So the previous value is restored from a new thread, under a lock
    that other threads hold while they call torch for the first time.
    """
    import torch

    _here.fixed = fixed
    if "OMP_NUM_THREADS" in os.environ:
        return
    with _SETTING, ThreadPoolExecutor(1) as new:
        for_new = new.submit(torch.get_num_threads).result()
        torch.get_num_threads()  # so that the thread is no longer new to torch
        torch.set_num_threads(number)
        new.submit(torch.set_num_threads, for_new).result()


def wait_briefly() -> None:
    """Shorten the busy waiting of OpenMP threads; for programs, before torch is imported.

    Some busy waiting is worthwhile, because waking a thread takes as long as most products do, but
    longer waiting would slow other programs down. Libraries must not change such settings.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "50000")


@contextmanager
def device_failures() -> Iterator[None]:
    """Turn what torch and numpy raise if memory is short or a GPU fails into LbbicError."""
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
