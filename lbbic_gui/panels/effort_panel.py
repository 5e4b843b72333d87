"""How hard the encoder tries, with what that costs for the picture on view."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from lbbic_gui.panels.parts import make_label
from lbbic_gui.session.session import Session
from lbbic_gui.style import text
from lbbic_gui.style.spoken import Choice


class EffortPanel(QWidget):
    """A box of the encoder's efforts."""

    chosen = Signal(str)

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
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(16)
        layout.addWidget(make_label("heading", self.tr("Encoder")))
        layout.addWidget(self.box, 1)
        for change in (session.current_changed, session.opened, session.coded):
            change.connect(self._show)
        session.settings.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        row = self._session.row
        for place, (effort, name) in enumerate(text.efforts().items()):
            words = name
            if row is not None and row.width:
                seconds = self._session.coder.seconds_for(row.width * row.height, effort)
                words = self.tr("{}, about {}").format(name, text.seconds(seconds))
            self.box.setItemText(place, words)
        self.box.setCurrentIndex(self.box.findData(self._session.settings.values.effort))
