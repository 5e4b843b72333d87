"""The choice of a quality, for the picture on view or for all of them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from lbbic_gui.panels.parts import make_label
from lbbic_gui.panels.quality_slider import QualitySlider
from lbbic_gui.session.session import Session
from lbbic_gui.style import text


class QualityPanel(QWidget):
    """The slider with its level in words; disabled for models of a single quality."""

    chosen = Signal(float, bool)  # only for this picture

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.slider = QualitySlider()
        self.level = make_label("heading")
        self.only_this = QCheckBox(self.tr("Only for this picture"))
        self.single = make_label("faint", self.tr("This model has only one quality."), wrap=True)
        self._lay_out()
        self.slider.previewed.connect(self._name_level)
        self.slider.chosen.connect(self.choose)
        self.only_this.clicked.connect(self._on_only_this)
        session.leaving.connect(self.slider.settle)
        for signal in (session.current_changed, session.coded, session.quality_changed):
            signal.connect(self._show)
        session.points_changed.connect(self._show_coded)
        session.settings.changed.connect(self._show)
        session.networks.changed.connect(self._show)
        self._show()

    def choose(self, quality: float) -> None:
        """Request a quality for all pictures, or for this one if the box is checked."""
        self.slider.forget()
        self.chosen.emit(quality, self.only_this.isChecked())
        self._show()

    def _lay_out(self) -> None:
        heading = QHBoxLayout()
        heading.addWidget(make_label("heading", self.tr("Quality")))
        heading.addStretch(1)
        heading.addWidget(self.level)
        ends = QHBoxLayout()
        ends.addWidget(make_label("faint", self.tr("Smallest")))
        ends.addStretch(1)
        ends.addWidget(make_label("faint", self.tr("Best")))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(heading)
        column.addWidget(self.slider)
        column.addLayout(ends)
        column.addSpacing(4)
        column.addWidget(self.only_this)
        column.addWidget(self.single)

    def _show(self) -> None:
        """Set the slider to the quality of the row, and enable what can be chosen."""
        row, quality = self._session.row, self._session.quality()
        is_picture = row is not None and not row.source.is_lbb
        has_single = self._session.networks.has_single_quality
        self.slider.setEnabled(is_picture and not has_single)
        if not self.slider.is_choosing:
            self.slider.show_quality(quality)
            self._name_level(quality)
        self.only_this.setChecked(row is not None and row.override is not None)
        self.only_this.setEnabled(is_picture)
        self.only_this.setVisible(not has_single)
        self.single.setVisible(has_single and is_picture)
        self._show_coded()

    def _on_only_this(self, is_on: bool) -> None:
        """Give the picture a quality of its own, or return it to that of all others."""
        common = self._session.settings.values.quality
        self.choose(self.slider.quality() if is_on else common)

    def _show_coded(self) -> None:
        """Mark the qualities that are coded already."""
        row = self._session.row
        self.slider.show_coded(frozenset(row.points if row else ()))

    def _name_level(self, quality: float) -> None:
        self.level.setText(f"{text.quality_name(quality)}  ·  {quality:g}")
