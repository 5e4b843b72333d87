"""Pixels between numpy, Pillow and Qt: thumbnails and canvases (blue first)."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QImage

from lbbic_gui.jobs.decoded_picture import as_image, halvings
from lbbic_gui.jobs.messages import Found, Pixels, Report, Source, Step, Thumb
from lbbic_gui.style.text import tr

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_PX = 128
_CHECKS = (0xF2, 0xD8)  # light and dark squares behind a transparent picture
_CHECK_PX = 8


def to_canvas(rgb: Pixels) -> Pixels:
    """Convert RGB (H, W, 3) to BGRX (H, W, 4), which Qt draws without converting."""
    canvas = np.full((*rgb.shape[:2], 4), 255, np.uint8)
    canvas[..., :3] = rgb[..., ::-1]
    return canvas


class Colours:
    """Converts from a picture's colour profile to sRGB, which screens are assumed to have.

    Only the display is converted; ``notices`` explains this, or that the profile is invalid.
    """

    def __init__(self, icc: bytes | None, grey: bool) -> None:
        from lbbic_engine.pictures.colour import UnfitProfileError, conversion_to_srgb

        self._conversion = None
        self.notices: tuple[str, ...] = ()
        try:
            self._conversion = conversion_to_srgb(icc, grey)
        except UnfitProfileError as error:
            self.notices = (tr("{} Colours are shown as sRGB.").format(error),)
        if self._conversion is not None:
            words = tr("Shown in sRGB; the pixels keep their profile, {}.")
            self.notices = (words.format(self._conversion.name),)

    def on_screen(self, rgb: Pixels) -> Pixels:
        """Return ``rgb`` (…, 3) in sRGB."""
        return rgb if self._conversion is None else self._conversion.convert(rgb)


def checkerboard(alpha: NDArray[np.uint8] | None) -> tuple[QImage, ...]:
    """The checkerboard that covers a picture's transparent parts, and its halvings.

    It is empty if there are none.
    """
    if alpha is None:
        return ()
    rows, columns = (np.arange(side) // _CHECK_PX for side in alpha.shape)
    checks = np.where((rows[:, None] + columns) % 2, *_CHECKS).astype(np.uint16)
    cover = 255 - alpha.astype(np.uint16)
    pixels = np.empty((*alpha.shape, 4), np.uint8)
    pixels[..., :3] = (checks * cover // 255)[..., None]
    pixels[..., 3] = cover
    return tuple(_premultiplied(each) for each in (pixels, *halvings(pixels)))


def _premultiplied(pixels: Pixels) -> QImage:
    height, width, _ = pixels.shape
    format_ = QImage.Format.Format_ARGB32_Premultiplied
    return QImage(pixels.data, width, height, 4 * width, format_).copy()


def suffixes() -> frozenset[str]:
    """The suffixes of pictures and .lbb files, in lower case."""
    from lbbic_engine.pictures.find import LBBIC_SUFFIXES, picture_suffixes

    return picture_suffixes() | LBBIC_SUFFIXES


def measures_by_ssimulacra2() -> bool:
    """Whether the package that measures it is installed."""
    from lbbic_engine.measure import ssimulacra2

    return ssimulacra2.is_installed()


def find(
    paths: tuple[Path, ...],
    report: Callable[[Report], None],
    cancelled: Callable[[], bool],
) -> Found:
    """Find all pictures and .lbb files among files and, at any depth, in folders.

    Reports a ``Step`` for each folder. Cancelled once ``cancelled`` returns True.
    """
    from lbbic_engine.pictures.find import (
        EXTRA_SUFFIXES,
        find_files,
        format_counts,
        is_folder,
        is_ordinary,
    )

    sources: list[tuple[Path | None, tuple[Source, ...]]] = []
    unsupported: list[str] = []
    unreadable: list[str] = []
    others: Counter[str] = Counter()
    wanted = suffixes()
    accepted = wanted.union(*EXTRA_SUFFIXES.values())  # opening one says which package it needs
    for path in paths:
        if is_folder(path):
            report(Step(tr("Searching {}").format(path.name or path)))
            listing = find_files(path, wanted, cancelled)
            sources.append((path, tuple(map(_source, listing.files))))
            unreadable += (Path(error.filename).name for error in listing.unreadable)
            others += listing.others
        elif path.suffix.lower() in accepted and is_ordinary(path):
            sources.append((None, (_source(path),)))
        else:
            unsupported.append(path.name)
    return Found(tuple(sources), tuple(unsupported), tuple(unreadable), format_counts(others))


def _source(path: Path) -> Source:
    return Source(path.name, path.absolute())


def thumbnail(source: Source) -> Thumb:
    """Make a small upright picture for display; only check an .lbb file.

    LbbicError or OSError if the file cannot be read.
    """
    from lbbic_engine.bitstream.container import parse_container
    from lbbic_engine.pictures.read import load_preview

    if source.image is not None:
        size = source.image.size()
        return Thumb(_small(source.image), 0, size.width(), size.height())
    assert source.path is not None
    file_bytes = source.path.stat().st_size
    if source.is_lbb:
        container = parse_container(source.path.read_bytes())
        return Thumb(QImage(), file_bytes, container.width, container.height)
    preview = load_preview(source.path, THUMBNAIL_PX)
    pixels, format_ = preview.pixels, QImage.Format.Format_RGBA8888
    view = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], format_)
    return Thumb(view.copy(), file_bytes, preview.width, preview.height)


def _small(image: QImage) -> QImage:
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return image.scaled(THUMBNAIL_PX, THUMBNAIL_PX, keep, smooth)


def small_canvas(canvas: Pixels) -> QImage:
    """A thumbnail of a canvas."""
    step = max(1, max(canvas.shape[:2]) // (2 * THUMBNAIL_PX))
    return _small(as_image(np.ascontiguousarray(canvas[::step, ::step])).copy())


def to_pillow(image: QImage) -> tuple[Image.Image, int]:
    """Convert a pasted picture for Pillow; also return its size as a PNG file."""
    from PIL import Image

    data = to_png(image)
    return Image.open(io.BytesIO(data), formats=["PNG"]), len(data)


def content(source: Source) -> Path | bytes:
    """What a process can read a picture from: its file, or a PNG file of a pasted picture."""
    if source.path is not None:
        return source.path
    assert source.image is not None
    return to_png(source.image)


def to_png(image: QImage) -> bytes:
    """The PNG file of an image."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())
