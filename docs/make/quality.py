"""Measures the shipped model and writes docs/quality.md, its plots and docs/kodak.

    python docs/make/quality.py KODAK ANCHORS

KODAK is the folder of the 24 pictures; ANCHORS holds curves to compare with (``ANCHORS/kodak``,
JSON as ``lbbic eval --anchor`` reads it) and the paper's published results picture by picture
(``kodak_per_image_kamisli2024.json``).

Rates are measured on all cores at once, times afterwards, on a few of the pictures alone.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from lbbic_engine import codec
from lbbic_engine.cli import program
from lbbic_engine.measure import baselines, metrics, rate_distortion
from lbbic_engine.measure.evaluate import RATE_POINTS, Average, averages, measure, warm_up
from lbbic_engine.pictures.read import load_picture

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
KODAK = DOCS / "kodak"
TABLES = {
    "not refined": KODAK / "lbbic-not-refined.json",
    "fast": KODAK / "lbbic.json",
    "balanced": KODAK / "lbbic-balanced.json",
    "thorough": KODAK / "lbbic-thorough.json",
}
OPTIONS = {
    "not refined": ["--no-refine"],
    "fast": [],
    "balanced": ["--effort", "balanced"],
    "thorough": ["--effort", "thorough"],
}
ANCHORS = {
    "lbbic": "LBBIC, fast",
    "lbbic, not refined": "LBBIC, fast, not refined",
    "jpeg444": "JPEG 4:4:4",
    "webp": "WebP (method 6)",
    "kamisli2024_block8_8bit_estimate": "the paper, 8×8, as 8-bit pictures (estimate)",
    "kamisli2024_block8": "the paper, 8×8",
    "bpg444": "BPG 4:4:4",
    "avif444_aom_s4_psnr": "AVIF 4:4:4 (aom, speed 4, tuned for PSNR)",
    "vtm444": "VTM 4:4:4",
}
TIMED = 2  # pictures
PAPER_MODELS = "_B8_"  # the eight rates of block8-low and block8-high
QUALITIES = (1, 3, 5, 8)


def main() -> None:
    kodak, anchors = map(Path, sys.argv[1:])
    others = [name for name in ANCHORS if not name.startswith("lbbic")]
    curves = [anchors / "kodak" / f"{name}.json" for name in others]
    evaluate(kodak, "not refined", [])
    fast = evaluate(kodak, "fast", [TABLES["not refined"], *curves])
    balanced = evaluate(kodak, "balanced", [TABLES["fast"], *curves])
    thorough = evaluate(kodak, "thorough", [TABLES["fast"], *curves])
    plot_bands(thorough["bd_rate"], KODAK / "bands.png")
    published = json.loads((anchors / "kodak_per_image_kamisli2024.json").read_text("utf-8"))
    text = PAGE.format(
        timed=TIMED,
        fast_rates=rate_table(fast["qualities"], times(kodak, "fast")),
        fast_bands=band_table(fast["bd_rate"]),
        balanced_rates=rate_table(balanced["qualities"], times(kodak, "balanced")),
        balanced_bands=band_table(balanced["bd_rate"]),
        thorough_rates=rate_table(thorough["qualities"], times(kodak, "thorough")),
        thorough_bands=band_table(thorough["bd_rate"]),
        pictures=picture_table(fast["pictures"], thorough["pictures"], published),
        others=other_table(),
    )
    (DOCS / "quality.md").write_text(text, encoding="utf-8")


def evaluate(kodak: Path, name: str, curves: list[Path]) -> dict[str, Any]:
    """The table of ``lbbic eval``, which also draws the curves; the last call's are kept."""
    output = ["--json", str(TABLES[name]), "--plot", str(KODAK / "curves.png"), "--overwrite"]
    anchors = [option for curve in curves for option in ("--anchor", str(curve))]
    if code := program.main(["eval", str(kodak), *OPTIONS[name], *output, *anchors]):
        sys.exit(code)
    results: dict[str, Any] = json.loads(TABLES[name].read_text(encoding="utf-8"))
    return results


