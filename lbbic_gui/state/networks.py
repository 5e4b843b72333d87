"""Which models are installed, which of them codes, and the quality that follows for a picture."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from lbbic_gui.jobs.messages import Model
from lbbic_gui.state.queue_model import Row
from lbbic_gui.state.settings import Settings
from lbbic_gui.style.text import tr


class Models(QObject):
    """The choice is one of the settings. ``installed`` is empty until a worker has looked."""

    changed = Signal()
    noticed = Signal(str)

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self.installed: tuple[Model, ...] = ()

    def chosen(self) -> Model | None:
        """The model that codes."""
        name = self._settings.values.model
        return next((model for model in self.installed if model.name == name), None)

    def quality(self, row: Row | None) -> float:
        """Of a picture: the model's only one, else the picture's own, else that of all."""
        chosen = self.chosen()
        if chosen is not None and chosen.quality is not None:
            return chosen.quality
        if row is not None and row.override is not None:
            return row.override
        return self._settings.values.quality

    def take(self, installed: tuple[Model, ...]) -> None:
        """Note what is installed; the app's own model takes the place of one that is gone."""
        has_changed = installed != self.installed
        self.installed = installed
        if self.chosen() is None:
            name = self._settings.values.model
            self._settings.change(model="")
            words = tr("The model {} is not installed any more, the app's own is used")
            self.noticed.emit(words.format(name))
        if has_changed:
            self.changed.emit()
