"""Prints how this machine decodes the golden files and codes a picture, for comparison.

    python check.py SOURCE

Compresses a small picture at four qualities and decodes it, and decodes the golden files of the
checkout SOURCE, with every kernel that proves itself. Two machines agree if they print the same
lines except for the first, which names the kernels. arm.sh compares this machine with an ARM one.
"""

import hashlib
import os
import sys
from pathlib import Path

SOURCE = Path(sys.argv[1])
GOLDEN = SOURCE / "tests" / "golden"
os.environ["LBBIC_WEIGHTS"] = str(GOLDEN)
sys.path.insert(0, str(SOURCE))

from lbbic_engine import Picture, compress, decompress, load_picture  # noqa: E402
from lbbic_engine.networks import refinement_files, weights  # noqa: E402
from lbbic_engine.networks.kernels import KERNELS, self_check  # noqa: E402

QUALITIES = (1.0, 3.0, 5.5, 8.0)
WIDTH, HEIGHT = 72, 48


def main() -> None:
    kernels = [kernel for kernel in KERNELS if self_check(kernel, "cpu")]
    print("kernels:", *kernels, flush=True)
    sample = load_picture(SOURCE / "resources" / "samples" / "astronaut.png").pixels
    picture = Picture(sample[100 : 100 + HEIGHT, 180 : 180 + WIDTH].copy())
    files = {f"quality {quality}": compress(picture, quality).data for quality in QUALITIES}
    files["paper"] = compress(picture, weights="paper").data
    for name, data in files.items():
        tell(f"{name}, compressed", data)
    for path in sorted(GOLDEN.rglob("*.lbb")):
        files[str(path.relative_to(GOLDEN))] = path.read_bytes()
    for kernel in KERNELS:
        if kernel in kernels:
            os.environ["LBBIC_KERNEL"] = kernel
            weights._load.cache_clear()
            refinement_files._load.cache_clear()
            for name, data in files.items():
                tell(f"{name}, decoded by {kernel}", decompress(data).pixels.tobytes())


def tell(name: str, data: bytes) -> None:
    print(hashlib.sha256(data).hexdigest(), name, flush=True)


if __name__ == "__main__":
    main()
