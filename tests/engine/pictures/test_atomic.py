"""A file is written whole or not at all."""

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lbbic_engine.pictures.atomic import write_atomically


def fail(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_written_with_ordinary_permissions(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / ("ä" * 127)
    write_atomically(path, b"data", overwrite=overwrite)
    assert path.read_bytes() == b"data"
    assert list(tmp_path.iterdir()) == [path]
    reference = tmp_path / "reference"
    reference.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(reference.stat().st_mode)


@pytest.mark.parametrize(
    ("source", "existing", "mode"),
    [
        (0o600, None, 0o600),
        (0o640, None, 0o640),
        (0o444, None, 0o644),  # its owner may write it, else it could not be replaced
        (0o400, 0o644, 0o600),
        (0o644, 0o600, 0o600),
        (0o644, 0o755, 0o644),
        (None, 0o640, 0o640),
    ],
)
def test_nobody_may_read_a_result_who_may_not_read_what_it_is_made_of(
    tmp_path: Path, source: int | None, existing: int | None, mode: int
) -> None:
    picture, path = tmp_path / "picture", tmp_path / "file"
    picture.touch()
    picture.chmod(source or 0o644)
    if existing is not None:
        path.touch()
        path.chmod(existing)
    like = None if source is None else picture.stat()
    umask = os.umask(0o022)
    write_atomically(path, b"data", overwrite=existing is not None, like=like)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_a_group_may_read_is_not_opened_to_another(tmp_path: Path) -> None:
    picture, path = tmp_path / "picture", tmp_path / "file"
    picture.touch()
    picture.chmod(0o640)
    facts = list(picture.stat())
    facts[5] += 1  # the group
    write_atomically(path, b"data", overwrite=False, like=os.stat_result(facts))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("link", [os.link, fail])
def test_the_date_is_kept_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: Callable[..., None]
) -> None:
    monkeypatch.setattr(os, "link", link)
    picture = tmp_path / "picture"
    picture.touch()
    os.utime(picture, ns=(1, 1_234_567_890_123_456_789))
    for keep_date in (False, True):
        path = tmp_path / str(keep_date)
        write_atomically(path, b"", overwrite=False, like=picture.stat(), keep_date=keep_date)
        assert (path.stat().st_mtime_ns == picture.stat().st_mtime_ns) is keep_date


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new", overwrite=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    monkeypatch.setattr(os, "fsync", lambda _: path.write_bytes(b"faster"))
    with pytest.raises(FileExistsError):
        write_atomically(path, b"slower", overwrite=False)
    assert path.read_bytes() == b"faster"
    monkeypatch.setattr(os, "link", fail)
    path.unlink()
    with pytest.raises(FileExistsError):
        write_atomically(path, b"slower", overwrite=False)
    assert path.read_bytes() == b"faster"
    assert list(tmp_path.iterdir()) == [path]


def test_without_hard_links_the_file_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", fail)
    path = tmp_path / "file"
    write_atomically(path, b"data", overwrite=False)
    assert path.read_bytes() == b"data"
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "other", b"data", overwrite=False)
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_writers_exactly_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "file"
    outcomes: list[bytes | None] = []

    def write(data: bytes) -> None:
        try:
            write_atomically(path, data, overwrite=False)
            outcomes.append(data)
        except FileExistsError:
            outcomes.append(None)

    threads = [threading.Thread(target=write, args=(bytes([n]) * 1000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [data for data in outcomes if data] == [path.read_bytes()]
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed_and_a_folder_is_not_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path, b"new", overwrite=True)
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "folder", b"new", overwrite=False)
