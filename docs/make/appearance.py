"""Measures how decoded pictures look, beside other codecs, and writes docs/appearance.md.

    python docs/make/appearance.py FOLDER …

Every folder of pictures is a section of the page. The measures are those of ``lbbic eval``, which
need the package ``ssimulacra2`` and libjxl's programs (Debian: libjxl-tools and libjxl-devtools).
Measurements are kept in build/appearance, a file for each picture and codec; an interrupted run
continues from there.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from quality import per_cent, table
from tqdm import tqdm

from lbbic_engine import codec
from lbbic_engine.measure import metrics, rate_distortion
from lbbic_engine.measure.appearance import MEASURES
from lbbic_engine.pictures.read import load_picture

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "appearance"
Pixels = NDArray[np.uint8]
Coder = Callable[
    [Pixels, Any], tuple[int, Pixels]
]  # of a picture at a quality on the codec's scale
Row = dict[str, Any]


def lbbic(pixels: Pixels, quality: float, **options: Any) -> tuple[int, Pixels]:
    picture = load_picture(Image.fromarray(pixels))
    coded = codec.compress(picture, quality, exact=False, **options)
    return len(coded.data), coded.reconstruction


def visual(pixels: Pixels, quality: float) -> tuple[int, Pixels]:
    return lbbic(pixels, quality, tune="visual")


def avif(pixels: Pixels, quality: int, **options: Any) -> tuple[int, Pixels]:
    return by_pillow(pixels, "avif", quality=quality, subsampling="4:4:4", **options)


def avif_psnr(pixels: Pixels, quality: int) -> tuple[int, Pixels]:
    return avif(pixels, quality, advanced={"tune": "psnr"})


def jpeg_xl(pixels: Pixels, distance: float) -> tuple[int, Pixels]:
    """By libjxl's programs: what pylibjxl 0.5 encodes is twice as large."""
    with TemporaryDirectory() as folder:
        original, coded, decoded = (f"{folder}/{name}" for name in ("a.png", "a.jxl", "b.png"))
        Image.fromarray(pixels).save(original)
        for command in (["cjxl", original, coded, "-d", str(distance)], ["djxl", coded, decoded]):
            subprocess.run(command, check=True, capture_output=True)
        with Image.open(decoded) as image:
            return Path(coded).stat().st_size, np.asarray(image.convert("RGB"))


def webp(pixels: Pixels, quality: int) -> tuple[int, Pixels]:
    return by_pillow(pixels, "webp", quality=quality, method=6)


def jpeg(pixels: Pixels, quality: int) -> tuple[int, Pixels]:
    return by_pillow(pixels, "jpeg", quality=quality, optimize=True, progressive=True)


def by_pillow(pixels: Pixels, name: str, **options: Any) -> tuple[int, Pixels]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, name, **options)
    with Image.open(file) as image:
        return len(file.getvalue()), np.asarray(image.convert("RGB"))


CODERS: dict[str, tuple[Coder, tuple[float, ...]]] = {
    "LBBIC": (lbbic, (1, 2, 3, 4, 5, 6, 7, 8)),
    "LBBIC, tuned for eyes": (visual, (1, 2, 3, 4, 5, 6, 7, 8)),
    "AVIF": (avif, (20, 30, 40, 50, 60, 70, 80, 90)),
    "AVIF, tuned for PSNR": (avif_psnr, (20, 30, 40, 50, 60, 70, 80, 90)),
    "JPEG XL": (jpeg_xl, (12.0, 8.0, 5.0, 3.2, 2.0, 1.2, 0.7, 0.45)),
    "WebP": (webp, (1, 10, 25, 45, 65, 80, 90, 96)),
    "JPEG": (jpeg, (5, 10, 20, 35, 55, 75, 87, 94)),
}
OURS = ("LBBIC", "LBBIC, tuned for eyes")
SCORES = {  # heading, sign of better, range
    "psnr": ("PSNR", 1, -np.inf, np.inf),
    "ms_ssim": ("MS-SSIM", 1, -np.inf, np.inf),
    **{
        name: (measure.heading, measure.sign, measure.low, measure.high)
        for name, measure in MEASURES.items()
        if measure.sign
    },
}
SHOWN_BPP = (0.15, 0.3, 0.6)  # of the seams and colours


def main() -> None:
    for measure in MEASURES.values():
        measure.require()
    sections = [section(Path(folder)) for folder in sys.argv[1:]]
    (ROOT / "docs" / "appearance.md").write_text(PAGE + "\n".join(sections), encoding="utf-8")


