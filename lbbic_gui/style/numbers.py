"""Numbers as people type them: 3,5 and 3.5 mean the same, whatever the language."""

from __future__ import annotations

import math
import re

from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QWidget

_DECIMAL, _MARKS = ".,\N{ARABIC DECIMAL SEPARATOR}", r".,\u066c\s'\u2019"
_TYPED = re.compile(rf"[\d{_DECIMAL}{_MARKS}]*")
_THOUSANDS = re.compile(
    rf"([1-9]\d{{0,2}})((?P<mark>[{_MARKS}])\d{{3}}(?:(?P=mark)\d{{3}})*)"
    rf"((?!(?P=mark))[{_DECIMAL}]\d*)?"
)
_NUMBER = re.compile(r"\d+\.?\d*|\.\d+")


def parse_number(words: str, most: float = math.inf) -> float | None:
    """Parse a typed number that is not negative; None if it is not one.

    1,234 and 1.234 are thousands like 1 234, unless that is beyond the ``most`` a field takes.
    """
    words = words.strip()
    if grouped := _THOUSANDS.fullmatch(words):
        number = _plain(grouped[1] + re.sub(r"\D", "", grouped[2]) + (grouped[4] or ""))
        if number is not None and number <= most:
            return number
    return _plain(words)


def _plain(words: str) -> float | None:
    words = re.sub(f"[{_DECIMAL}]", ".", words)
    return float(words) if _NUMBER.fullmatch(words) else None


class NumberBox(QDoubleSpinBox):
    """Accepts either decimal separator, and shows no superfluous decimals."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)

    def valueFromText(self, words: str) -> float:
        number = parse_number(words, self.maximum())
        return self.value() if number is None else number

    def textFromValue(self, value: float) -> str:
        words, point = super().textFromValue(value), self.locale().decimalPoint()
        if point not in words:
            return words
        return words.rstrip(self.locale().zeroDigit()).removesuffix(point)

    def validate(self, words: str, place: int) -> tuple[QValidator.State, str, int]:
        number, state = parse_number(words, self.maximum()), QValidator.State.Intermediate
        if not _TYPED.fullmatch(words):
            state = QValidator.State.Invalid
        elif number is not None and self.minimum() <= number <= self.maximum():
            state = QValidator.State.Acceptable
        return state, words, place

    def fixup(self, words: str) -> str:
        """Clamp a number out of range; restore the last value if the text is not a number."""
        number = max(self.valueFromText(words), self.minimum())
        return self.textFromValue(min(number, self.maximum()))
