"""The wheel scrolls; it changes the value of a field only where the user is in that field."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QAbstractSlider, QAbstractSpinBox, QComboBox, QScrollBar, QWidget


class WheelGuard(QObject):
    """An event filter for the application, its dialogs included."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind not in (QEvent.Type.Polish, QEvent.Type.Wheel) or not _is_field(watched):
            return False
        assert isinstance(watched, QWidget)
        if kind == QEvent.Type.Polish:
            # Qt gives fields the focus at a turn of the wheel, before any filter sees it
            if watched.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                watched.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            return False
        if watched.hasFocus():
            return False
        event.ignore()  # whatever is around the field scrolls
        return True


def _is_field(watched: QObject) -> bool:
    kinds = (QComboBox, QAbstractSpinBox, QAbstractSlider)
    return isinstance(watched, kinds) and not isinstance(watched, QScrollBar)
