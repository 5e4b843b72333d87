"""How large a window may be so that all of it is visible, including its frame."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QWidget

_FRAME = QSize(16, 48)  # as wide and high as desktops make it; it is drawn later than needed


def room(window: QWidget) -> QSize:
    """The part of the screen without panels, task bars and the window's frame."""
    return window.screen().availableSize() - _FRAME
