"""Which result belongs to which picture: none replaces another picture's of this session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lbbic_gui.jobs.messages import FileVersion, Source
from lbbic_gui.jobs.naming import name_key, numbered


@dataclass(frozen=True)
class Output:
    """A file that was written."""

    path: Path
    version: FileVersion | None

    def is_untouched(self) -> bool:
        """Whether it is there still, as it was written."""
        return self.version is not None and FileVersion.of(self.path) == self.version


class Outputs:
    """The names given to results, and the files written under them."""

    def __init__(self) -> None:
        self._owners: dict[str, Source] = {}  # by the name's key
        self._written: dict[tuple[Source, Path], Output] = {}

    def earlier(self, source: Source, wanted: Path) -> Output | None:
        """The picture's result that was to be ``wanted``, as it was written."""
        return self._written.get((source, wanted))

    def name(self, source: Source, wanted: Path) -> Path:
        """``wanted``, numbered where another picture has that name; from now on it is taken."""
        names = ((name, name_key(name)) for name in numbered(wanted))
        path, key = next(each for each in names if self._owners.get(each[1], source) == source)
        self._owners[key] = source
        return path

    def note(self, source: Source, wanted: Path, path: Path, version: FileVersion | None) -> None:
        """What was to be ``wanted`` was written to ``path``."""
        self._owners[name_key(path)] = source
        self._written[source, wanted] = Output(path, version)
