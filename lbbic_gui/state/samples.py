"""The sample picture for users who have no picture at hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lbbic_engine import resources
from lbbic_gui.jobs.messages import Source

_FIRST = "astronaut.png"  # a face and fine texture, and it fills the view


def is_sample(path: Path | None) -> bool:
    """Whether a file came with the program, so that nothing may be written next to it."""
    return path is not None and path.parent == _path().parent


def sample_source() -> Source:
    """The sample picture as a file."""
    return Source(_path().name, _path())


@cache
def _path() -> Path:
    pictures = resources.sample_pictures()
    chosen = next((item for item in pictures if item.name == _FIRST), pictures[0])
    return chosen.absolute()
