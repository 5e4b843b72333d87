"""Draws the app's icon and every format that the systems want of it (resources/icons).

    python docs/make/icons.py

A landscape that is being decoded: finished at the upper left, block by block along the front
``column + 2·row``, not there yet at the lower right. Small sizes have larger blocks.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

FOLDER = Path(__file__).parents[2] / "resources" / "icons"
SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
SMALL = 32  # up to here the drawing of few blocks is used
SIDE = 1024
HEAD = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}">'
GAP = 0.05  # between blocks that are not decoded, in blocks

# Qt draws no clip paths, so the shapes that reach a corner of the icon are round there themselves.
ROUND = 180
PICTURE = """
<defs>
<linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
  <stop offset="0" stop-color="#1587a3"/><stop offset="0.55" stop-color="#8fd3cf"/>
  <stop offset="0.75" stop-color="#ffe9c2"/>
</linearGradient>
<linearGradient id="far" x1="0" y1="0" x2="0" y2="1">
  <stop offset="0" stop-color="#2c7f8c"/><stop offset="1" stop-color="#57a79f"/>
</linearGradient>
<linearGradient id="near" x1="0" y1="0" x2="0" y2="1">
  <stop offset="0" stop-color="#12505f"/><stop offset="1" stop-color="#2f9a78"/>
</linearGradient>
</defs>
<rect width="1024" height="1000" rx="180" fill="url(#sky)"/>
<circle cx="660" cy="290" r="190" fill="#fff3d6" opacity="0.35"/>
<circle cx="660" cy="290" r="128" fill="#ffb53d"/>
<path d="M0 560 L210 330 L400 560 L560 440 L800 640 L1024 480 V820 H0 Z" fill="url(#far)"/>
<path d="M210 330 L290 427 L235 405 L190 440 L150 396 Z" fill="#f4fbfa"/>
<path d="M0 700 C220 560 420 640 600 740 S900 800 1024 700 V844 A180 180 0 0 1 844 1024
  H180 A180 180 0 0 1 0 844 Z" fill="url(#near)"/>"""


def main() -> None:
    """Write the drawings, and the bitmaps made of them."""
    application = QGuiApplication([])
    FOLDER.mkdir(parents=True, exist_ok=True)
    full, small = drawing(blocks=6, front=8), drawing(blocks=4, front=5)
    (FOLDER / "lbbic.svg").write_text(full, encoding="utf-8", newline="\n")
    pictures = {size: render(small if size <= SMALL else full, size) for size in SIZES}
    for size, picture in pictures.items():
        picture.save(FOLDER / f"lbbic-{size}.png", optimize=True)
    by_size = [pictures[size] for size in SIZES[:-1]]
    by_size[-1].save(
        FOLDER / "lbbic.ico", sizes=[image.size for image in by_size], append_images=by_size[:-1]
    )
    large = render(full, SIDE)
    large.save(FOLDER / "lbbic.icns", append_images=list(pictures.values()))
    del application


def drawing(blocks: int, front: int) -> str:
    """The icon as SVG with so many blocks a side, decoded up to the front."""
    picture = render(f"{HEAD}{PICTURE}</svg>", blocks * 16)
    means = np.asarray(picture.resize((blocks, blocks), Image.Resampling.BOX)).tolist()
    waiting = "".join(
        _block(row, column, blocks, means[row][column], column + 2 * row - front)
        for row in range(blocks)
        for column in range(blocks)
        if column + 2 * row >= front
    )
    return f"{HEAD}{PICTURE}\n{_cover(blocks, front)}{waiting}\n</svg>\n"


def _cover(blocks: int, front: int) -> str:
    """The dark ground of all that is not decoded: stairs above, round corners below."""
    side = SIDE / blocks
    stairs = ""
    for column in range(blocks):
        first = max(-(-(front - column) // 2), 0)  # the first row that waits
        stairs += f"L{column * side:.2f} {first * side:.2f}H{(column + 1) * side:.2f}"
    end = SIDE - ROUND
    corner = f"A{ROUND} {ROUND} 0 0 1"
    path = f"M0 {end}{stairs}V{end}{corner} {end} {SIDE}H{ROUND}{corner} 0 {end}Z"
    return f'<path d="{path}" fill="#0b2530"/>'


def _block(row: int, column: int, blocks: int, colour: list[int], ahead: int) -> str:
    """A block of the front, or one further on, the paler the longer it has to wait."""
    side = SIDE / blocks
    gap = GAP * side
    inner = side - 2 * gap
    x, y = column * side + gap, row * side + gap
    radii = [2.4 * gap] * 4  # upper left, upper right, lower right, lower left
    if row == blocks - 1 and column in (0, blocks - 1):
        radii[3 if column == 0 else 2] = min(inner, ROUND - gap)
    a, b, c, d = radii
    path = (
        f"M{x + a:.1f} {y:.1f}H{x + inner - b:.1f}a{b:.1f} {b:.1f} 0 0 1 {b:.1f} {b:.1f}"
        f"V{y + inner - c:.1f}a{c:.1f} {c:.1f} 0 0 1 {-c:.1f} {c:.1f}"
        f"H{x + d:.1f}a{d:.1f} {d:.1f} 0 0 1 {-d:.1f} {-d:.1f}"
        f"V{y + a:.1f}a{a:.1f} {a:.1f} 0 0 1 {a:.1f} {-a:.1f}Z"
    )
    look = f'stroke="#ffd27a" stroke-width="{1.4 * gap:.1f}"'
    if ahead > 0:
        look = f'opacity="{max(0.8 - ahead / (1.8 * blocks), 0.08):.2f}"'
    red, green, blue = colour[:3]
    return f'\n<path d="{path}" fill="#{red:02x}{green:02x}{blue:02x}" {look}/>'


def render(svg: str, size: int) -> Image.Image:
    """A drawing as a picture of ``size`` by ``size`` pixels."""
    image = QImage(size, size, QImage.Format.Format_RGBA8888)
    image.fill(0)
    painter = QPainter(image)
    QSvgRenderer(svg.encode()).render(painter)
    painter.end()
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(size, size, 4)
    return Image.fromarray(pixels.copy())


if __name__ == "__main__":
    main()
