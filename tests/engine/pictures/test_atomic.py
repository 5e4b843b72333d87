"""A file is written completely or not at all."""

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

import pytest

from lbbic_engine.pictures import atomic
from lbbic_engine.pictures.atomic import write_atomically

GOLDEN = Path(__file__).parents[2] / "golden"


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
        (0o444, None, 0o644),  # its owner may write it, otherwise it could not be replaced
        (0o400, 0o644, 0o600),
        (0o644, 0o600, 0o600),
        (0o644, 0o755, 0o644),
        (None, 0o640, 0o640),
    ],
)
def test_a_result_is_not_readable_by_more_users_than_its_input(
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


def test_group_permissions_are_not_given_to_another_group(tmp_path: Path) -> None:
    picture, path = tmp_path / "picture", tmp_path / "file"
    picture.touch()
    picture.chmod(0o640)
    facts = list(picture.stat())
    facts[5] += 1  # the group
    write_atomically(path, b"data", overwrite=False, like=os.stat_result(facts))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("link", [os.link, fail])
def test_the_date_is_kept_on_request(
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


class Failing:
    """A file that cannot be written to the end."""

    def __init__(self, file: BinaryIO, number: int) -> None:
        self._file, self._number = file, number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        self._file.write(data[: len(data) // 2])
        raise OSError(self._number, os.strerror(self._number))


FAULTS = ["open", "write", "fsync", "utime", "replace", "link"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT])
@pytest.mark.parametrize("failing", FAULTS)
def test_a_failure_leaves_only_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, number: int
) -> None:
    """The error names the requested file, not the temporary one."""
    path, like = tmp_path / "file", tmp_path / "like"
    like.touch()
    overwrite = failing != "link"
    if overwrite:
        path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / ".lbbic-aside"))

    if failing == "write":
        opened: Any = open
        made = lambda *a, **k: Failing(opened(*a, **k), number)  # noqa: E731
        monkeypatch.setattr(atomic, "open", made, raising=False)
    elif failing == "link":  # and no other way either
        monkeypatch.setattr(os, "link", fail)
        monkeypatch.setattr(os, "replace", fail)
    else:
        monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match=re.escape(os.strerror(number))) as caught:
        write_atomically(path, b"new", overwrite=overwrite, like=like.stat(), keep_date=True)
    assert caught.value.filename == str(path)
    assert (caught.value.errno, caught.value.filename2) == (number, None)
    assert not overwrite or path.read_bytes() == b"old"
    assert set(tmp_path.iterdir()) == ({path, like} if overwrite else {like})


def test_renames_are_flushed_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda n: synced.append(str(Path(f"/proc/self/fd/{n}").readlink()))
    )
    for overwrite in (False, True):
        write_atomically(tmp_path / "file", b"data", overwrite=overwrite)
        aside, folder = synced[-2:]
        assert (Path(aside).parent, folder) == (tmp_path, str(tmp_path))


WRITER = """
import os, sys, time
from lbbic_engine.cli import main
from lbbic_engine.pictures import atomic
def wait(_):
    print("waiting", flush=True)
    time.sleep(600)
os.fsync = wait
sys.exit(main(["compress", sys.argv[1], "--weights", "tiny"]))
"""


@pytest.fixture
def waiting_writer(
    tmp_path: Path, draw: Callable[..., Path]
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A command that is in the middle of writing, and its folder."""
    picture = draw("in/a.png")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(picture)],
        env={**os.environ, "LBBIC_WEIGHTS": str(GOLDEN)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "waiting\n"
    assert len(list(picture.parent.iterdir())) == 2
    yield writer, picture.parent
    writer.kill()
    writer.communicate()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_terminated_command_leaves_no_temporary_file(
    waiting_writer: tuple[subprocess.Popen[str], Path], number: int, code: int
) -> None:
    writer, folder = waiting_writer
    writer.send_signal(number)
    _, stderr = writer.communicate()
    assert writer.returncode == code
    assert "Traceback" not in stderr
    assert [path.name for path in folder.iterdir()] == ["a.png"]


def test_leftovers_of_a_killed_command_are_removed_later(
    waiting_writer: tuple[subprocess.Popen[str], Path],
) -> None:
    """Files that a running command is about to rename are kept."""
    writer, folder = waiting_writer
    write_atomically(folder / "first", b"", overwrite=False)
    assert len(list(folder.iterdir())) == 3
    writer.kill()
    writer.communicate()
    atomic._remove_leftovers.cache_clear()
    write_atomically(folder / "second", b"", overwrite=False)
    assert {path.name for path in folder.iterdir()} == {"a.png", "first", "second"}


def test_a_file_created_meanwhile_is_not_replaced(
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


def test_writing_works_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", fail)
    path = tmp_path / "file"
    write_atomically(path, b"data", overwrite=False)
    assert path.read_bytes() == b"data"
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "other", b"data", overwrite=False)
    assert list(tmp_path.iterdir()) == [path]


def test_exactly_one_of_several_writers_succeeds(tmp_path: Path) -> None:
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
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, b"new", overwrite=True)
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "folder", b"new", overwrite=False)