def times(kodak: Path, effort: str) -> list[Average]:
    """The averages of some pictures that are coded one at a time, by quality."""
    paths = sorted(kodak.iterdir())
    warm_up()
    with TemporaryDirectory() as folder:
        return averages(
            [
                row
                for path in paths[:: -(-len(paths) // TIMED)]
                for row in measure(path, path.stem, RATE_POINTS, Path(folder), effort=effort)
            ]
        )


def rate_table(rows: list[dict[str, Any]], timed: list[Average]) -> str:
    lines = [
        f"| {row['quality']:g} | {row['bpp']:.3f} | {row['psnr']:.2f} | {row['ms_ssim']:.4f} "
        f"| {alone.encode_seconds:.2f} | {alone.decode_seconds:.2f} |"
        for row, alone in zip(rows, timed, strict=True)
    ]
    return table("quality | bpp | PSNR dB | MS-SSIM | encode s | decode s", lines)


def band_table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        bands = [row["overall"], *row["bands"]]
        cells = " | ".join(per_cent(band["bd_rate"]) for band in bands)
        lines.append(f"| {ANCHORS[row['anchor']]} | {cells} |")
    names = " | ".join(f"{band['name'].replace('-', '–')} dB" for band in rows[0]["bands"])
    return table(f"bytes of LBBIC relative to | whole range | {names}", lines)


def picture_table(
    fast: list[dict[str, Any]], thorough: list[dict[str, Any]], published: list[dict[str, Any]]
) -> str:
    models = [model["images"] for model in published if PAPER_MODELS in model["model"]]
    lines = []
    for name in sorted({row["picture"] for row in fast}):
        paper = [images[name] for images in models]
        efforts = [[row for row in rows if row["picture"] == name] for rows in (fast, thorough)]
        changes = " | ".join(per_cent(bd_rate(paper, mine)) for mine in efforts)
        low, high = efforts[0][0], efforts[0][-1]
        ends = " | ".join(f"{row['bpp']:.3f} | {row['psnr']:.2f}" for row in (low, high))
        lines.append(f"| {Path(name).stem} | {changes} | {ends} |")
    names = "picture | fast | thorough | bpp at quality 1, fast | dB | bpp at quality 8, fast | dB"
    return table(names, lines)


def bd_rate(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> float:
    (bpp, psnr), (our_bpp, our_psnr) = (
        [[row[key] for row in rows] for key in ("bpp", "psnr")] for rows in (theirs, ours)
    )
    return rate_distortion.bd_rate(bpp, psnr, our_bpp, our_psnr)


def other_table() -> str:
    """Pictures that are not photographs, beside WebP and AVIF of at most the same bytes."""
    lines = []
    for name, pixels in others().items():
        picture = load_picture(Image.fromarray(pixels))
        for quality in QUALITIES:
            coded = codec.compress(picture, quality)
            ours = metrics.psnr(pixels, coded.reconstruction)
            exact = "exact" if ours == math.inf else f"{ours:.2f}"
            cells = [f"{8 * len(coded.data) / pixels[..., 0].size:.3f}", exact]
            for format_name in ("webp", "avif"):
                same = baselines.encode_at_size(pixels, format_name, len(coded.data))
                psnr = metrics.psnr(pixels, same.reconstruction)
                fits = len(same.data) <= len(coded.data)
                cells.append(f"{psnr:.2f}" if fits else "larger")
            lines.append(f"| {name} | {quality} | {' | '.join(cells)} |")
    return table("picture | quality | bpp | LBBIC dB | WebP dB | AVIF dB", lines)


def others() -> dict[str, np.ndarray]:
    """A screenshot of the app, line art and a gradient, as RGB arrays."""
    with Image.open(DOCS / "guide" / "settings.png") as image:
        screenshot = np.asarray(image.convert("RGB"))
    art = Image.new("RGB", (768, 512), "white")
    draw = ImageDraw.Draw(art)
    for i in range(24):
        draw.line((20, 20 + 20 * i, 380, 490 - 14 * i), fill=(20, 40, 60), width=1 + i % 3)
        draw.ellipse((400 + 7 * i, 30 + 9 * i, 740 - 6 * i, 480 - 8 * i), outline=(160, 30, 40))
    y, x = np.mgrid[0:512, 0:768]
    radius = np.hypot(x - 300, y - 200) / 600
    waves = (255 * (1 - radius), 90 + 150 * x / 768, 60 + 120 * y / 512)
    gradient = np.stack(waves, axis=2).clip(0, 255).round().astype(np.uint8)
    return {"screenshot": screenshot, "line art": np.asarray(art), "gradient": gradient}


def plot_bands(rows: list[dict[str, Any]], path: Path) -> None:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        middles = [(band["low"] + band["high"]) / 2 for band in row["bands"]]
        values = [band["bd_rate"] for band in row["bands"]]
        axes.plot(middles, values, "o-", label=ANCHORS[row["anchor"]])
    axes.axhline(0, color="black", linewidth=1)
    axes.set(xlabel="RGB PSNR [dB]", ylabel="bytes of LBBIC relative to theirs [%]")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize="small")
    figure.savefig(path, dpi=130)


def table(head: str, lines: list[str]) -> str:
    rule = "|".join(["---"] * (head.count("|") + 1))
    return "\n".join([f"| {head} |", f"|{rule}|", *lines])


def per_cent(value: float | None) -> str:
    return "–" if value is None else re.sub("^-", "−", f"{value:+.1f} %")


PAGE = """# Quality, measured

This page is written by `make quality KODAK=… ANCHORS=…`, which measures the shipped model. Rates
are the sizes of complete files, and PSNR is that of 8-bit RGB. Times are those of the machine that
wrote the page, coding {timed} of the pictures one at a time; [speed](benchmark.md) has more careful
ones. The [research log](research.md) says what was tried.

## The 24 Kodak pictures

The fast encoder, which is the default:

{fast_rates}

The balanced encoder (`--effort balanced`). Its files and those of the thorough one are decoded like
any others:

{balanced_rates}

The thorough encoder (`--effort thorough`):

{thorough_rates}

BD-rates over the whole range and in bands of PSNR. The logarithm of the rate is interpolated over
PSNR by PCHIP; negative is better. The fast encoder:

{fast_bands}

The balanced encoder:

{balanced_bands}

The thorough encoder:

{thorough_bands}

![Rate–distortion curves of the thorough encoder and other codecs](kodak/curves.png)

![BD-rates of the thorough encoder by band](kodak/bands.png)

## Picture by picture against the paper

BD-rates of the fast and the thorough encoder relative to the published results of block8-low and
block8-high, whose eight rates make one curve for each picture. The published PSNR is that of
unrounded floats, which is up to 0.07 dB above that of 8-bit pictures.

{pictures}

## Pictures that are not photographs

A screenshot of the app, line art and a smooth gradient, beside WebP and AVIF files of at most the
same size.

{others}
"""


if __name__ == "__main__":
    main()
