"""Where files are saved: unique names, earlier results, dates, permissions, larger results."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from lbbic_engine.codec import read_info
from lbbic_engine.pictures.read import load_picture
from lbbic_gui.desktop import file_dialogs
from lbbic_gui.state.row import State

Draw = Callable[..., Path]
CTRL = Qt.KeyboardModifier.ControlModifier


def compress_all(user: Any, *, expected: State = State.SAVED) -> None:
    """Compress all pictures in the list at the current quality."""
    user.wait(lambda: bool(user.rows))
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: not user.window.session.batch.is_busy)
    assert {row.state for row in user.rows} == {expected}


def results(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.lbb")}


@pytest.mark.parametrize("policy", ["rename", "replace", "skip"])
def test_pictures_with_one_result_name_get_numbered_files(
    user: Any, draw: Draw, policy: str
) -> None:
    folder = draw("in/a (2).jpg", 40, 16).parent
    draw("in/a.jpg", 24, 16)
    user.window.settings.change(policy=policy)
    user.drop(folder)
    user.wait(lambda: len(user.rows) == 2)
    compress_all(user)
    user.drop(draw("in/a.png", 32, 16), draw("in/A.bmp", 48, 16))  # once the others are saved
    user.wait(lambda: len(user.rows) == 4)
    for quality in (5.0, 6.0):  # again, over what this window wrote
        compress_all(user)
        widths = {row.saved_path.name: row.width for row in user.rows}
        assert widths == {"a (2).lbb": 40, "a.lbb": 24, "a (3).lbb": 32, "A (4).lbb": 48}
        assert results(folder) == widths.keys()
        for name, width in widths.items():
            assert read_info((folder / name).read_bytes()).width == width
        user.window.settings.change(quality=quality)


def test_an_earlier_result_is_replaced_unless_somebody_changed_it(user: Any, draw: Draw) -> None:
    path = draw("a.png")
    path.with_suffix(".lbb").write_bytes(b"mine")
    user.drop(path)
    compress_all(user)
    user.window.settings.change(quality=5.0)
    compress_all(user)
    assert results(path.parent) == {"a.lbb", "a (2).lbb"}
    assert read_info((path.parent / "a (2).lbb").read_bytes()).quality == 5
    assert "replacing the earlier result" in user.window.status.notice.text()
    with (path.parent / "a (2).lbb").open("ab") as file:
        file.write(b"changed")
    user.window.settings.change(quality=6.0)
    compress_all(user)
    assert results(path.parent) == {"a.lbb", "a (2).lbb", "a (2) (2).lbb"}
    assert (path.parent / "a.lbb").read_bytes() == b"mine"
    assert (path.parent / "a (2).lbb").read_bytes().endswith(b"changed")


def test_the_save_dialog_suggests_the_earlier_result(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposals: list[Path] = []
    path = draw("a.png")
    user.drop(path)
    compress_all(user)
    monkeypatch.setattr(
        file_dialogs, "choose_target", lambda _, proposal: proposals.append(proposal)
    )
    user.wait_for_result()
    user.press(Qt.Key.Key_S, CTRL)
    path.with_suffix(".lbb").write_bytes(b"somebody's")
    user.press(Qt.Key.Key_S, CTRL)
    assert [each.name for each in proposals] == ["a.lbb", "a (2).lbb"]


@pytest.fixture
def interrupted(user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A user with a.jpg, and with b.png once a file dialog has been open; it goes on view."""
    user.drop(draw("a.jpg", 92, 60))
    user.wait_for_result()
    later = draw("b.png", 24, 16)

    def choose(_: Any, proposal: Path) -> Path:
        user.window.begin([later])  # as the system does with a file to be opened
        user.wait(lambda: user.window.session.row.source.path == later)
        user.wait_for_result()
        return proposal.with_stem(f"chosen {proposal.stem}")

    for dialog in ("choose_target", "choose_export", "choose_mask"):
        monkeypatch.setattr(file_dialogs, dialog, choose)
    return user


def test_what_was_on_view_is_saved_even_if_another_picture_comes_meanwhile(
    interrupted: Any,
) -> None:
    interrupted.press(Qt.Key.Key_S, CTRL)
    folder = interrupted.rows[0].source.path.parent
    interrupted.wait(lambda: not interrupted.window.session.batch.is_busy)
    assert read_info((folder / "chosen a.lbb").read_bytes()).width == 92
    assert [row.state for row in interrupted.rows] == [State.SAVED, State.CODED]


