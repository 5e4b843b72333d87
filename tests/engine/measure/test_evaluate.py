from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lbbic_engine import codec
from lbbic_engine.cli import tables
from lbbic_engine.errors import LbbicError
from lbbic_engine.measure import evaluate, rate_distortion
from lbbic_engine.measure.evaluate import EvaluatedPicture
from lbbic_engine.measure.rate_distortion import Curve
from lbbic_engine.networks import weights
from lbbic_engine.pictures.picture import Picture

Draw = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def rows(draw: Draw, tmp_path: Path) -> list[EvaluatedPicture]:
    """Two pictures at qualities 2 and 6."""
    return [
        row
        for seed in (1, 2)
        for row in evaluate.measure(
            draw(f"{seed}.png", seed=seed), f"{seed}.png", [2.0, 6.0], tmp_path / "out"
        )
    ]


def curve(factor: float = 1.0, low: float = 26.0, high: float = 42.0) -> Curve:
    psnr = tuple(np.linspace(low, high, 9).tolist())
    return Curve("c", "made up", tuple(factor * math.exp(p / 8) for p in psnr), psnr)


def test_evaluation_measures_the_files_on_disk(
    rows: list[EvaluatedPicture], tmp_path: Path
) -> None:
    for row in rows:
        path = tmp_path / "out" / f"q{row.quality:g}" / f"{row.picture}.lbb"
        assert row.bytes == path.stat().st_size
        assert row.bpp == 8 * row.bytes / (24 * 16)
        assert row.original_bytes == (tmp_path / row.picture).stat().st_size
        assert (row.width, row.height, row.exact, row.weights) == (24, 16, True, weights.DEFAULT)
        assert row.encode_seconds > 0
        assert row.decode_seconds > 0


def test_a_decoder_that_differs_is_detected(
    monkeypatch: pytest.MonkeyPatch, draw: Draw, tmp_path: Path
) -> None:
    honest = codec.decompress

    def differing(data: bytes, **options: Any) -> Picture:
        picture = honest(data, **options)
        pixels = picture.pixels.copy()
        pixels[-1, -1, -1] ^= 1
        return replace(picture, pixels=pixels)

    monkeypatch.setattr(codec, "decompress", differing)
    (row,) = evaluate.measure(draw("a.png"), "a.png", [4.0], tmp_path)
    assert not row.exact


def test_evaluation_replaces_no_file(draw: Draw, tmp_path: Path) -> None:
    source = draw("a.png")
    list(evaluate.measure(source, "a.png", [4.0], tmp_path))
    with pytest.raises(FileExistsError):
        list(evaluate.measure(source, "a.png", [4.0], tmp_path))
    assert list(evaluate.measure(source, "a.png", [4.0], tmp_path, overwrite=True))


def test_averages_are_means_over_pictures(rows: list[EvaluatedPicture]) -> None:
    low, high = evaluate.averages(rows[::-1])
    assert (low.quality, high.quality, low.pictures) == (2, 6, 2)
    assert low.bpp == pytest.approx((rows[0].bpp + rows[2].bpp) / 2)
    assert high.psnr == pytest.approx((rows[1].psnr + rows[3].psnr) / 2)
    assert low.exact


def test_ms_ssim_is_empty_unless_every_picture_has_one(rows: list[EvaluatedPicture]) -> None:
    assert evaluate.averages(rows)[0].ms_ssim is None
    some = [replace(rows[0], ms_ssim=0.9), rows[2]]
    assert evaluate.averages(some)[0].ms_ssim is None
    all_of_them = [replace(rows[0], ms_ssim=0.9), replace(rows[2], ms_ssim=0.8)]
    assert evaluate.averages(all_of_them)[0].ms_ssim == pytest.approx(0.85)


def test_twice_the_rate_is_plus_100_per_cent_in_every_band() -> None:
    comparison = evaluate.compare(curve(2.0), curve())
    assert comparison.overall.bd_rate == pytest.approx(100, abs=0.5)
    assert [band.name for band in comparison.bands] == [
        "27-30",
        "30-33",
        "33-36",
        "36-39",
        "39-41",
    ]
    for band in comparison.bands:
        assert band.bd_rate == pytest.approx(100, abs=0.5)


def test_bands_are_clipped_to_both_curves() -> None:
    ours = curve(low=31.0, high=40.5)
    bands = evaluate.compare(ours, curve()).bands
    assert bands[0].bd_rate is None
    assert (bands[1].low, bands[1].high) == (31, 33)
    assert (bands[4].low, bands[4].high) == (39, 40.5)
    assert bands[4].bd_rate == pytest.approx(0, abs=0.5)


