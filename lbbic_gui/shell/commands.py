"""What menus, keys and panels can ask for that takes more than one call, and how it is undone."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, Signal
from PySide6.QtGui import QGuiApplication, QUndoStack
from PySide6.QtWidgets import QWidget

from lbbic_gui.desktop import file_dialogs, transfer
from lbbic_gui.painting.overlays import Overlay
from lbbic_gui.painting.view_options import Mode
from lbbic_gui.session.picture_tools import SideJobs
from lbbic_gui.session.session import Session
from lbbic_gui.shell.undo import Change
from lbbic_gui.state.samples import sample_source
from lbbic_gui.viewer.viewer import Stage


class Commands(QObject):
    """Verbs of the window; those that change how a picture looks can be undone."""

    moved = Signal(object)  # Row
    quality_changed = Signal()
    overlay_changed = Signal(object)  # Overlay

    def __init__(self, session: Session, side: SideJobs, stage: Stage, window: QWidget) -> None:
        super().__init__(window)
        self.session = session
        self.settings = session.settings
        self.undo = QUndoStack(self)
        self._side, self._stage, self._window = side, stage, window

    def stop(self) -> None:
        """Cancel everything that runs."""
        self._side.stop()
        self.session.stop()

    def open(self) -> None:
        self.open_paths(
            file_dialogs.choose_pictures(self._window, self.settings.values.last_folder)
        )

    def open_folder(self) -> None:
        folder = file_dialogs.choose_folder(self._window, self.settings.values.last_folder)
        self.open_paths([folder] if folder else [])

    def open_paths(self, paths: list[Path]) -> None:
        if paths:
            folder = paths[0] if paths[0].is_dir() else paths[0].parent
            self.settings.change(last_folder=str(folder))
            self.session.intake.open(paths)

    def try_sample(self) -> None:
        source = sample_source()
        assert source.path is not None
        self.session.intake.open([source.path])

    def paste(self) -> None:
        self.take(QGuiApplication.clipboard().mimeData())

    def take(self, data: QMimeData) -> None:
        """Add what was dropped or pasted, or say why it cannot be."""
        found = transfer.read(data)
        if found.paths:
            self.open_paths(list(found.paths))
        elif found.image is not None:
            self.session.intake.paste(found.image)
        else:
            self.session.noticed.emit(found.refusal)

    def choose_quality(self, quality: float, only_this: bool) -> None:
        row = self.session.row
        had_own = row is not None and row.override is not None
        before, after = (self.session.quality(), had_own), (quality, only_this)
        if before == after:
            self.session.code_again()
            return
        self.undo.push(Change(self.tr("quality"), self._set_quality, before, after))

    def _set_quality(self, choice: tuple[float, bool]) -> None:
        quality, only_this = choice
        self.session.set_quality(quality, only_this=only_this)
        self.quality_changed.emit()

    def choose_model(self, name: str) -> None:
        before = self.settings.values.model
        if name != before:
            self.undo.push(Change(self.tr("model"), self._set_model, before, name))

    def _set_model(self, name: str) -> None:
        self.settings.change(model=name)

    def choose_mode(self, mode: Mode) -> None:
        canvas = self._stage.canvas
        if mode is not canvas.look.mode:
            words = self.tr("comparison")
            self.undo.push(Change(words, canvas.set_mode, canvas.look.mode, mode))

    def choose_overlay(self, overlay: Overlay) -> None:
        before = self._stage.canvas.look.overlay
        if overlay is not before:
            self.undo.push(Change(self.tr("overlay"), self._set_overlay, before, overlay))

    def _set_overlay(self, overlay: Overlay) -> None:
        self._stage.set_overlay(overlay)
        self.overlay_changed.emit(overlay)

    def save(self) -> None:
        if self.session.result is not None:
            target = file_dialogs.choose_target(self._window, self._side.proposal(".lbb"))
            if target is not None:
                self._side.save(target)

    def export(self) -> None:
        if self.session.result is not None:
            target = file_dialogs.choose_export(self._window, self._side.proposal(".png"))
            if target is not None:
                self._side.export(target)

    def move(self, step: int) -> None:
        row = self.session.row
        if row is not None and self.session.model.move(row, step):
            self.moved.emit(row)

    def remove(self) -> None:
        if self.session.row is not None:
            self.session.remove(self.session.row)

    def next_overlay(self) -> None:
        overlays = list(Overlay)
        place = overlays.index(self._stage.canvas.look.overlay)
        self.choose_overlay(overlays[(place + 1) % len(overlays)])
