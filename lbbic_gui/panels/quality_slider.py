"""The quality slider: eight rate points from Smallest to Best, dots for those coded already.

The mouse snaps to the rate points, the arrow keys step by an eighth. ``previewed`` fires on every
move, ``chosen`` when the hand lets go or, after keys and the wheel, comes to rest: nothing is coded
on the way.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSlider, QWidget

from lbbic_gui.style import theme
from lbbic_gui.style.text import quality_name

STEP = 8  # slider units per unit of quality
_EDGE = 10
_PAUSE_MS = 350


class QualitySlider(QSlider):
    """The slider; its values are eighths of a quality, from 8 to 64."""

    previewed = Signal(float)
    chosen = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setRange(STEP, 8 * STEP)
        self.setSingleStep(1)
        self.setPageStep(STEP)
        self.setMinimumHeight(32)
        self._coded: frozenset[float] = frozenset()
        self._timer = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._timer.timeout.connect(self._choose)
        self.valueChanged.connect(self._on_value)
        self._describe()

    def quality(self) -> float:
        return self.value() / STEP

    @property
    def is_choosing(self) -> bool:
        """Whether the hand or the keys have not come to rest yet."""
        return self.isSliderDown() or self._timer.isActive()

    def settle(self) -> None:
        """Choose at once what the keys have come to."""
        if self._timer.isActive():
            self._choose()

    def forget(self) -> None:
        """Do not choose what the keys have come to."""
        self._timer.stop()

    def show_quality(self, quality: float) -> None:
        """Set the value without choosing it."""
        self.blockSignals(True)
        self.setValue(round(quality * STEP))
        self.blockSignals(False)
        self._describe()
        self.update()

    def show_coded(self, qualities: frozenset[float]) -> None:
        """Mark the qualities that appear at once."""
        self._coded = qualities
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, 32)

    def _on_value(self) -> None:
        self._describe()
        self.previewed.emit(self.quality())
        if not self.isSliderDown():
            self._timer.start()

    def _describe(self) -> None:
        """Put the quality into the name, because Qt speaks the value in eighths."""
        quality = self.quality()
        words = f"{quality_name(quality)}, {quality:g}"
        self.setAccessibleName(self.tr("Quality: {}").format(words))

    def _choose(self) -> None:
        self._timer.stop()
        self.chosen.emit(self.quality())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._snap(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._snap(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setSliderDown(False)
            self._choose()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose()

    def _snap(self, x: float) -> None:
        share = (x - _EDGE) / max(1, self.width() - 2 * _EDGE)
        self.setValue(STEP * (1 + round(min(max(share, 0.0), 1.0) * 7)))

    def _place(self, quality: float) -> float:
        return _EDGE + (quality - 1) / 7 * (self.width() - 2 * _EDGE)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, at = self.height() / 2, self._place(self.quality())
        tone = theme.colour("accent" if self.isEnabled() else "faint")
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("outline" if self.isEnabled() else "border"))
        painter.drawRoundedRect(QRectF(_EDGE, middle - 2, self.width() - 2 * _EDGE, 4), 2, 2)
        painter.setBrush(tone)
        painter.drawRoundedRect(QRectF(_EDGE, middle - 2, at - _EDGE, 4), 2, 2)
        for quality in sorted({*map(float, range(1, 9)), *self._coded}):
            is_coded = quality in self._coded
            radius = 4.0 if is_coded else 3.0
            painter.setPen(QPen(tone if is_coded else theme.colour("faint"), 1))
            painter.setBrush(tone if is_coded else theme.colour("panel"))
            painter.drawEllipse(QPointF(self._place(quality), middle), radius, radius)
        painter.setPen(QPen(tone, 2))
        painter.setBrush(theme.colour("panel"))
        painter.drawEllipse(QPointF(at, middle), 8, 8)
        if self.hasFocus():
            painter.setPen(QPen(theme.colour("text"), 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(at, middle), 11, 11)
