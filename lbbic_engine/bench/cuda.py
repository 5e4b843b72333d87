"""A CUDA device beside the CPU: whether bits are the same, times, and where a decode's time goes.

    python -m lbbic_engine.bench.cuda FOLDER OUT [--files FOLDER] [--device cuda]

Codes pictures of a folder on both devices and decodes the files of each in three ways: on the
device, there with graphs (``networks.cuda_graphs``), and on the CPU. Files of ``--files`` are
decoded in the same ways. Writes ``cuda.md`` and ``profile.txt`` to ``OUT``. ``--device cpu`` tries
the benchmark itself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter
from traceback import print_exception
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.bench.scaling import mosaic, timed
from lbbic_engine.devices import DEVICES, choose_device
from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures.find import find_files, picture_suffixes

if TYPE_CHECKING:
    from lbbic_engine.pictures.picture import Picture

QUALITIES = (1.0, 4.0, 6.0, 8.0)
_COMPARED = 8  # pictures at each of these; a CPU takes a second for each
_QUALITY = 4.0  # of times and profile
_MEGAPIXELS = 12.0
_PROCESSES = 4
# Seconds to decode on an H200: one Kodak picture, each of 24 together, 12 megapixels.
_TARGETS = (0.06, 0.01, 0.5)


class Way(NamedTuple):
    """A way to decode."""

    device: str
    graphs: bool = False

    def __str__(self) -> str:
        return f"{self.device} with graphs" if self.graphs else self.device

    def decode(self, files: Sequence[bytes]) -> list[NDArray[np.uint8]]:
        from lbbic_engine import codec

        os.environ["LBBIC_CUDA_GRAPHS"] = str(int(self.graphs))
        return [picture.pixels for picture in codec.decompress_batch(files, device=self.device)]

    def decode_only(self, files: Sequence[bytes]) -> None:
        """For other processes, which take time to return pixels."""
        self.decode(files)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m lbbic_engine.bench.cuda")
    parser.add_argument("folder", type=Path, help="pictures")
    parser.add_argument("out", type=Path)
    parser.add_argument("--files", type=Path, help=".lbb files to be decoded in all ways")
    parser.add_argument("--device", choices=DEVICES, default="cuda")
    options = parser.parse_args(arguments)
    try:
        device = choose_device(options.device)
    except LbbicError as error:
        sys.exit(str(error))
    from lbbic_engine.pictures.read import load_picture

    pictures = [load_picture(path) for path in find_files(options.folder, picture_suffixes()).files]
    files = sorted(options.files.rglob("*.lbb")) if options.files else []
    options.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for line in report(device, pictures, [path.read_bytes() for path in files], options.out):
        print(line, flush=True)
        lines.append(line)
        (options.out / "cuda.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(
    device: str, pictures: Sequence[Picture], files: Sequence[bytes], out: Path
) -> Iterator[str]:
    """Yield the lines of ``cuda.md``; write ``profile.txt``."""
    import torch

    ways = [Way(device), Way(device, graphs=True), Way("cpu")]
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    yield f"{name}, PyTorch {torch.__version__}, {len(pictures)} pictures"
    if failure := _failure(ways[1], pictures[0]):
        yield from ("", f"{ways.pop(1)}: {failure}")
    yield from ("", "| bits | cases | the same |", "|---|---|---|")
    yield from _bits(ways, pictures[:_COMPARED], files)
    columns = " | ".join(map(str, ways))
    yield from ("", f"| seconds | {columns} | target |", "|---" * (len(ways) + 2) + "|")
    yield from _times(ways, pictures)
    yield from (
        "",
        f"| a decode of the first picture | {columns} |",
        "|---" * (len(ways) + 1) + "|",
    )
    yield from _profiles(ways, pictures[0], out / "profile.txt")


def _failure(way: Way, picture: Picture) -> str:
    """What goes wrong in this way, which must not end the benchmark; empty if nothing does."""
    from lbbic_engine import codec

    data = codec.compress(picture, _QUALITY).data
    with _processes(1) as other:
        try:
            other.submit(way.decode_only, [data]).result()
        except Exception as error:
            print_exception(error)
            return f"{type(error).__name__}: {error}"
    return ""


def _processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def _bits(
    ways: Sequence[Way], pictures: Sequence[Picture], files: Sequence[bytes]
) -> Iterator[str]:
    from lbbic_engine import codec

    if files:
        first, *others = (way.decode(files) for way in ways)
        for way, decoded in zip(ways[1:], others, strict=True):
            yield _count(f"files given, {ways[0]} and {way}", first, decoded)
    device = ways[0].device
    for quality in QUALITIES:
        coded = {
            each: codec.compress_batch(pictures, quality, device=each) for each in (device, "cpu")
        }
        for coder, those in coded.items():
            for way in ways:
                decoded = way.decode([one.data for one in those])
                what = f"quality {quality:g}, coded on {coder}, decoded on {way}"
                yield _count(what, [one.reconstruction for one in those], decoded)
        # Not promised: the encoder's choices are made in floating point.
        contents = [[np.frombuffer(one.data, np.uint8) for one in each] for each in coded.values()]
        yield _count(f"quality {quality:g}, files", contents[0], contents[-1])


def _count(what: str, ones: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]]) -> str:
    same = [np.array_equal(*pair) for pair in zip(ones, others, strict=True)]
    return f"| {what} | {len(same)} | {sum(same)} |"


def _times(ways: Sequence[Way], pictures: Sequence[Picture]) -> Iterator[str]:
    from lbbic_engine import codec
    from lbbic_engine.pictures.picture import Picture

    large = Picture(mosaic([picture.pixels for picture in pictures], _MEGAPIXELS))
    cases = (
        ("one picture", pictures[:1]),
        (f"each of {len(pictures)} together", pictures),
        (f"{_MEGAPIXELS:g} megapixels", [large]),
    )
    for (what, chosen), target in zip(cases, _TARGETS, strict=True):
        encoding, decoding = [], []
        for way in ways:
            if way.graphs:
                encoding.append("")  # only decoders have them
            else:
                encode = partial(codec.compress_batch, chosen, _QUALITY, device=way.device)
                seconds, coded = timed(encode)
                encoding.append(f"{seconds / len(chosen):.3f}")
            seconds, _ = timed(partial(way.decode, [one.data for one in coded]))
            decoding.append(f"{seconds / len(chosen):.3f}")
        yield f"| encode {what} | {' | '.join(encoding)} | |"
        yield f"| decode {what} | {' | '.join(decoding)} | ≤ {target:g} |"
        if len(chosen) > 1:
            files = [one.data for one in coded]
            decoding = [f"{_seconds_of_processes(way, files) / len(files):.3f}" for way in ways]
            yield f"| the same by {_PROCESSES} processes | {' | '.join(decoding)} | |"


def _seconds_of_processes(way: Way, files: Sequence[bytes]) -> float:
    """The fastest of three rounds; the first loads the model and sets up the device."""
    shares = [files[first::_PROCESSES] for first in range(_PROCESSES)]
    seconds = []
    with _processes(_PROCESSES) as pool:
        for _ in range(3):
            begin = perf_counter()
            list(pool.map(way.decode_only, shares))
            seconds.append(perf_counter() - begin)
    return min(seconds)


def _profiles(ways: Sequence[Way], picture: Picture, path: Path) -> Iterator[str]:
    import torch
    from torch.profiler import ProfilerActivity, profile

    from lbbic_engine import codec

    data = codec.compress(picture, _QUALITY).data
    columns, tables = [], []
    for way in ways:
        activities = [ProfilerActivity.CPU]
        if way.device == "cuda":
            activities.append(ProfilerActivity.CUDA)
        of_all_threads = torch._C._profiler._ExperimentalConfig(profile_all_threads=True)
        with profile(activities=activities, experimental_config=of_all_threads) as profiler:
            way.decode([data])
        events = profiler.key_averages()
        columns.append(_summary(events))
        order = f"self_{way.device}_time_total"
        tables.append(f"{way}\n{events.table(sort_by=order, row_limit=60)}")
    path.write_text("\n".join(tables), encoding="utf-8")
    for what in columns[0]:
        yield f"| {what} | {' | '.join(column[what] for column in columns)} |"


def _summary(events: Sequence[Any]) -> dict[str, str]:
    """Of a profile's events, by what their names contain."""

    def count(text: str) -> str:
        return str(sum(event.count for event in events if text in event.key))

    def milliseconds(text: str) -> str:
        spent = sum(event.self_device_time_total for event in events if text in event.key)
        return f"{spent / 1000:.1f}"

    return {
        "operations, with those within others": count("aten::"),
        "kernels launched": count("LaunchKernel"),
        "graphs launched": count("GraphLaunch"),
        "synchronisations": count("Synchronize"),
        "copies": count("Memcpy "),
        "ms of the GPU for copies": milliseconds("Memcpy "),
        "ms of the GPU in all": milliseconds(""),
    }


if __name__ == "__main__":
    main()
