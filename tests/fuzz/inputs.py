"""Damaged and hostile inputs: intact seeds, their mutators, and files made to be expensive.

The mutators for .lbb files, weights and PNG know the format and correct its checksums, so that the
code behind these is reached.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import safetensors.torch
from PIL import Image, ImageCms

from lbbic_engine import codec
from lbbic_engine.bitstream import container as format_
from lbbic_engine.bitstream import lossless
from lbbic_engine.bitstream.chunks import (
    PAGE_BYTES,
    Segment,
    pack_chunk,
    pack_stream,
    pack_varint,
    parse_varint,
    read_chunk,
)
from lbbic_engine.config import RefinementConfig
from lbbic_engine.errors import LbbicError
from lbbic_engine.layout import tiles
from lbbic_engine.networks import model_files, weights, weights_schema
from lbbic_engine.pictures.files import png
from lbbic_engine.pictures.picture import Picture
from tests.engine.pictures.made import dng

GOLDEN = Path(__file__).parents[1] / "golden"
EXTRA = Path(__file__).parents[1] / "engine" / "pictures" / "extra"
HEADER_END = len(format_.SIGNATURE) + 2
NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 2**14, 2**16 - 1, 2**18, 2**28, 2**31, 2**35 - 1)

Chunks = list[tuple[bytes, bytes]]


def small_tiles() -> Any:
    """A context in which small pictures are cut into tiles like large ones."""
    return patch.object(tiles, "TILE_PIXELS", 512)


# --- .lbb files ---------------------------------------------------------------------------------


def seeds() -> list[bytes]:
    """Small files of every kind that this program and earlier versions write."""
    before = [path.read_bytes() for path in sorted(GOLDEN.glob("1.*/*.lbb"))]
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:24, 0:64]
    waves = np.stack([x * 3 + y, (x * y) // 9, 255 - x * 2 - y], axis=2).clip(0, 255)
    waves = waves.astype(np.uint8)
    noise = random.integers(0, 256, (24, 40, 3), dtype=np.uint8)
    ramp = np.linspace(-3, 3, 10).reshape(2, 5)
    metadata = {"icc": b"icc", "exif": b"II*\0", "xmp": b"<x/>"}
    with small_tiles():
        return (
            before
            + [
                codec.compress(picture, quality, weights=name, refine=refine, exact=False).data
                for picture, quality, name, refine in (
                    (Picture(waves[:16, :20]), 3, "tiny", False),
                    (Picture(waves[:21, :30]), 3, "tiny", True),
                    (Picture(noise, noise[..., 0], **metadata), 8, "tiny", False),  # several pages
                    (Picture(waves), 2, "tiny", False),  # three tiles
                    (Picture(waves, waves[..., 0], **metadata), 2, "tiny", True),
                    (Picture(np.repeat(waves[:17, :17, :1], 3, 2), grey=True), 4, "tiny", True),
                    (Picture(waves[:16, :16]), None, "paper", False),
                    (Picture(waves[:1, :1]), 5, "tiny", False),
                )
            ]
            + [codec.compress(Picture(waves, waves[..., 0], **metadata), 8, weights="tiny").data]
            + [
                codec.compress(
                    Picture(waves), 4, weights="tiny", quality_map=ramp, exact=False
                ).data
            ]
        )


def split(data: bytes) -> Chunks:
    """Types and bodies of the chunks of an intact file."""
    found, start = [], HEADER_END
    while start < len(data):
        chunk = read_chunk(data, start)
        found.append((chunk.kind, bytes(chunk.body)))
        start = chunk.end
    return found


def join(start: bytes, chunks: Chunks) -> bytes:
    """Return the file with all checksums corrected, including those within streams."""
    return start + b"".join(_sealed(kind, body) for kind, body in chunks)


def _sealed(kind: bytes, body: bytes) -> bytes:
    try:
        tile, at = parse_varint(body, 0)
        fronts, at = parse_varint(body, at)
    except LbbicError:
        return pack_chunk(kind, body)
    if kind != b"S":
        return pack_chunk(kind, body)
    step = PAGE_BYTES + 2
    pages = [body[i : i + PAGE_BYTES] for i in range(at, len(body), step)]
    return pack_stream(Segment(tile, fronts, b"".join(pages)))


def with_pixels_crc(data: bytes, crc: int) -> bytes:
    """Return the file with the checksum of these pixels."""
    header = read_chunk(data, HEADER_END)
    body = bytes(header.body[:-4]) + struct.pack("<I", crc)
    return data[:HEADER_END] + pack_chunk(b"H", body) + data[header.end :]


def mutate(random: Random, data: bytes) -> bytes:
    """Change chunks, or bytes regardless of them."""
    chunks, start = split(data), data[:HEADER_END]
    for _ in range(random.choice((1, 1, 2, 4))):
        index = random.randrange(len(chunks))
        kind, body = chunks[index]
        choice = random.randrange(8)
        if choice <= 3:
            chunks[index] = kind, mutate_bytes(random, body)
        elif choice == 4:
            chunks.insert(random.randrange(len(chunks) + 1), (kind, body))
        elif choice == 5 and len(chunks) > 1:
            del chunks[index]
        elif choice == 6:
            chunks[index] = bytes([random.choice(b"HAMCiexSLPz")]), body
        else:
            number = pack_varint(random.choice(NUMBERS))
            chunks[index] = kind, number + body[random.randrange(4) :]
    mutated = join(start, chunks or [(b"H", b"")])
    return mutate_bytes(random, mutated) if random.random() < 0.2 else mutated


def mutate_bytes(random: Random, data: bytes) -> bytes:
    """Change, remove, insert or cut off a few bytes."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 3))):
        place = random.randrange(len(changed) + 1)
        choice = random.randrange(6)
        if choice <= 2 and place < len(changed):
            changed[place] = (
                random.randrange(256) if choice else changed[place] ^ 1 << random.randrange(8)
            )
        elif choice == 3:
            del changed[place : place + random.choice((1, 4, 50))]
        elif choice == 4:
            changed[place:place] = random.randbytes(random.choice((1, 4, 50)))
        elif random.random() < 0.2:
            del changed[place:]
    return bytes(changed)


