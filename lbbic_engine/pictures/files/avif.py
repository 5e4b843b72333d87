"""AVIF files as their decoder reports them: EXIF unchanged, even if it is damaged."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

from PIL import AvifImagePlugin

from lbbic_engine.pictures.files import boxes
from lbbic_engine.pictures.files.extras import Extras

_EXIF_ITEM = re.compile(rb"(infe.{8})Exif", re.DOTALL)  # version, flags, number, protection, kind


class AvifFile(AvifImagePlugin.AvifImageFile):
    """Pillow's AVIF file; Pillow would parse EXIF, and write it anew if its orientation differs.

    ``orientation`` is that of the container, which alone counts.
    """

    has_damaged_exif = False

    def _open(self) -> None:
        assert self.fp is not None
        data = self.fp.read()
        try:
            self._decoder = _decoder(data)
        except ValueError as error:
            if "Exif" not in str(error):
                raise
            self._decoder = _decoder(_EXIF_ITEM.sub(rb"\1none", data))
            self.has_damaged_exif = True
        facts = self._decoder.get_info()
        self._size, self.n_frames, self._mode, icc, exif, self.orientation, xmp = facts
        self.is_animated = self.n_frames > 1
        bodies = {"icc_profile": icc, "exif": exif, "xmp": xmp}
        self.info.update({key: body for key, body in bodies.items() if body})
        self.seek(0)


def read_avif(image: AvifFile, file: BinaryIO) -> Extras:
    """What the file contains besides what Pillow reports."""
    extras = boxes.read_avif(file)
    extras.orientation = image.orientation
    if image.has_damaged_exif:
        extras.left_out.append("damaged EXIF data")
    return extras


def _decoder(data: bytes) -> Any:
    from PIL import _avif

    threads = AvifImagePlugin._get_default_max_threads()
    return _avif.AvifDecoder(data, AvifImagePlugin.DECODE_CODEC_CHOICE, threads)
