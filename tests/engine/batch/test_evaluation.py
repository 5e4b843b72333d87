"""Evaluation on several cores, with the tiny network."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lbbic_engine.batch.evaluation import Evaluation, PictureResult, evaluate_pictures
from lbbic_engine.config import DEFAULT_WEIGHTS
from lbbic_engine.errors import UnsupportedImageError
from lbbic_engine.parallel import run

pytestmark = pytest.mark.usefixtures("tiny")


def without_seconds(result: PictureResult) -> PictureResult:
    rows = (replace(row, encode_seconds=0.0, decode_seconds=0.0) for row in result.rows)
    return replace(result, rows=tuple(rows), error=None)


def test_evaluation_gives_the_same_numbers_with_workers(
    draw: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "START_SECONDS", 1e-9)
    bad = draw("bad.png")
    bad.write_bytes(bad.read_bytes()[:100])
    paths = [draw("a.png", 200, 180), bad, draw("b.png", 56, 40, seed=2)]
    found = []
    for jobs in (1, 2):
        evaluation = Evaluation([(DEFAULT_WEIGHTS, [2.0, 6.0])], tmp_path / f"jobs {jobs}")
        results = evaluate_pictures([(path, path.name) for path in paths], evaluation, jobs=jobs)
        found.append(sorted(results, key=lambda result: result.index))
    for one, two in zip(*found, strict=True):
        assert without_seconds(one) == without_seconds(two)
        assert type(one.error) is type(two.error)
    assert isinstance(found[0][1].error, UnsupportedImageError)
    assert [row.quality for row in found[1][2].rows] == [2.0, 6.0]
