"""The output of ``lbbic bench``: plots, and an HTML page with pictures side by side."""

from __future__ import annotations

import base64
import html
import io
import os
import platform
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from lbbic_engine.bench import suite
from lbbic_engine.bench.codecs import Pixels
from lbbic_engine.bench.suite import Result

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.3em .8em;border-bottom:1px solid #ccc;"
    "text-align:left}figure{margin:0}.pictures{display:grid;gap:1em;"
    "grid-template-columns:repeat(auto-fit,minmax(380px,1fr))}img{max-width:100%}"
)


def can_plot() -> bool:
    """Whether matplotlib is installed; the app does not include it."""
    return find_spec("matplotlib") is not None


def write(results: Sequence[Result], pictures: Sequence[Path], out: Path) -> None:
    """Write the results to the folder ``out`` in all formats, with plots if ``can_plot``."""
    suite.write_json(results, out / "results.json")
    suite.write_csv(results, out / "results.csv")
    (out / "summary.md").write_text(suite.markdown(results), encoding="utf-8")
    plots = [_plot_curves(results, out), _plot_times(results, out)] if can_plot() else []
    _write_page(results, pictures, plots, out / "index.html")


def _plot_curves(results: Sequence[Result], out: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for summary in suite.summarise(results):
        points = suite.curve(results, summary.codec)
        if len(points) > 1:
            axes.plot(*zip(*points, strict=True), "o-", label=summary.codec)
    axes.set(xlabel="bits per pixel", ylabel="PSNR in dB", xlim=(0, 3))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
    path = out / "rate_distortion.png"
    figure.savefig(path, dpi=110)
    return path


def _plot_times(results: Sequence[Result], out: Path) -> Path:
    from matplotlib.figure import Figure

    rows = suite.summarise(results)
    figure = Figure(figsize=(8, 1 + 0.5 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for name, colour, shift in (("encode", "tab:orange", -0.15), ("decode", "tab:blue", 0.35)):
        seconds = [getattr(row, f"{name}_seconds") for row in rows]
        axes.plot(seconds, range(len(rows)), "o", color=colour, label=name)
        for place, value in enumerate(seconds):
            axes.annotate(f" {value:.3g}", (value, place + shift), fontsize=8)
    axes.set_yticks(range(len(rows)), [row.codec for row in rows])
    axes.legend()
    axes.grid(alpha=0.3)
    axes.set(xscale="log", xlabel="seconds per picture (median)", ylim=(-0.5, len(rows) - 0.5))
    axes.margins(x=0.1)
    axes.invert_yaxis()
    path = out / "seconds.png"
    figure.savefig(path, dpi=110)
    return path


def _write_page(
    results: Sequence[Result], pictures: Sequence[Path], plots: Sequence[Path], path: Path
) -> None:
    head, _, *rows = suite.markdown(results).strip().splitlines()
    table = _row(head, "th") + "".join(_row(row, "td") for row in rows)
    figures = "".join(
        f"<figure>{_image(pixels)}<figcaption>{html.escape(text)}</figcaption></figure>"
        for text, pixels in suite.samples(results, pictures)
    )
    drawn = "".join(f'<img src="{plot.name}" alt="{plot.stem}">' for plot in plots)
    drawn += '<img src="scaling.png" alt="scaling" onerror="this.remove()">'  # if it is measured
    count = len({r.picture for r in results})
    note = f"{count} pictures; medians over pictures and qualities. {html.escape(_machine())}"
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>LBBIC benchmark</title>'
        f"<style>{_STYLE}</style><h1>LBBIC benchmark</h1><p>{note}</p><table>{table}</table>{drawn}"
        f'<h2>Side by side</h2><div class="pictures">{figures}</div></html>',
        encoding="utf-8",
    )


def _machine() -> str:
    import torch

    cores = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores"
    return f"{cores}; Python {platform.python_version()}, PyTorch {torch.__version__}."


def _row(line: str, tag: str) -> str:
    cells = line.strip("|").split("|")
    return "<tr>" + "".join(f"<{tag}>{html.escape(c.strip())}</{tag}>" for c in cells) + "</tr>"


def _image(pixels: Pixels) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return f'<img src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}" alt="">'
