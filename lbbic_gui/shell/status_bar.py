"""The line at the bottom: what has just happened, what is below the cursor, the device."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QSizePolicy, QStatusBar, QWidget

from lbbic_gui.jobs.messages import Problem, Ready, Saved
from lbbic_gui.session.picture_tools import PictureTools
from lbbic_gui.session.session import Session
from lbbic_gui.style.elided_label import ElidedLabel
from lbbic_gui.style.spoken import announce

_NOTICE_MS = 8000


class StatusBar(QStatusBar):
    """Notices disappear after eight seconds, that of a search after it; the rest stays."""

    def __init__(
        self, session: Session, tools: PictureTools, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
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
        for source in (session.networks, session.adder, tools):
            source.noticed.connect(self.notify)
        for saver in (session.batch, tools):
            saver.saved.connect(self._on_saved)
        for worker in (session.networks, tools):
            worker.failed.connect(self._on_failed)
        session.adder.searching.connect(self._show_search)
        session.networks.loaded.connect(self._show_device)

    def notify(self, words: str) -> None:
        """Show what has happened, and announce it except during a batch."""
        self.notice.setText(words)
        self._notice_end.start()
        if words and not self._session.batch.is_busy:
            announce(self.notice, words)

    def _show_search(self, words: str) -> None:
        """Show what is searched for as long as that takes."""
        self.notify(self.tr("{}… Esc stops").format(words))
        self._notice_end.stop()

    def _show_device(self, ready: Ready) -> None:
        """Show where the model runs, and if there is no GPU."""
        wants_gpu = self._session.settings.values.device == "cuda"
        cpu = self.tr("CPU (no CUDA device)") if wants_gpu else self.tr("CPU")
        self.device.setText(cpu if ready.device == "cpu" else self.tr("GPU (CUDA)"))

    def _on_saved(self, saved: Saved) -> None:
        words = {
            "exists": self.tr("Skipped, already exists: {}"),
            "larger": self.tr("Original kept, as it is smaller: {}"),
        }.get(saved.skipped, self.tr("Saved as {}"))
        if saved.is_again:
            words = self.tr("Saved, replacing the earlier result: {}")
        self.notify(" ".join((words.format(saved.path), *saved.notices)))

    def _on_failed(self, problem: Problem) -> None:
        if not self._session.queue.rows:  # there is no picture on view to show it above
            self.notify(f"{problem.title}: {problem.detail}")
        if self._session.networks.ready is None:
            self.device.setText(self.tr("No model: {}").format(problem.detail))
