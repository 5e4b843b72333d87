"""Other codecs at no more bytes than the .lbb file, in a small table.

One click runs all of them; each result can be shown in place of the original.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from lbbic_gui.jobs.messages import CODECS, Baseline, Coded
from lbbic_gui.session.picture_tools import PictureTools
from lbbic_gui.session.session import Session
from lbbic_gui.style import text
from lbbic_gui.style.spoken import Figure


class ComparePanel(QWidget):
    """A button that starts the comparison, and a row of figures for each codec."""

    chosen = Signal(Baseline)  # this one is to be shown; None: the original

    def __init__(
        self, session: Session, tools: PictureTools, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._tools = session, tools
        self.setAccessibleName(self.tr("Compare at the same size"))
        self.button = QPushButton(self.tr("JPEG, WebP and AVIF"))
        self.button.setToolTip(
            self.tr(
                "Each in its best setting for PSNR, with at most the bytes of the .lbb file;\n"
                "click one to see it"
            )
        )
        self.button.clicked.connect(self.start)
        self.names = {codec: QPushButton(name) for codec, name in CODECS.items()}
        names = {**CODECS, "lbbic": "LBBIC"}
        self.cells = {codec: (_figure(name), _figure(name)) for codec, name in names.items()}
        self._baselines: dict[str, Baseline] = {}
        self._is_wanted = False  # the user has asked
        self._lay_out()
        self.reset()
        session.coded.connect(self._on_coded)
        tools.compared.connect(self._show_baseline)
        tools.not_compared.connect(self._show_failure)

    def _lay_out(self) -> None:
        ours = QLabel("LBBIC")
        ours.setProperty("role", "heading")
        ours.setContentsMargins(9, 0, 0, 0)
        self._table = QWidget()
        grid = QGridLayout(self._table)
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(0)
        for row, (codec, cells) in enumerate(self.cells.items()):
            name = self.names.get(codec)
            if name is not None:
                name.setCheckable(True)
                name.setProperty("flat", True)
                name.clicked.connect(lambda on, codec=codec: self._choose(codec if on else ""))
            grid.addWidget(name or ours, row, 0)
            grid.setRowMinimumHeight(row, 26)
            for column, cell in enumerate(cells, start=1):
                grid.addWidget(cell, row, column)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.button)
        layout.addWidget(self._table)

    def reset(self) -> None:
        """Clear the comparison."""
        self._baselines.clear()
        self._is_wanted = False
        self.button.setEnabled(True)
        self._table.hide()
        for codec, name in self.names.items():
            name.setText(CODECS[codec])
            name.setChecked(False)
            name.setEnabled(False)
            self._say(codec, self.tr("comparing…"), "")

    def _on_coded(self, coded: Coded | None) -> None:
        row = self._session.row
        self.setEnabled(coded is not None and row is not None and not row.source.is_lbb)
        self.reset()

    def _show_baseline(self, baseline: Baseline) -> None:
        """Show another codec's result; put the first one on view."""
        result = self._session.result
        if result is None:
            return
        limit = text.size(len(result.point.data))
        self._say("lbbic", limit, text.decibels(result.point.psnr))
        is_first = not self._baselines
        self._baselines[baseline.codec] = baseline
        name = self.names[baseline.codec]
        name.setEnabled(True)
        name.setText(f"{CODECS[baseline.codec]} {baseline.setting.partition(',')[0]}")
        name.setToolTip(
            self.tr("{}, quality {}: its best setting at this size").format(
                baseline.setting, baseline.quality
            )
        )
        size = text.size(baseline.file_bytes)
        words = size if baseline.fits else self.tr("at least {}").format(size)
        self._say(baseline.codec, words, text.decibels(baseline.psnr))
        if is_first and self._is_wanted:
            self._choose(baseline.codec)

    def _show_failure(self, codec: str, reason: str) -> None:
        """Show why a codec has no result; the comparison can be started again."""
        self.button.setEnabled(True)
        self._say(codec, reason, "")

    def show_chosen(self, baseline: Baseline | None) -> None:
        """Check the codec whose picture is on view."""
        for codec, name in self.names.items():
            name.setChecked(baseline is not None and self._baselines.get(codec) is baseline)

    def _say(self, codec: str, *words: str) -> None:
        for cell, word in zip(self.cells[codec], words, strict=True):
            cell.setText(word)

    def start(self) -> None:
        """Compare, if there is something to compare."""
        if not self.isEnabled():
            return
        self.reset()
        self.chosen.emit(None)
        self.button.setEnabled(False)
        self._is_wanted = True
        self._table.show()
        self._tools.compare()

    def _choose(self, codec: str) -> None:
        for key, name in self.names.items():
            name.setChecked(key == codec)
        self.chosen.emit(self._baselines.get(codec))


def _figure(title: str) -> Figure:
    label = Figure(title)
    label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return label
