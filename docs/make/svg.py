"""What the figures are made of: boxes, words, arrows as SVG that every viewer draws alike."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

INK, MUTED, LINE, TEAL, AMBER, PALE = (
    "#16323c",
    "#5b7079",
    "#90a4ac",
    "#0b6e8a",
    "#f0a020",
    "#e9eff1",
)


def figure(width: int, height: int, parts: list[str]) -> str:
    """A white card with everything on it."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="Helvetica, Arial, sans-serif" font-size="15">'
    )
    card = f'<rect width="{width}" height="{height}" rx="16" fill="#ffffff"/>'
    return "\n".join([head, card, *parts, "</svg>\n"])


def box(
    x: float, y: float, width: float, height: float, fill: str, *, radius: float = 0, edge: str = ""
) -> str:
    outline = f' stroke="{edge}" stroke-width="2"' if edge else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
        f' fill="{fill}"{outline}/>'
    )


def label_box(
    x: float,
    y: float,
    width: float,
    height: float,
    text: str,
    *,
    light: bool = False,
    bold: bool = False,
) -> str:
    """A box with one or two lines in it; light ones are data, or run by the encoder alone."""
    fill, ink, edge = ("#ffffff", INK, LINE) if light else (TEAL, "#ffffff", TEAL)
    lines = text.split("\n")
    first = y + height / 2 + 5 - 9 * (len(lines) - 1)
    inside = "".join(
        words(x + width / 2, first + 18 * n, line, ink, "middle", bold=bold)
        for n, line in enumerate(lines)
    )
    return box(x, y, width, height, fill, radius=8, edge=edge) + inside


def words(
    x: float,
    y: float,
    text: str,
    ink: str,
    anchor: str = "start",
    size: int = 15,
    *,
    bold: bool = False,
) -> str:
    return raw_words(x, y, escape(text), ink, anchor, size, bold=bold)


def raw_words(
    x: float, y: float, markup: str, ink: str, anchor: str, size: int, *, bold: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{ink}" text-anchor="{anchor}" font-size="{size}"{weight}>'
        f"{markup}</text>"
    )


def arrow(
    start: tuple[float, ...], end: tuple[float, ...], ink: str = MUTED, width: float = 1.8
) -> str:
    """A line with a head, drawn as a polygon since not every viewer knows markers."""
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    size = 4 * width + 2
    back = (end[0] - size * math.cos(angle), end[1] - size * math.sin(angle))
    half = (0.5 * size * math.sin(angle), -0.5 * size * math.cos(angle))
    head = (end, (back[0] + half[0], back[1] + half[1]), (back[0] - half[0], back[1] - half[1]))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in head)
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{back[0]:.1f}" y2="{back[1]:.1f}"'
        f' stroke="{ink}" stroke-width="{width}"/><polygon points="{points}" fill="{ink}"/>'
    )
