"""The first decoding of a picture, slow enough to be seen; then the split handle slides in.

Blocks are shown as the decoder delivers them, but none earlier than its share of ``SECONDS``: a
small picture takes that long, a large one is shown in its own time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QEasingCurve, QEvent, QObject, QTimer, QVariantAnimation, Signal
from PySide6.QtWidgets import QApplication

from lbbic_gui.jobs.messages import Front

SECONDS = 1.2
_SLIDE_MS = 450
_FRAME_MS = 16
_SKIPPING = (
    QEvent.Type.KeyPress,
    QEvent.Type.ShortcutOverride,  # of the keys of actions, which never come as KeyPress
    QEvent.Type.MouseButtonPress,
    QEvent.Type.Wheel,
)


class FirstDecode(QObject):
    """Delays blocks until they are due; any key or click shows the rest at once."""

    front = Signal(Front)  # is due
    split = Signal(float)  # of the view's width, while the handle slides in

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._fronts: deque[Front] = deque()
        self._began = 0.0
        self._at_end: Callable[[], None] | None = None
        self._timer = QTimer(self, interval=_FRAME_MS)
        self._timer.timeout.connect(self._show_due)
        self._slide = QVariantAnimation(self, startValue=0.0, endValue=0.5, duration=_SLIDE_MS)
        self._slide.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._slide.valueChanged.connect(lambda split: self.split.emit(split))
        self._slide.finished.connect(self._stop_watching)
        self.is_running = False
        self._is_split_chosen = False

    def begin(self, split: float) -> None:
        """Show the decoded picture over the whole view; end with the handle at ``split``."""
        self.stop()
        self.is_running, self._is_split_chosen = True, False
        self._slide.setEndValue(split)
        self._began = time.monotonic()
        self._timer.start()
        if application := QApplication.instance():
            application.installEventFilter(self)
        self.split.emit(0.0)

    def add(self, front: Front) -> None:
        """Take decoded blocks."""
        self._fronts.append(front)

    def end_with(self, at_end: Callable[[], None]) -> None:
        """Call ``at_end`` once all blocks are on view."""
        self._at_end = at_end

    def stop(self) -> None:
        """Drop the remaining blocks, because another picture is on view."""
        is_sliding = self._slide.state() is QVariantAnimation.State.Running
        if (self.is_running or is_sliding) and not self._is_split_chosen:
            self.split.emit(self._slide.endValue())
        self._timer.stop()
        self._slide.stop()
        self._fronts.clear()
        self._at_end = None
        self.is_running = False
        self._stop_watching()

    def keep_split(self) -> None:
        """Leave the handle where the user has put it, also once all blocks are on view."""
        self._is_split_chosen = True
        if self._slide.state() is QVariantAnimation.State.Running:
            self._slide.stop()
            self._stop_watching()

    def skip(self) -> None:
        """Show all blocks, and the handle in the middle."""
        if self.is_running:
            self._began -= SECONDS
            self._show_due()
        if not self.is_running and self._slide.state() is QVariantAnimation.State.Running:
            self._slide.setCurrentTime(_SLIDE_MS)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Skip on a key or click, which still has its usual effect."""
        if event.type() in _SKIPPING and watched.isWidgetType():
            self.skip()
        return False

    def _show_due(self) -> None:
        passed = (time.monotonic() - self._began) / SECONDS
        while self._fronts and _share(self._fronts[0]) <= passed:
            self.front.emit(self._fronts.popleft())
        if not self._fronts and self._at_end is not None:
            at_end, self._at_end = self._at_end, None
            self._timer.stop()
            self.is_running = False
            at_end()
            if self._is_split_chosen:
                self._stop_watching()
            else:
                self._slide.start()

    def _stop_watching(self) -> None:
        if application := QApplication.instance():
            application.removeEventFilter(self)


def _share(front: Front) -> float:
    """The share of blocks that are decoded by then."""
    return front.step.done / max(front.step.blocks, 1)
