"""What all cores gain, beside the targets: ``python -m lbbic_engine.bench.targets FOLDER``.

Each case is the command line as a user runs it, with one and with two jobs, by turns. What a
command takes for one tiny picture, its start, is counted apart.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.bench.scaling import mosaic
from lbbic_engine.bench.suite import peak_memory_mb
from lbbic_engine.pictures.find import find_files, picture_suffixes

ROUNDS = 3
BATCH, LARGE_MEGAPIXELS, SMALL_PICTURES, ALONE = 24, 12.0, 1000, 50

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Target:
    """A line of the table; ``least`` and ``most`` are what ``value`` is to stay within."""

    what: str
    value: float
    unit: str
    least: float = 0.0
    most: float = float("inf")

    @property
    def is_met(self) -> bool:
        return self.least <= self.value <= self.most

    def __str__(self) -> str:
        sign, bound = ("≥", self.least) if self.least else ("≤", self.most)
        met = "met" if self.is_met else "not met"
        measured, target = (f"{value:.3g} {self.unit}".strip() for value in (self.value, bound))
        return f"| {self.what} | {measured} | {sign} {target} | {met} |"


def targets(folder: Path) -> Iterator[Target]:
    """Measure one line after the other."""
    paths = list(find_files(folder, picture_suffixes()).files)
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    yield Target("`import lbbic_engine`", _median(_import), "s", most=0.3)
    yield Target("`lbbic --help`", _median(partial(_lbbic, "--help")), "s", most=0.3)
    with TemporaryDirectory() as name:
        place = Path(name)
        tiny = _save([pictures[0][:8, :8]], place / "tiny")
        start = _median(partial(_lbbic, "compress", tiny, "-o", place / "out", "--overwrite"))
        batch = (pictures[number % len(pictures)] for number in range(BATCH))
        yield from _batch(_save(batch, place / "batch"), start)
        yield from _large(_save([mosaic(pictures, LARGE_MEGAPIXELS)], place / "large"), start)
        yield from _small(_save(_small_pictures(pictures), place / "small"), start)
    yield Target("worker's peak, coding tiles of 2 MP", _worker_mb(pictures), "MB", most=450)


def _batch(folder: Path, start: float) -> Iterator[Target]:
    ratio = _gain(folder, "compress", start)
    yield Target(f"compress {BATCH} pictures, two jobs for one", ratio, "×", least=1.7)


def _large(folder: Path, start: float) -> Iterator[Target]:
    for command in ("compress", "decompress"):
        ratio = _gain(folder, command, start)
        what = f"{command} {LARGE_MEGAPIXELS:g} megapixels, two jobs for one"
        yield Target(what, ratio, "×", least=1.6)
        outputs = [_output(folder, jobs) for jobs in (1, 2)]
        one, two = (next(output.iterdir()).read_bytes() for output in outputs)
        yield Target(f"files that are the same ({command})", float(one == two), "", least=1)
        folder = outputs[0]


def _small(folder: Path, start: float) -> Iterator[Target]:
    some = folder.with_name("some")
    some.mkdir()
    for path in sorted(folder.iterdir())[:ALONE]:
        (some / path.name).write_bytes(path.read_bytes())
    alone = _alone_seconds(some) / ALONE
    together = (_seconds(folder, "compress", 2) - start) / SMALL_PICTURES
    what = f"{SMALL_PICTURES} small pictures, two jobs, for one at a time"
    yield Target(what, alone / together, "×", least=3)


def _gain(folder: Path, command: str, start: float) -> float:
    """How many times as fast two jobs are as one, both without the start of a command."""
    seconds = [[_seconds(folder, command, jobs) for jobs in (1, 2)] for _ in range(ROUNDS)]
    return median((one - start) / (two - start) for one, two in seconds)


def _seconds(folder: Path, command: str, jobs: int) -> float:
    output = _output(folder, jobs)
    rmtree(output, ignore_errors=True)
    return _lbbic(command, folder, "-o", output, "--jobs", jobs)


def _output(folder: Path, jobs: int) -> Path:
    return folder.with_name(f"{folder.name}-{jobs}")


def _lbbic(*arguments: object) -> float:
    return _run(Path(sys.executable).with_name("lbbic"), *arguments)


def _import() -> float:
    return _run(sys.executable, "-c", "import lbbic_engine")


def _run(*arguments: object) -> float:
    begin = perf_counter()
    subprocess.run(list(map(str, arguments)), check=True, capture_output=True)
    return perf_counter() - begin


def _median(run: Callable[[], float]) -> float:
    return median(run() for _ in range(ROUNDS))


def _alone_seconds(folder: Path) -> float:
    """Of the coder alone, one picture after the other in this process."""
    from lbbic_engine import codec
    from lbbic_engine.pictures.read import load_picture

    pictures = [load_picture(path) for path in folder.iterdir()]
    codec.compress(pictures[0])  # loads the model
    begin = perf_counter()
    for picture in pictures:
        codec.compress(picture)
    return perf_counter() - begin


def _worker_mb(pictures: Sequence[Pixels]) -> float:
    from lbbic_engine import codec
    from lbbic_engine.parallel.pool import WorkerPool
    from lbbic_engine.pictures.picture import Picture

    picture = Picture(mosaic(pictures, LARGE_MEGAPIXELS))
    with WorkerPool(1) as pool:
        codec.decompress(codec.compress(picture, executor=pool).data, executor=pool)
        return pool.submit(peak_memory_mb).result() or float("nan")


def _small_pictures(pictures: Sequence[Pixels]) -> Iterator[Pixels]:
    """Parts of the pictures of 64 to 512 pixels a side."""
    random = np.random.default_rng(0)
    for number in range(SMALL_PICTURES):
        pixels = pictures[number % len(pictures)]
        height, width = (int(random.integers(64, 1 + min(512, side))) for side in pixels.shape[:2])
        top, left = (
            int(random.integers(1 + whole - part))
            for whole, part in zip(pixels.shape[:2], (height, width), strict=True)
        )
        yield pixels[top : top + height, left : left + width]


def _save(pictures: Iterable[Pixels], folder: Path) -> Path:
    folder.mkdir()
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{number:04}.png", compress_level=1)
    return folder


if __name__ == "__main__":
    print("| what | measured | target | |\n|---|---|---|---|")
    for line in targets(Path(sys.argv[1])):
        print(line, flush=True)
