"""imageio reads and writes .lbb files; open files can be used instead of paths."""

from __future__ import annotations

import io
from pathlib import Path

import fsspec
import imageio.v3 as iio
import numpy as np
import pytest

from lbbic_engine import compress, decompress, imageio_plugin, load_picture, save_image
from lbbic_engine.errors import UnwritableImageError

pytestmark = pytest.mark.usefixtures("tiny")
PIXELS = np.random.default_rng(0).integers(100, 140, (24, 32, 3), dtype=np.uint8)


def test_imageio_writes_and_reads_files_and_bytes(tmp_path: Path) -> None:
    imageio_plugin.register()
    imageio_plugin.register()
    iio.imwrite(tmp_path / "a.lbb", PIXELS, quality=8)
    pixels = iio.imread(tmp_path / "a.lbb")
    assert (pixels == decompress((tmp_path / "a.lbb").read_bytes()).pixels).all()
    data = iio.imwrite("<bytes>", PIXELS, extension=".lbb", quality=8)
    assert data == (tmp_path / "a.lbb").read_bytes()
    assert (iio.imread(data, extension=".lbb") == pixels).all()


def test_pictures_can_be_read_and_written_without_paths(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    with memory.open("/a.png", "wb") as file:
        iio.imwrite(file, PIXELS, extension=".png")
    with memory.open("/a.png", "rb") as file:
        picture = load_picture(file)
    assert (picture.pixels == PIXELS).all()
    with memory.open("/b.lbb", "wb") as file:
        file.write(compress(picture, 8).data)
    decoded = decompress(memory.cat("/b.lbb"))
    with memory.open("/c.png", "wb") as file:
        save_image(decoded, file, suffix=".png")
    with memory.open("/c.png", "rb") as file:
        assert (load_picture(file).pixels == decoded.pixels).all()


def test_the_name_of_an_open_file_determines_the_format(tmp_path: Path) -> None:
    from lbbic_engine import Picture

    with (tmp_path / "a.webp").open("wb") as file:
        save_image(Picture(PIXELS), file)
    assert (load_picture(tmp_path / "a.webp").pixels == PIXELS).all()
    with pytest.raises(UnwritableImageError):
        save_image(Picture(PIXELS), io.BytesIO())
