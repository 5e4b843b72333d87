"""Typed numbers are understood with either decimal separator and in every language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QLocale, Qt

from lbbic_gui.style.numbers import NumberBox, parse_number


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("3,5", 3.5),
        ("3.5", 3.5),
        (" 3,50 ", 3.5),
        (",5", 0.5),
        ("5.", 5.0),
        ("0,125", 0.125),
        ("1,000", 1000.0),
        ("1.000", 1000.0),
        ("1 000", 1000.0),
        ("1\N{NARROW NO-BREAK SPACE}000,5", 1000.5),
        ("1’234’567", 1_234_567.0),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1,234,567", 1_234_567.0),
        ("1,234,5", None),
        ("1.2.3", None),
        ("1,23,4", None),
        ("", None),
        (",", None),
        ("five", None),
        ("-3", None),
    ],
)
def test_comma_and_point_are_both_decimal_separators(words: str, number: float | None) -> None:
    assert parse_number(words) == number


@pytest.mark.parametrize("words", ["1,250", "1.250"])
def test_small_numbers_have_no_thousands_separators(words: str) -> None:
    assert parse_number(words, most=24) == 1.25


@pytest.fixture(params=["en_US", "de_DE", "de_CH", "fr_FR", "ar_EG", "hi_IN", "fa_IR"])
def language(request: pytest.FixtureRequest) -> Iterator[QLocale]:
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield QLocale()
    QLocale.setDefault(before)


def test_a_field_accepts_its_own_text(language: QLocale, qtbot: Any) -> None:
    box = NumberBox("size")
    qtbot.addWidget(box)
    box.setRange(0.01, 1e6)
    assert box.locale() == language
    for value in (0.01, 3.5, 100.0, 123_456.75):
        box.setValue(value)
        assert box.valueFromText(box.text()) == value
        assert not box.text().endswith(("0" + language.decimalPoint(), language.decimalPoint()))


@pytest.mark.parametrize("typed", ["3,5", "3.5"])
def test_a_typed_target_is_used(
    language: QLocale, user: Any, draw: Callable[..., Path], typed: str
) -> None:
    user.drop(draw("a.png", 184, 120))
    user.wait_for_result()
    target = user.window.inspector.target
    wanted: list[Any] = []
    target.wanted.connect(wanted.append)
    for unit, value in (("kB", 3500.0), ("bpp", 3.5)):
        target.unit.setCurrentText(unit)
        target.value.selectAll()
        user.bot.keyClicks(target.value, typed)
        user.press(Qt.Key.Key_Return, widget=target.value)
        assert wanted[-1].value == value
    user.window.commands.stop()


@pytest.mark.parametrize(("typed", "zoom"), [("62,5 %", 0.625), ("62.5", 0.625), ("1.000", 10.0)])
def test_a_typed_zoom_is_used(
    user: Any, draw: Callable[..., Path], typed: str, zoom: float
) -> None:
    user.drop(draw("a.png", 900, 600))
    user.wait(lambda: user.window.viewer.canvas.original is not None)
    box = user.window.toolbar.zoom
    box.lineEdit().selectAll()
    user.bot.keyClicks(box, typed)
    user.press(Qt.Key.Key_Return, widget=box)
    assert user.window.viewer.canvas.viewport.zoom == zoom


def test_numbers_out_of_range_are_clamped(user: Any, draw: Callable[..., Path]) -> None:
    user.drop(draw("a.png"))
    user.wait_for_result()
    box = user.window.inspector.target.value
    user.window.inspector.target.unit.setCurrentText("dB")
    for typed, value in (("5", 10.0), ("99", 60.0), ("1..2", 60.0)):
        box.selectAll()
        user.bot.keyClicks(box, typed)
        box.interpretText()
        assert box.value() == value
