"""The bundled data is found, and each sample is named in the attribution."""

import importlib.resources

from PIL import Image

import resources


def test_the_samples_are_rgb_photographs_with_attribution() -> None:
    attribution = (importlib.resources.files(resources) / "samples" / "ATTRIBUTION.md").read_text(
        encoding="utf-8"
    )
    samples = resources.sample_pictures()
    assert [sample.name for sample in samples] == ["astronaut.png", "chelsea.png", "coffee.png"]
    for sample in samples:
        assert f"`{sample.name}`" in attribution
        with sample.open("rb") as file, Image.open(file) as image:
            assert image.mode == "RGB"
            assert min(image.size) >= 300
