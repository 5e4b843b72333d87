"""The brush: turns mouse strokes on the canvas into the row's mask.

It watches the canvas, whose own answers to the mouse rest meanwhile, save what begins on the split
handle or with Ctrl held. Rows are changed by the listeners of ``painted``, so that this can be
undone.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent

from lbbic_gui.painting.brush import Stroke, levels_of, mask_of, tint_of
from lbbic_gui.session.session import Session
from lbbic_gui.state.row import Row
from lbbic_gui.style.spoken import announce
from lbbic_gui.style.text import tr
from lbbic_gui.viewer.brush_bar import BrushBar
from lbbic_gui.viewer.canvas import Canvas

_BEGINS = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick)
_LEFT, _CTRL = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier
_SHIFT = Qt.KeyboardModifier.ShiftModifier


class BrushTool(QObject):
    """Off until it is chosen, and while there is nothing to paint on."""

    painted = Signal(Row, bytes, str)  # the mask that is wanted, and by which tool
    changed = Signal()  # whether it is on, or why it cannot be

    def __init__(self, session: Session, canvas: Canvas, bar: BrushBar) -> None:
        super().__init__(canvas)
        self._session, self._canvas, self._bar = session, canvas, bar
        self._is_chosen = False
        self._stroke: Stroke | None = None
        self._pane = QPointF()  # the corner of the picture's view in which the stroke began
        canvas.installEventFilter(self)
        bar.changed.connect(self._show)
        bar.clear_wanted.connect(self._clear)
        for change in (session.current_changed, session.opened, session.painted):
            change.connect(self._start_afresh)
        session.networks.changed.connect(self._show)
        session.settings.changed.connect(self._show)
        self._show()

    def choose(self, chosen: bool) -> None:
        """Turn the brush on or off."""
        self._is_chosen = chosen
        self._start_afresh()
        kind = self._bar.brush().kind.title()
        announce(self._canvas, tr("Brush: {}").format(kind) if self.is_on else tr("Brush off"))

    @property
    def is_on(self) -> bool:
        return self._is_chosen and not self.refusal()

    def refusal(self) -> str:
        """The reason why nothing can be painted now; empty if it can."""
        row = self._session.row
        if row is not None and row.source.is_lbb:
            return tr("An .lbb file is already compressed, so it cannot be painted on")
        if self._session.networks.has_single_quality:
            return tr("This model has only one quality for the whole picture")
        return "" if row is not None else tr("There is no picture to paint on")

    def resize(self, steps: int) -> None:
        """Make the brush larger or smaller."""
        self._bar.resize_brush(steps)
        announce(self._canvas, tr("Size of the brush: {}").format(self._bar.size_.value()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not self.is_on:
            return False
        if isinstance(event, QWheelEvent) and event.modifiers() & _SHIFT:
            turned = event.angleDelta()  # Some systems turn it sideways
            self.resize(1 if turned.x() + turned.y() > 0 else -1)
            return True
        return isinstance(event, QMouseEvent) and self._on_mouse(event)

    def _on_mouse(self, event: QMouseEvent) -> bool:
        at, is_left = event.position(), event.button() is _LEFT
        if event.type() in _BEGINS and is_left:
            is_there = self._session.original is not None
            if not is_there or event.modifiers() & _CTRL or self._canvas.is_on_handle(at):
                return False
            self._begin(at)
        elif event.type() == QEvent.Type.MouseMove:
            self._draw_to(at)
            return False  # the canvas says what is below the cursor
        elif event.type() == QEvent.Type.MouseButtonRelease and is_left and self._stroke:
            self._end()
        else:
            return False
        return True

    def _begin(self, at: QPointF) -> None:
        row, viewport = self._session.row, self._canvas.viewport
        assert row is not None
        self._pane = at - self._canvas.in_pane(at)
        width = self._bar.size_.value() / viewport.scale
        self._stroke = Stroke(row.mask, viewport.picture, self._bar.brush(), width)
        self._draw_to(at)

    def _draw_to(self, at: QPointF) -> None:
        if self._stroke is not None:
            self._stroke.draw_to(self._canvas.viewport.to_picture(at - self._pane))
            self._bar.visible.setChecked(True)  # what is painted unseen is painted by mistake
            self._canvas.tint = tint_of(self._stroke.levels())
        self._canvas.update()

    def _end(self) -> None:
        assert self._stroke is not None
        mask, self._stroke = mask_of(self._stroke.levels()), None
        self._want(mask, self._bar.brush().kind.title())
        self._show()

    def _clear(self) -> None:
        self._want(b"", self._bar.clear.text())

    def _want(self, mask: bytes, tool: str) -> None:
        row = self._session.row
        if row is not None and mask != row.mask:
            self.painted.emit(row, mask, tool)

    def _start_afresh(self) -> None:
        """End a stroke, because the picture or its mask has changed."""
        self._stroke = None
        self._show()

    def _show(self) -> None:
        """Show the brush, its controls and the current mask."""
        row, canvas, bar = self._session.row, self._canvas, self._bar
        mask = row.mask if row is not None else b""
        is_on = self.is_on
        bar.setVisible(is_on)
        bar.clear.setEnabled(bool(mask))
        canvas.resting_cursor = Qt.CursorShape.CrossCursor if is_on else Qt.CursorShape.ArrowCursor
        canvas.setCursor(canvas.resting_cursor)
        canvas.brush_width = float(bar.size_.value()) if is_on else 0.0
        is_seen = is_on and mask and bar.visible.isChecked()
        canvas.tint = tint_of(levels_of(mask)) if is_seen else None
        canvas.update()
        self.changed.emit()