def test_what_was_on_view_is_exported_even_if_another_picture_comes_meanwhile(
    interrupted: Any,
) -> None:
    interrupted.export()
    exported = interrupted.rows[0].source.path.with_name("chosen a.png")
    interrupted.wait(exported.exists)
    assert load_picture(exported).pixels.shape == (60, 92, 3)


def test_a_command_is_of_one_picture_even_if_another_comes_meanwhile(interrupted: Any) -> None:
    path = interrupted.rows[0].source.path
    mask = BytesIO()
    Image.new("L", (92, 60), 200).save(mask, "PNG")
    interrupted.window.session.paint(interrupted.rows[0], mask.getvalue())
    interrupted.press(Qt.Key.Key_C, CTRL | Qt.KeyboardModifier.AltModifier)
    command = shlex.split(QGuiApplication.clipboard().text())
    saved = path.with_name("chosen a-mask.png")
    assert saved.read_bytes() == mask.getvalue()
    assert {str(path), str(saved)} <= set(command)


@pytest.mark.parametrize("keep", [True, False])
def test_permissions_are_kept_and_the_date_on_request(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    path = draw("a.png")
    path.chmod(0o600)
    os.utime(path, ns=(1, 1_000_000_000_123_456_789))
    exported = path.with_name("b.png")
    monkeypatch.setattr(file_dialogs, "choose_export", lambda *_: exported)
    if not keep:
        user.window.settings.change(keep_dates=False)
    user.drop(path)
    user.wait_for_result()
    compress_all(user)
    user.export()
    user.wait(exported.exists)
    for result in (path.with_suffix(".lbb"), exported):
        facts = result.stat()
        assert facts.st_mode & 0o777 == 0o600
        assert (facts.st_mtime_ns == path.stat().st_mtime_ns) is keep


def test_smaller_originals_are_kept_on_request(user: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    Image.new("RGB", (16, 16), "teal").save(path, lossless=True)
    user.window.settings.change(skip_larger=True)
    user.drop(path)
    compress_all(user, expected=State.SKIPPED)
    assert user.rows[0].status() == "Original kept: it is smaller"
    assert "Original kept" in user.window.status.notice.text()
    assert results(tmp_path) == set()
    assert user.window.queue.total.text().startswith("1 of 1")
    user.window.settings.change(skip_larger=False)
    compress_all(user)
    assert results(tmp_path) == {"a.lbb"}


@pytest.mark.parametrize("policy", ["rename", "replace"])
def test_skipped_pictures_can_be_saved_once_they_need_not_be_skipped(
    user: Any, draw: Draw, policy: str
) -> None:
    path = draw("a.png")
    path.with_suffix(".lbb").write_bytes(b"mine")
    user.window.settings.change(policy="skip")
    user.drop(path)
    compress_all(user, expected=State.SKIPPED)
    assert not user.window.queue.button.isEnabled()
    user.window.settings.change(policy=policy)
    assert user.window.queue.button.isEnabled()
    compress_all(user)
    assert results(path.parent) == ({"a.lbb"} if policy == "replace" else {"a.lbb", "a (2).lbb"})
    assert read_info(user.rows[0].saved_path.read_bytes()).quality == 4.0


def test_the_location_is_left_out_on_request(user: Any, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "maker"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[2] = (48.0, 51.0, 29.0)
    Image.new("RGB", (40, 24), "teal").save(tmp_path / "a.jpg", exif=exif)
    user.window.settings.change(keep_location=False)
    user.drop(tmp_path / "a.jpg")
    compress_all(user)
    from lbbic_engine import decompress

    original = load_picture(tmp_path / "a.jpg").exif
    stored = decompress((tmp_path / "a.lbb").read_bytes()).exif
    for data, has_place in ((original, True), (stored, False)):
        tags = Image.Exif()
        tags.load(data or b"")
        assert tags[ExifTags.Base.Make] == "maker"
        assert bool(tags.get_ifd(ExifTags.IFD.GPSInfo)) is has_place


def test_a_failed_export_names_its_file(user: Any, draw: Draw) -> None:
    path = draw("a.png")
    user.drop(path)
    data = user.wait_for_result().point.data
    user.window.tools.export(user.rows[0], data, path / "new.png")
    user.wait(user.window.viewer.banner.isVisible)
    assert user.window.viewer.banner.title.text().endswith(": new.png")
