"""SSIMULACRA 2 beside the other measures, where its package is installed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt

from lbbic_engine.errors import Cancelled
from lbbic_engine.measure import ssimulacra2
from lbbic_gui.style import text

Draw = Callable[..., Path]


class Measure:
    """In place of the package, which is optional: knows who asked, and can be held up."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.cancelled = 0

    def __call__(self, original: Any, decoded: Any, cancelled: Callable[[], bool]) -> float:
        assert original.shape == decoded.shape
        self.threads.append(threading.current_thread())
        while not self.go_on.wait(0.01):
            if cancelled():
                self.cancelled += 1
                raise Cancelled
        return 71.26


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Measure:
    stand_in = Measure()
    monkeypatch.setattr(ssimulacra2, "is_installed", lambda: True)
    monkeypatch.setattr(ssimulacra2, "ssimulacra2", stand_in)
    return stand_in


def test_the_look_is_measured_once_outside_the_windows_thread(
    measure: Measure, user: Any, draw: Draw
) -> None:
    figure = user.window.inspector.metrics.look
    user.drop(draw("a.png", 60, 40))
    user.wait_for_result()
    user.wait(lambda: figure.text() == "71.3  ·  high")
    assert figure.isVisible()
    assert figure.accessibleName() == "SSIMULACRA 2: 71.3  ·  high"
    user.window.commands.choose_quality(6.0, False)
    user.wait_for_result(6.0)
    user.wait(lambda: len(measure.threads) == 2 and "high" in figure.text())
    user.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert figure.text() == "71.3  ·  high"
    assert len(measure.threads) == 2
    assert threading.main_thread() not in measure.threads


def test_another_quality_cancels_a_measurement(measure: Measure, user: Any, draw: Draw) -> None:
    measure.go_on.clear()
    figure = user.window.inspector.metrics.look
    user.drop(draw("a.png", 60, 40))
    user.wait_for_result()
    user.wait(lambda: len(measure.threads) == 1)
    assert figure.text() == "measuring…"
    user.window.commands.choose_quality(6.0, False)
    user.wait_for_result(6.0)
    user.wait(lambda: measure.cancelled == 1)
    measure.go_on.set()
    user.wait(lambda: "high" in figure.text())


def test_a_measurement_that_ends_although_cancelled_does_not_start_another(
    measure: Measure, user: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_the_end = partial(measure, cancelled=lambda: False)
    monkeypatch.setattr(ssimulacra2, "ssimulacra2", lambda *pair: to_the_end(*pair[:2]))
    measure.go_on.clear()
    user.drop(draw("a.png", 60, 40))
    user.wait_for_result()
    user.wait(lambda: len(measure.threads) == 1)
    user.window.commands.choose_quality(6.0, False)
    user.wait_for_result(6.0)
    measure.go_on.set()
    user.wait(lambda: not user.window.session.jobs.active())
    assert len(measure.threads) == 2
    assert user.window.tools.look == 71.26


def test_hidden_measures_are_not_computed(measure: Measure, user: Any, draw: Draw) -> None:
    user.window.settings.change(detailed=False)
    user.drop(draw("a.png", 60, 40))
    user.wait_for_result()
    assert not user.window.session.jobs.active()
    user.press(Qt.Key.Key_D)
    user.wait(lambda: "high" in user.window.inspector.metrics.look.text())
    assert len(measure.threads) == 1


@pytest.mark.parametrize("bundled", [False, True])
def test_without_the_package_the_tool_tip_explains_how_to_install_it(
    bundled: bool, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(ssimulacra2, "is_installed", lambda: False)
    monkeypatch.setattr(sys, "frozen", bundled, raising=False)
    metrics = request.getfixturevalue("user").window.inspector.metrics
    assert metrics.psnr.isVisibleTo(metrics)
    assert not metrics.isAncestorOf(metrics.look)
    assert ("pip install ssimulacra2" in metrics.psnr.toolTip()) is not bundled
    assert ("This build does not contain it" in metrics.psnr.toolTip()) is bundled


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (95.0, "visually lossless"),
        (70.0, "high"),
        (69.9, "medium"),
        (30.0, "low"),
        (-5.0, "very low"),
    ],
)
def test_a_score_is_shown_with_a_word(score: float, word: str) -> None:
    assert text.look(score).endswith(f"·  {word}")
