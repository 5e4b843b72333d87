"""The list of pictures: selecting, sorting, clearing, menu, dragging out, output folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDrag, QGuiApplication, QImage

from lbbic_engine import codec, load_picture
from lbbic_gui.desktop import file_dialogs, reveal
from lbbic_gui.jobs.requests import Code
from lbbic_gui.queue import destination as destination_module
from lbbic_gui.state.row import State
from lbbic_gui.style import text

Draw = Callable[..., Path]
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def three(user: Any, draw: Draw) -> Any:
    """A user with three pictures in the list, the middle one the largest."""
    paths = [draw("b.png", 40, 24), draw("a.png", 92, 60, seed=2), draw("c.png", 24, 16, seed=3)]
    user.drop(*paths)
    user.wait(lambda: len(user.rows) == 3 and all(row.file_bytes for row in user.rows))
    return user


def names(user: Any) -> str:
    return "".join(row.source.path.stem for row in user.rows)


def click(user: Any, place: int, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
    view = user.window.queue.list
    centre = view.visualRect(view.model().index(place)).center()
    user.bot.mouseClick(view.viewport(), LEFT, modifier, centre)


def test_several_pictures_are_removed_at_once_and_restored_by_undo(three: Any) -> None:
    three.wait_for_result()
    click(three, 0)
    click(three, 2, CTRL)
    three.press(Qt.Key.Key_Delete, widget=three.window.queue.list)
    assert names(three) == "a"
    three.press(Qt.Key.Key_Z, CTRL)
    assert names(three) == "bac"
    three.window.actions_["remove_all"].trigger()
    assert names(three) == ""
    assert three.window.empty.isVisible()
    three.press(Qt.Key.Key_Z, CTRL, widget=three.window)
    assert names(three) == "bac"


def test_the_heading_sorts_in_both_directions_and_can_be_undone(three: Any) -> None:
    three.wait_for_result()
    on_view, heading = three.window.session.row, three.window.queue.heading
    for button, orders in (("name", ("abc", "cba")), ("size", ("abc", "cba"))):
        for order in orders:
            three.bot.mouseClick(heading.buttons[button], LEFT)
            assert names(three) == order or button == "size"
    sizes = [row.result_bytes or row.file_bytes for row in three.rows]
    assert sizes == sorted(sizes)
    assert "sorted" in heading.buttons["size"].accessibleName()
    assert three.window.queue.current() is on_view
    for _ in range(4):
        three.press(Qt.Key.Key_Z, CTRL)
        words = [button.accessibleName() for button in heading.buttons.values()]
        assert not any("sorted" in each for each in words)
    assert names(three) == "bac"
    three.bot.mouseClick(heading.buttons["name"], LEFT)
    assert names(three) == "abc"


def test_sorting_by_saving_puts_the_best_first(three: Any) -> None:
    three.press(Qt.Key.Key_Return, CTRL)
    three.wait(lambda: {row.state for row in three.rows} == {State.SAVED})
    three.bot.mouseClick(three.window.queue.heading.buttons["saving"], LEFT)
    savings = [row.saving for row in three.rows]
    assert savings == sorted(savings, reverse=True)
    assert len(set(savings)) == 3


def test_a_row_shows_state_size_and_saving(three: Any) -> None:
    three.press(Qt.Key.Key_Return, CTRL)
    three.wait(lambda: {row.state for row in three.rows} == {State.SAVED})
    for row in three.rows:
        state, size, saving = row.columns()
        assert state == "Saved"
        assert "bytes" in size or "kB" in size
        assert saving.endswith(" %")


def test_a_row_shows_the_size_of_its_file_at_the_quality_that_is_set(three: Any) -> None:
    row = three.window.session.row
    three.wait_for_result()
    for quality in (7.0, 3.0):
        three.window.settings.change(quality=quality)
        three.wait_for_result(quality)
    click(three, 1)
    three.wait_for_result(3.0)
    sizes = {quality: len(point.data) for quality, point in row.points.items()}
    assert sizes[7] > sizes[3]
    queue, repainted = three.window.session.queue, list[int]()
    queue.dataChanged.connect(lambda first, _: repainted.append(first.row()))
    for quality in (7.0, 3.0):
        queue.flush()
        repainted.clear()
        three.window.settings.change(quality=quality)
        queue.flush()
        assert 0 in repainted
        assert row.columns()[1] == text.size(sizes[quality])
        assert row.saving == 1 - sizes[quality] / row.file_bytes
    three.window.settings.change(quality=5.0)  # coded for the other one only
    assert row.columns() == (row.status(), "", "")
    assert (row.shown_bytes, row.saving) == (0, 0)  # by which the list is sorted


def test_a_late_result_of_another_quality_does_not_change_a_rows_size(three: Any) -> None:
    session, row = three.window.session, three.window.session.row
    first = three.wait_for_result()
    three.press(Qt.Key.Key_Return, CTRL)
    three.wait(lambda: {each.state for each in three.rows} == {State.SAVED})
    three.window.settings.change(quality=2.0)
    three.wait_for_result(2.0)
    shown = row.columns()
    asked = Code(row.source, 4.0, "cpu", session.networks.options(row))
    session.coder._on_answer(row, asked, session._show, first)  # cancelled too late
    assert row.columns() == shown


def test_the_context_menu_of_a_row_is_complete(three: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Path] = []
    monkeypatch.setattr(reveal, "show_in_folder", shown.append)
    three.wait_for_result()
    menu = {action.text(): action for action in three.window.queue.list.actions()}
    expected = ("Save .lbb…", "Export picture…", "Compare at the same size", "Show in folder")
    assert menu.keys() >= {*expected, "Copy path", "Retry picture", "Remove picture"}
    path = three.window.session.row.source.path
    menu["Show in folder"].trigger()
    menu["Copy path"].trigger()
    assert shown == [path]
    assert QGuiApplication.clipboard().text() == str(path)


def test_dragging_a_row_out_provides_its_file(three: Any) -> None:
    coded = three.wait_for_result()
    view, row = three.window.queue.list, three.window.session.row
    (url,) = view.files_of([row]).urls()
    file = Path(url.toLocalFile())
    assert file.name == f"{row.source.path.stem}.lbb"
    assert file.read_bytes() == coded.point.data
    three.press(Qt.Key.Key_Return, CTRL)
    three.wait(lambda: {each.state for each in three.rows} == {State.SAVED})
    urls = view.files_of(three.rows).urls()
    assert [Path(url.toLocalFile()) for url in urls] == [each.saved_path for each in three.rows]


def test_a_dragged_file_is_of_the_current_settings_and_exists(three: Any) -> None:
    def dragged() -> list[bytes]:
        urls = view.files_of([row]).urls()
        return [Path(url.toLocalFile()).read_bytes() for url in urls]

    view, row = three.window.queue.list, three.window.session.row
    before = three.wait_for_result()
    three.press(Qt.Key.Key_Return, CTRL)
    three.wait(lambda: {each.state for each in three.rows} == {State.SAVED})
    three.window.settings.change(longest_side=16)
    assert dragged() == []
    three.wait(lambda: not three.window.session.is_stale)
    after = three.window.session.result
    assert dragged() == [after.point.data] != [before.point.data]
    three.press(Qt.Key.Key_Return, CTRL)
    three.wait(lambda: {each.state for each in three.rows} == {State.SAVED})
    row.saved_path.unlink()
    assert dragged() == [after.point.data]


def test_other_programs_may_only_copy_a_dragged_file(
    three: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[tuple[object, ...]] = []
    monkeypatch.setattr(QDrag, "exec", lambda _, *actions: offered.append(actions))
    three.wait_for_result()
    view = three.window.queue.list
    view.startDrag(view.model().supportedDragActions())
    assert offered == [(Qt.DropAction.CopyAction,)]


def test_recent_files_and_folders_are_in_the_menu(user: Any, draw: Draw) -> None:
    path = draw("in/a.png")
    user.drop(path)
    user.drop(path.parent)
    recent = user.window.recent
    recent.aboutToShow.emit()
    assert [action.text() for action in recent.actions()] == [str(path.parent), str(path)]
    user.window.actions_["remove_all"].trigger()
    recent.actions()[1].trigger()
    user.wait(lambda: len(user.rows) == 1)
    user.window.actions_["remove_all"].trigger()
    path.unlink()
    recent.actions()[1].trigger()
    user.wait(lambda: "Not found" in user.window.status.notice.text())
    recent.aboutToShow.emit()
    assert [action.text() for action in recent.actions()] == [str(path.parent)]


def test_files_given_at_the_start_are_recent(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = draw("in/a.png")
    monkeypatch.chdir(path.parent)
    user.window.begin([Path(path.name)])
    user.wait(lambda: len(user.rows) == 1)
    settings = user.window.settings
    assert settings.recent() == [path]
    assert settings.values.last_folder == str(path.parent)


def test_the_output_folder_is_shown_changed_and_opened(
    three: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, folder = three.window.queue.destination, tmp_path / "out"
    folder.mkdir()
    opened: list[Path] = []
    monkeypatch.setattr(file_dialogs, "choose_folder", lambda *_: folder)
    monkeypatch.setattr(destination_module, "open_folder", opened.append)
    assert place.words.text() == "Next to pictures"
    assert place.words.accessibleName() == "Saves next to the pictures"
    assert not place.open.isVisible()
    place.menu.actions()[1].trigger()
    assert str(folder) in place.words.text()
    three.press(Qt.Key.Key_Return, CTRL)
    three.wait(lambda: {row.state for row in three.rows} == {State.SAVED})
    assert len(list(folder.iterdir())) == 3
    three.bot.mouseClick(place.open, LEFT)
    assert opened == [folder]
    place.beside.trigger()
    assert place.words.text() == "Next to pictures"
    assert place.words.accessibleName() == "Saves next to the pictures"


def test_saved_pictures_can_be_saved_in_another_folder(three: Any, tmp_path: Path) -> None:
    three.press(Qt.Key.Key_Return, CTRL)
    three.wait(lambda: {row.state for row in three.rows} == {State.SAVED})
    three.window.settings.change(output_folder=str(tmp_path / "out"))
    assert State.SAVED not in {row.state for row in three.rows}
    three.press(Qt.Key.Key_Return, CTRL)
    three.wait(lambda: {row.state for row in three.rows} == {State.SAVED})
    for row in three.rows:
        beside = row.source.path.with_suffix(".lbb")
        assert (tmp_path / "out" / beside.name).read_bytes() == beside.read_bytes()
    three.window.settings.change(output_folder="")
    three.window.settings.change(output_folder=str(tmp_path / "out"))
    assert {row.state for row in three.rows} == {State.SAVED}


def test_pictures_without_a_folder_have_an_output_folder(user: Any) -> None:
    user.window.empty.sample.click()
    user.wait(lambda: bool(user.rows))
    words = user.window.queue.destination.words.text()
    row = user.rows[0]
    assert words == f"Saves in {user.window.session.batch.wanted(row, 4.0, '.lbb').parent}"


def test_one_picture_with_a_folder_says_where_files_go(
    user: Any, draw: Draw, tmp_path: Path
) -> None:
    place, image = user.window.queue.destination, QImage(40, 24, QImage.Format.Format_RGB32)
    image.fill(0xFF336699)
    user.window.settings.change(last_folder=str(tmp_path))
    user.window.session.adder.paste(image)
    alone = f"Saves in {tmp_path}"
    assert place.words.text() == alone
    picture = draw("in/a.png")
    file = tmp_path / "b.lbb"
    file.write_bytes(codec.compress(load_picture(picture)).data)
    user.window.session.adder.open([file])
    user.wait(lambda: len(user.rows) == 2)
    assert place.words.text() == alone  # no .lbb file is saved
    user.window.session.adder.open([picture])
    user.wait(lambda: len(user.rows) == 3)
    assert place.words.text() == "Next to pictures"
    assert str(tmp_path) in place.toolTip()
    user.window.queue.select(user.rows[2])
    user.window.queue.want_removal()
    assert place.words.text() == alone
    assert not place.toolTip()


def test_resized_pictures_are_coded_and_compared_at_the_smaller_size(user: Any, draw: Draw) -> None:
    path = draw("a.png", 92, 60)
    user.drop(path)
    user.wait_for_result()
    user.window.settings.change(longest_side=46)
    user.wait(lambda: user.window.session.result.picture.width == 46)
    canvas = user.window.viewer.canvas
    user.wait(lambda: canvas.original is not None and canvas.original.shape[:2] == (30, 46))
    assert user.window.session.result.point.psnr > 15
    assert "46 × 30" in user.window.inspector.result.facts.text()
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert codec.read_info(path.with_suffix(".lbb").read_bytes()).width == 46
