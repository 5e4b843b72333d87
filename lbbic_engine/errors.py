"""The errors that the engine raises, with messages for users. Imports nothing."""


class LbbicError(Exception):
    """A failure, with a short ``title`` and a ``detail`` that explains it."""

    def __init__(self, title: str, detail: str = "") -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.title = title
        self.detail = detail

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled without a call of ``__init__``, whose arguments a subclass may not have."""
        return Exception.__new__, (type(self), *self.args), vars(self)


class NotLbbicError(LbbicError):
    """The data does not begin like an .lbb file."""


class UnsupportedVersionError(LbbicError):
    """The file needs a newer version of this program."""


class CorruptDataError(LbbicError):
    """The file is truncated, damaged, or contradicts itself."""


class UnrecoverableDataError(CorruptDataError):
    """Nothing more of the picture can be shown, not even a part of it."""


class UnsupportedImageError(LbbicError):
    """The picture cannot be read, or its kind is not supported."""


class TooLargeError(UnsupportedImageError):
    """The picture has more pixels than the format, or the caller, allows."""


class UnknownFormatError(UnsupportedImageError):
    """The format of the picture is not supported; the file may be valid."""


class UnfitPixelsError(UnsupportedImageError):
    """The picture cannot be represented in 8 bits per channel; the file may be valid."""


class Refusal(ValueError):
    """Raised where the name of the picture's file is unknown, to be re-raised as a ``kind``."""

    def __init__(self, reason: str, kind: type[UnsupportedImageError]) -> None:
        super().__init__(reason)
        self.kind = kind


class UnwritableImageError(UnsupportedImageError):
    """The picture cannot be stored in the requested format."""


class GpuError(LbbicError):
    """The GPU failed or ran out of memory; the CPU may still work."""


class UnknownWeightsError(LbbicError):
    """The requested weights are not installed, or are damaged."""


class Cancelled(LbbicError):
    """The caller cancelled the work."""

    def __init__(self) -> None:
        super().__init__("Cancelled")


def damaged(detail: str) -> CorruptDataError:
    """Return the CorruptDataError for most kinds of damage."""
    return CorruptDataError("The file is damaged", detail)
