"""Where *Compress all* saves: said beside it, changed there, and opened once there are files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QMenu, QPushButton, QWidget

from lbbic_gui.desktop import file_dialogs
from lbbic_gui.desktop.reveal import open_folder
from lbbic_gui.jobs.messages import Saved
from lbbic_gui.session.session import Session
from lbbic_gui.style.elided_label import ElidedLabel


class Destination(QWidget):
    """A line that says where files go, *Change…*, and *Open output folder*."""

    settings_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._folder: Path | None = None  # of the last file that was saved
        self.words = ElidedLabel()
        self.words.setProperty("role", "faint")
        self.change = QPushButton(self.tr("Change…"))
        self.change.setProperty("flat", True)
        self.change.setToolTip(self.tr("Choose where the files are saved"))
        self.menu = QMenu(self.change)
        self.beside = self.menu.addAction(self.tr("Beside the pictures"))
        self.beside.setCheckable(True)
        self.beside.triggered.connect(lambda: session.settings.change(output_folder=""))
        self.menu.addAction(self.tr("Choose a folder…"), self._choose)
        self.menu.addSeparator()
        self.menu.addAction(self.tr("More settings…"), self.settings_wanted.emit)
        self.change.setMenu(self.menu)
        self.open = QPushButton(self.tr("Open output folder"))
        self.open.clicked.connect(self._open)
        self.open.hide()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(8)
        layout.addWidget(self.words, 0, 0)
        layout.addWidget(self.change, 0, 1)
        layout.addWidget(self.open, 1, 0, 1, 2)
        layout.setColumnStretch(0, 1)
        session.settings.changed.connect(self._show)
        session.queue.rowsInserted.connect(self._show)
        session.queue.rowsRemoved.connect(self._show)
        session.batch.saved.connect(self._on_saved)
        self._show()

    def _show(self) -> None:
        """Pasted pictures and samples have no folder to be saved in."""
        values, rows = self._session.settings.values, self._session.queue.rows
        folder = values.output_folder
        self.beside.setChecked(not folder)
        places = {file_dialogs.place_of(row.source, values.last_folder) for row in rows[:1]}
        if not folder and any(row.source.path not in places for row in rows[:1]):
            folder = str(places.pop().parent)
        words = (
            self.tr("Saves in {}").format(folder)
            if folder
            else self.tr("Saves beside the pictures")
        )
        self.words.setText(words)

    def _choose(self) -> None:
        folder = file_dialogs.choose_folder(self, self._session.settings.values.output_folder)
        if folder is not None:
            self._session.settings.change(output_folder=str(folder))

    def _on_saved(self, saved: Saved) -> None:
        if not saved.skipped:
            self._folder = saved.path.parent
            self.open.setToolTip(str(self._folder))
            self.open.show()

    def _open(self) -> None:
        if self._folder is not None:
            open_folder(self._folder)
