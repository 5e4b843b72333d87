"""Shows where *Compress all* saves and in which format, and changes it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QMenu, QPushButton, QWidget

from lbbic_gui.desktop import file_dialogs
from lbbic_gui.desktop.reveal import open_folder
from lbbic_gui.jobs.conversion import measures_by_ssimulacra2
from lbbic_gui.jobs.messages import CODECS, Saved
from lbbic_gui.session.session import Session
from lbbic_gui.state.settings import FORMAT_QUALITIES
from lbbic_gui.style.elided_label import ElidedLabel
from lbbic_gui.style.spoken import Choice
from lbbic_gui.style.text import tr


class Destination(QWidget):
    """A line that says where files go, *Change…*, the format, and *Open output folder*."""

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
        self.beside = self.menu.addAction(self.tr("Next to the pictures"))
        self.beside.setCheckable(True)
        self.beside.triggered.connect(lambda: session.settings.change(output_folder=""))
        self.menu.addAction(self.tr("Choose a folder…"), self._choose)
        self.menu.addSeparator()
        self.menu.addAction(self.tr("More settings…"), self.settings_wanted.emit)
        self.change.setMenu(self.menu)
        self.format = Choice(self.tr("Save as"))
        self.format.setToolTip(self.tr("The format that Compress all writes"))
        for name, title in {"lbb": ".lbb", **CODECS}.items():
            self.format.addItem(self.tr("as {}").format(title), name)
        self.look = Choice(self.tr("Quality of the format"))
        self.look.setToolTip(_look_explained())
        for quality in FORMAT_QUALITIES:
            words = self.tr("Quality {}").format(quality) if quality else self.tr("Same look")
            self.look.addItem(words, quality)
        self.format.activated.connect(
            lambda: session.settings.change(format=self.format.currentData())
        )
        self.look.activated.connect(
            lambda: session.settings.change(format_quality=self.look.currentData())
        )
        self.open = QPushButton(self.tr("Open output folder"))
        self.open.clicked.connect(self._open)
        self.open.hide()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(8)
        formats = QHBoxLayout()
        formats.setSpacing(8)
        formats.addWidget(self.format, 1)
        formats.addWidget(self.look, 1)
        layout.addWidget(self.words, 0, 0)
        layout.addWidget(self.change, 0, 1)
        layout.addLayout(formats, 1, 0, 1, 2)
        layout.addWidget(self.open, 2, 0, 1, 2)
        layout.setColumnStretch(0, 1)
        session.settings.changed.connect(self._show)
        session.queue.rowsInserted.connect(self._show)
        session.queue.rowsRemoved.connect(self._show)
        session.batch.saved.connect(self._on_saved)
        self._show()

    def _show(self) -> None:
        """Show the folder; pasted pictures and samples have none of their own."""
        values, rows = self._session.settings.values, self._session.queue.rows
        folder, last, tip = values.output_folder, values.last_folder, ""
        self.beside.setChecked(not folder)
        pictures = (row.source for row in rows if not row.source.is_lbb)
        first = next(pictures, None)
        if first is not None and not folder:
            usual = str(file_dialogs.usual_folder(last))
            several = chain([first], pictures)
            if any(file_dialogs.place_of(each, last) == each.path for each in several):
                tip = self.tr("Pasted pictures and samples: in {}").format(usual)
            else:
                folder = usual
        self.setToolTip(tip)
        if folder:
            self.words.setText(self.tr("Saves in {}").format(folder))
        else:
            self.words.setText(self.tr("Next to pictures"))  # more would be cut off
            self.words.setAccessibleName(self.tr("Saves next to the pictures"))
        self.format.setCurrentIndex(self.format.findData(values.format))
        self.look.setCurrentIndex(self.look.findData(values.format_quality))
        self.look.setVisible(values.format != "lbb")

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


def _look_explained() -> str:
    words = tr(
        "Same look: each file at the lowest quality that looks as good\n"
        "as the .lbb file of the chosen quality would, by {}."
    ).format("SSIMULACRA 2" if measures_by_ssimulacra2() else "MS-SSIM")
    if measures_by_ssimulacra2():
        return words
    return words + tr("\nIf the Python package ssimulacra2 is installed, SSIMULACRA 2 is used.")
