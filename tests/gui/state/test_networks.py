"""Additional models: choosing one, single qualities, adding and removing."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtWidgets import QApplication

from lbbic_gui.desktop import file_dialogs
from lbbic_gui.jobs.work.torch_import import quiet_import
from lbbic_gui.state.row import State
from lbbic_gui.state.settings import Settings

Draw = Callable[..., Path]
LEFT = Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier
GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def folder(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of weights, with only the tiny network."""
    folder = tmp_path / "weights"
    shutil.copytree(tiny_weights, folder)
    monkeypatch.setenv("LBBIC_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def paper(folder: Path) -> Path:
    """One of the paper's models in the user's folder, with quality 4 only."""
    return Path(shutil.copy(GOLDEN / "paper.safetensors", folder))


def choose(user: Any, title: str) -> None:
    """Pick a model from the list as a user does."""
    box = user.window.inspector.model.box
    user.wait(lambda: box.findText(title) >= 0)
    user.wait(box.isVisible)
    box.setCurrentText(title)
    box.activated.emit(box.currentIndex())


def reactivate(user: Any) -> None:
    """Return to the window from another program."""
    QApplication.sendEvent(user.window, QEvent(QEvent.Type.ActivationChange))


def test_the_list_of_models_is_hidden_if_there_is_only_one(
    folder: Path, shipped_user: Any, draw: Draw
) -> None:
    shipped_user.drop(draw("a.png"))
    shipped_user.wait_for_result()
    assert not shipped_user.window.inspector.model.isVisible()


def test_another_model_codes_saves_and_reopens(
    paper: Path, shipped_user: Any, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_engine import compress, decompress, load_picture, read_info

    user, window = shipped_user, shipped_user.window
    path, target = draw("a.png", 92, 60), tmp_path / "a.lbb"
    window.settings.change(quality=6.0)
    user.drop(path)
    usual = user.wait_for_result(6.0)
    assert window.inspector.quality.slider.isEnabled()
    choose(user, "paper")
    assert window.viewer.canvas.options.badge
    coded = user.wait_for_result(4.0)
    assert coded.point.data == compress(load_picture(path), weights="paper").data
    assert not window.inspector.quality.slider.isEnabled()
    assert not window.inspector.target.isEnabled()
    assert window.inspector.quality.slider.quality() == 4.0
    assert "only one quality" in window.inspector.quality.single.text()
    assert window.inspector.quality.single.isVisible()
    assert list(window.inspector.plot.places()) == [4.0]
    window.inspector.grab()
    monkeypatch.setattr(file_dialogs, "choose_target", lambda *_: target)
    user.press(Qt.Key.Key_S, CTRL)
    user.wait(lambda: user.rows[0].state is State.SAVED)
    assert read_info(target.read_bytes()).weights == "paper"

    user.press(Qt.Key.Key_Z, CTRL)
    assert window.session.result is usual
    assert window.inspector.quality.slider.isEnabled()
    assert len(window.inspector.plot.places()) == 8
    user.drop(target)
    user.wait(lambda: window.session.row.source.is_lbb)
    again = user.wait_for_result()
    assert np.array_equal(again.picture.canvas, coded.picture.canvas)
    assert np.array_equal(
        again.picture.picture()[..., 2::-1], decompress(target.read_bytes()).pixels
    )
    assert window.inspector.quality.slider.quality() == 4.0
    assert window.settings.values.quality == 6.0


def test_models_of_a_single_quality_work(
    paper: Path, shipped_user: Any, draw: Draw, tmp_path: Path
) -> None:
    user, window = shipped_user, shipped_user.window
    window.settings.change(
        model="paper", quality=6.0, tune="visual", output_folder=str(tmp_path / "out")
    )
    user.drop(draw("in/a.png", 184, 120), draw("in/b.png", 92, 60, seed=2))
    user.wait(lambda: len(user.rows) == 2)
    user.press(Qt.Key.Key_Return, CTRL)  # perhaps before the model's qualities are known
    coded = user.wait_for_result(4.0)
    user.wait(lambda: all(row.state is State.SAVED for row in user.rows))
    assert (tmp_path / "out" / "a.lbb").read_bytes() == coded.point.data
    assert "2 of 2 saved" in window.queue.total.text()
    canvas = window.viewer.canvas
    user.bot.mouseClick(canvas, LEFT, pos=canvas.rect().center() + QPoint(40, 0))
    assert "bits" in window.inspector.block.values["bits"].text()
    user.bot.mouseClick(window.inspector.plot, LEFT, pos=window.inspector.plot.rect().center())
    assert window.session.result is coded
    panel = window.inspector.compare
    user.bot.mouseClick(panel.button, LEFT)
    user.wait(lambda: all(cells[0].text() for cells in panel.cells.values()))
    pinned, size = canvas.options.pinned, coded.picture.size
    choose(user, "photo")
    other = user.wait_for_result(6.0).picture
    assert other.size != size  # so another block is below the same point
    middle = [int((place + 0.5) * size) // other.size for place in pinned]
    assert list(canvas.options.pinned) == middle
    assert "0 of 2 saved" in window.queue.total.text()


def test_a_model_of_a_single_quality_keeps_the_mask(
    paper: Path, shipped_user: Any, draw: Draw
) -> None:
    user, window = shipped_user, shipped_user.window
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    user.press(Qt.Key.Key_B)
    canvas, brush = window.viewer.canvas, window.actions_["brush"]
    user.bot.mouseClick(canvas, LEFT, pos=canvas.rect().center() + QPoint(30, 0))
    mask = user.rows[0].mask
    assert mask
    user.wait(lambda: not window.session.is_stale)
    painted = window.session.result
    choose(user, "paper")
    user.wait(lambda: window.session.result is not painted)
    assert user.rows[0].state is State.CODED
    assert not brush.isEnabled()
    assert "only one quality" in brush.toolTip()
    user.bot.mouseClick(canvas, LEFT, pos=canvas.rect().center() - QPoint(30, 0))
    assert user.rows[0].mask == mask
    user.press(Qt.Key.Key_Z, CTRL)
    assert window.session.result is painted
    assert brush.isChecked()


def test_the_chosen_model_is_remembered(paper: Path, shipped_user: Any, draw: Draw) -> None:
    shipped_user.drop(draw("a.png"))
    choose(shipped_user, "paper")
    shipped_user.wait_for_result()
    assert Settings(shipped_user.window.settings.path).values.model == "paper"


def test_a_missing_model_is_replaced_with_a_notice(
    folder: Path, shipped_user: Any, draw: Draw
) -> None:
    user, window = shipped_user, shipped_user.window
    notices: list[str] = []
    window.session.networks.noticed.connect(notices.append)
    window.settings.change(model="lost")
    user.drop(draw("a.png"))
    user.wait_for_result(4.0)
    assert window.settings.values.model == ""
    assert any("lost is no longer installed" in words for words in notices)


def test_added_and_removed_models_are_noticed(folder: Path, shipped_user: Any, draw: Draw) -> None:
    user, window = shipped_user, shipped_user.window
    user.drop(draw("a.png"))
    first = user.wait_for_result()
    path = Path(shutil.copy(GOLDEN / "paper.safetensors", folder))
    reactivate(user)
    choose(user, "paper")
    user.wait(lambda: window.session.result is not first)
    user.wait_for_result()
    path.unlink()
    reactivate(user)
    user.wait(lambda: window.session.result is first)
    assert "paper is no longer installed" in window.status.notice.text()
    assert not window.inspector.model.isVisible()


def test_skipped_model_files_are_named_once(folder: Path, shipped_user: Any, draw: Draw) -> None:
    user, notices = shipped_user, []
    user.window.session.networks.noticed.connect(notices.append)
    (folder / "bad.safetensors").write_bytes((GOLDEN / "paper.safetensors").read_bytes()[:-1])
    user.drop(draw("a.png"))
    user.wait_for_result()
    reactivate(user)
    user.wait(lambda: len(notices) > 0)
    for _ in range(2):
        user.window.session.networks.look()
    (folder / "worse.safetensors").write_bytes(b"")
    reactivate(user)
    user.wait(lambda: len(notices) > 1)
    assert [words.split(" cannot be used: ")[0] for words in notices] == [
        "bad.safetensors",
        "worse.safetensors",
    ]
    assert "worse.safetensors" in user.window.status.notice.text()
    shown = user.window.inspector.model.rejected
    assert shown.isVisible()
    assert shown.text() == "\n".join(notices)
    for path in folder.glob("*[de].safetensors"):
        path.unlink()
    reactivate(user)
    user.wait(lambda: not user.window.inspector.model.isVisible())


def test_only_the_first_import_of_torch_freezes_objects() -> None:
    """A later freeze would keep garbage for good."""
    import torch  # noqa: F401

    before = gc.get_freeze_count()
    with quiet_import():
        pass
    assert gc.get_freeze_count() == before


def test_a_damaged_model_is_reported_and_another_can_be_chosen(
    paper: Path, shipped_user: Any, draw: Draw
) -> None:
    user, window = shipped_user, shipped_user.window
    content = bytearray(paper.read_bytes())
    content[-1000:] = bytes(1000)
    paper.write_bytes(content)
    user.drop(draw("a.png"))
    choose(user, "paper")
    user.wait(lambda: user.rows[0].state is State.FAILED)
    assert "checksum" in window.viewer.banner.detail.text()
    choose(user, "photo")
    user.wait_for_result()
    assert not window.viewer.banner.isVisible()
