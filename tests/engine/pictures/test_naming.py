"""Names are compared as strictly as any file system does."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from lbbic_engine.pictures.naming import free_name, name_apart


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a (2)", "a (3)"]),
        (["a", "a", "a (2)"], ["a", "a (3)", "a (2)"]),
        (["a", "A", "a (2)", "a (3)"], ["a", "A (4)", "a (2)", "a (3)"]),
        (["é", unicodedata.normalize("NFD", "É")], ["é", unicodedata.normalize("NFD", "É (2)")]),
        (["a\udcff", "a\udcff"], ["a\udcff", "a\udcff (2)"]),  # bytes that are no UTF-8
    ],
)
def test_numbers_avoid_names_of_other_results(
    tmp_path: Path, wanted: list[str], names: list[str]
) -> None:
    given = name_apart([tmp_path / f"{name}.lbb" for name in wanted])
    assert given == [tmp_path / f"{name}.lbb" for name in names]


def test_the_work_for_equal_names_does_not_grow_with_their_square(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path: asked.append(path) or real(path))
    paths = [tmp_path / f"{'Aa'[n % 2]}.lbb" for n in range(100)]
    names = name_apart(paths)
    assert names[-1].name == "a (100).lbb"
    assert len(asked) <= 2 * len(paths)


def test_two_paths_to_one_file_are_one_name(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    (tmp_path / "b.lbb").symlink_to(tmp_path / "out" / "a.lbb")
    paths = [tmp_path / "out" / "a.lbb", tmp_path / "link" / "a.lbb", tmp_path / "b.lbb"]
    assert [path.name for path in name_apart(paths)] == ["a.lbb", "a (2).lbb", "b (2).lbb"]


def test_a_name_is_taken_even_by_a_dangling_link(tmp_path: Path) -> None:
    assert free_name(tmp_path / "a.lbb").name == "a.lbb"
    (tmp_path / "a.lbb").symlink_to("nowhere")
    (tmp_path / "a (2).lbb").touch()
    assert free_name(tmp_path / "a.lbb").name == "a (3).lbb"
