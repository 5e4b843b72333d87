"""What ships with the program: sample photographs, models, icons, files for the desktop.

In a checkout it is the folder ``resources`` beside the packages; in an installed program, which
leaves nothing of so common a name among other packages, the folder ``data`` in this one (setup.py,
build_app.spec).
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

_INSTALLED = Path(__file__).with_name("data")
FOLDER = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[1] / "resources"


def is_bundled() -> bool:
    """Whether this is the bundled app or its command, to which no package can be added."""
    return bool(getattr(sys, "frozen", False))


def install_hint(package: str) -> str:
    """Return a sentence that says how to add a missing Python package."""
    if is_bundled():
        return "This build does not contain it. LBBIC as a Python package can use it."
    return f"Install it: pip install {shlex.quote(package)}."


def sample_pictures() -> list[Path]:
    """Return the photographs, sorted by name."""
    return sorted((FOLDER / "samples").glob("*.png"))


def icon_files() -> list[Path]:
    """Return the app's icon as pictures of several sizes."""
    return sorted((FOLDER / "icons").glob("*.png"))
