"""Draws docs/figures/architecture.svg: the packages with their rooms, and who knows whom.

    python docs/make/architecture.py

All that is in it is taken from the code: the rooms and their order from ``rooms.py``, what each is
for from its docstring.
"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

from rooms import ROOMS
from svg import AMBER, INK, MUTED, PALE, TEAL, arrow, box, figure, words

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "figures" / "architecture.svg"
ORDER = ("lbbic_gui", "lbbic_engine", "training")  # the engine between those that know it
DOOR = ("lbbic_gui", "jobs")  # the only room of the app that knows the engine's rooms
MARGIN, GAP, WIDTH = 24, 40, 372  # of a package
HEAD, HEIGHT, BETWEEN = 90, 70, 8  # of what is above the rooms, of a room, between two
INSIDE = 12
LINE_LETTERS = 44  # that fit into a room, in wide fonts, too
RESOURCES = "weights, sample pictures, icons, licences; every package may read them"
RULE = "A room imports itself and the rooms below it, never one above. A test reads every import."
ROWS = max(len(rooms) for rooms in ROOMS.values())


def main() -> None:
    """Write the figure."""
    TARGET.write_text(drawing(), encoding="utf-8", newline="\n")


def drawing() -> str:
    """The figure as the code is now."""
    bottom = MARGIN + HEAD + ROWS * (HEIGHT + BETWEEN) + INSIDE
    parts = [part for column, name in enumerate(ORDER) for part in package(name, column, bottom)]
    door = room_top(ROWS - 1 - list(ROOMS[DOOR[0]]).index(DOOR[1])) + HEIGHT / 2
    parts.append(arrow((left_of(1) - GAP - INSIDE, door), (left_of(1), door), AMBER, 3))
    head = MARGIN + HEAD / 2
    parts.append(arrow((left_of(2), head), (left_of(2) - GAP, head), AMBER, 3))
    across = 3 * WIDTH + 2 * GAP
    parts += [
        box(MARGIN, bottom + GAP / 2, across, 48, PALE, radius=12),
        words(MARGIN + 18, bottom + GAP / 2 + 31, "resources", INK, size=20, bold=True),
        words(MARGIN + 140, bottom + GAP / 2 + 30, RESOURCES, MUTED, size=14),
        words(MARGIN, bottom + 104, RULE, MUTED, size=15),
    ]
    return figure(2 * MARGIN + across, bottom + 122, parts)


def package(name: str, column: int, bottom: float) -> list[str]:
    """A package's rooms, the ground at the bottom."""
    left = left_of(column)
    parts = [
        box(left, MARGIN, WIDTH, bottom - MARGIN, PALE, radius=12),
        words(left + INSIDE + 6, MARGIN + 32, name, INK, size=20, bold=True),
    ]
    about = sentence(ROOT / name / "__init__.py")
    for n, line in enumerate(textwrap.wrap(about, LINE_LETTERS + 2)):
        parts.append(words(left + INSIDE + 6, MARGIN + 54 + 18 * n, line, MUTED, size=14))
    rooms = list(reversed(ROOMS[name].items()))
    for row, (room, modules) in enumerate(rooms, start=ROWS - len(rooms)):
        parts += draw_room(name, room, modules, left + INSIDE, room_top(row))
    return parts


def draw_room(package: str, room: str, modules: tuple[str, ...], x: float, y: float) -> list[str]:
    """Its name, and what it is for or, where it is no folder, which modules it is."""
    if modules:
        about = ", ".join(f"{module}.py" for module in modules)
    else:
        about = sentence(ROOT / package / room / "__init__.py")
    is_door = (package, room) == DOOR
    fill, ink, pale = (TEAL, "#ffffff", "#d8edf2") if is_door else ("#ffffff", INK, MUTED)
    lines = textwrap.wrap(about, LINE_LETTERS)
    first = y + HEIGHT / 2 - 9 * len(lines) + 5
    return [
        box(x, y, WIDTH - 2 * INSIDE, HEIGHT, fill, radius=8),
        words(x + 14, first, room, ink, size=16, bold=True),
        *(
            words(x + 14, first + 18 * n, line, pale, size=14)
            for n, line in enumerate(lines, start=1)
        ),
    ]


def left_of(column: int) -> float:
    return MARGIN + column * (WIDTH + GAP)


def room_top(row: int) -> float:
    return MARGIN + HEAD + row * (HEIGHT + BETWEEN)


def sentence(path: Path) -> str:
    """The first sentence of a module's docstring, without marks of code and its full stop."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("``", "").removesuffix(".")


if __name__ == "__main__":
    main()
