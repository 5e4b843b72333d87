"""Which result belongs to which picture: none replaces another picture's of this session.

Nor does one take the place of a picture of the list, which other formats than .lbb would.
"""

from __future__ import annotations

from collections.abc import Iterable
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
        """Whether the file still exists unchanged."""
        return self.version is not None and FileVersion.of(self.path) == self.version


class Outputs:
    """The names given to results, and the files written under them."""

    def __init__(self) -> None:
        self._owners: dict[str, Source] = {}  # by the name's key
        self._written: dict[tuple[Source, Path], Output] = {}
        self._originals: set[str] = set()

    def keep(self, sources: Iterable[Source]) -> None:
        """Never replace these pictures, which are in the list."""
        paths = [each.path for each in sources if each.path is not None and not each.is_lbb]
        self._originals.update(map(name_key, paths))

    def earlier(self, source: Source, wanted: Path) -> Output | None:
        """The picture's earlier result for the path ``wanted``, unless it is in the list itself."""
        written = self._written.get((source, wanted))
        return None if written and name_key(written.path) in self._originals else written

    def name(self, source: Source, wanted: Path) -> Path:
        """Reserve ``wanted``, numbered if another picture has that name."""
        names = ((name, name_key(name)) for name in numbered(wanted))
        path, key = next(
            (path, key)
            for path, key in names
            if self._owners.get(key, source) == source and key not in self._originals
        )
        self._owners[key] = source
        return path

    def note(self, source: Source, wanted: Path, path: Path, version: FileVersion | None) -> None:
        """Record that the result for ``wanted`` was written to ``path``."""
        self._owners[name_key(path)] = source
        self._written[source, wanted] = Output(path, version)
