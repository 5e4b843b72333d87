"""The decoding of a picture over time: scrub through its fronts, or play them.

The fronts are those that the decoder delivered; nothing is decoded again. At 1× a picture takes
four seconds. With reduced motion, playing shows the end at once and, from the end, a few stills
from the start.
"""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QWidget

from lbbic_gui.style.spoken import Choice

SECONDS = 4.0
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
STILLS = 4  # before the end, where motion is reduced
_FRAME_MS = 16


class Timeline(QWidget):
    """Emits ``sought`` with the number of fronts to show."""

    sought = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(48)
        self.reduce_motion = False
        self._began = (0.0, 0)
        self.play = QPushButton(self.tr("Play"))
        self.play.setFixedWidth(80)
        self.play.setToolTip(self.tr("Play the decoding (P)"))
        self.play.clicked.connect(self.toggle)
        self.slider = _Fronts(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Decoding, step by step"))
        self.slider.valueChanged.connect(self._on_value)
        self.slider.sliderPressed.connect(self.pause)
        self.label = QLabel()
        self.label.setProperty("role", "faint")
        self.label.setMinimumWidth(72)
        self.label.setToolTip(self.tr("How many of the steps of the decoding are on view"))
        self.speed = Choice(self.tr("Speed"))
        self.speed.setToolTip(self.tr("Speed; at 1× the whole picture takes four seconds"))
        for factor in SPEEDS:
            self.speed.addItem(f"{factor:g}×", factor)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.currentIndexChanged.connect(self._begin)
        self._timer = QTimer(self, interval=_FRAME_MS)
        self._timer.timeout.connect(self._advance)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 16, 8)
        layout.setSpacing(12)
        for widget in (self.play, self.slider, self.label, self.speed):
            layout.addWidget(widget, 1 if widget is self.slider else 0)
        self.show_fronts(0)

    def show_fronts(self, count: int) -> None:
        """Set the timeline to the end of ``count`` fronts; disable it for 0."""
        self.pause()
        self.slider.blockSignals(True)
        self.slider.setRange(0, count)
        self.slider.setValue(count)
        self.slider.blockSignals(False)
        self.setEnabled(count > 0)
        self._tell()

    def toggle(self) -> None:
        """Play from the current position, from the start if at the end; or pause."""
        if self._timer.isActive():
            self.pause()
            return
        if not self.slider.maximum():
            return
        if self.slider.value() == self.slider.maximum():
            self.slider.setValue(0)
        elif self.reduce_motion:
            self.slider.setValue(self.slider.maximum())
            return
        self._timer.start()
        self._begin()
        self.play.setText(self.tr("Pause"))

    def step(self, event: QKeyEvent) -> None:
        """Handle a key as if the slider had the focus."""
        if self.isEnabled():
            self.slider.keyPressEvent(event)

    def pause(self) -> None:
        self._timer.stop()
        self.play.setText(self.tr("Play"))

    def _begin(self) -> None:
        self._began = (time.monotonic(), self.slider.value())

    def _advance(self) -> None:
        (began, first), last = self._began, self.slider.maximum()
        per_second = last / SECONDS * float(self.speed.currentData())
        front = min(first + int((time.monotonic() - began) * per_second), last)
        if self.reduce_motion:
            front = last * (STILLS * front // last) // STILLS
        self.slider.setValue(front)
        if front == last:
            self.pause()

    def _on_value(self, front: int) -> None:
        self._tell()
        self.sought.emit(front)

    def _tell(self) -> None:
        count = self.slider.maximum()
        words = f"{100 * self.slider.value() // count} %" if count else ""
        self.label.setText(words)


class _Fronts(QSlider):
    """The slider; Home, End, ← and → move it, and so do clicks anywhere on it."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.setValue(self.value() + step)
