"""Speed, memory and rate–distortion of LBBIC and other codecs: ``lbbic bench``.

Each codec runs in its own process, so that its peak memory can be measured. Each measurement is
appended to ``results.jsonl`` at once, so that an interrupted run can be resumed. Times are medians
of repetitions over half a second.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import Any

from lbbic_engine.bench import codecs
from lbbic_engine.errors import LbbicError
from lbbic_engine.measure import metrics
from lbbic_engine.pictures.read import load_picture

RESULTS = "results.jsonl"
_SECONDS = 0.5  # the duration of the repetitions, at least


@dataclass(frozen=True)
class Result:
    """One picture coded by a codec at one of its qualities; ``psnr`` None if untrained."""

    codec: str
    picture: str
    quality: float
    pixels: int
    bpp: float
    psnr: float | None
    encode_seconds: float
    decode_seconds: float
    peak_mb: float | None  # of the process so far
    note: str


@dataclass(frozen=True)
class Summary:
    """A codec's medians over pictures and qualities, and how its times compare with ours."""

    codec: str
    encode_seconds: float
    decode_seconds: float
    encode_ratio: float | None
    decode_ratio: float | None
    peak_mb: float | None
    note: str


def run(
    pictures: Sequence[Path], codecs: Sequence[str], out: Path, report: Callable[[str], None]
) -> list[Result]:
    """Measure what is not in ``out`` yet; return all results.

    Codecs that fail are reported and omitted; those that are unknown or not installed, before
    anything is measured.
    """
    codecs = [name for name in codecs if _is_available(name, report)]
    out.mkdir(parents=True, exist_ok=True)
    path = out / RESULTS
    for name in codecs:
        known = {(r.codec, r.picture) for r in load(path)}
        todo = [p for p in pictures if (name, p.stem) not in known]
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            for number, picture in enumerate(todo, 1):
                try:
                    measured = pool.submit(_measure, name, picture).result()
                except LbbicError as error:
                    report(f"{name}: {error.title}. {error.detail}")
                    break
                except BrokenProcessPool:
                    report(f"{name}: Its process ended unexpectedly; memory may have run out.")
                    break
                with path.open("a", encoding="utf-8") as file:
                    for result in measured:
                        file.write(json.dumps(dataclasses.asdict(result)) + "\n")
                report(f"{name}: {picture.name} ({number} of {len(todo)})")
    names = {picture.stem for picture in pictures}
    measured = load(path)
    return [r for name in codecs for r in measured if r.codec == name and r.picture in names]


