"""A dialog that is never larger than the screen and scrolls instead."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFrame, QScrollArea, QVBoxLayout, QWidget

from lbbic_gui.style.room import room

_MARGIN = 24


class ScrollingDialog(QDialog):
    """The subclass fills ``content``; the buttons below it stay visible."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.content = QWidget()
        self.content.setObjectName("dialog")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.buttons.rejected.connect(self.reject)
        self._area = _Area(self.content)
        self._area.setAccessibleName(title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 16)
        layout.setSpacing(16)
        layout.addWidget(self._area)
        feet = QVBoxLayout()
        feet.setContentsMargins(_MARGIN, 0, _MARGIN, 0)
        feet.addWidget(self.buttons)
        layout.addLayout(feet)
        close = self.buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setDefault(True)  # or Return in a field would press whichever button comes first

    def showEvent(self, event: QShowEvent) -> None:
        """Make the dialog as large as its content, if there is room."""
        wanted = self.sizeHint()
        if wanted.height() > room(self).height():
            wanted += QSize(self._area.verticalScrollBar().sizeHint().width(), 0)
        self.resize(wanted.boundedTo(room(self)))
        super().showEvent(event)


class _Area(QScrollArea):
    """A scroll area whose size hint is that of its whole content, unlike Qt's."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def sizeHint(self) -> QSize:
        wanted = self._content.sizeHint().expandedTo(self._content.minimumSize())
        if self._content.hasHeightForWidth():
            wanted.setHeight(self._content.heightForWidth(wanted.width()))
        return wanted
