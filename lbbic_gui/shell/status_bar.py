"""The line at the bottom: what has just happened, what is below the cursor, the device."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QSizePolicy, QStatusBar, QWidget

from lbbic_gui.style.elided_label import ElidedLabel

_NOTICE_MS = 8000


class StatusBar(QStatusBar):
    """Notices go after eight seconds; the rest stays."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notice = ElidedLabel()
        self.notice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.place = QLabel()
        self.device = ElidedLabel(self.tr("Loading model…"))
        self._notice_end = QTimer(self, singleShot=True, interval=_NOTICE_MS)
        self._notice_end.timeout.connect(self.notice.clear)
        self.setSizeGripEnabled(False)
        self.setContentsMargins(8, 0, 8, 0)
        self.addWidget(self.notice, 1)
        self.addPermanentWidget(self.place)
        self.addPermanentWidget(self.device)

    def notify(self, words: str) -> None:
        """Say what has happened."""
        self.notice.setText(words)
        self._notice_end.start()

    def show_device(self, device: str, *, wants_gpu: bool) -> None:
        """Say where the model runs; without a GPU, that there is none."""
        cpu = self.tr("CPU (no CUDA device)") if wants_gpu else self.tr("CPU")
        self.device.setText(cpu if device == "cpu" else self.tr("GPU (CUDA)"))

    def show_no_model(self, reason: str) -> None:
        self.device.setText(self.tr("No model: {}").format(reason))
