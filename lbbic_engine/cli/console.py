"""How the command line speaks on standard error: complaints, reasons, a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lbbic_engine.errors import LbbicError

if TYPE_CHECKING:
    from lbbic_engine.codec import Progress

FAILURES = (LbbicError, OSError, MemoryError)

ShowProgress = Callable[["Progress"], None] | None


def complain(text: str) -> None:
    """Print one line to standard error."""
    print(f"lbbic: {' '.join(text.split())}", file=sys.stderr, flush=True)


def reason(error: BaseException, place: Path | None = None) -> str:
    """Return what went wrong, without repeating ``place``."""
    if isinstance(error, FileExistsError):
        return f"{error.filename or error} exists already (--overwrite replaces it)"
    if isinstance(error, OSError) and error.strerror:
        elsewhere = error.filename and str(error.filename) != str(place)
        return f"{error.strerror}: {error.filename}" if elsewhere else error.strerror
    if isinstance(error, MemoryError):
        return "Out of memory"
    return str(error).replace(f" {place}", "", 1) if place else str(error)


@contextmanager
def progress_bar(label: str) -> Iterator[ShowProgress]:
    """Give a callback that draws a bar, or None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=label, unit=" blocks", leave=False) as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.total
            bar.set_postfix_str(progress.stage, refresh=False)
            bar.update(progress.done - bar.n)

        yield show
