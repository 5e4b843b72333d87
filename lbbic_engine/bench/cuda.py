"""A CUDA device beside the CPU: whether bits are the same, times, and where a decode's time goes.

    python -m lbbic_engine.bench.cuda FOLDER OUT [--files FOLDER] [--device cuda]

Codes all pictures of a folder on both devices, decodes the files of each on the other, and does so
with the .lbb files of ``--files``, too. Writes ``cuda.md`` and ``profile.txt`` to ``OUT``. The 24
Kodak pictures take some four minutes. ``--device cpu`` tries the benchmark itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lbbic_engine.bench.scaling import mosaic, timed
from lbbic_engine.devices import DEVICES, choose_device
from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures.find import find_files, picture_suffixes

if TYPE_CHECKING:
    from torch.autograd.profiler_util import FunctionEventAvg

    from lbbic_engine.pictures.picture import Picture

QUALITIES = (1.0, 4.0, 6.0, 8.0)
_QUALITY = 4.0  # of times and profile
_MEGAPIXELS = 12.0
# Seconds to decode on an H200: one Kodak picture, each of 24 together, 12 megapixels.
_TARGETS = (0.06, 0.01, 0.5)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m lbbic_engine.bench.cuda")
    parser.add_argument("folder", type=Path, help="pictures")
    parser.add_argument("out", type=Path)
    parser.add_argument("--files", type=Path, help=".lbb files to be decoded on both devices")
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

    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    yield f"{name}, PyTorch {torch.__version__}, {len(pictures)} pictures"
    yield from ("", "| bits | cases | the same |", "|---|---|---|")
    yield from _bits(device, pictures, files)
    yield from ("", f"| seconds | {device} | target | cpu |", "|---|---|---|---|")
    yield from _times(device, pictures)
    yield from ("", "| a decode of the first picture | |", "|---|---|")
    yield from _profile(device, pictures[0], out / "profile.txt")


def _bits(device: str, pictures: Sequence[Picture], files: Sequence[bytes]) -> Iterator[str]:
    from lbbic_engine import codec

    if files:
        pairs = zip(*(_decoded(files, each) for each in (device, "cpu")), strict=True)
        yield _count("files given: pixels", [np.array_equal(*pair) for pair in pairs])
    for quality in QUALITIES:
        coded = {
            each: codec.compress_batch(pictures, quality, device=each)
            for each in dict.fromkeys((device, "cpu"))
        }
        for coder, decoder in ((device, "cpu"), ("cpu", device), (device, device)):
            decoded = _decoded([one.data for one in coded[coder]], decoder)
            same = [
                np.array_equal(one.reconstruction, pixels)
                for one, pixels in zip(coded[coder], decoded, strict=True)
            ]
            yield _count(f"quality {quality:g}, coded on {coder}, decoded on {decoder}", same)
        # Not promised: the encoder's choices are made in floating point.
        pairs = zip(coded[device], coded["cpu"], strict=True)
        yield _count(f"quality {quality:g}, files", [one.data == two.data for one, two in pairs])


def _decoded(files: Sequence[bytes], device: str) -> list[np.ndarray]:
    from lbbic_engine import codec

    return [picture.pixels for picture in codec.decompress_batch(files, device=device)]


def _count(what: str, same: Sequence[bool]) -> str:
    return f"| {what} | {len(same)} | {sum(same)} |"


def _times(device: str, pictures: Sequence[Picture]) -> Iterator[str]:
    from lbbic_engine import codec
    from lbbic_engine.pictures.picture import Picture

    large = Picture(mosaic([picture.pixels for picture in pictures], _MEGAPIXELS))
    cases = (
        ("one picture", pictures[:1]),
        (f"each of {len(pictures)} together", pictures),
        (f"{_MEGAPIXELS:g} megapixels", [large]),
    )
    for (what, chosen), target in zip(cases, _TARGETS, strict=True):
        seconds: dict[tuple[str, str], float] = {}
        for each in dict.fromkeys((device, "cpu")):
            spent, coded = timed(partial(codec.compress_batch, chosen, _QUALITY, device=each))
            seconds["encode", each] = spent / len(chosen)
            files = [one.data for one in coded]
            spent, _ = timed(partial(codec.decompress_batch, files, device=each))
            seconds["decode", each] = spent / len(chosen)
        for way, aim in (("encode", ""), ("decode", f"≤ {target:g}")):
            values = f"{seconds[way, device]:.3f} | {aim} | {seconds[way, 'cpu']:.3f}"
            yield f"| {way} {what} | {values} |"


def _profile(device: str, picture: Picture, path: Path) -> Iterator[str]:
    import torch
    from torch.profiler import ProfilerActivity, profile

    from lbbic_engine import codec

    data = codec.compress(picture, _QUALITY, device=device).data
    activities = [ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(ProfilerActivity.CUDA)
    of_all_threads = torch._C._profiler._ExperimentalConfig(profile_all_threads=True)
    with profile(activities=activities, experimental_config=of_all_threads) as profiler:
        codec.decompress(data, device=device)
    events = profiler.key_averages()
    sort = f"self_{device}_time_total"
    path.write_text(events.table(sort_by=sort, row_limit=60), encoding="utf-8")

    def named(text: str) -> list[FunctionEventAvg]:
        return [event for event in events if text in event.key]

    def count(text: str) -> int:
        return sum(event.count for event in named(text))

    yield f"| operations, with those within others | {count('aten::')} |"
    yield f"| kernels launched | {count('LaunchKernel')} |"
    yield f"| graphs launched | {count('GraphLaunch')} |"
    yield f"| synchronisations | {count('Synchronize')} |"
    copies = named("Memcpy ")
    spent = sum(event.self_device_time_total for event in copies) / 1000
    yield f"| copies | {sum(event.count for event in copies)}, {spent:.1f} ms |"
    spent = sum(event.self_device_time_total for event in events) / 1000
    yield f"| the device's time, with copies | {spent:.1f} ms |"


if __name__ == "__main__":
    main()
