"""The block size contest: models of 4×4, 8×8 and 16×16 blocks on one picture."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.config import PaperConfig, lmbda
from lbbic_engine.networks.paper.float_network import PaperNetwork
from lbbic_engine.pictures.read import load_picture
from training.__main__ import main
from training.experiments.block_sizes import compete
from training.paper.export_run import write_weights


@pytest.fixture
def models(photograph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Untrained models of the three block sizes, for quality 6."""
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path / "models"))
    names = []
    for size in (4, 8, 16):
        torch.manual_seed(size)
        config = PaperConfig(size, 32, 4 if size == 4 else 8, quality=6.0, scale_levels=24)
        write_weights(PaperNetwork(config), f"b{size}", [photograph], {})
        names.append(f"b{size}")
    return names


def test_each_area_is_won_by_the_cheapest_model(
    models: list[str], photograph: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "photograph.png"
    Image.fromarray(photograph[:60]).save(
        picture
    )  # 60×104: incomplete areas at the bottom and on the right
    contest = compete(picture, models, 6)
    assert contest.cost.shape == (3, 4, 7)
    for i, name in enumerate(models):
        compressed = codec.compress(load_picture(picture), weights=name)
        error = np.square(compressed.reconstruction.astype(float) - photograph[:60]).sum()
        distortion = lmbda(6) * error / (3 * 255**2)
        assert (contest.cost[i] - contest.bits[i]).sum() == pytest.approx(distortion)
        payload = 8 * codec.read_info(compressed.data).payload_bytes
        assert contest.bits[i].sum() == pytest.approx(payload, rel=0.02, abs=64)

    output = tmp_path / "winners.png"
    main(["block-sizes", str(picture), "--weights", *models, "--quality", "6", "-o", str(output)])
    assert "each place by its best" in capsys.readouterr().out
    with Image.open(output) as image:
        assert image.size == (104, 60)
    with output.with_suffix(".csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 7
    assert all(min(models, key=lambda name: float(row[name])) == row["winner"] for row in rows)


def test_incompatible_models_are_refused(models: list[str], tmp_path: Path) -> None:
    picture = tmp_path / "grey.png"
    Image.new("RGB", (20, 20)).save(picture)
    options = ["--quality", "6", "-o", str(tmp_path / "out.png")]
    with pytest.raises(SystemExit, match="from two to 4 models"):
        main(["block-sizes", str(picture), "--weights", "b4", *options])
    with pytest.raises(SystemExit, match="no model named b5"):
        main(["block-sizes", str(picture), "--weights", "b4", "b5", *options])
