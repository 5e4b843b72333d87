"""The commands behind menus, keys and panels that take more than one call, with their undo."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QIODevice, QMimeData, QObject, QSaveFile, Signal
from PySide6.QtGui import QGuiApplication, QUndoStack
from PySide6.QtWidgets import QWidget

from lbbic_gui.desktop import file_dialogs, reveal, transfer
from lbbic_gui.dialogs.export_dialog import ExportDialog
from lbbic_gui.painting.overlays import Overlay
from lbbic_gui.painting.view_options import Mode
from lbbic_gui.session.picture_tools import PictureTools
from lbbic_gui.session.session import Session
from lbbic_gui.shell.undo import Change, Removal
from lbbic_gui.state.row import Row
from lbbic_gui.state.samples import sample_source
from lbbic_gui.viewer.viewer import Viewer

Qualities = tuple[float | None, float]  # of one picture, and of all others
MAX_UNDO = 100  # changes: those of removed pictures keep their files in memory


class Commands(QObject):
    """The window's commands; choices and removals can be undone."""

    row_wanted = Signal(Row)  # on view
    overlay_changed = Signal(Overlay)
    noticed = Signal(str)

    def __init__(
        self, session: Session, tools: PictureTools, viewer: Viewer, window: QWidget
    ) -> None:
        super().__init__(window)
        self.session = session
        self.settings = session.settings
        self.undo = QUndoStack(self)
        self.undo.setUndoLimit(MAX_UNDO)
        self._tools, self._viewer, self._window = tools, viewer, window
        tools.target_found.connect(self._on_target_found)

    def stop(self) -> None:
        """Cancel everything that runs."""
        self._tools.stop()
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
            self.settings.add_recent(paths)
            self.session.adder.open(paths)

    def try_sample(self) -> None:
        source = sample_source()
        assert source.path is not None
        self.session.adder.open([source.path])

    def paste(self) -> None:
        self.take(QGuiApplication.clipboard().mimeData())

    def take(self, data: QMimeData) -> None:
        """Add what was dropped or pasted, or show why it cannot be added."""
        content = transfer.read(data)
        if content.paths:
            self.open_paths(list(content.paths))
        elif content.image is not None:
            self.session.adder.paste(content.image)
        else:
            self.noticed.emit(content.refusal)

    def choose_quality(self, quality: float, only_this: bool) -> None:
        """Choose a quality for the picture on view only, or for all."""
        row, common = self.session.row, self.settings.values.quality
        before = (row.override if row else None, common)
        if row is not None and only_this:
            self._change_quality(row, before, (quality, common))
        else:
            self._change_quality(row, before, (None, quality))

    def _on_target_found(self, row: Row, quality: float) -> None:
        common = self.settings.values.quality
        self._change_quality(row, (row.override, common), (quality, common))

    def _change_quality(self, row: Row | None, before: Qualities, after: Qualities) -> None:
        if before == after:
            self.session.code_again()
            return
        words = self.tr("quality")
        if row is not None:
            words = self.tr("quality of {}").format(row.source.name)
        self.undo.push(Change(words, partial(self._set_quality, row), before, after))

    def _set_quality(self, row: Row | None, qualities: Qualities) -> None:
        self.session.set_quality(row, *qualities)

    def paint(self, row: Row, mask: bytes, tool: str) -> None:
        """Set the mask of a row, undoably."""
        words = self.tr("“{}” on {}").format(tool, row.source.name)
        self.undo.push(Change(words, partial(self.session.paint, row), row.mask, mask))

    def choose_model(self, name: str) -> None:
        before = self.settings.values.model
        if name != before:
            self.undo.push(Change(self.tr("model"), self._set_model, before, name))

    def _set_model(self, name: str) -> None:
        self.settings.change(model=name)

    def choose_effort(self, effort: str) -> None:
        before = self.settings.values.effort
        if effort != before:
            self.undo.push(Change(self.tr("encoder"), self._set_effort, before, effort))

    def _set_effort(self, effort: str) -> None:
        self.settings.change(effort=effort)

    def choose_tune(self, tune: str) -> None:
        before = self.settings.values.tune
        if tune != before:
            self.undo.push(Change(self.tr("tuning"), self._set_tune, before, tune))

    def _set_tune(self, tune: str) -> None:
        self.settings.change(tune=tune)

    def choose_mode(self, mode: Mode) -> None:
        canvas = self._viewer.canvas
        if mode is not canvas.options.mode:
            words = self.tr("comparison")
            self.undo.push(Change(words, canvas.set_mode, canvas.options.mode, mode))

    def choose_overlay(self, overlay: Overlay) -> None:
        before = self._viewer.canvas.options.overlay
        if overlay is not before:
            self.undo.push(Change(self.tr("overlay"), self._set_overlay, before, overlay))

    def _set_overlay(self, overlay: Overlay) -> None:
        self._viewer.set_overlay(overlay)
        self.overlay_changed.emit(overlay)

    def next_overlay(self) -> None:
        overlays, result = list(Overlay), self.session.result
        place = overlays.index(self._viewer.canvas.options.overlay) + 1
        if overlays[place % len(overlays)] is Overlay.ERROR and result and result.errors is None:
            place += 1  # there is no original
        self.choose_overlay(overlays[place % len(overlays)])

    # Another picture may come on view while a dialog is open, as one that the system hands over
    # does: what a dialog is about is taken before it opens.

    def save(self) -> None:
        """Ask where to save the picture on view; the dialog asks before it replaces a file."""
        row = self.session.row
        if row is not None and self.session.result is not None:
            proposal = self._tools.proposal(row, self.session.quality(), ".lbb")
            target = file_dialogs.choose_target(self._window, proposal)
            if target is not None:
                self.session.batch.save(row, target)

    def export(self) -> None:
        """Ask for a format and a place, and export the result on view."""
        row, result = self.session.row, self.session.result
        if row is None or result is None:
            return
        if self.session.is_stale:
            self.noticed.emit(self.tr("Not compressed yet with these settings"))
            return
        dialog = ExportDialog(result, self.session.jobs, self._window)
        is_wanted, suffix = dialog.exec(), dialog.suffix
        dialog.deleteLater()  # or the window would keep it, and it the picture
        if is_wanted:
            proposal = self._tools.proposal(row, result.point.quality, suffix)
            target = file_dialogs.choose_export(self._window, proposal)
            if target is not None:
                self._tools.export(row, result.point.data, target)

    def move(self, step: int) -> None:
        row = self.session.row
        if row is not None and self.session.queue.move(row, step):
            self.row_wanted.emit(row)

    def remove_all(self) -> None:
        if self.session.queue.rows:
            self.remove(list(self.session.queue.rows))

    def remove(self, rows: list[Row]) -> None:
        names = rows[0].source.name if len(rows) == 1 else self.tr("{} pictures").format(len(rows))
        words = self.tr("removal of {}").format(names)
        self.undo.push(Removal(words, self.session.queue, rows, self.row_wanted.emit))

    def arrange(self, order: list[Row]) -> None:
        queue = self.session.queue
        self.undo.push(Change(self.tr("sorting"), queue.arrange, list(queue.rows), order))

    def show_in_folder(self) -> None:
        """Show the file saved for the picture on view, or else the picture's own."""
        row = self.session.row
        path = row and (row.saved_path or row.source.path)
        if path:
            reveal.show_in_folder(path)

    def copy_path(self) -> None:
        row = self.session.row
        path = row and (row.saved_path or row.source.path)
        if path:
            QGuiApplication.clipboard().setText(str(path))
            self.noticed.emit(self.tr("Path copied: {}").format(path))

    def copy_command(self) -> None:
        row, mask = self.session.row, None
        if row is None:
            return
        if row.source.path and self.session.networks.result(row).options.mask:
            mask = self._save_mask(row)
            if mask is None:
                return
        command = self._tools.command(row, mask)
        if command:
            QGuiApplication.clipboard().setText(command)
            self.noticed.emit(self.tr("Copied: {}").format(command))
        else:
            self.noticed.emit(self.tr("A pasted picture has no file that a command could read"))

    def _save_mask(self, row: Row) -> Path | None:
        """Ask where to save a row's mask for a command; return its path."""
        proposal = self._tools.proposal(row, self.session.quality(), "-mask.png")
        target = file_dialogs.choose_mask(self._window, proposal)
        if target is None:
            return None
        file = QSaveFile(str(target))  # writes aside and renames
        is_open = file.open(QIODevice.OpenModeFlag.WriteOnly)
        if is_open and file.write(row.mask) == len(row.mask) and file.commit():
            return target
        words = self.tr("{} cannot be written: {}")
        self.noticed.emit(words.format(target, file.errorString()))
        return None

    def open_recent(self, path: Path) -> None:
        if path.exists():
            self.open_paths([path])
        else:
            self.noticed.emit(self.tr("Not found: {}").format(path))
            self.settings.forget_recent(path)
