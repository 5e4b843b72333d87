"""A file's metadata as a Picture holds them: EXIF and XMP that describe the upright picture.

Other kinds of metadata are mapped to one of these where possible, and named where not.
"""

from __future__ import annotations

import struct

from PIL import ExifTags, Image

from lbbic_engine.bitstream.bodies import MAX_METADATA_BYTES
from lbbic_engine.pictures.files.extras import Extras
from lbbic_engine.pictures.metadata import exif as exif_data
from lbbic_engine.pictures.metadata import iptc
from lbbic_engine.pictures.metadata import xmp as xmp_data
from lbbic_engine.pictures.picture import EXIF_PREFIX, Notice, NoticeKind

_RATIO_ONLY = 1  # a resolution without a unit


class Metadata:
    """The metadata of a loaded image; ``left_out`` names what is lost."""

    def __init__(self, image: Image.Image, extras: Extras) -> None:
        self.left_out = list(extras.left_out)
        self.exif = self._read_exif(image)
        self.xmp = self._read_xmp(image)
        self.orientation = extras.orientation or self._read_orientation(image)
        self._add_resolution(image)
        self._add_properties(extras)

    def make_upright(self, turn: Image.Transpose | None, width: int, height: int) -> None:
        """Adapt EXIF and XMP to the picture after ``turn``, which has the size given."""
        if self.exif is not None:
            self.exif = exif_data.upright(self.exif, turn, width, height)
        if self.xmp is not None:
            self.xmp = xmp_data.upright(self.xmp, width, height)
        for key in ("exif", "xmp"):
            if len(getattr(self, key) or b"") > MAX_METADATA_BYTES:
                self.left_out.append(f"{key.upper()} data larger than {MAX_METADATA_BYTES} bytes")
                setattr(self, key, None)

    def notices(self) -> list[Notice]:
        """A notice of everything that is left out, if anything is."""
        if not self.left_out:
            return []
        parts = "; ".join(dict.fromkeys(self.left_out))
        return [
            Notice(NoticeKind.LEFT_OUT, f"Not everything in the file is kept; left out: {parts}.")
        ]

    def _read_exif(self, image: Image.Image) -> bytes | None:
        try:
            if "exif" in image.info:
                exif = bytes(image.info["exif"] or b"").removeprefix(EXIF_PREFIX)
            else:
                tags = exif_data.portable(image.getexif()) if image.format == "TIFF" else None
                exif = tags.tobytes().removeprefix(EXIF_PREFIX) if tags else b""
            if exif:
                exif_data.orientation(exif)
            return exif or None
        except Exception:  # Pillow's readers raise anything when a file is damaged.
            self.left_out.append("damaged EXIF data")
            return None

    def _read_xmp(self, image: Image.Image) -> bytes | None:
        xmp = image.info.get("xmp", image.info.get("XML:com.adobe.xmp"))
        if isinstance(xmp, str):
            xmp = xmp.encode()
        return xmp if isinstance(xmp, bytes) and xmp else None

    def _read_orientation(self, image: Image.Image) -> int:
        """The orientation in EXIF or, without one, in XMP."""
        if image.format == "TIFF":
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
        orientation = exif_data.orientation(self.exif) if self.exif else None
        if orientation is None and self.xmp:
            orientation = xmp_data.orientation(self.xmp)
        return 1 if orientation is None else orientation

    def _add_resolution(self, image: Image.Image) -> None:
        """Add the dots per inch, or the aspect ratio of pixels, to EXIF."""
        if image.format == "TIFF":  # its tags are copied, and Pillow invents missing ones
            return
        is_jpeg = image.format in ("JPEG", "MPO")
        is_made_up = is_jpeg and not image.info.get("jfif_unit")  # or that of EXIF
        unit, pair = 2, None if is_made_up else image.info.get("dpi")
        if pair is None:
            unit, pair = _RATIO_ONLY, image.info.get("aspect") or image.info.get("jfif_density")
            if pair is None or pair[0] == pair[1]:
                return
        try:
            across, down = float(pair[0]), float(pair[1])
            if min(across, down) > 0:
                self.exif = exif_data.with_resolution(self.exif, across, down, unit)
        except (struct.error, KeyError, ValueError, OverflowError, TypeError):
            self.left_out.append("an invalid resolution")

    def _add_properties(self, extras: Extras) -> None:
        """Add IPTC data and texts to the XMP properties."""
        properties, others = iptc.from_iptc(extras.iptc or b"")
        from_text, other_texts = iptc.from_text(extras.text)
        for name, values in from_text.items():
            properties[name] = [*properties.get(name, []), *values]
        distinct = {name: list(dict.fromkeys(values)) for name, values in properties.items()}
        self.xmp, lost = xmp_data.with_properties(self.xmp, distinct)
        self.left_out += [
            *others,
            *other_texts,
            *(f"a {name} that differs from XMP's" for name in lost),
        ]
