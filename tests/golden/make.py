"""Makes the golden files again; only for a change of the format, together with its version.

Before that, move those of the previous version into a folder with its name, where they stay.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
os.environ["LBBIC_WEIGHTS"] = str(FOLDER)

from lbbic_engine.codec import compress  # noqa: E402
from lbbic_engine.pictures.picture import Picture  # noqa: E402


def main() -> None:
    y, x = np.mgrid[0:45, 0:70]
    waves = np.stack([x * 3 + y, (x * y) // 9, 255 - x * 2 - y], axis=2).clip(0, 255)
    alpha = ((x + y) * 2).astype(np.uint8)
    checksums = FOLDER / "SHA256"
    kept = [line for line in checksums.read_text("utf-8").splitlines(keepends=True) if "/" in line]
    lines = []
    for name, model, quality, grey, with_alpha in (
        ("low", "tiny", 1.0, False, False),
        ("high", "tiny", 7.625, False, True),
        ("grey", "tiny", 4.0, True, False),
        ("paper", "paper", None, False, False),
        ("refined", "tiny", 3.0, False, False),
        ("pages", "tiny", 8.0, False, False),
        ("exact", "tiny", 8.0, False, True),
        ("map", "tiny", 4.0, False, False),
    ):
        pixels = waves.astype(np.uint8)
        pixels = np.tile(pixels, (5, 5, 1)) if name == "pages" else pixels
        pixels = np.repeat(pixels[..., :1], 3, axis=2) if grey else pixels
        picture = Picture(
            pixels=pixels,
            alpha=alpha if with_alpha else None,
            grey=grey,
            icc=None,
            exif=b"Exif\0\0kept" if with_alpha else None,
            xmp=None,
            notices=(),
        )
        compressed = compress(
            picture,
            quality,
            weights=model,
            refine=name in ("refined", "map"),
            exact=name == "exact",
            quality_map=np.array([[-2, 0, 3], [1, 2, -3]]) if name == "map" else None,
        )
        (FOLDER / f"{name}.lbb").write_bytes(compressed.data)
        lines.append(f"{hashlib.sha256(compressed.reconstruction).hexdigest()}  {name}.lbb\n")
    checksums.write_text("".join(lines + kept), encoding="utf-8")


if __name__ == "__main__":
    main()
