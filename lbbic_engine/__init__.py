"""LBBIC: a learned block-based image codec. This module is the public face of the engine.

    from lbbic_engine import compress, decompress, load_picture

    compressed = compress(load_picture("photo.png"), quality=4)
    picture = decompress(compressed.data)

Importing it is cheap: torch is imported when something is first coded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lbbic_engine.errors import (
    Cancelled,
    CorruptDataError,
    LbbicError,
    NotLbbicError,
    UnknownWeightsError,
    UnsupportedImageError,
    UnsupportedVersionError,
)

if TYPE_CHECKING:
    from lbbic_engine.batch.directions import CodedFile, Decoding, Encoding
    from lbbic_engine.batch.files import FileResult, code_files
    from lbbic_engine.codec import (
        compress,
        compress_batch,
        decode_progressively,
        decompress,
        decompress_batch,
        decompress_region,
        read_info,
    )
    from lbbic_engine.coding.results import Compressed, Front, Info, Progress
    from lbbic_engine.pictures.picture import Notice, NoticeKind, Picture, to_image
    from lbbic_engine.pictures.read import load_picture
    from lbbic_engine.pictures.write import save_image

_HOMES = {
    "lbbic_engine.batch.directions": ("CodedFile", "Decoding", "Encoding"),
    "lbbic_engine.batch.files": ("FileResult", "code_files"),
    "lbbic_engine.codec": (
        "compress",
        "compress_batch",
        "decode_progressively",
        "decompress",
        "decompress_batch",
        "decompress_region",
        "read_info",
    ),
    "lbbic_engine.coding.results": ("Compressed", "Front", "Info", "Progress"),
    "lbbic_engine.pictures.picture": ("Notice", "NoticeKind", "Picture", "to_image"),
    "lbbic_engine.pictures.read": ("load_picture",),
    "lbbic_engine.pictures.write": ("save_image",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Cancelled",
    "CodedFile",
    "Compressed",
    "CorruptDataError",
    "Decoding",
    "Encoding",
    "FileResult",
    "Front",
    "Info",
    "LbbicError",
    "NotLbbicError",
    "Notice",
    "NoticeKind",
    "Picture",
    "Progress",
    "UnknownWeightsError",
    "UnsupportedImageError",
    "UnsupportedVersionError",
    "code_files",
    "compress",
    "compress_batch",
    "decode_progressively",
    "decompress",
    "decompress_batch",
    "decompress_region",
    "load_picture",
    "read_info",
    "save_image",
    "to_image",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
