"""Data that ships with the program: sample photographs, weights and icons.

Read through ``importlib.resources``, so that it is found from a checkout, an installed wheel and
a frozen app alike. The one thing to know: what is returned is a ``Traversable``; code that needs
a real path on disk wraps it in ``importlib.resources.as_file``.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable


def sample_pictures() -> list[Traversable]:
    """Return the bundled photographs, sorted by name."""
    return _entries("samples", ".png")


def weights_files() -> list[Traversable]:
    """Return the bundled weights files, sorted by name; an empty list where none is installed."""
    return _entries("weights", ".safetensors")


def icon_files() -> list[Traversable]:
    """Return the app's icon as pictures of several sizes."""
    return _entries("icons", ".png")


def _entries(folder: str, suffix: str) -> list[Traversable]:
    directory = files(__name__) / folder
    if not directory.is_dir():
        return []
    return sorted(
        (entry for entry in directory.iterdir() if entry.name.endswith(suffix)),
        key=lambda entry: entry.name,
    )
