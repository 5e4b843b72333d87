"""What screen readers say: figures and choices with their names, and what has just happened."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QComboBox, QLabel, QWidget


def announce(widget: QWidget, words: str) -> None:
    """Let screen readers speak at once, wherever the focus is."""
    QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(widget, words))


class Figure(QLabel):
    """A value next to its title, which is spoken with it."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self.setText("")

    def setText(self, words: str) -> None:
        super().setText(words)
        self.setAccessibleName(f"{self._title}: {words}" if words else self._title)


class Choice(QComboBox):
    """A combo box with a name.

    On Linux and macOS, Qt speaks the chosen item in place of the name, and looks for the name in a
    label beside the box. So there is one, always hidden.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._label = QLabel(name, parent)
        self._label.setBuddy(self)
        self._label.hide()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ParentChange:
            self._label.setParent(self.parentWidget())  # which hides it
        return super().event(event)
