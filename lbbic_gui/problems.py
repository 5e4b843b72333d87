"""What can go wrong, told to a user: a title, a plain reason and what to do about it."""

from __future__ import annotations

import errno
import traceback

from lbbic_gui.messages import Problem

_HINTS = {
    "NotLbbicError": "Open it with the program that made it, or choose another file.",
    "UnsupportedVersionError": "Update LBBIC to read this file.",
    "UnknownWeightsError": "Install the weights the file was made with, or update LBBIC.",
    "UnsupportedImageError": "Convert it to PNG or JPEG with another program, then try again.",
}
_TITLES = {
    "NotLbbicError": "Not an .lbb file",
    "UnsupportedVersionError": "Made by a newer version",
    "UnknownWeightsError": "Unknown weights",
    "UnsupportedImageError": "Cannot read this picture",
}
_SYSTEM = {
    errno.ENOSPC: ("Disk full", "Free some space or choose another folder."),
    errno.EACCES: ("No permission", "Choose a folder that you may write to."),
    errno.EPERM: ("No permission", "Choose a folder that you may write to."),
    errno.EROFS: ("The folder is read-only", "Choose another folder."),
    errno.ENOENT: ("File not found", "It may have been moved or renamed; add it again."),
    errno.EEXIST: ("The file exists already", "Choose another name; nothing was replaced."),
    errno.ENAMETOOLONG: ("The name is too long", "Choose a shorter name."),
}


def explain(error: BaseException, name: str) -> Problem:
    """Words for an exception of the engine, of the system, or of nobody we know."""
    title, detail, hint = _words(error)
    log = f"{name}\n" + "".join(traceback.format_exception(error))
    return Problem(
        title,
        detail,
        hint,
        log,
        retry_on_cpu="CUDA out of memory" in str(error),
        can_show_rest=title == "Truncated file" or title == "The file is damaged",
    )


def _words(error: BaseException) -> tuple[str, str, str]:
    name = type(error).__name__
    if "CUDA out of memory" in str(error):
        return "Out of GPU memory", "The picture does not fit the GPU.", "Retry on the CPU."
    if isinstance(error, MemoryError):
        return (
            "Out of memory",
            "The picture is too large for this machine.",
            "Close other programs.",
        )
    if isinstance(error, OSError):
        title, hint = _SYSTEM.get(error.errno or 0, ("The file could not be used", "Try again."))
        return title, error.strerror or str(error), hint
    detail = str(getattr(error, "detail", "")) or str(error)
    if "pixels are more than" in detail:
        return "Too large", detail, "Make it smaller with another program, then try again."
    if name == "CorruptDataError":
        hint = "Get the file again from where it came from; a part may be missing or changed."
        return str(getattr(error, "title", "Damaged file")), detail, hint
    own_title = str(getattr(error, "title", "Something went wrong"))
    if own_title.startswith("Cannot write") or "cannot hold" in own_title:
        return own_title, detail, "Choose another format."
    title = _TITLES.get(name, own_title)
    hint = _HINTS.get(name, "Copy the details and report them." if title[:4] == "Some" else "")
    return title, detail, hint
