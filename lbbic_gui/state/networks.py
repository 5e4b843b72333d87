"""Which models are installed, which one is used, and a picture's quality with it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from lbbic_gui.jobs.lanes import Jobs
from lbbic_gui.jobs.messages import (
    EncodeOptions,
    InstalledModels,
    Model,
    Problem,
    Ready,
    Report,
    Result,
    Stopped,
)
from lbbic_gui.jobs.requests import FindModels, WarmUp
from lbbic_gui.state.row import Row
from lbbic_gui.state.settings import Preferences, Settings
from lbbic_gui.style.text import tr


class Networks(QObject):
    """The chosen model is a setting. ``installed`` is empty until a worker has looked.

    ``rejected`` has a sentence for each model file that cannot be used.
    """

    changed = Signal()
    loaded = Signal(Ready)
    failed = Signal(Problem)
    noticed = Signal(str)

    def __init__(self, settings: Settings, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings, self._jobs = settings, jobs
        self._wanted = _wanted(settings.values)
        self.installed: tuple[Model, ...] = ()
        self._by_name: dict[str, Model] = {}
        self.rejected: tuple[str, ...] = ()
        self.ready: Ready | None = None  # once the first model is loaded
        settings.changed.connect(self._on_settings)

    def load(self) -> None:
        """Import torch and load the model; emits ``loaded`` or ``failed``."""
        device, model = self._wanted
        self._jobs.submit(WarmUp(device, model), self._on_ready, self._on_report)

    def look(self) -> None:
        """Look for added and removed models."""
        if self.ready is not None:  # before that a worker is about to
            self._jobs.submit(FindModels(), self._on_found)

    def chosen(self) -> Model | None:
        """The chosen model."""
        return self._by_name.get(self._settings.values.model)

    @property
    def has_single_quality(self) -> bool:
        """Whether the chosen model has only one quality."""
        chosen = self.chosen()
        return chosen is not None and chosen.quality is not None

    def quality(self, row: Row | None) -> float:
        """A picture's quality: the model's only one, or its own, or the common one."""
        chosen = self.chosen()
        if chosen is not None and chosen.quality is not None:
            return chosen.quality
        if row is not None and row.override is not None:
            return row.override
        return self._settings.values.quality

    def options(self, row: Row) -> EncodeOptions:
        """A picture's options: the common ones and its mask, if the model supports it."""
        options = self._settings.values.options
        if self.has_single_quality:  # then all blocks have it
            return replace(options, tune="psnr")
        return replace(options, mask=row.mask) if row.mask else options

    def result(self, row: Row) -> Result:
        """What *Compress all* makes of a picture."""
        values = self._settings.values
        return Result.of(self.quality(row), self.options(row), values.output, values.place)

    def is_saved(self, row: Row) -> bool:
        """Whether a picture is saved as *Compress all* would save it."""
        return row.saved_as is not None and row.saved_as == self.result(row)

    def _on_settings(self, values: Preferences) -> None:
        if _wanted(values) != self._wanted:
            self._wanted = _wanted(values)
            self.load()

    def _on_ready(self, answer: Ready | Problem | Stopped) -> None:
        match answer:
            case Ready():
                self.ready = answer
                self.loaded.emit(answer)
            case Problem():
                self.failed.emit(answer)

    def _on_report(self, report: Report) -> None:
        if isinstance(report, InstalledModels):
            self._take(report)

    def _on_found(self, answer: InstalledModels | Problem | Stopped) -> None:
        match answer:
            case InstalledModels():
                self._take(answer)
            case Problem():
                self.failed.emit(answer)

    def _take(self, models: InstalledModels) -> None:
        """Store the installed models; the app's own replaces a chosen one that is gone."""
        notices = [words for words in models.rejected if words not in self.rejected]
        has_changed = (models.installed, models.rejected) != (self.installed, self.rejected)
        self.installed, self.rejected = models.installed, models.rejected
        self._by_name = {model.name: model for model in models.installed}
        if self.chosen() is None:
            name = self._settings.values.model
            self._settings.change(model="")
            words = tr("The model {} is no longer installed; the app's own is used")
            notices.append(words.format(name))
        if notices:
            self.noticed.emit(" ".join(notices))
        if has_changed:
            self.changed.emit()


def _wanted(values: Preferences) -> tuple[str, str]:
    return values.device, values.model
