"""How hard the encoder tries, with what that costs for the picture on view, and its aim."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from lbbic_gui.panels.parts import make_label
from lbbic_gui.session.session import Session
from lbbic_gui.style import text
from lbbic_gui.style.spoken import Choice


class EffortPanel(QWidget):
    """A box of the encoder's efforts, and one of its tunings."""

    chosen = Signal(str)
    tune_chosen = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.box = Choice(self.tr("Encoder"))
        self.box.setToolTip(
            self.tr(
                "A thorough encoder makes smaller files at the same quality and takes longer;\n"
                "opening them takes no longer."
            )
        )
        for effort in text.efforts():
            self.box.addItem("", effort)
        self.box.activated.connect(lambda: self.chosen.emit(self.box.currentData()))
        self.tune = Choice(self.tr("Tuned for"))
        self.tune.setToolTip(
            self.tr(
                "Measurements: the highest PSNR that fits into the file.\n"
                "Eyes: more of the file for smooth areas and fine texture, where errors show,\n"
                "less for strong texture. SSIMULACRA 2 rises and PSNR falls: files are about 5 %\n"
                "smaller at the same SSIMULACRA 2, and about 3 % larger at the same PSNR."
            )
        )
        for tune, name in text.tunes().items():
            self.tune.addItem(name, tune)
        self.tune.activated.connect(lambda: self.tune_chosen.emit(self.tune.currentData()))
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(16)
        layout.setVerticalSpacing(8)
        rows = ((self.tr("Encoder"), self.box), (self.tr("Tuned for"), self.tune))
        for row, (words, box) in enumerate(rows):
            layout.addWidget(make_label("heading", words), row, 0)
            layout.addWidget(box, row, 1)
        layout.setColumnStretch(1, 1)
        for change in (session.current_changed, session.opened, session.coded):
            change.connect(self._show)
        for change in (session.settings.changed, session.networks.changed):
            change.connect(self._show)
        self._show()

    def _show(self) -> None:
        row = self._session.row
        for place, (effort, name) in enumerate(text.efforts().items()):
            words = name
            if row is not None and row.width:
                seconds = self._session.coder.seconds_for(row.width * row.height, effort)
                words = self.tr("{}, about {}").format(name, text.seconds(seconds))
            self.box.setItemText(place, words)
        values, has_single = (
            self._session.settings.values,
            self._session.networks.has_single_quality,
        )
        self.box.setCurrentIndex(self.box.findData(values.effort))
        self.tune.setCurrentIndex(self.tune.findData("psnr" if has_single else values.tune))
        self.tune.setEnabled(not has_single)
