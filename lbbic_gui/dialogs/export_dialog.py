"""The choice of a format to export to, with the size of each file beforehand."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from lbbic_gui.desktop.file_dialogs import EXPORTS
from lbbic_gui.jobs.lanes import Jobs
from lbbic_gui.jobs.messages import Coded, ExportSize, ExportSizes, Problem, Report, Stopped
from lbbic_gui.jobs.requests import MeasureExports
from lbbic_gui.style import text
from lbbic_gui.style.text import tr


class ExportDialog(QDialog):
    """Chooses a format, ``suffix``; the sizes are measured while the dialog is open."""

    def __init__(self, coded: Coded, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Export picture"))
        self._lbb_bytes = len(coded.point.data)
        purpose = QLabel(
            self.tr(
                "Writes the decoded picture for programs that do not open .lbb files. "
                "The file will be larger than the .lbb file, which has {}."
            ).format(text.size(self._lbb_bytes))
        )
        purpose.setWordWrap(True)
        self._group = QButtonGroup(self)
        self.formats: dict[str, QRadioButton] = {}
        self.sizes: dict[str, QLabel] = {}
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(8)
        for row, (name, suffix) in enumerate(EXPORTS.items()):
            button, size = (
                QRadioButton(f"{name}, {_kinds()[suffix]}"),
                QLabel(self.tr("measuring…")),
            )
            size.setProperty("role", "faint")
            self._group.addButton(button)
            self.formats[suffix], self.sizes[suffix] = button, size
            grid.addWidget(button, row, 0)
            grid.addWidget(size, row, 1)
        grid.setColumnStretch(1, 1)
        self.formats[".png"].setChecked(True)
        role = QDialogButtonBox.ButtonRole
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.choose = self.buttons.addButton(self.tr("Choose where…"), role.AcceptRole)
        self.choose.setDefault(True)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 16)
        layout.setSpacing(16)
        layout.addWidget(purpose)
        layout.addLayout(grid)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(480)
        request = MeasureExports(coded.picture.picture(), tuple(EXPORTS.values()))
        job = jobs.submit(request, self._on_measured, self._on_report)
        self._is_cancelled = job.cancelled.is_set  # not the job, which has the picture
        self.finished.connect(lambda: jobs.cancel(job))

    @property
    def suffix(self) -> str:
        """The suffix of the chosen format, with its dot."""
        return next(suffix for suffix, button in self.formats.items() if button.isChecked())

    def _on_report(self, report: Report) -> None:
        if isinstance(report, ExportSize):
            times = report.file_bytes / max(self._lbb_bytes, 1)
            words = self.tr("about {}, {} times the .lbb file")
            number = f"{times:.0f}" if times >= 10 else f"{times:.1f}"
            self._say(report.suffix, words.format(text.size(report.file_bytes), number))

    def _on_measured(self, answer: ExportSizes | Problem | Stopped) -> None:
        """Disable the formats that cannot store the picture."""
        if isinstance(answer, ExportSizes) and not self._is_cancelled():
            for suffix in self.formats.keys() - {size.suffix for size in answer.sizes}:
                self.formats[suffix].setEnabled(False)
                self._say(suffix, self.tr("cannot store this picture"))

    def _say(self, suffix: str, words: str) -> None:
        self.sizes[suffix].setText(words)
        self.formats[suffix].setAccessibleDescription(words)


def _kinds() -> dict[str, str]:
    """What each format does to the decoded pixels."""
    lossy = tr("high quality")
    return {".png": tr("exact"), ".jpg": lossy, ".webp": tr("exact"), ".avif": lossy}
