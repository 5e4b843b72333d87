"""Messages over the canvas: failures with advice, and the progress of a job."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from lbbic_gui.jobs.messages import Problem
from lbbic_gui.style.elided_label import ElidedLabel
from lbbic_gui.style.spoken import announce

MARGIN = 16


class Floating(QFrame):
    """A frame that floats in the middle of its parent, at the top or the bottom.

    ``width`` is what it has where there is room; never less than its words take.
    """

    def __init__(self, parent: QWidget, width: int, *, at_top: bool) -> None:
        super().__init__(parent)
        self._ground = parent
        self._width = width
        self.setObjectName("floating")
        self._at_top = at_top
        parent.installEventFilter(self)
        self.hide()

    def place(self) -> None:
        """Move to the right place after a change of size."""
        parent = self._ground
        width = min(self._width, parent.width() - 2 * MARGIN)
        self.setFixedWidth(max(width, self.minimumSizeHint().width()))
        self.adjustSize()
        y = 48 if self._at_top else parent.height() - self.height() - 24
        self.move((parent.width() - self.width()) // 2, y)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.place()
        return False


class ProgressPill(Floating):
    """The phase of a job, its progress, and a button to stop it."""

    cancel_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, 424, at_top=False)
        self.words = ElidedLabel()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.cancel = QPushButton(self.tr("Stop"))
        self.cancel.setToolTip(self.tr("Stop the work (Esc)"))
        self.cancel.clicked.connect(self.cancel_wanted)
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addWidget(self.words)
        column.addWidget(self.bar)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 10, 10, 10)
        layout.setSpacing(16)
        layout.addLayout(column, 1)
        layout.addWidget(self.cancel)

    def show_progress(self, words: str, share: float) -> None:
        """Show the progress of a job; hide without words."""
        if not words:
            self.hide()
            return
        self.words.setText(words)
        self.bar.setValue(int(1000 * share))
        if self.isHidden():
            self.show()
            self.place()


class HintBanner(Floating):
    """A hint that is shown once."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, 480, at_top=True)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.close_button = QPushButton(self.tr("Got it"))
        self.close_button.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(16)
        layout.addWidget(self.words, 1)
        layout.addWidget(self.close_button)

    def show_hint(self, words: str) -> None:
        self.words.setText(words)
        self.show()
        self.place()
        announce(self, words)


class ProblemBanner(Floating):
    """The failure of the picture on view."""

    retry_wanted = Signal()
    cpu_wanted = Signal()
    rest_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, 480, at_top=True)
        self._log = ""
        self.title = ElidedLabel()
        self.title.setProperty("role", "error")
        self.detail = QLabel()
        self.detail.setWordWrap(True)
        self.detail.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.retry = QPushButton(self.tr("Retry"))
        self.retry.clicked.connect(self.retry_wanted)
        self.cpu = QPushButton(self.tr("Retry on CPU"))
        self.cpu.clicked.connect(self.cpu_wanted)
        self.rest = QPushButton(self.tr("Show what is left"))
        self.rest.clicked.connect(self.rest_wanted)
        self.copy = QPushButton(self.tr("Copy details"))
        self.copy.clicked.connect(self._copy)
        close = QPushButton("×")
        close.setProperty("flat", True)
        close.setAccessibleName(self.tr("Close"))
        close.setToolTip(self.tr("Close"))
        close.clicked.connect(self.hide)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(close)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        for button in (self.copy, self.rest, self.cpu, self.retry):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 16)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self.detail)
        layout.addSpacing(4)
        layout.addLayout(buttons)

    def show_problem(self, name: str, problem: Problem | None, *, can_retry: bool = True) -> None:
        """Show a failure; hide if there is none."""
        if problem is None:
            self.hide()
            return
        self._log = problem.log
        self.title.setText(f"{problem.title}: {name}" if name else problem.title)
        self.detail.setText("\n".join(filter(None, (problem.detail, problem.hint))))
        self.cpu.setVisible(problem.retry_on_cpu)
        self.rest.setVisible(problem.can_show_rest)
        self.retry.setVisible(can_retry)
        self.copy.setText(self.tr("Copy details"))
        self.show()
        self.place()
        self.raise_()
        announce(self, f"{self.title.text()}\n{self.detail.text()}")

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._log)
        self.copy.setText(self.tr("Copied"))
