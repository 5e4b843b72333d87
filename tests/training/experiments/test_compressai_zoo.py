"""CompressAI's models: measured from their own bitstreams, or a clear message."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image

from lbbic_engine.errors import LbbicError
from lbbic_engine.measure.rate_distortion import Measurement, compressai_document, load_curve
from training.__main__ import main
from training.experiments import compressai_zoo


def test_missing_compressai_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "training.experiments.compressai_shim", None)
    with pytest.raises(LbbicError, match="CompressAI is not installed"):
        compressai_zoo.load_model("mbt2018", 1)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="There is no picture"):
        main(["zoo", str(tmp_path), "-o", str(tmp_path / "out.json")])


@pytest.mark.train
@pytest.mark.parametrize("architecture", compressai_zoo.MODELS)
def test_a_model_is_measured_from_its_bitstreams(
    architecture: str, photograph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights need no download; the sizes and the files are real."""
    load_model = compressai_zoo.load_model
    torch.manual_seed(0)

    def untrained(architecture: str, quality: int) -> Any:
        model = load_model(architecture, quality, pretrained=False)
        model.update(force=True)
        return model

    monkeypatch.setattr(compressai_zoo, "load_model", untrained)
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(photograph[:40, :56]).save(folder / "one.png")
    output = tmp_path / "curve.json"
    main(["zoo", str(folder), "-a", architecture, "-q", "1,2", "-o", str(output)])
    found = json.loads(output.read_text(encoding="utf-8"))
    assert found["name"] == architecture
    assert len(found["results"]["bpp"]) == len(found["results"]["decoding_time"]) == 2
    assert 0 < found["results"]["bpp"][0] < 20
    curve = load_curve(output)
    assert list(curve.psnr) == found["results"]["psnr-rgb"]
    assert np.isfinite(curve.psnr).all()


@pytest.mark.train
def test_weights_that_cannot_be_downloaded_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from training.experiments.compressai_shim import compressai

    def offline(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(compressai.zoo.image, "load_state_dict_from_url", offline)
    with pytest.raises(LbbicError, match=r"cannot be downloaded.*no route to host"):
        compressai_zoo.load_model("mbt2018", 8)


@pytest.mark.train
def test_unknown_zoo_models_are_refused() -> None:
    with pytest.raises(LbbicError, match="is not one of"):
        compressai_zoo.load_model("ssf2020", 1)
    with pytest.raises(LbbicError, match="cheng2020-attn 8"):
        compressai_zoo.load_model("cheng2020-attn", 8)


@pytest.mark.train
def test_our_results_can_be_plotted_by_compressai(tmp_path: Path) -> None:
    from training.experiments.compressai_shim import compressai  # noqa: F401  (makes the rest importable)

    plot = importlib.import_module("compressai.utils.plot.__main__")
    rows = [
        Measurement(bpp=bpp, psnr=psnr, ms_ssim=0.9, encode_seconds=1.0, decode_seconds=1.0)
        for bpp, psnr in ((0.1, 30.0), (0.2, 31.0))
    ]
    path = tmp_path / "ours.json"
    path.write_text(json.dumps(compressai_document("ours", "test", rows)), encoding="utf-8")
    found = plot.parse_json_file(path, "psnr")
    assert (found["name"], found["xs"], found["ys"]) == ("ours", [0.1, 0.2], [30.0, 31.0])
