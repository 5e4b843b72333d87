"""Output to standard error: messages, reasons of failures, a progress bar."""

from __future__ import annotations

import logging
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lbbic_engine.errors import LbbicError
from lbbic_engine.pictures.find import format_counts

if TYPE_CHECKING:
    from lbbic_engine.coding.results import Progress

FAILURES = (LbbicError, OSError, MemoryError)
_BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_BIDI_MARKS = "\u061c\u200e\u200f"


def escaped(text: object) -> str:
    """Return text with control characters and changes of direction escaped."""
    return "".join(
        char.encode("unicode_escape").decode() if _is_control(char) else char for char in str(text)
    )


def _is_control(char: str) -> bool:
    return (
        unicodedata.category(char) in ("Cc", "Zl", "Zp")
        or unicodedata.bidirectional(char) in _BIDI_CONTROLS
        or char in _BIDI_MARKS
    )


def complain(text: str) -> None:
    """Print one line to standard error."""
    if sys.stderr is not None:
        print(f"lbbic: {escaped(' '.join(text.splitlines()))}", file=sys.stderr, flush=True)


class WarningHandler(logging.Handler):
    """Prints each warning that the engine logs once, even if several workers log it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._said:
            self._said.add(text)
            complain(text)


def report_skipped(others: Counter[str]) -> None:
    """Tell how many files of which kinds were skipped."""
    if others:
        complain(f"skipped: {format_counts(others)}")


def failure_verdict(failed: int, total: int) -> int:
    """Return the exit code, and tell how many have failed."""
    if failed:
        complain(f"{failed} of {total} failed")
    return 2 if failed else 0


def reason(error: BaseException, place: Path | None = None) -> str:
    """Return the reason of a failure, without repeating ``place``."""
    if isinstance(error, FileExistsError):
        return f"{error.filename or error} already exists (--overwrite replaces it)"
    if isinstance(error, OSError) and error.strerror:
        elsewhere = error.filename and str(error.filename) != str(place)
        return f"{error.strerror}: {error.filename}" if elsewhere else error.strerror
    if isinstance(error, MemoryError):
        return "Out of memory"
    return str(error).replace(f"Cannot read {place}:", "Cannot read:", 1)


class ProgressBar:
    """A bar that shows how many files are done, partly finished ones included."""

    def __init__(self, names: Sequence[str]) -> None:
        from tqdm import tqdm

        self._names = [escaped(Path(name).name) for name in names]
        self._finished = 0
        self._shares: dict[int, float] = {}  # of files being coded, the part that is done
        self.bar = tqdm(
            desc=self._label(0),
            total=len(names),
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}",
            leave=False,
        )

    def show(self, index: int, progress: Progress) -> None:
        """Show the progress of a file."""
        self._shares[index] = progress.done / progress.total
        self.bar.set_description_str(self._label(index), refresh=False)
        self._move()

    def finish(self, index: int) -> None:
        """Count a file as done, and clear the bar for other output."""
        self._finished += 1
        self._shares.pop(index, None)
        self._move()
        self.bar.clear()

    def _label(self, index: int) -> str:
        return f"{self._finished + 1}/{len(self._names)} {self._names[index]}"

    def _move(self) -> None:
        self.bar.update(self._finished + sum(self._shares.values()) - self.bar.n)


@contextmanager
def progress_bar(names: Sequence[str]) -> Iterator[ProgressBar | None]:
    """Provide a bar for files, or None if standard error is not a terminal."""
    if not names or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    progress = ProgressBar(names)
    with progress.bar:
        yield progress
