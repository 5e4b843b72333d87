"""The sample picture for those who have none at hand."""

from __future__ import annotations

from pathlib import Path

import resources
from lbbic_gui.messages import Source

_FIRST = "astronaut.png"  # a face and fine texture, and it fills the view


def sample_source() -> Source:
    """The sample picture as a file."""
    pictures = resources.sample_pictures()
    chosen = next((item for item in pictures if item.name == _FIRST), pictures[0])
    path = Path(str(chosen))
    return Source(path.name, path)
