"""``lbbic info``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lbbic_engine.config import DEFAULT_QUALITY
from lbbic_engine.networks import weights
from lbbic_engine.pictures.profile import SRGB, as_icc
from tests.engine.cli.command_line import Capture, json_lines, run

pytestmark = pytest.mark.usefixtures("tiny")


def test_info_lists_the_facts(packed: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run("info", packed) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{packed}:\n")
    lines = {line[2:12].strip(): line[14:] for line in out.splitlines()[1:]}
    assert lines["picture"] == "24 x 16 pixels, colour"
    assert lines["quality"] == f"{DEFAULT_QUALITY:g}"
    assert lines["model"] == weights.DEFAULT
    assert lines["metadata"] == "none"
    assert lines["layout"] == "1 tile"
    assert lines["complete"] == "yes"


def test_info_shows_metadata_transparency_and_damage(tmp_path: Path, capsys: Capture) -> None:
    image = Image.fromarray(np.arange(24 * 16, dtype=np.uint8).reshape(16, 24)).convert("LA")
    image.putalpha(100)
    icc = as_icc(SRGB, grey=True)
    image.save(tmp_path / "a.png", icc_profile=icc)
    assert run("compress", tmp_path / "a.png") == 0
    (tmp_path / "a.lbb").write_bytes((tmp_path / "a.lbb").read_bytes()[:-1])
    capsys.readouterr()
    assert run("info", tmp_path) == 0
    out = capsys.readouterr().out
    assert "24 x 16 pixels, grey with transparency" in out
    assert f"ICC {len(icc)} bytes" in out
    assert "no, a part is missing or damaged" in out


def test_info_as_json(packed: Path, tmp_path: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run("info", packed, tmp_path / "no.lbb", "--json") == 2
    facts, error = json_lines(capsys)
    assert facts["bytes"] == facts["total_bytes"] == packed.stat().st_size
    assert facts["metadata_bytes"] == {}
    assert (facts["weights"], facts["weights_installed"]) == (weights.DEFAULT, True)
    assert error == {"input": str(tmp_path / "no.lbb"), "error": "No such file or directory"}
