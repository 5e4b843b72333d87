"""The result for the picture on view: its name, its size before and after, and two measures."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from lbbic_engine.resources import install_hint
from lbbic_gui.jobs.conversion import measures_by_ssimulacra2
from lbbic_gui.jobs.messages import Coded, DecodingStarted
from lbbic_gui.panels.parts import make_label
from lbbic_gui.session.picture_tools import PictureTools
from lbbic_gui.session.session import Session
from lbbic_gui.state.row import Row
from lbbic_gui.style import text
from lbbic_gui.style.elided_label import ElidedLabel
from lbbic_gui.style.spoken import Figure
from lbbic_gui.style.theme import set_role


class ResultPanel(QWidget):
    """The result, marked if the figures are those of the previous quality."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.name = ElidedLabel()
        self.name.setProperty("role", "heading")
        self.facts = make_label("faint", wrap=True)
        self.figure = make_label("figure")
        self.line = make_label("faint", wrap=True)
        self.warning = make_label("warning", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for widget in (self.name, self.facts):
            column.addWidget(widget)
        column.addSpacing(12)
        for widget in (self.figure, self.line, self.warning):
            column.addWidget(widget)
        session.current_changed.connect(self._show_row)
        session.opened.connect(self._show_facts)
        session.coder.decoding_started.connect(self._on_decoding_started)
        session.coded.connect(self._show_result)
        session.row_failed.connect(self._on_row_failed)
        session.stale.connect(self._show_stale)
        session.settings.changed.connect(self._show_again)
        self._show_row(None)

    def _show_again(self) -> None:
        """Show the result with more or fewer details."""
        row, result = self._session.row, self._session.result
        if row is not None and result is not None and self.figure.isEnabled():
            self._show_size(row, len(result.point.data), exact=result.contents.exact)

    def _show_row(self, row: Row | None) -> None:
        self.name.setText(row.source.name if row else self.tr("No picture"))
        self._show_facts()
        self._show_result(None)

    def _show_facts(self) -> None:
        """Show the size of a picture, and what reading it changed."""
        row, words = self._session.row, ""
        known = self._session.result if row and row.source.is_lbb else self._session.original
        notices = known.notices if known else ()
        if row is not None and row.width:
            words = self.tr("{} × {} pixels").format(row.width, row.height)
        if row is not None and row.file_bytes:
            words += f"  ·  {text.size(row.file_bytes)}"
        self.facts.setText("\n".join((words, *notices)))

    def _show_result(self, coded: Coded | None) -> None:
        """Show the result, or that there is none yet."""
        row = self._session.row
        self.warning.hide()
        if row is None or coded is None:
            self._show_no_result(row)
            return
        self._show_size(row, len(coded.point.data), exact=coded.contents.exact)
        if row.source.is_lbb:
            self._show_facts()

    def _on_row_failed(self, row: Row | None) -> None:
        if self._session.result is None:
            self._show_no_result(row)

    def _show_no_result(self, row: Row | None) -> None:
        may_come = row is not None and row.problem is None
        is_lbb = row is not None and row.source.is_lbb
        words = self.tr("Not decoded yet") if is_lbb else self.tr("Not compressed yet")
        for label, placeholder in ((self.figure, "…"), (self.line, words)):
            label.setVisible(may_come)
            label.setText(placeholder if may_come else "")

    def _on_decoding_started(self, started: DecodingStarted) -> None:
        """Show the size, which is known before the picture is decoded."""
        self._show_facts()
        if self._session.row is not None:
            self._show_size(self._session.row, started.file_bytes)

    def _show_stale(self, stale: bool) -> None:
        """Mark the figures as those of the previous quality."""
        if stale and not self.line.text().startswith(self.tr("Previous")):
            self.line.setText(self.tr("Previous: {}").format(self.line.text()))
            self.figure.setEnabled(False)

    def _show_size(self, row: Row, after: int, *, exact: bool = False) -> None:
        self.figure.show()
        self.line.show()
        self.figure.setEnabled(True)
        set_role(self.figure, "figure")
        bpp = f"{8 * after / max(row.width * row.height, 1):.2f} bpp"
        details = [bpp] if self._session.settings.values.detailed else []
        drawing = [self.tr("a drawing: stored exactly")] if exact else []
        if row.source.is_lbb:
            self.figure.setText(text.size(after))
            self.line.setText("  ·  ".join((bpp, *drawing)))
            return
        self.figure.setText(text.saving(row.file_bytes, after))
        set_role(self.figure, "grown" if after > row.file_bytes else "figure")
        sizes = f"{text.size(row.file_bytes)} → {text.size(after)}"
        of_what = self.tr("of the {}").format(row.source.format)
        self.line.setText("  ·  ".join((of_what, sizes, *details, *drawing)))
        if after > row.file_bytes:
            self.warning.setText(self.tr("Larger than the original file"))
            self.warning.show()


class MetricsPanel(QWidget):
    """PSNR, MS-SSIM and, where it can be measured, SSIMULACRA 2 of the result on view."""

    def __init__(
        self, session: Session, tools: PictureTools, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._tools = tools
        psnr, ms_ssim = self.tr("PSNR"), self.tr("MS-SSIM")
        self.psnr, self.ms_ssim = Figure(psnr), Figure(ms_ssim)
        self.look = Figure("SSIMULACRA 2")
        tips = {
            psnr: self.tr(
                "Peak signal-to-noise ratio of R, G and B: how close the pixels are.\n"
                "Above 40 dB differences are hard to see; 30 dB is usual for the web."
            ),
            ms_ssim: self.tr(
                "Multi-scale structural similarity: how similar structures are; 1 is identical.\n"
                "Needs a picture of at least 176 pixels on its smaller side."
            ),
            "SSIMULACRA 2": self.tr(
                "How good it looks: the measure that agrees best with people. From 90 on nobody\n"
                "sees a difference, 70 is high, 50 medium, 30 low. Large pictures are measured\n"
                "in nine places."
            ),
        }
        figures = [self.psnr, self.ms_ssim, self.look]
        if not measures_by_ssimulacra2():
            del tips["SSIMULACRA 2"]
            words = self.tr("SSIMULACRA 2 is shown, too, if its Python package is installed.")
            hint = install_hint("ssimulacra2")
            tips = {name: f"{tip}\n{words}\n{hint}" for name, tip in tips.items()}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        for row, ((name, tip), value) in enumerate(zip(tips.items(), figures, strict=False)):
            title = make_label("faint", name)
            value.setProperty("role", "heading")
            for column, widget in enumerate((title, value)):
                widget.setToolTip(tip)
                grid.addWidget(widget, row, column)
            value.setAlignment(Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(1, 1)
        session.current_changed.connect(lambda: self._show_result(None))
        session.coded.connect(self._show_result)
        session.stale.connect(self._show_stale)
        tools.look_measured.connect(lambda score: self.look.setText(text.look(score)))
        self._show_result(None)

    def _show_result(self, coded: Coded | None) -> None:
        self._show_stale(False)
        self.psnr.setText(text.decibels(coded.point.psnr if coded else None))
        self.ms_ssim.setText(text.similarity(coded.point.ms_ssim if coded else None))
        score = self._tools.look
        is_awaited = coded is not None and score is None
        self.look.setText(self.tr("measuring…") if is_awaited else text.look(score))

    def _show_stale(self, stale: bool) -> None:
        """Grey out the figures if they are those of the previous quality."""
        for figure in (self.psnr, self.ms_ssim, self.look):
            figure.setEnabled(not stale)
