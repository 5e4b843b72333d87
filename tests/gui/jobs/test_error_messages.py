"""Every kind of failure has its own title, a plain reason and advice."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lbbic_engine import errors
from lbbic_gui.jobs import requests
from lbbic_gui.jobs.error_messages import explain
from lbbic_gui.jobs.messages import Source

FAILURES: tuple[tuple[Exception, str], ...] = (
    (errors.UnsupportedImageError("Cannot read a.png", "It is damaged."), "Cannot read"),
    (errors.TooLargeError("Cannot read a.png", "Its 9 pixels exceed the limit"), "Too large"),
    (errors.UnknownFormatError("Cannot read a.png", "It is a HEIC file."), "Cannot read"),
    (errors.UnfitPixelsError("Cannot read a.png", "It is PQ."), "Cannot read"),
    (errors.UnwritableImageError("Cannot write a.webp", "It is too wide."), "Cannot write a.webp"),
    (MemoryError(), "Out of memory"),
    (errors.GpuError("Out of memory", "It does not fit the GPU's memory."), "Out of memory"),
    (errors.GpuError("The GPU failed", "CUDA error: an illegal instruction"), "The GPU failed"),
    (OSError(errno.ENOSPC, "No space left on device"), "Disk full"),
    (PermissionError(errno.EACCES, "Permission denied"), "No permission"),
    (errors.UnknownWeightsError("Unknown model", "not installed"), "Unknown model"),
    (errors.UnsupportedVersionError("Too new", "version 9"), "Made by a newer version"),
    (errors.UnrecoverableDataError("Checksum mismatch", "the pixels differ"), "Checksum mismatch"),
    (errors.CorruptDataError("Truncated file", "A part is missing."), "Truncated file"),
    (errors.NotLbbicError("No", "it begins differently"), "Not an .lbb file"),
    (ZeroDivisionError("division by zero"), "Something went wrong"),
)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"text"])
def test_hints_do_not_suggest_the_format_that_failed(
    answers: Any, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    problem = answers.ask(requests.Open(Source(path.name, path)))
    assert "PNG" not in problem.hint
    assert ("empty" in problem.detail) == (content == b"")


@pytest.mark.parametrize(("error", "title"), FAILURES, ids=lambda value: str(value)[:20])
def test_each_kind_of_failure_has_its_own_title(error: Exception, title: str) -> None:
    problem = explain(error, "a.png")
    assert problem.title.startswith(title)
    assert problem.detail
    assert problem.hint
    assert "a.png" in problem.log
    assert problem.retry_on_cpu == isinstance(error, errors.GpuError)


def test_the_rest_of_a_damaged_file_is_offered_only_where_it_can_be_shown() -> None:
    mismatch = errors.UnrecoverableDataError("Checksum mismatch", "the pixels differ")
    assert explain(errors.CorruptDataError("The file is damaged", "…"), "a.lbb").can_show_rest
    assert not explain(mismatch, "a.lbb").can_show_rest
    assert not explain(errors.NotLbbicError("No", "…"), "a.lbb").can_show_rest


def test_a_full_disk_leaves_no_partial_file(
    answers: Any, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = draw("in/a.png")
    monkeypatch.setattr("os.fsync", fail)
    target = path.with_suffix(".lbb")
    request = requests.Save(Source(path.name, path), target, 4.0, "cpu", "rename")
    assert answers.ask(request).title == "Disk full"
    assert list(path.parent.iterdir()) == [path]
