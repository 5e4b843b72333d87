"""A label of one line that never widens its parent: names and paths can be of any length."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtWidgets import QLabel, QWidget

_ROOM_CHANGES = frozenset(
    {QEvent.Type.Resize, QEvent.Type.ContentsRectChange, QEvent.Type.FontChange}
)


class ElidedLabel(QLabel):
    """Omits the middle of a text that does not fit; ``text`` and the tool tip have all of it."""

    def __init__(self, words: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = ""
        self.setIndent(0)  # otherwise Qt adds its own where a style sheet pads
        self.setText(words)

    def setText(self, words: str) -> None:
        self._words = words
        self.setAccessibleName(words)
        self._elide()

    def text(self) -> str:
        return self._words

    def clear(self) -> None:
        self.setText("")

    def sizeHint(self) -> QSize:
        self.ensurePolished()
        margins = self.width() - self.contentsRect().width()
        width = self.fontMetrics().horizontalAdvance(self._words) + 1  # it is rounded
        return QSize(width + margins, self._height())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self._height())

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() in _ROOM_CHANGES:
            self._elide()
        return done

    def _height(self) -> int:
        return super().sizeHint().height()

    def _elide(self) -> None:
        room, middle = self.contentsRect().width(), Qt.TextElideMode.ElideMiddle
        shown = self.fontMetrics().elidedText(self._words, middle, room)
        super().setText(shown)
        self.setToolTip(self._words if shown != self._words else "")
        self.updateGeometry()