def load(path: Path) -> list[Result]:
    """Return the measurements so far; an incomplete last line is ignored."""
    if not path.exists():
        return []
    results = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            results.append(Result(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return results


def _measure(name: str, path: Path) -> list[Result]:
    """All qualities of a picture; runs in the codec's process."""
    codec = _codec(name)
    pixels = load_picture(path).pixels
    count = pixels.shape[0] * pixels.shape[1]
    results = []
    for quality in codec.qualities:
        coded, size = codec.encode(pixels, quality)
        decoded = codec.decode(coded)
        results.append(
            Result(
                codec=name,
                picture=path.stem,
                quality=quality,
                pixels=count,
                bpp=8 * size / count,
                psnr=metrics.psnr(pixels, decoded) if codec.trained else None,
                encode_seconds=_seconds(partial(codec.encode, pixels, quality)),
                decode_seconds=_seconds(partial(codec.decode, coded)),
                peak_mb=peak_memory_mb(),
                note=codec.note,
            )
        )
    return results


def _seconds(work: Callable[[], object]) -> float:
    times: list[float] = []
    while sum(times) < _SECONDS:
        begin = perf_counter()
        work()
        times.append(perf_counter() - begin)
    return median(times)


_CODECS: dict[str, codecs.Codec] = {}


def _codec(name: str) -> codecs.Codec:
    if name not in _CODECS:
        _CODECS[name] = codecs.make(name)
    return _CODECS[name]


def _is_available(name: str, report: Callable[[str], None]) -> bool:
    try:
        _codec(name)
    except LbbicError as error:
        report(f"{name}: {error.title}. {error.detail}")
        return False
    return True


def peak_memory_mb() -> float | None:
    """The most memory, in MB, that this process has used; None on Windows."""
    with suppress(OSError, KeyError):  # Linux, whose getrusage counts the parent before the fork
        status = dict(x.split(":", 1) for x in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) * 1024 / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def summarise(results: Sequence[Result]) -> list[Summary]:
    """A line for each codec, in the order of the results."""
    groups = {name: [r for r in results if r.codec == name] for name in _names(results)}
    ours = groups.get("lbbic")

    def times(rows: Sequence[Result]) -> tuple[float, float]:
        return median(r.encode_seconds for r in rows), median(r.decode_seconds for r in rows)

    summaries = []
    for name, rows in groups.items():
        encode, decode = times(rows)
        base = times(ours) if ours else None
        peaks = [r.peak_mb for r in rows if r.peak_mb is not None]
        summaries.append(
            Summary(
                codec=name,
                encode_seconds=encode,
                decode_seconds=decode,
                encode_ratio=base[0] / encode if base else None,
                decode_ratio=base[1] / decode if base else None,
                peak_mb=max(peaks, default=None),
                note=rows[0].note,
            )
        )
    return summaries


def curve(results: Sequence[Result], codec: str) -> list[tuple[float, float]]:
    """Mean bits per pixel and PSNR of a codec at each quality; none if it is untrained."""
    rows = [r for r in results if r.codec == codec and r.psnr is not None]
    points = []
    for quality in sorted({r.quality for r in rows}):
        at = [r for r in rows if r.quality == quality]
        points.append((fmean(r.bpp for r in at), fmean(r.psnr for r in at if r.psnr is not None)))
    return points


def write_csv(results: Sequence[Result], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Result)])
        writer.writeheader()
        writer.writerows(dataclasses.asdict(result) for result in results)


def write_json(results: Sequence[Result], path: Path) -> None:
    content = {
        "summary": [dataclasses.asdict(line) for line in summarise(results)],
        "results": [dataclasses.asdict(result) for result in results],
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def markdown(results: Sequence[Result]) -> str:
    """The summary as a table."""
    lines = [
        "| codec | encode s | decode s | LBBIC's time / its: encode | decode | peak MB | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in summarise(results):
        ratios = [
            "" if ratio is None else f"{ratio:.3g}"
            for ratio in (row.encode_ratio, row.decode_ratio)
        ]
        peak = "" if row.peak_mb is None else f"{row.peak_mb:.0f}"
        lines.append(
            f"| {row.codec} | {row.encode_seconds:.3g} | {row.decode_seconds:.3g} | {ratios[0]} | "
            f"{ratios[1]} | {peak} | {row.note} |"
        )
    return "\n".join(lines) + "\n"


def samples(results: Sequence[Result], pictures: Sequence[Path]) -> Iterator[tuple[str, Any]]:
    """Yield a caption and pixels of the first picture, original and coded by each trained codec.

    Each codec's quality is the one nearest to half a bit per pixel.
    """
    first = pictures[0]
    original = load_picture(first).pixels
    yield f"{first.stem}, original", original
    for name in _names(results):
        rows = [r for r in results if r.codec == name and r.picture == first.stem]
        rows = [r for r in rows if r.psnr is not None]
        if not rows or name == "reference":
            continue
        best = min(rows, key=lambda r: abs(r.bpp - 0.5))
        codec = _codec(name)
        coded, _ = codec.encode(original, best.quality)
        text = f"{name}, quality {best.quality:g}: {best.bpp:.3f} bpp, {best.psnr:.2f} dB"
        yield text, codec.decode(coded)


def _names(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(result.codec for result in results))
