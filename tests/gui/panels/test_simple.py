"""The inspector shows few parts at first, all of them after one key, and less for .lbb files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtCore import Qt

from lbbic_gui.state.settings import Settings
from lbbic_gui.style import text

Draw = Callable[..., Path]


def shown(inspector: Any) -> set[str]:
    """The parts that are visible."""
    parts = ("quality", "effort", "compare", "metrics", "plot", "overlay", "target", "file")
    return {name for name in parts if getattr(inspector, name).isVisibleTo(inspector)}


SIMPLE = {"quality", "effort", "compare"}
DETAILED = SIMPLE | {"metrics", "plot", "overlay", "target"}


def test_the_inspector_is_simple_until_a_key_shows_all(
    tiny: None, new_user: Any, draw: Draw
) -> None:
    user = new_user
    inspector = user.window.inspector
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    assert shown(inspector) == SIMPLE
    assert "of the PNG" in inspector.result.line.text()
    assert "bpp" not in inspector.result.line.text()
    user.press(Qt.Key.Key_D)
    assert shown(inspector) == DETAILED
    assert "bpp" in inspector.result.line.text()
    assert Settings(user.window.settings.path).values.detailed
    user.bot.mouseClick(inspector.details, Qt.MouseButton.LeftButton)
    assert shown(inspector) == SIMPLE
    assert not user.window.actions_["details"].isChecked()


def test_an_lbb_file_opens_in_its_own_panel(user: Any, draw: Draw) -> None:
    inspector = user.window.inspector
    path = draw("a.png", 92, 60)
    user.drop(path)
    user.wait_for_result()
    user.press(Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    lbb = path.with_suffix(".lbb")
    user.wait(lambda: user.rows[0].saved_path == lbb)
    user.drop(lbb)
    user.wait(lambda: user.window.session.row is not user.rows[0])
    user.wait_for_result()
    assert shown(inspector) == {"file", "overlay"}
    values = {key: label.text() for key, label in inspector.file.values.items()}
    assert values["quality"] == "Web  ·  4"
    assert values["metadata"] == "none"
    assert values["model"]
    assert inspector.export.isEnabled()
    user.window.queue.select(user.rows[0])
    assert shown(inspector) == DETAILED


def test_encoders_show_their_time_for_this_picture(user: Any, draw: Draw) -> None:
    user.drop(draw("a.png", 92, 60))
    user.wait_for_result()
    box = user.window.inspector.effort.box
    assert [box.itemData(place) for place in range(box.count())] == list(text.efforts())
    assert all("about" in box.itemText(place) for place in range(box.count()))
    coder = user.window.session.coder
    assert coder.seconds_for(10**6, "thorough") > 5 * coder.seconds_for(10**6, "fast")
    box.setCurrentIndex(box.findData("thorough"))
    box.activated.emit(box.currentIndex())
    assert user.window.settings.values.effort == "thorough"
    user.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert user.window.settings.values.effort == "fast"


def test_the_time_for_a_large_picture_assumes_all_cores(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_engine.parallel import run

    coder, large, small = user.window.session.coder, 24 * 10**6, 10**6
    on_one_core = [coder.seconds_for(pixels, "fast") for pixels in (large, small)]
    monkeypatch.setattr(run, "usable_cores", lambda: 4)
    monkeypatch.setattr(run, "usable_memory", lambda: 10**11)
    on_four = [coder.seconds_for(pixels, "fast") for pixels in (large, small)]
    assert on_four == pytest.approx([on_one_core[0] / 4, on_one_core[1]])


def test_changing_the_tuning_codes_again(
    user: Any, photograph: NDArray[np.uint8], tmp_path: Path
) -> None:
    from lbbic_engine import compress, load_picture

    path = tmp_path / "cat.png"
    Image.fromarray(photograph).save(path)
    user.drop(path)
    measured = user.wait_for_result()
    box = user.window.inspector.effort.tune
    assert box.currentText() == "Measurements"
    user.press(Qt.Key.Key_Down, widget=box)
    assert box.currentText() == "Eyes"
    user.wait(lambda: user.window.session.result is not measured)
    tuned = compress(load_picture(path), 4, tune="visual").data
    assert user.window.session.result.point.data == tuned != measured.point.data
    user.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert user.window.settings.values.tune == "psnr"
    assert user.window.session.result is measured  # out of the cache
