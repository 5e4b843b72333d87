"""The picture on view with mouse and keyboard: zoom, pan, the split handle, pinned blocks."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from lbbic_gui.painting.view_options import Mode
from lbbic_gui.viewer.picture_view import PictureView

HANDLE_REACH = 12
WHEEL_STEP = 1.2
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class Canvas(PictureView):
    """Handles mouse and keys."""

    pinned = Signal(tuple)  # (row, column) of a block, or None
    hovered = Signal(object)  # QPoint of the picture, or None, which Signal(QPoint) cannot carry

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self._pressed: QPointF | None = None
        self._dragging = ""  # split, pan or nothing yet
        self.resting_cursor = Qt.CursorShape.ArrowCursor

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._images:
            factor = WHEEL_STEP ** (event.angleDelta().y() / 120)
            at = self.in_pane(event.position())
            self._move(self.viewport.zoomed(self.viewport.zoom * factor, at))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._pressed = event.position()
            self._dragging = "split" if self.is_on_handle(event.position()) else ""

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        before, self.cursor_at = self.cursor_at, at
        if self._dragging == "split":
            self.choose_split(min(max(at.x() / max(self.width(), 1), 0.0), 1.0))
        elif self._pressed is not None:
            if not self._dragging and (at - self._pressed).manhattanLength() < 4:
                return
            self._dragging = "pan"
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self._move(self.viewport.panned(at - (before or at)))
        else:
            on_handle = self.is_on_handle(at)
            shape = Qt.CursorShape.SplitHCursor if on_handle else self.resting_cursor
            self.setCursor(shape)
        self.hovered.emit(self.pixel_at(at))
        if self.options.loupe:
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None and not self._dragging:
            self.pin(self.block_at(event.position()))
        self._pressed, self._dragging = None, ""
        self.setCursor(self.resting_cursor)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.is_on_handle(event.position()):
            self.choose_split(0.5)

    def leaveEvent(self, event: QEvent) -> None:
        self.cursor_at = None
        self.hovered.emit(None)
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, shifted = Qt.Key(event.key()), Qt.KeyboardModifier.ShiftModifier
        if key == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.set_options(peeking=True)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.pin(self.block_at(QRectF(QPointF(), self.pane()).center()))
        elif key in _ARROWS and event.modifiers() & shifted:
            right, down = _ARROWS[key]
            pane = self.pane() / 8
            self._move(self.viewport.panned(-QPointF(right * pane.width(), down * pane.height())))
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.stop_peeking()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.stop_peeking()

    def stop_peeking(self) -> None:
        """Stop showing the original, if the key for it is held."""
        if self.options.peeking:
            self.set_options(peeking=False)

    def pin(self, block: tuple[int, int] | None) -> None:
        """Pin a block; unpin it if it is pinned."""
        block = None if block == self.options.pinned else block
        self.set_options(pinned=block)
        self.pinned.emit(block)

    def is_on_handle(self, at: QPointF) -> bool:
        """Whether the split handle can be dragged from a point."""
        is_split = self.options.mode is Mode.SPLIT and self.original is not None
        return is_split and self.result is not None and abs(at.x() - self.split_x()) < HANDLE_REACH
