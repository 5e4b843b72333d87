"""One line under the result: what JPEG makes of the same number of bytes."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from lbbic_gui.jobs.messages import CODECS, Baseline
from lbbic_gui.session.picture_tools import PictureTools
from lbbic_gui.session.session import Session
from lbbic_gui.style import text


class Headline(QWidget):
    """The line; hidden until there is something to compare with."""

    chosen = Signal(Baseline)  # to be shown in place of the original; None: the original

    def __init__(
        self, session: Session, tools: PictureTools, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._baseline: Baseline | None = None
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.button = QPushButton()
        self.button.setCheckable(True)
        self.button.clicked.connect(lambda on: self.chosen.emit(self._baseline if on else None))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.words)
        layout.addWidget(self.button)
        session.coded.connect(self._hide)
        session.stale.connect(lambda stale: self._hide() if stale else None)
        tools.compared.connect(self._show)
        self._hide()

    def show_chosen(self, baseline: Baseline | None) -> None:
        """Check the button if its picture is on view."""
        self.button.setChecked(baseline is not None and baseline is self._baseline)

    def _hide(self) -> None:
        self._baseline = None
        self.button.setChecked(False)
        self.hide()

    def _show(self, baseline: Baseline) -> None:
        result = self._session.result
        if baseline.codec != "jpeg" or result is None:
            return
        self._baseline = baseline
        name = CODECS[baseline.codec]
        template = self.tr("{} at {}: {}\nLBBIC at {}: {}")
        if not baseline.fits:
            template = self.tr("{} cannot be smaller than {}: {}\nLBBIC at {}: {}")
        theirs = text.size(baseline.file_bytes), text.decibels(baseline.psnr)
        ours = text.size(len(result.point.data)), text.decibels(result.point.psnr)
        label = f"{name} {baseline.setting.partition(',')[0]}"
        self.words.setText(template.format(label, *theirs, *ours))
        self.button.setText(self.tr("Show {} beside it").format(name))
        self.button.setToolTip(
            self.tr("With its better setting at this size: {}, quality {}").format(
                baseline.setting, baseline.quality
            )
        )
        self.show()
