"""Pixels between numpy, Pillow and Qt: thumbnails and canvases (blue first)."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QImage

from lbbic_gui.jobs.decoded_picture import as_image
from lbbic_gui.jobs.messages import Found, Pixels, Source, Thumb
from lbbic_gui.style.text import tr

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL_PX = 128
_CHECKS = (0xF2, 0xD8)  # light and dark squares behind a transparent picture
_CHECK_PX = 8


def to_canvas(rgb: Pixels) -> Pixels:
    """(H, W, 3) red first as (H, W, 4) blue first, which Qt draws without converting."""
    canvas = np.full((*rgb.shape[:2], 4), 255, np.uint8)
    canvas[..., :3] = rgb[..., ::-1]
    return canvas


class Colours:
    """From a picture's colour profile to sRGB, which is what a screen is taken for.

    Only what is shown is converted; ``notices`` says so. Without a profile, and where a profile
    does not fit its picture, colours are sRGB already.
    """

    def __init__(self, icc: bytes | None) -> None:
        self._transform = None
        self.notices: tuple[str, ...] = ()
        if icc is None:
            return
        from PIL import ImageCms

        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            name = ImageCms.getProfileDescription(profile).strip()
            if name.lower().startswith("srgb"):
                return
            srgb = ImageCms.createProfile("sRGB")
            self._transform = ImageCms.buildTransform(profile, srgb, "RGB", "RGB")
        except (ImageCms.PyCMSError, OSError):
            return
        self.notices = (tr("Shown in sRGB; the pixels keep their profile, {}.").format(name),)

    def on_screen(self, rgb: Pixels) -> Pixels:
        """``rgb`` (…, 3) in sRGB."""
        if self._transform is None:
            return rgb
        from PIL import Image, ImageCms

        rows = np.ascontiguousarray(rgb).reshape(-1, rgb.shape[-2], 3)
        shown = ImageCms.applyTransform(Image.fromarray(rows), self._transform)
        return np.asarray(shown).reshape(rgb.shape)


def veil(alpha: NDArray[np.uint8] | None) -> QImage | None:
    """Checks that lie on a picture where it is transparent; None if it is not."""
    if alpha is None:
        return None
    rows, columns = (np.arange(side) // _CHECK_PX for side in alpha.shape)
    checks = np.where((rows[:, None] + columns) % 2, *_CHECKS).astype(np.uint16)
    cover = 255 - alpha.astype(np.uint16)
    pixels = np.empty((*alpha.shape, 4), np.uint8)
    pixels[..., :3] = (checks * cover // 255)[..., None]
    pixels[..., 3] = cover
    height, width = alpha.shape
    format_ = QImage.Format.Format_ARGB32_Premultiplied
    return QImage(pixels.data, width, height, 4 * width, format_).copy()


def suffixes() -> frozenset[str]:
    """The endings, in small letters, of pictures and .lbb files."""
    from lbbic_engine.pictures.find import LBBIC_SUFFIXES, picture_suffixes

    return picture_suffixes() | LBBIC_SUFFIXES


def find(paths: tuple[Path, ...]) -> Found:
    """All pictures and .lbb files among files and, at any depth, in folders."""
    from lbbic_engine.pictures.find import find_files, in_words, is_folder

    sources: list[tuple[Path | None, tuple[Source, ...]]] = []
    unsupported: list[str] = []
    unreadable: list[str] = []
    others: Counter[str] = Counter()
    wanted = suffixes()
    for path in paths:
        if is_folder(path):
            found = find_files(path, wanted)
            sources.append((path, tuple(map(_source, found.files))))
            unreadable += (Path(error.filename).name for error in found.unreadable)
            others += found.others
        elif path.suffix.lower() in wanted:
            sources.append((None, (_source(path),)))
        else:
            unsupported.append(path.name)
    return Found(tuple(sources), tuple(unsupported), tuple(unreadable), in_words(others))


def _source(path: Path) -> Source:
    return Source(path.name, path.absolute())


def thumbnail(source: Source) -> Thumb:
    """A small upright picture; whatever Pillow raises where a file cannot be read."""
    from PIL import Image, ImageOps

    if source.image is not None:
        size = source.image.size()
        return Thumb(_small(source.image), 0, size.width(), size.height())
    assert source.path is not None
    file_bytes = source.path.stat().st_size
    if source.is_lbb:
        return Thumb(QImage(), file_bytes, 0, 0)
    with Image.open(source.path) as image:
        width, height = image.size
        image.draft("RGB", (2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))
        small = ImageOps.exif_transpose(image)
        if (small.width < small.height) != (width < height):
            width, height = height, width
        small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
        pixels = np.ascontiguousarray(np.asarray(small.convert("RGBA")))
    format_ = QImage.Format.Format_RGBA8888
    view = QImage(pixels.data, small.width, small.height, pixels.strides[0], format_)
    return Thumb(view.copy(), file_bytes, width, height)


def _small(image: QImage) -> QImage:
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return image.scaled(THUMBNAIL_PX, THUMBNAIL_PX, keep, smooth)


def small_canvas(canvas: Pixels) -> QImage:
    """A thumbnail of a canvas."""
    step = max(1, max(canvas.shape[:2]) // (2 * THUMBNAIL_PX))
    return _small(as_image(np.ascontiguousarray(canvas[::step, ::step])).copy())


def to_pillow(image: QImage) -> tuple[Image.Image, int]:
    """A pasted picture for Pillow, and its size as a PNG file."""
    from PIL import Image

    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    data = bytes(buffer.data().data())
    return Image.open(io.BytesIO(data)), len(data)
