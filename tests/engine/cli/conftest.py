"""A compressed file for the commands that read one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.cli.command_line import Draw, run


@pytest.fixture
def packed(draw: Draw, tmp_path: Path) -> Path:
    source = draw("a.png")
    assert run("compress", source) == 0
    source.unlink()
    return tmp_path / "a.lbb"
