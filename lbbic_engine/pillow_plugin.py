"""A Pillow plugin: after ``register()``, ``Image.open`` and ``Image.save`` support ``.lbb`` files.

Opening reads the container only; ``load`` decodes. Errors become those that Pillow expects:
SyntaxError if a file is not an ``.lbb`` file, OSError otherwise.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Any

from PIL import Image, ImageFile

from lbbic_engine.bitstream.container import MAX_PIXELS, SIGNATURE, read_outline
from lbbic_engine.config import DEFAULT_QUALITY, EFFORTS, TUNES, quality_index
from lbbic_engine.devices import choose_device
from lbbic_engine.errors import LbbicError, NotLbbicError
from lbbic_engine.pictures.picture import attach_metadata, to_image
from lbbic_engine.pictures.read import load_picture

FORMAT = "LBBIC"
_DEFAULTS: dict[str, Any] = {
    "device": "auto",
    "effort": EFFORTS[0],
    "tune": TUNES[0],
    "exact": True,
}


def register() -> None:
    """Register the format with Pillow; repeated calls have no effect."""
    Image.register_open(FORMAT, LbbicImageFile, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_extension(FORMAT, ".lbb")
    Image.register_mime(FORMAT, "image/x-lbb")


class LbbicImageFile(ImageFile.ImageFile):
    """An opened ``.lbb`` file, which may be cut off with ``ImageFile.LOAD_TRUNCATED_IMAGES``."""

    format = FORMAT
    format_description = "Learned block-based image"

    _data: bytes | None = None

    def _open(self) -> None:
        assert self.fp is not None
        self._data = self.fp.read()
        with _pillow_errors():
            container, has_alpha = read_outline(self._data, partial=ImageFile.LOAD_TRUNCATED_IMAGES)
        self._size = (container.width, container.height)
        self._mode = ("L" if container.grey else "RGB") + ("A" if has_alpha else "")
        attach_metadata(self, container.icc, container.exif, container.xmp)

    def load(self) -> Any:
        """Decode the pixels, once; OSError if that fails."""
        if self._data is not None:
            from lbbic_engine.codec import decompress

            with _pillow_errors():
                picture = decompress(
                    self._data,
                    partial=ImageFile.LOAD_TRUNCATED_IMAGES,
                    max_pixels=2 * (Image.MAX_IMAGE_PIXELS or MAX_PIXELS),  # as Image.open
                )
            self.im = to_image(picture).im
            self._data = None
            for notice in picture.notices:
                warnings.warn(notice.text, stacklevel=2)
            if self._exclusive_fp and self.fp is not None:  # as Pillow does for its own formats
                self.fp.close()
                self.fp = None
        return super().load()


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(SIGNATURE)


def _save(image: Image.Image, fp: IO[bytes], filename: str | bytes) -> None:
    """Options: ``quality`` 1…8 (7), ``effort``, ``tune``, ``exact``, ``device``; icc_profile, exif,
    xmp to replace.

    ValueError or TypeError for invalid options, before any work. Pillow has opened the file by
    then: it removes a new file, but an existing file has been emptied.
    """
    from lbbic_engine.codec import compress

    options = image.encoderinfo
    quality = options.get("quality", DEFAULT_QUALITY)
    chosen = {key: options.get(key, value) for key, value in _DEFAULTS.items()}
    quality_index(quality)
    choose_device(chosen["device"])
    for name, values in (("effort", EFFORTS), ("tune", TUNES)):
        if chosen[name] not in values:
            raise ValueError(f"{name} must be one of {', '.join(values)}, not {chosen[name]}")
    with _pillow_errors():
        with _replaced_metadata(image, options):
            picture = load_picture(image)
        if options.get("xmp", True) is None:  # nor one of captions and texts
            picture = replace(picture, xmp=None)
        compressed = compress(picture, quality, **chosen)
    for notice in picture.notices:
        warnings.warn(notice.text, stacklevel=3)
    fp.write(compressed.data)


@contextmanager
def _replaced_metadata(image: Image.Image, options: Mapping[str, Any]) -> Iterator[None]:
    """Let the image have the metadata in the options for a while; None removes metadata.

    A copy would not be of the file's format any more, and lose what the file says besides.
    """
    values: dict[Any, Any] = {}
    for key in options.keys() & {"icc_profile", "exif", "xmp"}:
        value = options[key]
        if isinstance(value, Image.Exif):
            value = value.tobytes()
        if not isinstance(value, bytes | str | None):
            raise TypeError(f"{key} must be bytes or None, not {type(value).__name__}")
        values[key] = value or b""
    if values:
        image.load()  # which may add to the metadata
    before = image.info
    image.info = {**before, **values}
    try:
        yield
    finally:
        image.info = before


@contextmanager
def _pillow_errors() -> Iterator[None]:
    try:
        yield
    except NotLbbicError as error:
        raise SyntaxError(str(error)) from error
    except LbbicError as error:
        raise OSError(str(error)) from error
