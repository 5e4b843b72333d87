"""LBBIC's time and memory for different picture sizes, threads and batches; part of ``make bench``.

    python -m lbbic_engine.bench.scaling FOLDER OUT

Pictures of all sizes are mosaics of those in the folder, mirrored so that edges match. Each case
runs in its own process. Decoding is also measured while two other processes are busy.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.bench.suite import peak_memory_mb
from lbbic_engine.pictures.find import find_files, picture_suffixes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEGAPIXELS = (0.1, 0.4, 1.6, 4.0, 12.0, 50.0, 100.0)
THREADS_MEGAPIXELS = (0.1, 0.4, 1.6, 4.0, 12.0)  # with a thread for each core
_QUALITY = 4.0
_BUSY_PROCESSES = 2
ENOUGH_SECONDS = 2.0  # of runs of a case

_COLOURS = {"encode": "tab:orange", "decode": "tab:blue"}

Pixels = NDArray[np.uint8]
Row = dict[str, Any]


def measure(folder: Path, out: Path) -> list[Row]:
    """Measure all cases; write ``scaling.json`` and ``scaling.png`` to ``out``. Can be resumed."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "scaling.json"
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    pictures = list(find_files(folder, picture_suffixes()).files)
    cores = os.cpu_count() or 1
    cases: list[tuple[str, float, int]] = [("pixels", size, cores) for size in THREADS_MEGAPIXELS]
    cases += [("one by one", len(pictures), 1), ("batch", len(pictures), 1), ("busy", 0.4, 1)]
    cases += [("pixels", size, 1) for size in MEGAPIXELS]
    done = {(row["case"], row["size"], row["threads"]) for row in rows}
    for case in dict.fromkeys(cases):  # with one core, some are the same
        if case in done:
            continue
        rows.append(_in_process(*case, pictures))
        path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        what = f"{case[0]} {case[1]:g}, {case[2]} threads"
        print(f"{what}: decode {rows[-1]['decode']:.2f} s", file=sys.stderr)
    _plot(rows, out / "scaling.png")
    return rows


def _in_process(case: str, size: float, threads: int, pictures: Sequence[Path]) -> Row:
    spawn = multiprocessing.get_context("spawn")
    others = [spawn.Process(target=_spin, daemon=True) for _ in range(_BUSY_PROCESSES)]
    try:
        if case == "busy":
            for other in others:
                other.start()
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            return pool.submit(_run, case, size, threads, pictures).result()
    finally:
        for other in others:
            if other.is_alive():
                other.terminate()


def _spin() -> None:
    while True:
        pass


def _run(case: str, size: float, threads: int, paths: Sequence[Path]) -> Row:
    os.environ["OMP_NUM_THREADS"] = str(threads)  # torch reads it when it is imported
    from lbbic_engine import codec
    from lbbic_engine.pictures.read import load_picture

    pictures = [load_picture(path) for path in paths]
    codec.decompress(codec.compress(pictures[0], _QUALITY).data)  # loads the weights
    if case not in ("batch", "one by one"):
        large = mosaic([picture.pixels for picture in pictures], size)
        pictures = [load_picture(Image.fromarray(large))]
    if case == "batch":
        encode, coded = timed(lambda: codec.compress_batch(pictures, _QUALITY))
        files = [one.data for one in coded]
        decode, _ = timed(lambda: codec.decompress_batch(files))
    else:
        encode, coded = timed(lambda: [codec.compress(p, _QUALITY) for p in pictures])
        files = [one.data for one in coded]
        decode, _ = timed(lambda: [codec.decompress(data) for data in files])
    pixels = sum(picture.pixels.shape[0] * picture.pixels.shape[1] for picture in pictures)
    return {
        "case": case,
        "size": size,
        "threads": threads,
        "pixels": pixels,
        "bytes": sum(map(len, files)),
        "encode": encode,
        "decode": decode,
        "peak_mb": peak_memory_mb(),
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Median seconds of as many runs as fit into ``ENOUGH_SECONDS``, and the result."""
    seconds: list[float] = []
    while not seconds or sum(seconds) < ENOUGH_SECONDS:
        started = perf_counter()
        result = work()
        seconds.append(perf_counter() - started)
    return median(seconds), result


def mosaic(pictures: Sequence[Pixels], megapixels: float) -> Pixels:
    """A mosaic of that size with an aspect ratio of 4:3."""
    height = min(picture.shape[0] for picture in pictures)
    width = min(picture.shape[1] for picture in pictures)
    pictures = [picture[:height, :width] for picture in pictures]
    rows = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    columns = round(rows * 4 / 3)
    mosaic = np.empty((rows, columns, 3), np.uint8)
    for number, top in enumerate(range(0, rows, height)):
        for place, left in enumerate(range(0, columns, width)):
            picture = pictures[(number + place) % len(pictures)]
            picture = picture[:: -1 if number % 2 else 1, :: -1 if place % 2 else 1]
            part = mosaic[top : top + height, left : left + width]
            part[:] = picture[: part.shape[0], : part.shape[1]]
    return mosaic


def _plot(rows: Sequence[Row], path: Path) -> None:
    """Plot time per megapixel, memory, and time per picture with and without batches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    times, memory, batches = figure.subplots(1, 3, width_ratios=(3, 2, 1.4))
    cases = sorted((row for row in rows if row["case"] == "pixels"), key=lambda r: r["pixels"])
    for threads, style in zip(sorted({row["threads"] for row in cases}), ("-", "--"), strict=False):
        line = [row for row in cases if row["threads"] == threads]
        x = [row["pixels"] / 1e6 for row in line]
        label = f"{threads} thread{'s' if threads > 1 else ''}"
        for what, colour in _COLOURS.items():
            y = [row[what] / row["pixels"] * 1e6 for row in line]
            times.plot(x, y, style, marker="o", color=colour, label=f"{what}, {label}")
    line = [row for row in cases if row["threads"] == 1]
    memory.plot([row["pixels"] / 1e6 for row in line], [row["peak_mb"] for row in line], "ko-")
    times.set(title="seconds per megapixel")
    times.legend()
    memory.set(title="peak memory in MB")
    for axes in (times, memory):
        axes.set(xscale="log", xlabel="megapixels", ylim=(0, None))
        axes.set_xticks([row["size"] for row in cases], minor=False)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    _plot_batches(rows, batches)
    figure.savefig(path, dpi=110)


def _plot_batches(rows: Sequence[Row], axes: Axes) -> None:
    cases = [row for row in rows if row["case"] in ("one by one", "batch")]
    for shift, (what, colour) in zip((-0.2, 0.2), _COLOURS.items(), strict=True):
        for place, row in enumerate(cases):
            axes.bar(place + shift, row[what] / row["size"], 0.4, color=colour)
    axes.set_xticks(range(len(cases)), [row["case"] for row in cases])
    count = max((row["size"] for row in cases), default=0)
    axes.set(title=f"seconds a picture, of {count:g}")
    axes.grid(alpha=0.3, axis="y")


if __name__ == "__main__":
    measure(Path(sys.argv[1]), Path(sys.argv[2]))
