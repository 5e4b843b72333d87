"""Shared by the tests of the command line: runs it and inspects its results."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbbic_engine import codec
from lbbic_engine.cli.program import main
from lbbic_engine.coding.results import Compressed

Draw = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def json_lines(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def make_decoder_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = codec.compress

    def compress(*arguments: Any, **options: Any) -> Compressed:
        compressed = honest(*arguments, **options)
        return replace(compressed, reconstruction=compressed.reconstruction ^ 1)

    monkeypatch.setattr(codec, "compress", compress)
