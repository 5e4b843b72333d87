"""Decodes HEIF, JPEG XL and camera raw in a separate process, which ``extra_formats`` starts.

    python -m lbbic_engine.pictures.files.decoders EXTRA INPUT OUTPUT

The process is separate because these decoders are native code that reads untrusted files and has
not been tested against damage here. OUTPUT is an .npz file without pickle: pixels (H, W, 1…4)
uint8, and bits, frames, exif, xmp and icc_profile where known. The exit code is 0 for success, 2 if
the picture is refused, with the reason on standard output, and anything else if it is damaged.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.errors import Refusal
from lbbic_engine.pictures.files.limits import check_size

COMMAND = "--decode-picture"  # of the bundled program, which has no ``python -m``
REFUSED = 2
_CPU_SECONDS = 600

Decoded = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Decode INPUT with the library of EXTRA into OUTPUT and return the exit code."""
    extra, source, target = arguments
    _limit_processor_time()
    try:
        decoded = DECODERS[extra](source)
    except Refusal as refusal:
        print(refusal)
        return REFUSED
    arrays: dict[str, Any] = {
        key: np.frombuffer(value, np.uint8) if isinstance(value, bytes) else np.asarray(value)
        for key, value in decoded.items()
        if value is not None
    }
    np.savez(target, **arrays)
    return 0


def _heif(source: str) -> Decoded:
    import pi_heif

    picture = pi_heif.open_heif(source, convert_hdr_to_8bit=True)  # upright as the file says
    check_size(*picture.size)
    decoded = {key: picture.info.get(key) for key in ("exif", "xmp", "icc_profile")}
    return {**decoded, "pixels": np.array(picture), "frames": len(picture)}


def _jxl(source: str) -> Decoded:
    import pylibjxl

    data = Path(source).read_bytes()
    header = pylibjxl.probe(data)
    check_size(header["width"], header["height"])
    pixels, metadata = pylibjxl.decode(data, metadata=True)
    return {
        "pixels": np.atleast_3d(pixels),
        "bits": header["bits_per_sample"],
        "frames": 2 if header["have_animation"] else 1,
        **{key: metadata.get(key) for key in ("exif", "xmp", "icc_profile")},
    }


def _raw(source: str) -> Decoded:
    import rawpy

    with rawpy.imread(source) as raw:
        check_size(raw.sizes.width, raw.sizes.height)
        pixels = raw.postprocess(use_camera_wb=True, output_bps=8)  # upright, sRGB
    return {"pixels": pixels}


DECODERS: dict[str, Callable[[str], Decoded]] = {"heif": _heif, "jxl": _jxl, "raw": _raw}


def _limit_processor_time() -> None:
    """Set a limit, because a damaged file may keep a decoder busy for ever."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))


def read_output(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of OUTPUT.

    Raises ValueError if they do not have the types and shapes above, Refusal if there are too many
    pixels.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    pixels = arrays["pixels"]
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4):
        raise ValueError("It is damaged.")
    check_size(pixels.shape[1], pixels.shape[0])
    return arrays


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
