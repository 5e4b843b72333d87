"""Draws docs/figures/architecture.svg: the packages, the engine's layers, who knows whom.

python docs/make/architecture.py
"""

from __future__ import annotations

from pathlib import Path

from svg import INK, MUTED, PALE, arrow, box, figure, label_box, words

TARGET = Path(__file__).parents[1] / "figures" / "architecture.svg"
WIDTH, HEIGHT = 1180, 550
HIGH, GAP = 50, 16

# The engine's layers from the outside in; each knows the ones below it.
LAYERS = (
    ("cli\ncommands", "pillow_plugin", "search", "evaluate\nmetrics"),
    ("codec",),
    ("container", "blocks, pixels", "wavefront", "exchange\neffort"),
    ("weights", "entropy\ntables"),
    ("model, paper\nfloat", "integer\npaper_integer", "kernels"),
)
EXACT = {"wavefront", "entropy\ntables", "integer\npaper_integer", "kernels"}
GUI = ("app\nmain_window", "session, batch\nqueue_model", "canvas, painting\ntimeline", "jobs")
TRAINING = (
    "recipe, dataset",
    "closed_loop\nstep, train",
    "quantise\nexport",
    "paper_train\nimport_paper",
    "block_sizes\nzoo",
)


def main() -> None:
    """Write the figure."""
    parts = [
        *room(24, 210, "lbbic_gui", "the app"),
        *column(44, 170, GUI),
        *room(290, 600, "lbbic_engine", "the codec; dark: exact arithmetic"),
        *engine(310, 560),
        *room(946, 210, "training", "makes the weights"),
        *column(966, 170, TRAINING),
        arrow((214, 319), (290, 319)),
        arrow((946, 199), (890, 199)),
        *resources(),
    ]
    TARGET.write_text(figure(WIDTH, HEIGHT, parts), encoding="utf-8", newline="\n")


def room(x: float, width: float, name: str, about: str) -> list[str]:
    return [
        box(x, 24, width, 412, PALE, radius=12),
        words(x + 20, 54, name, INK, size=19, bold=True),
        words(x + 20, 76, about, MUTED, size=14),
    ]


def column(x: float, width: float, names: tuple[str, ...]) -> list[str]:
    places = (96 + n * (HIGH + GAP) for n in range(len(names)))
    return [
        label_box(x, y, width, HIGH, name, light=True)
        for y, name in zip(places, names, strict=True)
    ]


def engine(x: float, width: float) -> list[str]:
    parts = []
    for n, names in enumerate(LAYERS):
        y = 96 + n * (HIGH + GAP)
        each = (width - (len(names) - 1) * GAP) / len(names)
        for k, name in enumerate(names):
            left = x + k * (each + GAP)
            parts.append(label_box(left, y, each, HIGH, name, light=name not in EXACT))
        if n:
            middle = x + width / 2
            parts.append(arrow((middle, y - GAP), (middle, y), width=2))
    return parts


def resources() -> list[str]:
    y = 476
    return [
        label_box(290, y, 600, HIGH, "resources: weights, sample pictures, icons", light=True),
        arrow((590, 436), (590, y)),
        words(24, y + 30, "All may read resources. No other arrow", MUTED, size=13),
        words(24, y + 48, "crosses: a test reads the imports.", MUTED, size=13),
    ]


if __name__ == "__main__":
    main()
