"""The main window: opening and closing, dialogs, themes, undo."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox

from lbbic_engine import codec, load_picture
from lbbic_engine.devices import device_failures
from lbbic_engine.errors import Cancelled, GpuError
from lbbic_gui import app
from lbbic_gui.desktop import file_dialogs
from lbbic_gui.jobs import tasks
from lbbic_gui.jobs.lanes import Jobs
from lbbic_gui.jobs.messages import ExportSizes
from lbbic_gui.painting.overlays import Overlay
from lbbic_gui.painting.view_options import Mode
from lbbic_gui.state.row import State
from lbbic_gui.style import theme

Draw = Callable[..., Path]
CTRL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton


def test_the_window_starts_empty_and_offers_a_sample(user: Any) -> None:
    assert user.window.pages.currentWidget() is user.window.empty
    user.bot.mouseClick(user.window.empty.sample, LEFT)
    user.wait_for_result()
    assert user.rows[0].source.name == "astronaut.png"
    assert "%" in user.window.inspector.result.figure.text()


def test_a_sample_is_not_saved_in_the_programs_folder(user: Any, tmp_path: Path) -> None:
    from lbbic_gui.state.samples import sample_source

    user.window.settings.change(last_folder=str(tmp_path))
    user.press(Qt.Key.Key_T, CTRL, widget=user.window)
    user.wait_for_result()
    proposal = user.window.tools.proposal(user.rows[0], 4.0, ".lbb")
    assert proposal == tmp_path / "astronaut.lbb"
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert user.rows[0].saved_path == tmp_path / "astronaut.lbb"
    assert not list(sample_source().path.parent.glob("*.lbb"))


def test_the_inspector_can_be_hidden_and_shown(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png"))
    user.wait_for_result()
    for is_there in (False, True):
        user.press(Qt.Key.Key_I, CTRL)
        assert user.window.inspector.isVisible() is is_there
        assert user.window.actions_["inspector"].isChecked() is is_there


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """Answer the questions of the app by Return, then Escape, then the second button.

    Yields the buttons of each question so far, from left to right.
    """
    questions: list[list[str]] = []

    def answer() -> None:
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox) and box.isVisible():
            buttons = sorted(box.buttons(), key=lambda button: button.x())
            questions.append([button.text() for button in buttons])
            keys = {1: Qt.Key.Key_Return, 2: Qt.Key.Key_Escape}
            if (key := keys.get(len(questions))) is not None:
                QTest.keyClick(box, key)
            else:
                QTest.mouseClick(buttons[1], LEFT)

    timer = QTimer(interval=0)
    timer.timeout.connect(answer)
    timer.start()
    yield questions
    timer.stop()


def work_until_cancelled(*_: object, cancelled: Any, **__: object) -> None:
    cancelled.__self__.wait()
    raise Cancelled


def test_closed_dialogs_are_gone(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch, answered: list[list[str]]
) -> None:
    """With all that they hold on to: an export, the picture; the settings, every change of them."""
    is_closed, opened = threading.Event(), list[str]()

    def measure(*_: Any) -> ExportSizes:
        assert is_closed.wait(600)
        return ExportSizes(())

    def close() -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            QTimer.singleShot(10, close)
            return
        opened.append(dialog.windowTitle())
        dialog.reject()

    monkeypatch.setattr(tasks, "measure_exports", measure)
    user.drop(draw("a.png"))
    user.wait_for_result()
    for name in ("settings", "keys", "about", "export"):
        QTimer.singleShot(10, close)
        user.window.actions_[name].trigger()
    assert len(set(opened)) == 4
    user.rows[0].mask = b"in no file"
    assert not user.window.close()
    user.wait(lambda: not user.window.findChildren(QDialog))
    is_closed.set()
    user.wait(lambda: not user.window.session.jobs.active())


@pytest.mark.parametrize("work", ["batch", "export"])
def test_quitting_while_files_are_written_asks_first(
    user: Any,
    draw: Draw,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answered: list[list[str]],
    work: str,
) -> None:
    monkeypatch.setattr(file_dialogs, "choose_export", lambda *_: tmp_path / "out.png")
    user.drop(draw("a.png"))
    user.wait_for_result()
    for name in ("compress", "decompress"):
        monkeypatch.setattr(codec, name, work_until_cancelled)
    if work == "batch":
        user.window.settings.change(quality=5.0)
        user.press(Qt.Key.Key_Return, CTRL)
    else:
        user.export()
    for _ in range(2):
        assert not user.window.close()
    assert user.window.isVisible()
    assert user.window.close()
    assert answered == [["Continue", "Stop and quit"]] * 3
    assert not user.window.isVisible()
    assert not (tmp_path / "out.png").exists()


def test_one_question_names_all_that_quitting_loses(
    user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []
    monkeypatch.setattr(
        QMessageBox, "exec", lambda box: questions.append(f"{box.text()} {box.informativeText()}")
    )
    path = draw("a.png")
    user.drop(path)
    user.wait_for_result()
    monkeypatch.setattr(codec, "compress", work_until_cancelled)
    user.window.settings.change(quality=5.0)
    user.press(Qt.Key.Key_Return, CTRL)
    assert not user.window.close()
    user.drop(image=QImage(str(path)))
    assert not user.window.close()
    assert ["still being written" in words for words in questions] == [True, True]
    assert ["1 picture is not saved" in words for words in questions] == [False, True]


def test_quitting_waits_for_work_that_cannot_end_only_once(
    tiny: None, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, waits, codes = Jobs.stop, list[float](), list[int]()

    def stop_and_note(jobs: Jobs, seconds: float = 2.0) -> bool:
        waits.append(seconds)
        stop(jobs, 600)
        return False

    def close_all(_: QApplication) -> int:
        QApplication.closeAllWindows()
        return 0

    monkeypatch.setattr(Jobs, "stop", stop_and_note)
    monkeypatch.setattr(QApplication, "exec", close_all)
    monkeypatch.setattr(os, "_exit", codes.append)
    app.main([])
    assert codes == [0]
    assert sum(waits) == 2.0  # seconds


def test_quitting_does_not_ask_if_nothing_is_written(
    user: Any, draw: Draw, answered: list[list[str]]
) -> None:
    user.drop(draw("a.png", 800, 600))
    user.wait(lambda: user.window.viewer.canvas.result is not None)
    assert user.window.close()
    assert not answered


def test_quitting_asks_about_pasted_and_painted_pictures_that_are_not_saved(
    user: Any, draw: Draw, answered: list[list[str]]
) -> None:
    path, mask = draw("a.png"), BytesIO()
    Image.new("L", (2, 1), 200).save(mask, "PNG")
    user.drop(path)
    user.wait_for_result()
    user.window.commands.paint(user.rows[0], mask.getvalue(), "Keep sharp")
    user.wait(lambda: not user.window.session.is_stale)
    assert not user.window.close()
    user.window.actions_["compress_all"].trigger()
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert not any(row.has_unsaved_work for row in user.rows)
    user.drop(image=QImage(str(path)))
    user.wait(lambda: len(user.rows) == 2)
    assert not user.window.close()
    assert user.window.isVisible()
    assert user.window.close()
    assert answered == [["Continue", "Quit without saving"]] * 3


def test_every_action_has_a_text_and_every_control_a_name(user: Any) -> None:
    from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QComboBox, QScrollBar

    for name, action in user.window.actions_.items():
        assert action.text(), name
        assert not action.shortcut().isEmpty(), name
    keys = [key for action in user.window.actions_.values() for key in action.shortcuts()]
    assert len(set(keys)) == len(keys)
    for kind in (QAbstractButton, QAbstractSlider, QComboBox):
        for widget in user.window.findChildren(kind):
            named = widget.accessibleName() or (hasattr(widget, "text") and widget.text())
            internal = isinstance(widget, QScrollBar) or widget.objectName().startswith("qt_")
            assert named or internal or not widget.isVisible(), widget


def test_only_what_can_be_done_is_enabled(user: Any, draw: Draw) -> None:
    def enabled() -> set[str]:
        return {name for name, action in user.window.actions_.items() if action.isEnabled()}

    of_a_picture = {"retry", "remove", "remove_all", "move_up", "copy_path", "show_in_folder"}
    of_a_result = {"save", "export", "compare", "play", "overlay"}
    assert not enabled() & {*of_a_picture, *of_a_result, "compress_all", "copy_command"}
    assert not enabled() & {"side", "fit", "loupe", "original"}
    assert {"open", "open_folder", "sample", "paste", "settings", "keys", "quit"} <= enabled()
    path = draw("a.png", 800, 600)
    user.drop(path)
    user.wait(lambda: user.window.session.row is not None)
    assert of_a_picture | {"compress_all", "copy_command", "side", "fit"} <= enabled()
    assert not enabled() & of_a_result
    coded = user.wait_for_result()
    assert of_a_result <= enabled()
    user.press(Qt.Key.Key_Return, CTRL)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert "compress_all" not in enabled()
    lbb = path.with_name("b.lbb")
    lbb.write_bytes(coded.point.data)
    user.drop(lbb)
    user.wait(lambda: user.window.session.row is user.rows[-1] is not user.rows[0])
    user.wait_for_result()
    assert of_a_result - enabled() == {"compare"}
    user.window.actions_["remove_all"].trigger()
    assert not enabled() & {*of_a_picture, *of_a_result, "compress_all", "copy_command"}
    user.drop(image=QImage(str(path)))
    user.wait_for_result()
    assert not enabled() & {"copy_path", "show_in_folder"}, "it has no file yet"


def test_choices_can_be_undone_and_redone(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result(4.0)
    canvas = user.window.viewer.canvas
    user.press(Qt.Key.Key_4, CTRL)
    user.press(Qt.Key.Key_G)
    user.window.commands.choose_quality(2.0, False)
    user.wait_for_result(2.0)
    user.press(Qt.Key.Key_Z, CTRL)
    assert user.window.session.result.point.quality == 4.0
    user.press(Qt.Key.Key_Z, CTRL)
    assert canvas.options.overlay is Overlay.NONE
    user.press(Qt.Key.Key_Z, CTRL)
    assert canvas.options.mode is Mode.SPLIT
    for _ in range(3):
        user.press(Qt.Key.Key_Y, CTRL)
    user.wait_for_result(2.0)
    assert (canvas.options.mode, canvas.options.overlay) == (Mode.DIFFERENCE, Overlay.GRID)


def test_the_key_for_overlays_leaves_out_errors_where_there_is_no_original(
    user: Any, draw: Draw
) -> None:
    picture = draw("a.png", 92, 60)
    file = picture.with_suffix(".lbb")
    file.write_bytes(codec.compress(load_picture(picture)).data)
    canvas = user.window.viewer.canvas

    def cycle() -> list[Overlay]:
        shown = []
        for _ in range(5):
            user.press(Qt.Key.Key_G)
            shown.append(canvas.options.overlay)
        return shown

    none, grid, bits, error, order = Overlay
    user.drop(picture)
    user.wait_for_result()
    assert cycle() == [grid, bits, error, order, none]
    user.drop(file)
    user.wait(lambda: user.window.session.row.source.is_lbb)
    user.wait_for_result()
    assert cycle() == [grid, bits, order, none, grid]


def test_f1_lists_every_action(user: Any) -> None:
    from PySide6.QtWidgets import QLabel

    from lbbic_gui.dialogs.help import KeysDialog
    from lbbic_gui.shell.actions import help_pairs

    dialog = KeysDialog(help_pairs(), user.window)
    user.bot.addWidget(dialog)
    words = {label.text() for label in dialog.findChildren(QLabel)}
    for action in user.window.actions_.values():
        assert action.text().rstrip("…") in words


def test_the_pattern_determines_file_names(user: Any, draw: Draw) -> None:
    from lbbic_gui.dialogs.settings_dialog import SettingsDialog

    dialog = SettingsDialog(user.window.settings, user.window)
    user.bot.addWidget(dialog)
    dialog.show()
    dialog.pattern.clear()
    user.bot.keyClicks(dialog.pattern, "{name} q{quality}")
    assert dialog.example.text() == "holiday q4.lbb"
    user.bot.keyClicks(dialog.pattern, "/")
    assert "must contain" in dialog.example.text()
    dialog.close()
    path = draw("a.png")
    user.drop(path)
    user.wait_for_result()
    user.bot.mouseClick(user.window.queue.button, LEFT)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert user.rows[0].saved_path == path.with_name("a q4.lbb")


def test_return_in_a_field_of_the_settings_applies_it_and_closes_them(user: Any) -> None:
    from lbbic_gui.dialogs.settings_dialog import SettingsDialog

    settings = user.window.settings
    settings.change(quality=3.0)
    for change, typed in (("pattern", "{name}-small"), ("longest_side", 500)):
        dialog = SettingsDialog(settings, user.window)
        dialog.show()
        field = getattr(dialog, change)
        field.setFocus()
        field.selectAll()
        user.bot.keyClicks(field, str(typed))
        user.press(Qt.Key.Key_Return, widget=field)
        assert getattr(settings.values, change) == typed
        assert settings.values.quality == 3.0
        assert not dialog.isVisible()


def test_the_theme_changes_at_once(user: Any) -> None:
    for name, colours in (("dark", theme.DARK), ("light", theme.LIGHT)):
        user.window.settings.change(theme=name)
        window = QApplication.palette().window().color().name()
        assert (theme.colours(), window) == (colours, colours.window)


def test_retrying_on_the_cpu_is_offered_if_the_gpu_fails(user: Any, draw: Draw) -> None:
    from lbbic_gui.jobs.error_messages import explain

    with pytest.raises(GpuError) as full, device_failures():
        raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB.")
    user.drop(draw("a.png"))
    user.wait_for_result()
    banner = user.window.viewer.banner
    banner.show_problem("a.png", explain(full.value, "a.png"))
    user.bot.mouseClick(banner.copy, LEFT)
    assert "a.png" in QApplication.clipboard().text()
    user.bot.mouseClick(banner.cpu, LEFT)
    assert user.window.settings.values.device == "cpu"
    user.wait_for_result()


def test_the_layout_is_kept(user: Any, draw: Draw) -> None:
    from lbbic_gui.shell.main_window import MainWindow
    from lbbic_gui.state.settings import Settings

    user.drop(draw("a.png"))
    user.wait_for_result()
    user.window.resize(790, 640)  # within the offscreen display
    user.window.splitter.setSizes([240, 246, 304])
    user.window.actions_["inspector"].trigger()
    user.window.close()
    again = MainWindow(Settings(user.window.settings.path))
    user.bot.addWidget(again)
    again.show()
    assert again.height() == 640
    assert again.settings.layout("splitter") == user.window.splitter.saveState()
    assert again.inspector.isHidden()
    assert not again.actions_["inspector"].isChecked()
    assert again.session.jobs.stop(600)
