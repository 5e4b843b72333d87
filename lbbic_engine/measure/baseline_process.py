"""Runs other codecs in a separate process, so that the caller's other threads never stall.

Their libraries hold the interpreter's lock while they read or write a whole picture, some 100 ms at
12 megapixels. A process can also be killed in the middle of an encoding. Pixels are passed as
files, which both processes read and write without holding the lock.
"""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lbbic_engine.errors import Cancelled, LbbicError
from lbbic_engine.measure import baselines

_ORIGINAL, _DECODED = "original.npy", "decoded.npy"
_POLL_SECONDS = 0.05


def encode_at_size(
    picture: baselines.Picture, codec: str, max_bytes: int, cancelled: Callable[[], bool]
) -> baselines.BaselineResult:
    """Run `baselines.encode_at_size` in a process; Cancelled soon after `cancelled` is True."""
    context = multiprocessing.get_context("spawn")  # a fork would share the locks of threads
    with TemporaryDirectory(prefix="lbbic-") as folder:
        np.save(Path(folder, _ORIGINAL), picture)
        answers, end = context.Pipe(duplex=False)
        process = context.Process(target=_encode, args=(end, folder, codec, max_bytes), daemon=True)
        process.start()
        end.close()
        try:
            while not answers.poll(_POLL_SECONDS):
                if cancelled():
                    raise Cancelled
            answer = _receive(answers, codec)
        finally:
            process.kill()
            process.join()
        if isinstance(answer, Exception):
            raise answer
        quality, data, setting = answer
        decoded = np.load(Path(folder, _DECODED))
        return baselines.BaselineResult(codec, quality, data, decoded, setting)


def _receive(answers: Connection, codec: str) -> Any:
    try:
        return answers.recv()
    except (EOFError, OSError):  # at the end of the pipe, or within a message
        detail = f"The {codec.upper()} process ended unexpectedly; memory may have run out."
        raise LbbicError("The comparison failed", detail) from None


def _encode(answers: Connection, folder: str, codec: str, max_bytes: int) -> None:
    """Runs in the process; sends quality, file and setting, or an exception."""
    try:
        picture = np.load(Path(folder, _ORIGINAL))
        result = baselines.encode_at_size(picture, codec, max_bytes)
        np.save(Path(folder, _DECODED), result.reconstruction)
        answers.send((result.quality, result.data, result.setting))
    except Exception as error:
        answers.send(error)
