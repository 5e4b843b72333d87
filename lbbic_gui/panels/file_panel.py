"""The facts about an opened .lbb file, for which there is nothing to choose."""

from __future__ import annotations

from PySide6.QtWidgets import QFormLayout, QWidget

from lbbic_gui.jobs.messages import Coded, FileContents
from lbbic_gui.panels.parts import make_label
from lbbic_gui.session.session import Session
from lbbic_gui.style import text
from lbbic_gui.style.spoken import Figure
from lbbic_gui.style.text import tr

_METADATA = {"exif": "EXIF", "icc": "ICC", "xmp": "XMP"}


class FilePanel(QWidget):
    """The facts, filled in once the file is decoded."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        titles = {
            "quality": self.tr("Quality"),
            "model": self.tr("Model"),
            "metadata": self.tr("Metadata"),
            "transparency": self.tr("Transparency"),
            "version": self.tr("Format"),
        }
        self.values = {key: Figure(title) for key, title in titles.items()}
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(6)
        form.setHorizontalSpacing(16)
        for key, label in self.values.items():
            label.setWordWrap(True)
            form.addRow(make_label("faint", titles[key]), label)
        session.current_changed.connect(lambda: self._show(None))
        session.coded.connect(self._show)
        self._show(None)

    def _show(self, coded: Coded | None) -> None:
        if coded is None:
            for label in self.values.values():
                label.setText("–")
            return
        contents, quality = coded.contents, coded.point.quality
        words = {
            "quality": f"{text.quality_name(quality)}  ·  {quality:g}",
            "model": contents.model or self.tr("none needed"),
            "metadata": _metadata(contents),
            "transparency": tr("yes") if contents.has_alpha else tr("none"),
            "version": tr("LBBIC {}").format(contents.version),
        }
        for key, label in self.values.items():
            label.setText(words[key])


def _metadata(contents: FileContents) -> str:
    kinds = [f"{_METADATA[kind]} {text.size(count)}" for kind, count in contents.metadata]
    return ", ".join(kinds) or tr("none")
