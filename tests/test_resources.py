"""The bundled data is found, and each sample is named in the attribution."""

from PIL import Image

from lbbic_engine import resources


def test_the_samples_are_rgb_photographs_with_attribution() -> None:
    attribution = (resources.FOLDER / "samples" / "ATTRIBUTION.md").read_text("utf-8")
    samples = resources.sample_pictures()
    assert [sample.name for sample in samples] == ["astronaut.png", "chelsea.png", "coffee.png"]
    for sample in samples:
        assert f"`{sample.name}`" in attribution
        with sample.open("rb") as file, Image.open(file) as image:
            assert image.mode == "RGB"
            assert min(image.size) >= 300


def test_the_icon_has_every_size_and_format() -> None:
    sizes = set()
    for file in resources.icon_files():
        with file.open("rb") as stream, Image.open(stream) as image:
            assert image.mode == "RGBA"
            assert file.name == f"lbbic-{image.width}.png"
            assert image.size == (image.width, image.width)
            sizes.add(image.width)
    assert sizes == {16, 24, 32, 48, 64, 128, 256, 512}
    folder = resources.FOLDER / "icons"
    for name in ("lbbic.ico", "lbbic.icns"):
        with (folder / name).open("rb") as stream, Image.open(stream) as image:
            assert image.size >= (256, 256)
