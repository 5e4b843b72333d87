"""What panels are made of: labels, rules, sections with a heading."""

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


def add_section(column: QVBoxLayout, title: str, widget: QWidget) -> None:
    column.addSpacing(12)
    column.addWidget(make_rule())
    column.addSpacing(10)
    column.addWidget(make_label("heading", title))
    column.addWidget(widget)
