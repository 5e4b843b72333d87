"""Opens the formats that optional packages decode: HEIF, JPEG XL and camera raw.

The packages run in a separate process (``decoders``). This module reads its result, and whatever
else the file contains.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.errors import Refusal, TooLargeError, UnknownFormatError
from lbbic_engine.pictures.files import boxes, decoders, jxl, raw
from lbbic_engine.pictures.files.extras import Extras
from lbbic_engine.pictures.find import has_extra
from lbbic_engine.resources import is_bundled

NAMES = {"heif": "HEIC", "jxl": "JPEG XL", "raw": "camera raw"}
_SIGNATURES = {
    "heif": (4, tuple(b"ftyp" + kind for kind in (b"heic", b"heix", b"hevc", b"mif1", b"heim"))),
    "jxl": (0, (b"\xff\x0a", b"\0\0\0\x0cJXL ")),
}
_DEVELOPED = "Developed from camera raw with the camera's white balance, to 8-bit sRGB."


def extra_of(prefix: bytes) -> str | None:
    """Return the extra, a key of ``NAMES``, for a file that begins with ``prefix``, or None."""
    found = (extra for extra, (at, signs) in _SIGNATURES.items() if prefix[at:].startswith(signs))
    return next(found, None)


def open_extra(extra: str, file: BinaryIO) -> tuple[Image.Image, Extras]:
    """Return the decoded image and what else its file contains.

    Raises Refusal without the package or if the picture is too large, ValueError if it is damaged.
    """
    if not has_extra(extra):
        needs = f"needs an extra: pip install 'lbbic[{extra}]'"
        what = "is not supported by this build" if is_bundled() else needs
        text = f"Its format, {NAMES[extra]}, {what}"
        raise Refusal(text, UnknownFormatError)
    decoded = _decode(extra, file)
    image = Image.fromarray(_squeezed(decoded["pixels"]))
    image.format = {"heif": "HEIF", "jxl": "JXL", "raw": "RAW"}[extra]
    for key in ("exif", "xmp", "icc_profile"):
        if key in decoded:
            image.info[key] = decoded[key].tobytes()
    extras = _read_extras(extra, file, image)
    extras.bits = max(extras.bits, int(decoded.get("bits", np.array(0))))
    extras.frames = int(decoded.get("frames", np.array(1)))
    extras.orientation = 1  # the decoder has turned the picture
    return image, extras


def _squeezed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def _read_extras(extra: str, file: BinaryIO, image: Image.Image) -> Extras:
    if extra == "heif":
        return boxes.read_avif(file)
    file.seek(0)
    if extra == "jxl":
        extras = jxl.read_jxl(file.read())
        if "icc_profile" in image.info:
            extras.has_unknown_colours = False
        return extras
    image.info.update(raw.read_metadata(file))
    extras = Extras(developed=_DEVELOPED)
    if "exif" not in image.info:
        extras.left_out.append("the camera's EXIF data")
    return extras


def _decode(extra: str, file: BinaryIO) -> dict[str, NDArray[Any]]:
    with TemporaryDirectory(prefix="lbbic-") as folder:
        source, target = Path(folder, "input"), Path(folder, "output.npz")
        file.seek(0)
        with source.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        done = subprocess.run(
            [*_command(), extra, source, target],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode == decoders.REFUSED:
            raise Refusal(done.stdout.strip(), TooLargeError)
        if done.returncode:
            raise ValueError("It is damaged, or of a kind that its decoder does not support.")
        return decoders.read_output(target)


def _command() -> list[str]:
    if is_bundled():
        program = Path(sys.executable)
        return [str(program.with_name("lbbic" + program.suffix)), decoders.COMMAND]
    return [sys.executable, "-m", decoders.__name__]