def section(folder: Path) -> str:
    KEPT.mkdir(parents=True, exist_ok=True)
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        pictures = list(tqdm(pool.map(measured, paths), total=len(paths), unit="picture"))
    rates = [
        f"| {ours} | {theirs} | "
        + " | ".join(change(pictures, ours, theirs, score) for score in SCORES)
        + " |"
        for ours in OURS
        for theirs in CODERS
        if theirs not in OURS
    ]
    headings = " | ".join(heading for heading, *_ in SCORES.values())
    looks = [
        f"| {name} | "
        + " | ".join(
            f"{fmean(at_rate(rows[name], score, bpp) for rows in pictures):.2f}"
            for score in ("seams", "colour")
            for bpp in SHOWN_BPP
        )
        + " |"
        for name in CODERS
    ]
    columns = [f"{what}, {bpp} bpp" for what in ("seams", "colour ΔE") for bpp in SHOWN_BPP]
    return SECTION.format(
        title=f"{folder.name}: {len(paths)} pictures",
        names=", ".join(path.stem for path in paths),
        rates=table(f"bytes of | relative to | {headings}", rates),
        looks=table(f"codec | {' | '.join(columns)}", looks),
    )


def measured(path: Path) -> dict[str, list[Row]]:
    """All scores of a picture, by coder; measured if they were not before."""
    return {name: measured_by(name, path) for name in CODERS}


def measured_by(name: str, path: Path) -> list[Row]:
    kept = KEPT / f"{path.parent.name}-{path.stem}-{name}.json"
    with suppress(FileNotFoundError):
        rows: list[Row] = json.loads(kept.read_text("utf-8"))
        return rows
    pixels = load_picture(path).pixels
    coder, qualities = CODERS[name]
    rows = [score(pixels, *coder(pixels, quality)) for quality in qualities]
    kept.write_text(json.dumps(rows), "utf-8")
    return rows


def score(pixels: Pixels, size: int, decoded: Pixels) -> Row:
    by_measure = {name: measure.compute(pixels, decoded) for name, measure in MEASURES.items()}
    return {
        "bpp": 8 * size / pixels[..., 0].size,
        "psnr": metrics.psnr(pixels, decoded),
        "ms_ssim": metrics.ms_ssim(pixels, decoded),
        **by_measure,
    }


def change(pictures: list[dict[str, list[Row]]], ours: str, theirs: str, score: str) -> str:
    """The mean of the pictures' BD-rates."""
    rates = list(bd_rates(pictures, ours, theirs, score))
    return per_cent(fmean(rates) if rates else None)


def bd_rates(
    pictures: list[dict[str, list[Row]]], ours: str, theirs: str, score: str
) -> Iterator[float]:
    _, sign, low, high = SCORES[score]
    for rows in pictures:
        (bpp, value), (our_bpp, our_value) = (
            (
                [row["bpp"] for row in rows[name]],
                [sign * row[score] for row in rows[name] if row[score] is not None],
            )
            for name in (theirs, ours)
        )
        with suppress(ValueError):  # no range in common
            yield rate_distortion.bd_rate(bpp, value, our_bpp, our_value, low, high)


def at_rate(rows: list[Row], score: str, bpp: float) -> float:
    """A score at that many bits per pixel, or at the nearest end."""
    rows = sorted(rows, key=lambda row: float(row["bpp"]))
    rates, values = (np.array([row[key] for row in rows]) for key in ("bpp", score))
    return float(np.interp(np.log(bpp), np.log(rates), values))


PAGE = """# How pictures look, measured

This page is written by `make appearance PICTURES=…`, which measures the shipped model beside the
codecs that people use: AVIF (libaom by Pillow, 4:4:4, in its default tuning and tuned for PSNR),
JPEG XL (libjxl, effort 7), WebP (method 6) and JPEG (progressive, 4:2:0). Rates are the sizes of
complete files of the fast encoder.

[SSIMULACRA 2](https://github.com/cloudinary/ssimulacra2) and
[Butteraugli](https://github.com/google/butteraugli) (3-norm) estimate what people see; BD-rates by
SSIMULACRA 2 are those between 30 and 85 points, from low to very high quality. *Seams* are steps of
luma over the borders of 8×8 blocks, relative to steps inside and to those of the original, which
has 1. *Colour* is the mean ΔE of colours averaged over 16×16 pixels.

No held-out picture had a part in training. `camera` are crops of camera originals, `lossless`
pristine pictures, `photos` photographs that were shrunk. Twelve of them had a part in the choice of
the encoder's constants ([research](research.md#colours-of-large-areas)), Kodak's had none.

"""
SECTION = """## {title}

The pictures: {names}.

BD-rate, mean over the pictures; negative means fewer bytes at the same score:

{rates}

{looks}
"""


if __name__ == "__main__":
    main()
