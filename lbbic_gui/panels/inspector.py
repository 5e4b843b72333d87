"""The panel on the right: the result in figures, the quality, and the tools for experts.

Each part follows the session itself. Changes that the user can undo are left to the window.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from lbbic_gui.jobs.messages import Coded
from lbbic_gui.panels.compare import ComparePanel
from lbbic_gui.panels.controls import BlockPanel, ModelPanel, OverlayPanel, TargetPanel
from lbbic_gui.panels.effort_panel import EffortPanel
from lbbic_gui.panels.file_panel import FilePanel
from lbbic_gui.panels.headline import Headline
from lbbic_gui.panels.parts import Section, make_rule
from lbbic_gui.panels.quality_panel import QualityPanel
from lbbic_gui.panels.rate_plot import RATE_POINTS, RatePlot
from lbbic_gui.panels.result_panel import MetricsPanel, ResultPanel
from lbbic_gui.session.picture_tools import PictureTools
from lbbic_gui.session.session import Session

WIDTH = 304


class Inspector(QWidget):
    """The panel on the right; see the module's docstring."""

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
        self.result = ResultPanel(session)
        self.headline = Headline(session, tools)
        self.model = ModelPanel()
        self.quality = QualityPanel(session)
        self.metrics = MetricsPanel(session, tools)
        self.plot = RatePlot()
        self.overlay = OverlayPanel()
        self.block = BlockPanel()
        self.target = TargetPanel()
        self.compare = ComparePanel(session, tools)
        self.file = FilePanel(session)
        self.effort = EffortPanel(session)
        self.details = QPushButton()
        self.details.setProperty("flat", True)
        self.details.setToolTip(self.tr("Measures, plot, overlays and targets (D)"))
        self.save = QPushButton(self.tr("Save .lbb…"))
        self.save.setProperty("primary", True)
        self.export = QPushButton(self.tr("Export…"))
        self.export.setToolTip(self.tr("Write the decoded picture as PNG, JPEG, WebP or AVIF"))
        self._lay_out()
        self._connect(session, tools)
        self._show_models()
        self._show_parts()
        self._show_result(None)

    def _lay_out(self) -> None:
        content = QWidget()
        content.setObjectName("inspector")
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 16, 6, 16)  # the scroll bar takes the rest of the 16
        column.setSpacing(4)
        column.addWidget(self.result)
        column.addWidget(self.headline)
        column.addSpacing(12)
        column.addWidget(self.file)
        column.addWidget(self.model)
        column.addWidget(self.quality)
        column.addWidget(self.effort)
        self._metrics = Section(self.tr("Measures"), self.metrics)
        self._comparison = Section(self.tr("Compare at the same size"), self.compare)
        self._plot = Section(self.tr("Rate and distortion"), self.plot)
        self._overlay = Section(self.tr("Overlay"), self.overlay, self.block)
        self._target = Section(self.tr("Reach a target"), self.target)
        for part in (self._comparison, self._metrics, self._plot, self._overlay, self._target):
            column.addWidget(part)
        column.addSpacing(8)
        column.addWidget(self.details, 0, Qt.AlignmentFlag.AlignLeft)
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

    def _connect(self, session: Session, tools: PictureTools) -> None:
        self.save.clicked.connect(self.save_wanted)
        self.export.clicked.connect(self.export_wanted)
        self.headline.chosen.connect(self.compare.show_chosen)
        self.compare.chosen.connect(self.headline.show_chosen)
        self.plot.picked.connect(self.quality.choose)
        self.plot.wanted.connect(tools.compress_only)
        self.target.wanted.connect(tools.find_target)
        session.current_changed.connect(self._show_models)
        session.current_changed.connect(lambda: self._show_result(None))
        session.coded.connect(self._show_result)
        session.points_changed.connect(self._show_points)
        session.quality_changed.connect(self._show_points)
        session.current_changed.connect(self._show_parts)
        session.settings.changed.connect(self._show_models)
        session.settings.changed.connect(self._show_parts)
        session.networks.changed.connect(self._show_models)

    def reveal_block(self) -> None:
        """Scroll to the panel of the pinned block."""
        if self.block.isVisibleTo(self):
            QTimer.singleShot(0, lambda: self.scroll_area.ensureWidgetVisible(self.block, 0, 12))

    def _show_parts(self) -> None:
        """Show few parts or all of them, for a picture or an opened file."""
        row, detailed = self._session.row, self._session.settings.values.detailed
        is_lbb = row is not None and row.source.is_lbb
        self.file.setVisible(is_lbb)
        for part in (self.quality, self.effort, self._comparison):
            part.setVisible(not is_lbb)
        for part in (self._metrics, self._plot, self._target):
            part.setVisible(detailed and not is_lbb)
        self._overlay.setVisible(detailed)
        self.details.setText(self.tr("Fewer details") if detailed else self.tr("More details"))

    def _show_models(self) -> None:
        """List the models, and enable what the chosen one supports."""
        row, networks = self._session.row, self._session.networks
        is_picture = row is not None and not row.source.is_lbb
        if is_picture:
            self.model.show_models(networks.installed, networks.chosen(), networks.rejected)
        else:
            self.model.hide()
        self.model.setEnabled(is_picture)
        self.target.setEnabled(is_picture and not networks.has_single_quality)
        self._show_points()

    def _show_points(self) -> None:
        """Plot the files made of the picture."""
        row, quality = self._session.row, self._session.quality()
        rates = (quality,) if self._session.networks.has_single_quality else RATE_POINTS
        self.plot.show_points(row.points if row else {}, quality, rates)

    def _show_result(self, coded: Coded | None) -> None:
        """Enable what there is a result for."""
        self.block.show_block(None, None)
        for widget in (self.save, self.export):
            widget.setEnabled(coded is not None)
        self.overlay.show_available(coded)
        self._show_points()
