"""Creates small picture files of kinds that are easy to get wrong."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 48, 32


def colours() -> Pixels:
    """All hues, from dark to bright (HEIGHT, WIDTH, 3)."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    channels = (columns * 255 / (WIDTH - 1), rows * 255 / (HEIGHT - 1), 255 - columns * 4)
    return np.stack(channels, axis=-1).clip(0, 255).astype(np.uint8)


def greys() -> Pixels:
    """A gradient from black to white (HEIGHT, WIDTH)."""
    return np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))


def stored(image: Image.Image, format_: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes, image: Image.Image | None = None, **options: Any) -> bytes:
    """A PNG with further chunks before the pixels."""
    data = stored(image or Image.fromarray(colours()), "PNG", **options)
    return data[:33] + b"".join(chunks) + data[33:]


def cicp(primaries: int, transfer: int, full: int = 1) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, 0, full]))


def gama(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def chrm(*points: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in points)))


def text(key: str, value: bytes) -> bytes:
    """A chunk with a compressed body."""
    return chunk(b"zTXt", key.encode("latin-1") + b"\0\0" + zlib.compress(value))


def avif(primaries: int, transfer: int, **options: Any) -> bytes:
    """An AVIF file with code points that Pillow's encoder does not write."""
    options = {"quality": 100, "subsampling": "4:4:4"} | options
    data = bytearray(stored(Image.fromarray(colours()), "AVIF", **options))
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(data)


def avif_of_10_bits() -> bytes:
    """A file that declares itself one; its pixels are those of an ordinary file."""
    data = bytearray(avif(1, 13))
    at = data.index(b"pixi") + 9
    data[at : at + 3] = bytes([10] * 3)
    return bytes(data)


def jpeg(*segments: tuple[int, bytes], **options: Any) -> bytes:
    """A JPEG with further segments at its beginning, given by their markers."""
    data = stored(Image.fromarray(colours()), "JPEG", quality=95, **options)
    parts = [struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments]
    return data[:2] + b"".join(parts) + data[2:]


def iptc(*datasets: tuple[int, bytes]) -> bytes:
    """IPTC datasets of the application record, given by their numbers."""
    return b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(value)) + value for number, value in datasets
    )


def photoshop(number: int, body: bytes) -> bytes:
    """A Photoshop resource as in an APP13 segment of a JPEG."""
    block = b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + b"\0" * (len(body) % 2)
    return b"Photoshop 3.0\0" + block


def camera_exif(orientation: int, width: int, height: int, thumbnail: bytes, note: bytes) -> bytes:
    """A camera's EXIF: orientation, size, a note with an absolute offset, a thumbnail."""
    first, exif = 8, 8 + 2 + 12 * 3 + 4
    second = exif + 2 + 12 * 3 + 4
    note_at = second + 2 + 12 * 3 + 4
    thumbnail_at = note_at + len(note)

    def directory(entries: list[tuple[int, int, int, int]], following: int) -> bytes:
        table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return struct.pack("<H", len(entries)) + table + struct.pack("<I", following)

    return (
        b"II*\0"
        + struct.pack("<I", first)
        + directory(
            [(0x0100, 4, 1, width), (0x0112, 3, 1, orientation), (0x8769, 4, 1, exif)], second
        )
        + directory(
            [(0x927C, 7, len(note), note_at), (0xA002, 4, 1, width), (0xA003, 4, 1, height)], 0
        )
        + directory(
            [
                (0x0112, 3, 1, orientation),
                (0x0201, 4, 1, thumbnail_at),
                (0x0202, 4, 1, len(thumbnail)),
            ],
            0,
        )
        + note
        + thumbnail
    )


def directories(exif: bytes) -> Iterator[tuple[int, int]]:
    """The tags and values in the data that ``camera_exif`` makes."""
    tags = Image.Exif()
    tags.load(exif)
    yield from tags.items()
    yield from tags.get_ifd(ExifTags.IFD.Exif).items()


def rgb565() -> bytes:
    """A BMP of 16 bits a pixel."""
    red, green, blue = (colours()[..., channel].astype(np.uint16) for channel in range(3))
    packed = ((red >> 3) << 11 | (green >> 2) << 5 | blue >> 3)[::-1].astype("<u2").tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 16, 3, len(packed), 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    offset = 14 + len(head) + len(masks)
    return b"BM" + struct.pack("<IHHI", offset + len(packed), 0, 0, offset) + head + masks + packed


def jp2(enumerated: int | None = None, icc: bytes | None = None) -> bytes:
    """A JP2 file with a colour box that Pillow does not write."""
    data = stored(Image.fromarray(colours()), "JPEG2000")
    at = data.index(b"colr") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    body = b"\2\0\0" + icc if icc else b"\1\0\0" + struct.pack(">I", enumerated)
    box = struct.pack(">I", len(body) + 8) + b"colr" + body
    header = data.index(b"jp2h") - 4
    size = int.from_bytes(data[header : header + 4], "big") + len(box) - length
    return (
        data[:header] + struct.pack(">I", size) + data[header + 4 : at] + box + data[at + length :]
    )


def tiff(bits: int, photometric: int, samples: bytes) -> bytes:
    """Two grey pixels."""
    shorts = ((258, bits), (259, 1), (262, photometric), (277, 1))
    entries = [(256, 2), (257, 1), (273, 8 + 2 + 12 * 9 + 4), (278, 1), (279, len(samples))]
    table = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries]
    table += [struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in shorts]
    table.sort(key=lambda entry: struct.unpack_from("<H", entry))
    return b"II*\0" + struct.pack("<IH", 8, 9) + b"".join(table) + bytes(4) + samples


def bmp(icc: bytes) -> bytes:
    """A BMP of version 5, with a profile."""
    pixels = np.ascontiguousarray(colours()[::-1, :, ::-1]).tobytes()
    offset = 14 + 124
    head = struct.pack("<IiiHHIIiiII", 124, WIDTH, HEIGHT, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    head += bytes(16) + b"DEBM" + bytes(36 + 12)
    head += struct.pack("<IIII", 4, 124 + len(pixels), len(icc), 0)
    file = struct.pack("<IHHI", offset + len(pixels) + len(icc), 0, 0, offset)
    return b"BM" + file + head + pixels + icc
