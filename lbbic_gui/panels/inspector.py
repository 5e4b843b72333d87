"""The panel on the right: the result in figures, the quality, and the tools for experts.

It shows what the session reports. Changes that the user can undo are left to the window.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from lbbic_gui.jobs.messages import Coded, DecodingStarted
from lbbic_gui.panels.compare import ComparePanel
from lbbic_gui.panels.controls import BlockPanel, ModelPanel, OverlayPanel, TargetPanel
from lbbic_gui.panels.parts import add_section, make_label, make_rule
from lbbic_gui.panels.quality_slider import QualitySlider
from lbbic_gui.panels.rate_plot import RATE_POINTS, RatePlot
from lbbic_gui.session.picture_tools import PictureTools
from lbbic_gui.session.session import Session
from lbbic_gui.state.queue_model import Row
from lbbic_gui.style import text
from lbbic_gui.style.elided_label import ElidedLabel
from lbbic_gui.style.spoken import Figure
from lbbic_gui.style.theme import set_role

WIDTH = 304


class Inspector(QWidget):
    """See the module."""

    quality_chosen = Signal(float, bool)  # only for this picture
    save_wanted = Signal()
    export_wanted = Signal()

    def __init__(
        self, session: Session, tools: PictureTools, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self.setObjectName("panel")
        self.setAccessibleName(self.tr("Inspector"))
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(WIDTH)
        self.name = ElidedLabel()
        self.name.setProperty("role", "heading")
        self.facts = make_label("faint", wrap=True)
        self.figure = make_label("figure")
        self.line = make_label("faint", wrap=True)
        self.warning = make_label("warning", wrap=True)
        self.model = ModelPanel()
        self.slider = QualitySlider()
        self.level = make_label("heading")
        self.only_this = QCheckBox(self.tr("Only for this picture"))
        self.single = make_label("faint", self.tr("This model has a single quality."), wrap=True)
        self._has_single = False
        self._is_picture = False
        self.psnr, self.ms_ssim = Figure(self.tr("PSNR")), Figure(self.tr("MS-SSIM"))
        self.plot = RatePlot()
        self.overlay = OverlayPanel()
        self.block = BlockPanel()
        self.target = TargetPanel()
        self.compare = ComparePanel(session, tools)
        self.save = QPushButton(self.tr("Save .lbb…"))
        self.save.setProperty("primary", True)
        self.export = QPushButton(self.tr("Export…"))
        self.export.setToolTip(self.tr("Write the decoded picture as PNG, JPEG, WebP or AVIF"))
        self._lay_out()
        self._connect()
        self._follow(session, tools)
        self._show_models()
        self._show_row(None)

    def _lay_out(self) -> None:
        content = QWidget()
        content.setObjectName("inspector")
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 16, 6, 16)  # the scroll bar takes the rest of the 16
        column.setSpacing(4)
        for widget in (self.name, self.facts):
            column.addWidget(widget)
        column.addSpacing(12)
        for widget in (self.figure, self.line, self.warning):
            column.addWidget(widget)
        column.addSpacing(12)
        column.addWidget(self.model)
        column.addLayout(self._quality())
        column.addSpacing(12)
        column.addLayout(self._metrics())
        add_section(column, self.tr("Rate and distortion"), self.plot)
        add_section(column, self.tr("Overlay"), self.overlay)
        column.addWidget(self.block)
        add_section(column, self.tr("Reach a target"), self.target)
        add_section(column, self.tr("Compare at the same size"), self.compare)
        column.addStretch(1)
        self.scroll_area = QScrollArea()
        self.scroll_area.setWidget(content)
        self.scroll_area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows what is in it
        self.scroll_area.setWidgetResizable(True)
        self.scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll_area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(16, 12, 16, 16)
        buttons.setSpacing(8)
        buttons.addWidget(self.save, 1)
        buttons.addWidget(self.export)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.scroll_area, 1)
        layout.addWidget(make_rule())
        layout.addLayout(buttons)

    def _quality(self) -> QVBoxLayout:
        heading = QHBoxLayout()
        heading.addWidget(make_label("heading", self.tr("Quality")))
        heading.addStretch(1)
        heading.addWidget(self.level)
        ends = QHBoxLayout()
        ends.addWidget(make_label("faint", self.tr("Smallest")))
        ends.addStretch(1)
        ends.addWidget(make_label("faint", self.tr("Best")))
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addLayout(heading)
        column.addWidget(self.slider)
        column.addLayout(ends)
        column.addSpacing(4)
        column.addWidget(self.only_this)
        column.addWidget(self.single)
        return column

    def _metrics(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        tips = (
            self.tr(
                "Peak signal-to-noise ratio of R, G and B: how close the pixels are.\n"
                "Above 40 dB differences are hard to see; 30 dB is usual for the web."
            ),
            self.tr(
                "Multi-scale structural similarity: how similar structures are; 1 is identical.\n"
                "Needs a picture of at least 176 pixels on its smaller side."
            ),
        )
        pairs = ((self.tr("PSNR"), self.psnr), (self.tr("MS-SSIM"), self.ms_ssim))
        for row, ((name, value), tip) in enumerate(zip(pairs, tips, strict=True)):
            title = make_label("faint", name)
            value.setProperty("role", "heading")
            for column, widget in enumerate((title, value)):
                widget.setToolTip(tip)
                grid.addWidget(widget, row, column)
            value.setAlignment(Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(1, 1)
        return grid

    def _connect(self) -> None:
        self.slider.previewed.connect(self._name_level)
        self.slider.chosen.connect(
            lambda quality: self.quality_chosen.emit(quality, self.only_this.isChecked())
        )
        self.only_this.clicked.connect(
            lambda checked: self.quality_chosen.emit(self.slider.quality(), checked)
        )
        self.plot.picked.connect(
            lambda quality: self.quality_chosen.emit(quality, self.only_this.isChecked())
        )
        self.save.clicked.connect(self.save_wanted)
        self.export.clicked.connect(self.export_wanted)

    def _follow(self, session: Session, tools: PictureTools) -> None:
        session.current_changed.connect(self._show_row)
        session.opened.connect(lambda opened: self._show_facts(opened.notices))
        session.coder.decoding_started.connect(self._on_decoding_started)
        session.coded.connect(self._show_result)
        session.row_failed.connect(self._on_row_failed)
        session.stale.connect(self._show_stale)
        session.points_changed.connect(self._show_points)
        session.quality_changed.connect(self._show_quality)
        session.settings.changed.connect(self._show_models)
        session.networks.changed.connect(self._show_models)
        self.plot.wanted.connect(tools.compress_only)
        self.target.wanted.connect(tools.find_target)

    def _show_row(self, row: Row | None) -> None:
        self._is_picture = row is not None and not row.source.is_lbb
        self._allow()
        self.name.setText(row.source.name if row else self.tr("No picture"))
        self._show_facts()
        self._show_quality()
        self._show_result(None)

    def _show_models(self) -> None:
        """List the models; one of a single quality leaves nothing to set."""
        networks = self._session.networks
        chosen = networks.chosen()
        self._has_single = chosen is not None and chosen.quality is not None
        self.model.show_models(networks.installed, chosen)
        self._allow()
        self._show_quality()

    def _allow(self) -> None:
        for widget in (self.slider, self.target):
            widget.setEnabled(self._is_picture and not self._has_single)
        self.model.setEnabled(self._is_picture)
        self.only_this.setEnabled(self._is_picture)
        self.only_this.setVisible(not self._has_single)
        self.single.setVisible(self._has_single and self._is_picture)

    def _show_facts(self, notices: tuple[str, ...] = ()) -> None:
        """Say how large a picture is, and what loading it changed."""
        row, words = self._session.row, ""
        if row is not None and row.width:
            words = self.tr("{} × {} pixels").format(row.width, row.height)
        if row is not None and row.file_bytes:
            words += f"  ·  {text.size(row.file_bytes)}"
        self.facts.setText("\n".join((words, *notices)))

    def _show_quality(self) -> None:
        """Set the slider to the quality of the row."""
        row, quality = self._session.row, self._session.quality()
        self.slider.show_quality(quality)
        self.only_this.setChecked(row is not None and row.override is not None)
        self._name_level(quality)
        self._show_points()

    def _show_points(self) -> None:
        """Mark what is coded already."""
        row, quality = self._session.row, self._session.quality()
        points = row.points if row else {}
        self.slider.show_coded(frozenset(points))
        rates = (quality,) if self._has_single else RATE_POINTS
        self.plot.show_points(points, quality, rates)

    def _show_result(self, coded: Coded | None) -> None:
        """Say what came out, or that nothing has yet."""
        row = self._session.row
        self.block.show_block(None, None)
        has_result = row is not None and coded is not None
        for widget in (self.save, self.export):
            widget.setEnabled(has_result)
        self.overlay.show_available(coded)
        self.warning.hide()
        self.psnr.setEnabled(True)
        self.ms_ssim.setEnabled(True)
        self.psnr.setText(text.decibels(coded.point.psnr if coded else None))
        self.ms_ssim.setText(text.similarity(coded.point.ms_ssim if coded else None))
        if row is None or coded is None:
            self._say_no_result(row)
        else:
            self._say_result(row, coded)

    def _on_row_failed(self, row: Row | None) -> None:
        if self._session.result is None:
            self._say_no_result(row)

    def _say_no_result(self, row: Row | None) -> None:
        has_hope = row is not None and row.problem is None
        is_lbb = row is not None and row.source.is_lbb
        words = self.tr("Not decoded yet") if is_lbb else self.tr("Not compressed yet")
        for label, hope in ((self.figure, "…"), (self.line, words)):
            label.setVisible(has_hope)
            label.setText(hope if has_hope else "")

    def _on_decoding_started(self, started: DecodingStarted) -> None:
        """The size is known before the picture is decoded."""
        self._show_facts()
        if self._session.row is not None:
            self._say_size(self._session.row, started.file_bytes)

    def reveal_block(self) -> None:
        """Scroll to what is known of the pinned block."""
        if self.block.isVisibleTo(self):
            QTimer.singleShot(0, lambda: self.scroll_area.ensureWidgetVisible(self.block, 0, 12))

    def _show_stale(self, stale: bool) -> None:
        """Say that the figures are those of the previous quality."""
        if stale and not self.line.text().startswith(self.tr("Previous")):
            self.line.setText(self.tr("Previous: {}").format(self.line.text()))
            for figure in (self.figure, self.psnr, self.ms_ssim):
                figure.setEnabled(False)

    def _say_result(self, row: Row, coded: Coded) -> None:
        self._say_size(row, len(coded.point.data))
        if row.source.is_lbb:
            self._show_quality()
            self._show_facts(coded.notices)

    def _say_size(self, row: Row, after: int) -> None:
        self.figure.show()
        self.line.show()
        self.figure.setEnabled(True)
        set_role(self.figure, "figure")
        bpp = f"{8 * after / max(row.width * row.height, 1):.2f} bpp"
        if row.source.is_lbb:
            self.figure.setText(text.size(after))
            self.line.setText(bpp)
            return
        self.figure.setText(text.saving(row.file_bytes, after))
        set_role(self.figure, "grown" if after > row.file_bytes else "figure")
        sizes = f"{text.size(row.file_bytes)} → {text.size(after)}"
        self.line.setText(f"{sizes}  ·  {bpp}")
        if after > row.file_bytes:
            self.warning.setText(self.tr("Larger than the original file"))
            self.warning.show()

    def _name_level(self, quality: float) -> None:
        self.level.setText(f"{text.quality_name(quality)}  ·  {quality:g}")
