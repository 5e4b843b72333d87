"""Damaged and hostile files for everything that reads a stranger's, made with a seed.

python tests/fuzz/fuzz.py [TARGET …] [--seconds 60] [--seed 1] [--guided]

What mutates an .lbb file knows its chunks and makes their checksums right again, so that what is
behind them is reached. A target may raise LbbicError and nothing else, and whatever decodes one
picture in several ways must give the same one. What fails is kept in build/fuzz.

With --guided, of one target, inputs that reach new lines are mutated on: that needs atheris (the
extra ``fuzz``), which keeps what fails as crash-….
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import struct
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from random import Random

TESTS = Path(__file__).parents[1]
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

if "--guided" in sys.argv:  # what follows is counted
    import atheris

    counted = atheris.instrument_imports(include=["lbbic_engine"])
else:
    counted = nullcontext()
with counted:
    from lbbic_engine import codec
    from lbbic_engine.bitstream import container as format_
    from lbbic_engine.errors import LbbicError
    from lbbic_engine.networks import model_files, refinement_files, weights
    from lbbic_engine.pictures.picture import Picture
    from lbbic_engine.pictures.read import load_picture

GOLDEN = TESTS / "golden"
MOST_PIXELS = 2**14  # of a picture that is decoded: what claims more is refused
HEADER_END = len(format_.SIGNATURE) + 2
NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 2**14, 2**16 - 1, 2**18, 2**28, 2**31, 2**35 - 1)

Chunks = list[tuple[bytes, bytes]]


# --- .lbb files ---------------------------------------------------------------------------------


def seeds() -> list[bytes]:
    """Small files of every kind that this program and those before it have written."""
    found = [
        path.read_bytes() for path in sorted(GOLDEN.glob("**/*.lbb")) if "pages" not in path.name
    ]
    pixels = np.random.default_rng(1).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    picture = Picture(pixels, pixels[..., 0], icc=b"icc", exif=b"II*\0", xmp=b"<x/>")
    return [*found, codec.compress(picture, 3, weights="tiny").data]


def split(data: bytes) -> Chunks:
    """Types and bodies of the chunks of an intact file."""
    found, start = [], HEADER_END
    while start < len(data):
        chunk = format_._read_chunk(data, start)
        found.append((chunk.kind, bytes(chunk.body)))
        start = chunk.end
    return found


def join(start: bytes, chunks: Chunks) -> bytes:
    """The file, every checksum right, also those within the streams."""
    return start + b"".join(_sealed(kind, body) for kind, body in chunks)


def _sealed(kind: bytes, body: bytes) -> bytes:
    try:
        tile, at = format_._parse_varint(body, 0)
        fronts, at = format_._parse_varint(body, at)
    except LbbicError:
        return format_._pack_chunk(kind, body)
    if kind != b"S":
        return format_._pack_chunk(kind, body)
    step = format_.PAGE_BYTES + 2
    pages = [body[i : i + format_.PAGE_BYTES] for i in range(at, len(body), step)]
    return format_._pack_stream(format_.Segment(tile, fronts, b"".join(pages)))


def mutate(random: Random, data: bytes) -> bytes:
    """Changes chunks, or the bytes as they lie there."""
    chunks, start = split(data), data[:HEADER_END]
    for _ in range(random.choice((1, 1, 2, 4))):
        index = random.randrange(len(chunks))
        kind, body = chunks[index]
        way = random.randrange(8)
        if way <= 3:
            chunks[index] = kind, _changed(random, body)
        elif way == 4:
            chunks.insert(random.randrange(len(chunks) + 1), (kind, body))
        elif way == 5 and len(chunks) > 1:
            del chunks[index]
        elif way == 6:
            chunks[index] = random.choice((b"H", b"A", b"i", b"e", b"x", b"S", b"P", b"z")), body
        else:
            number = format_._pack_varint(random.choice(NUMBERS))
            chunks[index] = kind, number + body[random.randrange(4) :]
    mutated = join(start, chunks or [(b"H", b"")])
    return _changed(random, mutated) if random.random() < 0.2 else mutated


def _changed(random: Random, data: bytes) -> bytes:
    """A few bytes changed, taken out, put in, or cut off."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 3))):
        place = random.randrange(len(changed) + 1)
        way = random.randrange(6)
        if way <= 2 and place < len(changed):
            changed[place] = (
                random.randrange(256) if way else changed[place] ^ 1 << random.randrange(8)
            )
        elif way == 3:
            del changed[place : place + random.choice((1, 4, 50))]
        elif way == 4:
            changed[place:place] = random.randbytes(random.choice((1, 4, 50)))
        elif random.random() < 0.2:
            del changed[place:]
    return bytes(changed)


