"""The panel on the right: the result in figures, the quality, and the tools for experts.

Each part follows the session itself. Changes that the user can undo are left to the window.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from lbbic_gui.jobs.messages import Coded
from lbbic_gui.panels.compare import ComparePanel
from lbbic_gui.panels.controls import BlockPanel, ModelPanel, OverlayPanel, TargetPanel
from lbbic_gui.panels.parts import add_section, make_rule
from lbbic_gui.panels.quality_panel import QualityPanel
from lbbic_gui.panels.rate_plot import RATE_POINTS, RatePlot
from lbbic_gui.panels.result_panel import MetricsPanel, ResultPanel
from lbbic_gui.session.picture_tools import PictureTools
from lbbic_gui.session.session import Session

WIDTH = 304


class Inspector(QWidget):
    """See the module."""

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
        self.model = ModelPanel()
        self.quality = QualityPanel(session)
        self.metrics = MetricsPanel(session)
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
        self._connect(session, tools)
        self._show_models()
        self._show_result(None)

    def _lay_out(self) -> None:
        content = QWidget()
        content.setObjectName("inspector")
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 16, 6, 16)  # the scroll bar takes the rest of the 16
        column.setSpacing(4)
        column.addWidget(self.result)
        column.addSpacing(12)
        column.addWidget(self.model)
        column.addWidget(self.quality)
        column.addSpacing(12)
        column.addWidget(self.metrics)
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

    def _connect(self, session: Session, tools: PictureTools) -> None:
        self.save.clicked.connect(self.save_wanted)
        self.export.clicked.connect(self.export_wanted)
        self.plot.picked.connect(self.quality.choose)
        self.plot.wanted.connect(tools.compress_only)
        self.target.wanted.connect(tools.find_target)
        session.current_changed.connect(self._show_models)
        session.current_changed.connect(lambda: self._show_result(None))
        session.coded.connect(self._show_result)
        session.points_changed.connect(self._show_points)
        session.quality_changed.connect(self._show_points)
        session.settings.changed.connect(self._show_models)
        session.networks.changed.connect(self._show_models)

    def reveal_block(self) -> None:
        """Scroll to what is known of the pinned block."""
        if self.block.isVisibleTo(self):
            QTimer.singleShot(0, lambda: self.scroll_area.ensureWidgetVisible(self.block, 0, 12))

    def _show_models(self) -> None:
        """List the models, and allow what the chosen one can do with the picture on view."""
        row, networks = self._session.row, self._session.networks
        is_picture = row is not None and not row.source.is_lbb
        self.model.show_models(networks.installed, networks.chosen())
        self.model.setEnabled(is_picture)
        self.target.setEnabled(is_picture and not networks.has_single_quality)
        self._show_points()

    def _show_points(self) -> None:
        """Draw the files made of the picture so far."""
        row, quality = self._session.row, self._session.quality()
        rates = (quality,) if self._session.networks.has_single_quality else RATE_POINTS
        self.plot.show_points(row.points if row else {}, quality, rates)

    def _show_result(self, coded: Coded | None) -> None:
        """Allow what there is a result for."""
        self.block.show_block(None, None)
        for widget in (self.save, self.export):
            widget.setEnabled(coded is not None)
        self.overlay.show_available(coded)
        self._show_points()
