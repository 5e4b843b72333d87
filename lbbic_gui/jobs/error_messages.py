"""Errors as a user reads them: a title, a plain reason and what to do about it."""

from __future__ import annotations

import errno
import traceback

from lbbic_gui.jobs.messages import Problem

# By the names of the engine's errors, most specific first: the title (empty: the error's own) and
# what to do.
_KINDS = (
    ("GpuError", "", "Retry on the CPU."),
    (
        "NotLbbicError",
        "Not an .lbb file",
        "Open it with the program that made it, or choose another file.",
    ),
    (
        "UnsupportedVersionError",
        "Made by a newer version",
        "Update LBBIC to read this file.",
    ),
    (
        "UnknownWeightsError",
        "Unknown model",
        "Install the model that the file was made with, or update LBBIC.",
    ),
    (
        "CorruptDataError",
        "",
        "Get the file again from its source; a part may be missing or changed.",
    ),
    (
        "TooLargeError",
        "Too large",
        "Make it smaller with another program, then try again.",
    ),
    ("UnwritableImageError", "", "Choose another format."),
    (
        "UnknownFormatError",
        "Cannot read this picture",
        "Convert it to PNG or JPEG with another program, then try again.",
    ),
    (
        "UnfitPixelsError",
        "Cannot read this picture",
        "Convert it to 8 bits per channel with another program, then try again.",
    ),
    (
        "UnsupportedImageError",
        "Cannot read this picture",
        "Get the file again from its source; a part may be missing or changed.",
    ),
    ("LbbicError", "", ""),
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
    """Words for an exception of the engine, of the system, or of unknown origin."""
    title, detail, hint = _words(error)
    log = f"{name}\n" + "".join(traceback.format_exception(error))
    return Problem(
        title,
        detail,
        hint,
        log,
        retry_on_cpu=_is(error, "GpuError"),
        can_show_rest=title == "Truncated file" or title == "The file is damaged",
    )


def _words(error: BaseException) -> tuple[str, str, str]:
    if isinstance(error, MemoryError):
        return (
            "Out of memory",
            "The picture is too large for this machine.",
            "Close other programs.",
        )
    if isinstance(error, OSError):
        title, hint = _SYSTEM.get(error.errno or 0, ("The file could not be used", "Try again."))
        return title, error.strerror or str(error), hint
    for kind, known_title, hint in _KINDS:
        if _is(error, kind):
            title = known_title or str(getattr(error, "title", ""))
            return title, str(getattr(error, "detail", "")) or str(error), hint
    return "Something went wrong", str(error), "Copy the details and report them."


def _is(error: BaseException, kind: str) -> bool:
    return any(each.__name__ == kind for each in type(error).__mro__)
