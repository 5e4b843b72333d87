"""What can go wrong, in words a user understands. Imports nothing."""


class LbbicError(Exception):
    """A failure with a short ``title`` for a heading and a ``detail`` that says what to do."""

    def __init__(self, title: str, detail: str = "") -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.title = title
        self.detail = detail


class NotLbbicError(LbbicError):
    """The data does not begin like an .lbb file."""


class UnsupportedVersionError(LbbicError):
    """The file needs a newer version of this program."""


class CorruptDataError(LbbicError):
    """The file is truncated, damaged, or contradicts itself."""


class UnrecoverableDataError(CorruptDataError):
    """Nothing more of the picture can be shown, not even a part of it."""


class UnsupportedImageError(LbbicError):
    """The picture cannot be read, or is of a kind that is not coded."""


class TooLargeError(UnsupportedImageError):
    """The picture has more pixels than can be coded, or than the caller allows."""


class UnknownFormatError(UnsupportedImageError):
    """The picture may be fine, but its format is not read here."""


class UnfitPixelsError(UnsupportedImageError):
    """The picture may be fine, but 8 bits per channel cannot hold it."""


class Refusal(ValueError):
    """Why a picture is not read, raised where its file's name is not known; ``kind`` tells all."""

    def __init__(self, reason: str, kind: type[UnsupportedImageError]) -> None:
        super().__init__(reason)
        self.kind = kind


class UnwritableImageError(UnsupportedImageError):
    """The picture cannot be stored in the format that is asked for."""


class GpuError(LbbicError):
    """The GPU failed or its memory is short; the CPU would do."""


class UnknownWeightsError(LbbicError):
    """The weights that a file or a user names are not installed, or are damaged."""


class Cancelled(LbbicError):
    """The caller asked to stop."""

    def __init__(self) -> None:
        super().__init__("Cancelled")


def damaged(detail: str) -> CorruptDataError:
    """The usual CorruptDataError."""
    return CorruptDataError("The file is damaged", detail)
