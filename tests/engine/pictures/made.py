"""What the tests of pictures share: pictures that are made, as files, and their metadata."""

import io
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from lbbic_engine.pictures.picture import NoticeKind, Picture, to_image
from lbbic_engine.pictures.read import load_picture

Make = Callable[[ModuleType], bytes]

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<r:Description tiff:Orientation="6"/></x:xmpmeta><?xpacket end="w"?>'
)
UPRIGHT_XMP = XMP.replace(b'"6"', b'"1"')
CORNERS = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40


def noise(*shape: int, dtype: type = np.uint8) -> NDArray[Any]:
    limit = np.iinfo(dtype).max + 1
    return np.random.default_rng(7).integers(0, limit, shape, dtype=dtype)


def exif_bytes(orientation: int | None = 6) -> bytes:
    exif = Image.Exif()
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: b"a comment"}
    return exif.tobytes()


def stored(image: Image.Image, format_: str, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, format_, **options)
    file.seek(0)
    return file


def orientation_of(picture: Picture) -> int | None:
    value: int | None = to_image(picture).getexif().get(ExifTags.Base.Orientation)
    return value


def load(data: bytes) -> Picture:
    return load_picture(io.BytesIO(data))


def left_out(picture: Picture) -> str:
    """The text of the one notice of what is lost, empty if there is none."""
    texts = [notice.text for notice in picture.notices if notice.kind is NoticeKind.LEFT_OUT]
    assert len(texts) <= 1
    return "".join(texts)
