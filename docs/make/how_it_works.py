"""Draws docs/figures/how-it-works.svg: wavefronts, a block's context, encoder and decoder.

python docs/make/how_it_works.py
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image
from svg import AMBER, INK, LINE, MUTED, PALE, TEAL, arrow, box, figure, label_box, raw_words, words

from lbbic_engine.layout.wavefront import Grid, front_numbers

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "figures" / "how-it-works.svg"
WIDTH, HEIGHT = 1240, 470
COLUMNS, ROWS, FRONT = 9, 6, 5
ITALIC_X = '<tspan font-style="italic">x</tspan>'
CELL = 40
Crop = tuple[int, int, int, int]
WHOLE: Crop = (50, 0, 500, 300)
NEAR: Crop = (
    150,
    50,
    300,
    150,
)  # three blocks by two, the lower middle one is the block being coded


def main() -> None:
    """Write the figure."""
    parts = [*fronts(28, 96), *context(442, 96), *chain(710, 96)]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(figure(WIDTH, HEIGHT, parts), encoding="utf-8", newline="\n")


def fronts(x: float, y: float) -> list[str]:
    """The picture in blocks: decoded ones, the wavefront being coded, later ones numbered."""
    parts = heading(x, "1", "Wavefronts of blocks", "from the middle, one batch each")
    numbers = front_numbers(Grid(ROWS, COLUMNS, from_middle=True)).reshape(ROWS, COLUMNS)
    parts.append(photograph(x, y, COLUMNS, ROWS))
    for row in range(ROWS):
        for column in range(COLUMNS):
            left, top, number = x + column * CELL, y + row * CELL, numbers[row, column]
            if number >= FRONT:
                parts.append(box(left, top, CELL, CELL, "#ffffff"))
            if number == FRONT:
                parts.append(box(left + 2, top + 2, CELL - 4, CELL - 4, AMBER, radius=6))
            elif number > FRONT:
                parts.append(box(left + 1, top + 1, CELL - 2, CELL - 2, PALE))
            if number >= FRONT:
                ink = "#ffffff" if number == FRONT else LINE
                parts.append(words(left + CELL / 2, top + 26, str(number), ink, "middle"))
    legend = y + ROWS * CELL + 30
    for offset, colour, text in (
        (0, AMBER, f"wavefront {FRONT}, one batch"),
        (210, PALE, "still to come"),
    ):
        parts.append(box(x + offset, legend - 13, 16, 16, colour, radius=3))
        parts.append(words(x + offset + 23, legend, text, MUTED))
    return parts


def context(x: float, y: float) -> list[str]:
    """One block and the four that are its context."""
    parts = heading(x, "2", "A block's context", "four decoded neighbours")
    side = 70
    parts.append(f'<g transform="translate({x} {y}) scale({side / CELL})">')
    parts.append(photograph(0, 0, 3, 2, NEAR) + "</g>")
    parts.append(box(x + 2 * side, y + side, side + 1, side + 1, "#ffffff"))
    parts.append(box(x + side, y + side, side, side, AMBER))
    parts.append(raw_words(x + 1.5 * side, y + 1.5 * side + 8, ITALIC_X, "#ffffff", "middle", 26))
    for line in (1, 2):
        parts.append(box(x + line * side - 1.5, y, 3, 2 * side, "#ffffff"))
    parts.append(box(x, y + side - 1.5, 3 * side, 3, "#ffffff"))
    for (a, b), (c, d) in (
        ((0.45, 0.45), (1.1, 1.1)),
        ((1.5, 0.45), (1.5, 1.12)),
        ((2.55, 0.45), (1.9, 1.1)),
        ((0.45, 1.5), (1.12, 1.5)),
    ):
        start, end = (x + a * side, y + b * side), (x + c * side, y + d * side)
        parts.append(arrow(start, end, "#ffffff", 4))
    lines = (
        "Their pixels and features",
        "predict the block, and how",
        "certain the prediction is.",
        "This replaces intra prediction",
        "and deblocking.",
    )
    return parts + [words(x, y + 176 + 20 * n, line, MUTED) for n, line in enumerate(lines)]


def chain(x: float, y: float) -> list[str]:
    """What the encoder does to a block, and what both sides do."""
    parts = heading(x, "3", "Encoder and decoder", "both run the dark boxes, in exact integers")
    wide, high, up, mid, low = 118, 50, y, y + 116, y + 232
    columns = [x, x + 132, x + 264, x + 390]
    parts += [
        label_box(columns[0], up, 92, high, "block x", light=True),
        label_box(columns[0] + 122, up, wide, high, "analysis\ntransform", light=True),
        label_box(columns[2] + 6, up, 84, high, "round", light=True),
        label_box(columns[3], up, 112, high, "range coder"),
        label_box(columns[0], mid, 92, high, "context"),
        label_box(columns[0] + 122, mid, wide, high, "context\nmodel"),
        label_box(columns[3], mid, 112, high, ".lbb file", light=True, bold=True),
        label_box(columns[0] + 122, low, wide, high, "synthesis\ntransform"),
        label_box(columns[3], low, 112, high, "range decoder"),
        label_box(columns[0], low, 92, high, "8-bit block"),
    ]
    right = columns[0] + 122 + wide
    center = columns[0] + 122 + wide / 2
    parts += [
        arrow((x + 92, up + 25), (x + 122, up + 25)),
        arrow((right, up + 25), (columns[2] + 6, up + 25)),
        arrow((columns[2] + 90, up + 25), (columns[3], up + 25)),
        arrow((columns[3] + 56, up + high), (columns[3] + 56, mid)),
        arrow((columns[3] + 56, mid + high), (columns[3] + 56, low)),
        arrow((columns[3], low + 25), (right, low + 25)),
        arrow((x + 122, low + 25), (x + 92, low + 25)),
        arrow((x + 92, mid + 25), (x + 122, mid + 25)),
        arrow((center, mid), (center, up + high)),
        arrow((center, mid + high), (center, low)),
        arrow((x + 46, low), (x + 46, mid + high)),
        arrow((right, mid + 14), (columns[3] + 24, up + high)),
        arrow((right, mid + 36), (columns[3] + 24, low)),
        words(x + 56, mid + 88, "next", MUTED, size=13),
        words(right + 48, mid + 30, "means, scales", MUTED, size=13),
        words(right + 44, low + 18, "latents", MUTED, "middle", 13),
        words(right + 13, up + 17, "y", MUTED, "middle", 13),
    ]
    lines = (
        "The block is rounded to 8 bits inside the loop, so both sides",
        "have the same context, bit for bit, on every machine.",
    )
    return parts + [words(x, y + 318 + 20 * n, line, MUTED) for n, line in enumerate(lines)]


def photograph(x: float, y: float, columns: int, rows: int, crop: Crop = WHOLE) -> str:
    """A part of a sample photograph, so many blocks wide and high."""
    with Image.open(ROOT / "resources" / "samples" / "astronaut.png") as whole:
        part = whole.convert("RGB").crop(crop).resize((2 * columns * CELL, 2 * rows * CELL))
    stream = io.BytesIO()
    part.save(stream, "JPEG", quality=80)
    data = base64.b64encode(stream.getvalue()).decode()
    size = f'width="{columns * CELL}" height="{rows * CELL}"'
    return f'<image x="{x:g}" y="{y:g}" {size} href="data:image/jpeg;base64,{data}"/>'


def heading(x: float, number: str, title: str, below: str) -> list[str]:
    return [
        f'<circle cx="{x + 13}" cy="40" r="13" fill="{TEAL}"/>',
        words(x + 13, 45, number, "#ffffff", "middle", 15, bold=True),
        words(x + 36, 46, title, INK, size=20, bold=True),
        words(x, 76, below, MUTED, size=14),
    ]


if __name__ == "__main__":
    main()
