"""Building blocks of panels: labels, rules, sections with a heading."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget


def make_label(role: str, words: str = "", *, wrap: bool = False) -> QLabel:
    label = QLabel(words)
    label.setProperty("role", role)
    label.setWordWrap(wrap)
    return label


def make_rule() -> QFrame:
    rule = QFrame()
    rule.setProperty("role", "rule")
    rule.setFixedHeight(1)
    return rule


class Section(QWidget):
    """Widgets below a rule and a heading, shown and hidden together."""

    def __init__(self, title: str, *widgets: QWidget) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(4)
        column.addWidget(make_rule())
        column.addSpacing(6)
        column.addWidget(make_label("heading", title))
        for widget in widgets:
            column.addWidget(widget)