def test_curves_without_a_common_range_have_no_bd_rate() -> None:
    comparison = evaluate.compare(curve(low=20, high=25), curve())
    assert comparison.overall.bd_rate is None
    assert tables.comparison_table([comparison]).splitlines()[1].split()[-7:] == ["-"] * 7


def test_lossless_points_are_left_out_of_curves(rows: list[EvaluatedPicture]) -> None:
    lossless = [replace(row, psnr=math.inf) for row in rows]
    empty = evaluate.mean_curve(evaluate.averages(lossless), "ours", "two pictures")
    assert empty.psnr == empty.bpp == ()
    assert evaluate.compare(empty, curve()).overall.bd_rate is None


def test_document_begins_like_an_anchor_and_is_strict_json(
    rows: list[EvaluatedPicture], tmp_path: Path
) -> None:
    rows[1] = replace(rows[1], psnr=math.inf)
    means = evaluate.averages(rows)
    ours = evaluate.mean_curve(means[:1], "ours", "two pictures")
    comparison = evaluate.compare(curve(2.0), curve())
    text = tables.json_text(tables.evaluation_document(ours, rows, means, [comparison]))
    document = json.loads(text, parse_constant=pytest.fail)
    assert list(document)[:4] == ["name", "source", "bpp", "psnr"]
    assert document["bpp"] == [means[0].bpp]
    assert document["weights"] == [weights.DEFAULT]
    assert len(document["pictures"]) == 4
    assert document["pictures"][1]["psnr"] is None
    assert document["qualities"][0]["pictures"] == 2
    assert document["bd_rate"][0]["bands"][0]["name"] == "27-30"
    path = tmp_path / "curve.json"
    path.write_text(text)
    assert list(rate_distortion.load_curve(path).bpp) == [means[0].bpp]


def test_columns_of_a_table_are_aligned() -> None:
    table = tables.text_table(("file", "bytes"), [("a.png", "7"), ("long.png", "12345")])
    assert table == "file      bytes\na.png         7\nlong.png  12345"


def test_the_saving_of_an_empty_file_is_zero() -> None:
    assert tables.saving_per_cent(0, 10) == 0
    assert tables.saving_per_cent(200, 50) == 75
    assert tables.saving_per_cent(100, 150) == -50


def test_a_plot_without_matplotlib_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(LbbicError, match=r"lbbic\[plot\]"):
        tables.require_matplotlib()


def test_plot_draws_every_curve() -> None:
    ours = Curve("ours", "a few pictures", (1.0, 2.0), (30.0, 33.0))
    svg = tables.plot_curves(ours, [curve()], ".svg").decode()
    for label in ("ours", "a few pictures", "bits per pixel"):
        assert f"<!-- {label} -->" in svg
    with Image.open(io.BytesIO(tables.plot_curves(ours, [], ".png"))) as image:
        assert image.size == (1200, 900)


def test_two_qualities_of_one_psnr_give_no_bd_rate() -> None:
    ours = Curve("ours", "flat pictures", (1.0, 2.0, 3.0), (30.0, 31.0, 31.0))
    assert evaluate.compare(ours, curve()).overall.bd_rate is None


def test_large_pictures_have_an_ms_ssim(draw: Draw, tmp_path: Path) -> None:
    source = draw("large.png", width=176, height=180)
    (row,) = evaluate.measure(source, "large.png", [4.0], tmp_path / "out")
    assert row.ms_ssim is not None
    assert 0.2 < row.ms_ssim < 1


def test_curves_are_compared_by_scores_in_the_range_of_the_measure() -> None:
    scores = {"ssimulacra2": tuple(np.linspace(10, 95, 9).tolist())}
    ours = replace(curve(0.9), scores=scores)
    anchor = replace(curve(1.0), scores=scores)
    (by_ssimulacra2,) = evaluate.compare(ours, anchor).by_measure
    assert (by_ssimulacra2.low, by_ssimulacra2.high) == (30, 85)
    assert by_ssimulacra2.bd_rate == pytest.approx(-10)
    (unknown,) = evaluate.compare(ours, curve()).by_measure
    assert unknown.bd_rate is None
    worse = {"butteraugli": tuple(np.linspace(5, 0.5, 9).tolist())}
    pair = [replace(curve(factor), scores=worse) for factor in (1.1, 1.0)]
    (by_butteraugli,) = evaluate.compare(*pair).by_measure
    assert by_butteraugli.bd_rate == pytest.approx(10)
