"""Codes many small pictures in one process and in one window; memory must not grow.

python -m tests.soak.soak [--pictures 10000] [--in-window 300]; `make soak`

Memory in use is what counts. Private memory also includes what the C library keeps for later,
which grows by megabytes whenever threads happen to allocate at the same time; MALLOC_ARENA_MAX=1
prevents this. Only on Linux with glibc, and with PYTHONMALLOC=malloc: glibc does not know of memory
that Python manages itself.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures.atomic import write_atomically
from lbbic_engine.pictures.read import load_picture
from lbbic_engine.pictures.write import save_image

KINDS = ("png", "jpg", "webp", "tif")
STEPS = 20
WARM_UP = 8  # steps, until all that is kept for reuse is full, undo included
MIB = 2**20
NAMES = 100_000
CUT = 100  # bytes that are left of a file


@dataclass(frozen=True)
class Use:
    """The process's memory in use and private memory in bytes, threads and open files."""

    used: int
    private: int
    threads: int
    files: int


class _MallInfo(ctypes.Structure):
    """The result of glibc's mallinfo2."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),  # hblkhd: bytes of large blocks
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),  # uordblks: of all others
        )
    ]


def use_now() -> Use:
    assert os.environ.get("PYTHONMALLOC") == "malloc"
    gc.collect()
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _MallInfo
    blocks = ask()
    status = Path("/proc/self/status").read_text()
    facts = dict(line.split(":", 1) for line in status.splitlines())
    private = 1024 * int(facts["RssAnon"].split()[0])
    files = len(list(Path("/proc/self/fd").iterdir()))
    return Use(blocks.uordblks + blocks.hblkhd, private, int(facts["Threads"]), files)


def uses(work: Callable[[int], None], count: int) -> Iterator[Use]:
    """Yield the usage after each of ``STEPS`` equal parts of ``count`` pictures."""
    for step in range(STEPS):
        for number in range(step * count // STEPS, (step + 1) * count // STEPS):
            work(number)
        yield use_now()


def soak(name: str, work: Callable[[int], None], count: int) -> int:
    """Print the growth of memory after the warm-up; return that of memory in use, in bytes."""
    for number in range(NAMES):  # Python's table of strings grows once, by 1.8 MiB, and stays so
        sys.intern(f"name {number}")
    found = []
    for step, use in enumerate(uses(work, count), 1):
        found.append(use)
        print(f"{name}: {step * count // STEPS} pictures, {use}", flush=True)
    assert len({(use.threads, use.files) for use in found[WARM_UP - 1 :]}) == 1
    used = found[-1].used - found[WARM_UP - 1].used
    private = found[-1].private - found[WARM_UP - 1].private
    grown = f"{used / MIB:+.2f} MiB in use, {private / MIB:+.2f} MiB of private memory"
    print(f"{name}: {grown} over the last {count - WARM_UP * count // STEPS} pictures")
    return used


def small_pictures(folder: Path) -> list[Path]:
    """Make pictures of several sizes and formats, a few with transparency, one truncated."""
    random = np.random.default_rng(1)
    found = []
    for number in range(16):
        height, width = random.integers(1, 25, 2)
        pixels = random.integers(0, 256, (height, width, 4 if number % 4 == 0 else 3), np.uint8)
        path = folder / f"{number}.{KINDS[number % 4]}"
        Image.fromarray(pixels).save(path)
        found.append(path)
    found[-2].write_bytes(found[-2].read_bytes()[:CUT])
    return found


def code(path: Path, target: Path, number: int) -> None:
    """Read a picture, compress it, and decode the file by one of all functions."""
    try:
        picture = load_picture(path)
    except LbbicError:
        return
    data = codec.compress(picture, 1 + number % 57 / 8).data
    write_atomically(target, data, overwrite=True)
    data = target.read_bytes()
    choice = number // 16 % 4
    if choice == 0:
        save_image(codec.decompress(data), target.with_suffix(".png"), overwrite=True)
    elif choice == 1:
        list(codec.decode_progressively(data))
    elif choice == 2:
        codec.decompress_region(data, 0, 0, 1, 1)
        with suppress(LbbicError):  # nothing is left of a short file
            codec.decompress(data[:-5], partial=True)
    else:
        with suppress(LbbicError):
            codec.decompress(data[:-5])


def of_engine(folder: Path, count: int) -> int:
    """Measure the growth of a process that codes ``count`` pictures."""
    pictures, target = small_pictures(folder), folder / "coded.lbb"
    return soak("engine", lambda n: code(pictures[n % len(pictures)], target, n), count)


def of_window(folder: Path, count: int) -> int:
    """Measure the growth of a window in which ``count`` pictures are opened and removed."""
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    from lbbic_gui.app import prepare
    from lbbic_gui.shell.main_window import MainWindow
    from lbbic_gui.state import cache
    from lbbic_gui.state.settings import Settings

    application = QApplication.instance() or QApplication([])
    prepare(application)
    with patch.dict(os.environ, LBBIC_SETTINGS=str(folder / "settings.ini")):
        window = MainWindow(Settings())
    window.show()
    pictures = [path for path in small_pictures(folder) if path.stat().st_size != CUT]
    session = window.session
    window.begin([])
    errors: list[object] = []  # those of callbacks, which Qt only prints, and unreadable paths
    session.adder.noticed.connect(lambda words: session.queue.rows or errors.append(words))

    def work(number: int) -> None:
        session.adder.open([pictures[number % len(pictures)]])
        while session.result is None:
            QTest.qWait(1)  # deletes what is to be deleted later, unlike processEvents
            problems = [row.problem for row in session.queue.rows if row.problem]
            if errors or problems:
                raise RuntimeError(f"Picture {number}: {[*errors, *problems]}")
        window.commands.remove(list(session.queue.rows))
        QTest.qWait(1)

    with (
        patch.object(cache, "CACHE_BYTES", 1),  # every picture is coded
        patch.object(sys, "excepthook", lambda _, error, __: errors.append(repr(error))),
    ):
        growth = soak("window", work, count)
    window.close()
    assert session.jobs.stop(60)
    return growth


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--in-window", type=int, default=300)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        growth = [
            soaked(Path(folder), count)
            for soaked, count in (
                (of_window, options.in_window),
                (of_engine, options.pictures),
            )
            if count
        ]
    return 0 if max(growth) < MIB else 1


if __name__ == "__main__":
    sys.exit(main())