def corpus() -> dict[str, bytes]:
    """Small files that were made to cost much, one for each kind of claim."""
    plain = seeds()[0]
    start, chunks = plain[:HEADER_END], split(plain)
    (_, header), (_, stream) = chunks[0], chunks[-1]
    rest = header[2:]  # width and height are one byte each

    def sized(width: int, height: int, tile: int = 0) -> bytes:
        sides = format_._pack_varint(width) + format_._pack_varint(height)
        return sides + rest[:2] + format_._pack_varint(tile) + rest[3:]

    def file(*parts: tuple[bytes, bytes]) -> bytes:
        return join(start, [*parts])

    zeros = zlib.compress(bytes(2**24), 9)
    return {
        "many pixels": file((b"H", sized(2**14, 2**14, 64)), (b"S", b"\0\x01" + bytes(4))),
        "low tiles": file((b"H", sized(2**12, 2**12, 1)), (b"S", b"\0\x01" + bytes(4))),
        "one tile": file((b"H", sized(2**14, 2**14)), (b"S", b"\0\x01")),
        "transparency": file((b"H", header), (b"A", zeros), (b"S", stream)),
        "profile": file((b"H", header), (b"i", zeros), (b"S", stream)),
        "packet": file((b"H", header), (b"x", zeros), (b"S", stream)),
        "many chunks": file((b"H", header), *[(b"z", b"")] * 2000, (b"S", stream)),
        "false starts": plain[:-1] + (b"S" + format_._pack_varint(2**20)) * 3000,
        "only S": plain[:-1] + b"S" * 3000,
        "empty stream": file((b"H", header), (b"S", stream[:2])),
        "no stream": file((b"H", header)),
        "cut": plain[: len(plain) // 2],
    }


# --- files of weights ---------------------------------------------------------------------------

MODELS = ("tiny", "paper", "tiny-refinement")
VALUES = (None, True, -1, 0, 1, 8, 2**31, 2**63, 0.5, float("nan"), "", "x", [], [8, 0], {}, [[]])


def mutate_weights(random: Random, data: bytes) -> bytes:
    """Changes the header, the configuration within, or numbers of a tensor."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    metadata = json.loads(header["__metadata__"][model_files.METADATA_KEY])
    name = random.choice([key for key in header if key != "__metadata__"])
    way = random.randrange(5)
    if way == 0:
        metadata[random.choice(list(metadata))] = random.choice(VALUES)
    elif way == 1:
        metadata["config"][random.choice(list(metadata["config"]))] = random.choice(VALUES)
    elif way == 2:
        header[name]["dtype"] = random.choice(("F64", "F16", "I64", "I8", "BOOL", "F8_E8M0"))
    elif way == 3:
        header[name]["shape"] = random.choice(([], [0], header[name]["shape"][::-1], [2**63, 2]))
    else:
        first, last = header[name]["data_offsets"]
        place = random.randrange(first, last) if last > first else 0
        body[place : place + 8] = random.choice((b"\xff", b"\x7f", b"\0", b"\x80")) * 8
    header["__metadata__"] = {model_files.METADATA_KEY: json.dumps(metadata)}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(body)


# --- targets ------------------------------------------------------------------------------------


def container(data: bytes) -> None:
    """Reading in part gives what reading whole does, if that can be done."""
    left = format_.parse_container(data, partial=True)
    codec.read_info(data)
    whole = format_.parse_container(data)
    assert (whole.segments, left.lost) == (left.segments, ())


def decode(data: bytes) -> None:
    codec.decompress(data, max_pixels=MOST_PIXELS)


def partial(data: bytes) -> None:
    """What decodes whole does so in part, front by front, and region by region, too."""
    left = codec.decompress(data, partial=True, max_pixels=MOST_PIXELS)
    for _ in codec.decode_progressively(data, partial=True, max_pixels=MOST_PIXELS):
        pass
    whole = codec.decompress(data, max_pixels=MOST_PIXELS)
    assert np.array_equal(left.pixels, whole.pixels)


def region(data: bytes) -> None:
    info = codec.read_info(data)
    if info.width * info.height <= MOST_PIXELS:
        width, height = (info.width + 1) // 2, (info.height + 1) // 2
        part = codec.decompress_region(data, 0, 0, width, height)
        whole = codec.decompress(data)
        assert np.array_equal(part, whole.pixels[:height, :width])


def model(data: bytes) -> None:
    """A folder with such a file in it, which gives itself out to be any of them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.safetensors").write_bytes(data)
        os.environ["LBBIC_WEIGHTS"] = folder
        try:
            names = {info.name for info in weights.installed()}
            list(refinement_files.installed())
            for name in names & {"tiny", "paper"}:
                codec.compress(Picture(np.zeros((9, 9, 3), np.uint8)), weights=name)
        finally:
            os.environ["LBBIC_WEIGHTS"] = str(GOLDEN)


def picture(data: bytes) -> None:
    load_picture(io.BytesIO(data))


def pictures() -> list[bytes]:
    image = Image.effect_noise((23, 17), 60).convert("RGB")
    found = []
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM"):
        file = io.BytesIO()
        image.save(file, kind)
        found.append(file.getvalue())
    return found


def models() -> list[bytes]:
    return [(GOLDEN / f"{name}.safetensors").read_bytes() for name in MODELS]


Target = tuple[Callable[[bytes], None], Callable[[], list[bytes]], Callable[[Random, bytes], bytes]]
TARGETS: dict[str, Target] = {
    "container": (container, seeds, mutate),
    "decode": (decode, seeds, mutate),
    "partial": (partial, seeds, mutate),
    "region": (region, seeds, mutate),
    "weights": (model, models, mutate_weights),
    "picture": (picture, pictures, _changed),
}


def inputs(name: str, seed: int) -> Iterator[bytes]:
    """Without end, the same for the same seed."""
    _, make_seeds, change = TARGETS[name]
    random, found = Random(f"{name} {seed}"), make_seeds()
    while True:
        yield change(random, random.choice(found))


def attempt(name: str, data: bytes) -> bool:
    """Whether a target took the input; it raises what it should not."""
    try:
        TARGETS[name][0](data)
    except LbbicError:
        return False
    return True


def run(name: str, seed: int, seconds: float) -> bool:
    """Whether nothing failed; says how much was tried."""
    end, tried, taken = time.monotonic() + seconds, 0, 0
    for data in inputs(name, seed):
        if time.monotonic() > end:
            break
        tried += 1
        try:
            taken += attempt(name, data)
        except Exception:
            path = Path("build/fuzz", f"{name}-{seed}-{tried}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            traceback.print_exc()
            print(f"{name}: input {tried} fails, kept as {path}")
            return False
    print(f"{name}: {tried} inputs, {taken} taken, {tried - taken} refused")
    return True


def run_guided(name: str, seed: int, seconds: float) -> None:
    """Never returns: it ends the process."""
    _, make_seeds, change = TARGETS[name]
    found = make_seeds()

    def mutated(data: bytes, most: int, number: int) -> bytes:
        random = Random(number)
        try:
            return change(random, data)[:most]
        except (
            LbbicError,
            ValueError,
            LookupError,
            TypeError,
            struct.error,
        ):  # what knows the format cannot change this
            return change(random, random.choice(found))[:most]

    options = [f"-seed={seed}", f"-max_total_time={seconds:.0f}", f"-max_len={2**20}"]
    one = lambda data: attempt(name, data)  # noqa: E731
    atheris.Setup([sys.argv[0], *options], one, custom_mutator=mutated)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guided", action="store_true", help="by coverage: needs atheris")
    options = parser.parse_args()
    os.environ["LBBIC_WEIGHTS"] = str(GOLDEN)
    logging.getLogger("lbbic").setLevel(logging.CRITICAL)
    if options.guided:
        (target,) = options.targets
        run_guided(target, options.seed, options.seconds)
    results = [run(name, options.seed, options.seconds) for name in options.targets]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