def corpus() -> dict[str, bytes]:
    """Small files made to be expensive, one for each kind of false claim."""
    plain = seeds()[0]
    start, chunks = plain[:HEADER_END], split(plain)
    (_, header), (_, stream) = chunks[0], chunks[-1]
    rest = header[2:]  # width and height are one byte each

    def sized(width: int, height: int, tile: int = 0, flags: int = rest[0]) -> bytes:
        sides = pack_varint(width) + pack_varint(height)
        return sides + bytes([flags, rest[1]]) + pack_varint(tile) + rest[3:]

    def file(*parts: tuple[bytes, bytes]) -> bytes:
        return join(start, [*parts])

    zeros = zlib.compress(bytes(2**24), 9)
    exact, with_map = ((GOLDEN / name).read_bytes() for name in ("exact.lbb", "map.lbb"))
    mapped_start, mapped = with_map[:HEADER_END], split(with_map)
    new, exact_header = exact[:HEADER_END], split(exact)[0]
    wide = lossless.encode(np.zeros((1, lossless.MAX_SIDE, 3), np.uint8))
    return {
        "many pixels": file((b"H", sized(2**14, 2**14, 64)), (b"S", b"\0\x01" + bytes(4))),
        "low tiles": file((b"H", sized(2**12, 2**12, 1)), (b"S", b"\0\x01" + bytes(4))),
        "one tile": file((b"H", sized(2**14, 2**14)), (b"S", b"\0\x01")),
        "transparency": file((b"H", header), (b"A", zeros), (b"S", stream)),
        "profile": file((b"H", header), (b"i", zeros), (b"S", stream)),
        "packet": file((b"H", header), (b"x", zeros), (b"S", stream)),
        "many chunks": file((b"H", header), *[(b"z", b"")] * 2000, (b"S", stream)),
        "false starts": plain[:-1] + (b"S" + pack_varint(2**20)) * 3000,
        "only S": plain[:-1] + b"S" * 3000,
        "empty stream": file((b"H", header), (b"S", stream[:2])),
        "no stream": file((b"H", header)),
        "wide drawing": join(new, [exact_header, (b"L", b"\0" + wide)]),
        "drawing of nothing": join(new, [exact_header, (b"L", b"\0" + wide[:5])]),
        "drawing in place of blocks": file((b"H", header), (b"L", b"\0" + wide)),
        "blocks in place of a drawing": join(new, [exact_header, (b"S", stream)]),
        "map of nothing": join(mapped_start, [mapped[0], (b"M", b""), *mapped[2:]]),
        "map of large groups": join(mapped_start, [mapped[0], (b"M", b"\xff"), *mapped[2:]]),
        "no map": join(mapped_start, [mapped[0], *mapped[2:]]),
        "two maps": join(mapped_start, [*mapped[:2], *mapped[1:]]),
        "map for large picture": join(
            mapped_start, [(b"H", sized(2**14, 2**14, 64, flags=16)), mapped[1], mapped[-1]]
        ),
        "map of many groups": join(
            mapped_start,
            [(b"H", sized(2**14, 2**14, 64, flags=16)), (b"M", b"\x01" + bytes(4)), mapped[-1]],
        ),
        "cut": plain[: len(plain) // 2],
    }


# --- files of weights ---------------------------------------------------------------------------

MODELS = ("tiny", "paper", "tiny-refinement")
VALUES = (None, True, -1, 0, 1, 8, 2**31, 2**63, 0.5, float("nan"), "", "x", [], [8, 0], {}, [[]])


def mutate_weights(random: Random, data: bytes) -> bytes:
    """Change the header, the configuration in it, or numbers of a tensor."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    metadata = json.loads(header["__metadata__"][model_files.METADATA_KEY])
    name = random.choice([key for key in header if key != "__metadata__"])
    choice = random.randrange(5)
    if choice == 0:
        metadata[random.choice(list(metadata))] = random.choice(VALUES)
    elif choice == 1:
        metadata["config"][random.choice(list(metadata["config"]))] = random.choice(VALUES)
    elif choice == 2:
        header[name]["dtype"] = random.choice(("F64", "F16", "I64", "I8", "BOOL", "F8_E8M0"))
    elif choice == 3:
        header[name]["shape"] = random.choice(([], [0], header[name]["shape"][::-1], [2**63, 2]))
    else:
        first, last = header[name]["data_offsets"]
        place = random.randrange(first, last) if last > first else 0
        length = random.choice((1, min(8, last - place)))
        body[place : place + length] = random.choice((b"\xff", b"\x7f", b"\0", b"\x80")) * length
    mutated = _pack_weights(header, metadata, body)
    if choice == 4 and random.random() < 0.8:
        metadata["id"] = _identity(metadata, mutated)
        mutated = _pack_weights(header, metadata, body)
    return mutated


def _pack_weights(header: dict[str, Any], metadata: dict[str, Any], body: bytearray) -> bytes:
    header["__metadata__"] = {model_files.METADATA_KEY: json.dumps(metadata)}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(body)


def _identity(metadata: dict[str, Any], data: bytes) -> str:
    """Return the identity that matches the tensors."""
    kind, prefix = metadata["kind"], weights.INTEGER
    if kind == model_files.REFINEMENT:
        kind, prefix = RefinementConfig, ""
    else:
        kind = weights.KINDS[kind]
    config = weights_schema.read_config(kind, metadata["config"])
    tensors = model_files.part(safetensors.torch.load(data), prefix)
    return model_files.identify(config, tensors).hex()


def with_previews() -> list[bytes]:
    """Files with a preview inside, of the picture's proportions and of others."""
    found = []
    for data, side in product(seeds()[-4:], (8, 40)):
        container = format_.parse_container(data)
        image = Image.effect_noise((side * container.width // container.height, side), 60)
        preview = ((format_.PREVIEW, _saved(image.convert("RGB"), "WEBP")),)
        found.append(format_.pack_container(replace(container, ancillary=preview)))
    return found


def models() -> list[bytes]:
    return [(GOLDEN / f"{name}.safetensors").read_bytes() for name in MODELS]


# --- pictures -----------------------------------------------------------------------------------


def pictures() -> list[bytes]:
    """A small file of each format that Pillow writes, some with metadata."""
    image = Image.effect_noise((23, 17), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = []
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF", "JPEG2000"):
        found.append(_saved(image, kind))
        if kind != "JPEG2000":
            found.append(_saved(image, kind, exif=exif, icc_profile=profile))
    for kind in ("BMP", "GIF", "PPM", "ICO", "ICNS", "PCX", "SGI", "TGA", "QOI", "DIB"):
        found.append(_saved(image, kind))
    found.append(_saved(image, "JPEG", progressive=True, comment=b"comment"))
    found.append(_saved(image.convert("CMYK"), "JPEG"))
    found.append(_saved(image.convert("RGBA"), "PNG"))
    found.append(_saved(image.convert("I;16"), "PNG"))
    found.append(_saved(image.convert("P"), "PNG", bits=4))
    found.append(_saved(image.convert("LAB"), "TIFF"))
    found.append(_saved(image, "TIFF", compression="tiff_lzw"))
    psd = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 4, 5, 8, 3) + bytes(4 + 4 + 4 + 2)
    return [*found, psd + bytes(range(60))]


def extra_pictures() -> list[bytes]:
    """HEIC, JPEG XL and camera raw."""
    return [*(path.read_bytes() for path in sorted(EXTRA.glob("*.[hj]*"))), dng()]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def mutate_picture(random: Random, data: bytes) -> bytes:
    changed = mutate_bytes(random, data)
    return _with_png_checksums(changed) if random.random() < 0.8 else changed


def _with_png_checksums(data: bytes) -> bytes:
    """Correct the checksums of a PNG's chunks up to the first damaged one."""
    signature, start = png.SIGNATURE, len(png.SIGNATURE)
    if not data.startswith(signature):
        return data
    found = bytearray(data)
    while start + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, start)
        end = start + 8 + length
        found[end : end + 4] = struct.pack(">I", zlib.crc32(data[start + 4 : end]))
        start = end + 4
    return bytes(found[: len(data)])


# --- inputs of an encoder ------------------------------------------------------------------------


def plain_pictures() -> list[bytes]:
    """Bytes from which ``picture_of`` makes pictures."""
    random = Random(1)
    return [
        bytes([side, 2 * side, kind * 29, kind]) + random.randbytes(side)
        for side, kind in ((1, 0), (7, 1), (8, 2), (17, 3), (30, 4), (24, 5))
    ]


def picture_of(data: bytes) -> tuple[Picture, float | None, dict[str, Any]]:
    """Make a small picture, a quality and options for ``compress`` from bytes."""
    width, height, eighths, flags, *values = bytes(data[:2000]).ljust(5, b"\0")
    height, width = height % 24 + 1, width % 24 + 1
    pixels = np.resize(np.array(values, np.uint8), (height, width, 3))
    if flags & 1:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    name = "paper" if flags & 2 else "tiny"
    quality = None if flags & 2 else 1 + eighths % 57 / 8
    options = {"weights": name, "refine": bool(flags & 4)}
    options["effort"] = "thorough" if flags & 24 == 24 and width * height <= 128 else "fast"
    return Picture(pixels, grey=bool(flags & 1)), quality, options
