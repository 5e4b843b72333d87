"""What is dropped or pasted into the window: files, a picture, or something else.

A browser that copies a picture offers the picture, a page around it and its address, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QImage

from lbbic_gui.style.text import tr


@dataclass(frozen=True)
class Transfer:
    """Files or a picture; if there is neither, ``refusal`` is the reason."""

    paths: tuple[Path, ...] = ()
    image: QImage | None = None
    refusal: str = ""


def read(data: QMimeData) -> Transfer:
    """Read files first, because file managers add icons to them, then pictures, then addresses."""
    addresses = _addresses(data)
    paths = tuple(Path(url.toLocalFile()) for url in addresses if url.isLocalFile())
    if paths:
        return Transfer(paths)
    image = _image(data)
    if image is not None:
        return Transfer(image=image)
    schemes = {url.scheme() for url in addresses}
    if schemes & {"http", "https"}:
        return Transfer(refusal=tr("A web address: save the picture first, then drop the file"))
    if schemes:
        return Transfer(refusal=tr("Not on this computer: copy the file to it first"))
    return Transfer(refusal=tr("It contains no picture"))


def is_welcome(data: QMimeData) -> bool:
    """Whether a drop can be used, or refused with a helpful message; decodes nothing."""
    return data.hasImage() or any(map(_is_picture, data.formats())) or bool(_addresses(data))


def _addresses(data: QMimeData) -> list[QUrl]:
    """The addresses in it: its own, or those that its text consists of, one per line."""
    if data.hasUrls():
        return data.urls()
    lines = [line.strip() for line in data.text().splitlines() if line.strip()]
    return [QUrl.fromUserInput(line) for line in lines] if all(map(_is_address, lines)) else []


def _is_address(line: str) -> bool:
    return Path(line).is_absolute() or ("://" in line and " " not in line)


def _image(data: QMimeData) -> QImage | None:
    if data.hasImage() and isinstance(image := data.imageData(), QImage) and not image.isNull():
        return image
    for kind in filter(_is_picture, data.formats()):
        image = QImage.fromData(data.data(kind))
        if not image.isNull():
            return image
    return None


def _is_picture(kind: str) -> bool:
    return kind.startswith("image/")
