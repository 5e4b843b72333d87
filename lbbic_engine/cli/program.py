"""Runs the ``lbbic`` command line.

``lbbic --help`` is fast because nothing heavy is imported before a command runs.
Exit codes: 0 done, 1 a decoded picture differs, 2 something failed, 130 interrupted, 141 the reader
of the output has gone, 143 terminated.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from lbbic_engine.cli.arguments import make_parser
from lbbic_engine.cli.console import FAILURES, WarningHandler, complain, reason
from lbbic_engine.devices import wait_briefly


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv`` (or the process's arguments) and return its exit code."""
    if getattr(sys, "frozen", False):  # the program is its own workers' program, too
        import multiprocessing

        from lbbic_engine.pictures.files import decoders

        multiprocessing.freeze_support()
        if sys.argv[1:2] == [decoders.COMMAND]:
            return decoders.main(sys.argv[2:])
    try:
        with _terminable():
            _prepare()
            args = make_parser().parse_args(argv)
            code: int = args.command(args)
            if sys.stdout:
                sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:
        # The reader has gone; without this Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except FAILURES as error:
        complain(reason(error))
        return 2


def _prepare() -> None:
    for number in range(3):  # opened files must not get the number of a closed standard stream
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    wait_briefly()
    warnings.filterwarnings("ignore", module="PIL")  # about damaged metadata; notices tell of these
    logging.getLogger("lbbic").handlers[:] = [WarningHandler()]


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM run finally clauses, as Ctrl+C does."""

    def end(*_: object) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
