"""Errors as a user reads them: a title, a plain reason and what to do about it."""

from __future__ import annotations

import errno
import traceback

from lbbic_engine import errors
from lbbic_engine.errors import LbbicError
from lbbic_gui.jobs.messages import Problem

# Most specific first. The first that fits gives the title (empty: the error's own) and the hint.
_KINDS: tuple[tuple[type[LbbicError], str, str], ...] = (
    (errors.GpuError, "", "Retry on the CPU."),
    (
        errors.NotLbbicError,
        "Not an .lbb file",
        "Open it with the program that made it, or choose another file.",
    ),
    (errors.UnsupportedVersionError, "Made by a newer version", "Update LBBIC to read this file."),
    (
        errors.UnknownWeightsError,
        "Unknown model",
        "Install the model that the file was made with, or update LBBIC.",
    ),
    (
        errors.CorruptDataError,
        "",
        "Get the file again from its source; a part may be missing or changed.",
    ),
    (errors.TooLargeError, "Too large", "Make it smaller with another program, then try again."),
    (errors.UnwritableImageError, "", "Choose another format."),
    (
        errors.UnknownFormatError,
        "Cannot read this picture",
        "Convert it to PNG or JPEG with another program, then try again.",
    ),
    (
        errors.UnfitPixelsError,
        "Cannot read this picture",
        "Convert it to 8 bits per channel with another program, then try again.",
    ),
    (
        errors.UnsupportedImageError,
        "Cannot read this picture",
        "Get the file again from its source; a part may be missing or changed.",
    ),
    (LbbicError, "", ""),
)
_SYSTEM = {
    errno.ENOSPC: ("Disk full", "Free some space or choose another folder."),
    errno.EACCES: ("No permission", "Choose a folder that you can write to."),
    errno.EPERM: ("No permission", "Choose a folder that you can write to."),
    errno.EROFS: ("The folder is read-only", "Choose another folder."),
    errno.ENOENT: ("File not found", "It may have been moved or renamed; add it again."),
    errno.EEXIST: ("The file already exists", "Choose another name; nothing was replaced."),
    errno.ENAMETOOLONG: ("The name is too long", "Choose a shorter name."),
}


def explain(error: BaseException, name: str) -> Problem:
    """Return what to show a user for an error raised while working on the file ``name``."""
    title, detail, hint = _words(error)
    is_recoverable = isinstance(error, errors.CorruptDataError) and not isinstance(
        error, errors.UnrecoverableDataError
    )
    return Problem(
        title,
        detail,
        hint,
        log=f"{name}\n" + "".join(traceback.format_exception(error)),
        retry_on_cpu=isinstance(error, errors.GpuError),
        can_show_rest=is_recoverable,
    )


def _words(error: BaseException) -> tuple[str, str, str]:
    """Title, detail and hint."""
    if isinstance(error, MemoryError):
        return (
            "Out of memory",
            "The picture is too large for this machine.",
            "Close other programs.",
        )
    if isinstance(error, OSError):
        title, hint = _SYSTEM.get(error.errno or 0, ("The file could not be used", "Try again."))
        return title, error.strerror or str(error), hint
    if isinstance(error, LbbicError):
        title, hint = next((t, h) for kind, t, h in _KINDS if isinstance(error, kind))
        return title or error.title, error.detail or str(error), hint
    return "Something went wrong", str(error), "Copy the details and report them."
