"""The main window: lays out the parts and connects them. What they do is their own affair."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
)
from PySide6.QtWidgets import (
    QApplication,
    QMainWindow,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QWidget,
)

from lbbic_gui.desktop import transfer
from lbbic_gui.jobs import messages
from lbbic_gui.jobs.messages import Coded, Problem, Ready, Rival, Saved
from lbbic_gui.painting.view_options import Mode
from lbbic_gui.panels.inspector import WIDTH, Inspector
from lbbic_gui.panels.queue_view import QueueView
from lbbic_gui.session.picture_tools import SideJobs
from lbbic_gui.session.session import Session
from lbbic_gui.shell import actions
from lbbic_gui.shell.commands import Commands
from lbbic_gui.shell.dialogs import AboutDialog, KeysDialog
from lbbic_gui.shell.empty_state import EmptyState
from lbbic_gui.shell.settings_dialog import SettingsDialog
from lbbic_gui.shell.status_bar import StatusBar
from lbbic_gui.shell.toolbar import Toolbar
from lbbic_gui.state.queue_model import Row
from lbbic_gui.state.settings import Preferences, Settings
from lbbic_gui.style import theme
from lbbic_gui.viewer.viewer import Stage

_MODES = {"side": Mode.SIDE, "split": Mode.SPLIT, "flip": Mode.FLIP, "difference": Mode.DIFFERENCE}


class MainWindow(QMainWindow):
    """Queue, stage and inspector side by side; the empty state in their place at first."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.setWindowTitle("LBBIC")
        self.setAcceptDrops(True)
        self.resize(QSize(1280, 800).boundedTo(self.screen().availableSize()))
        self.settings = settings
        self.session = Session(settings, self)
        self.actions_ = actions.build(self)
        self.empty = EmptyState()
        self.queue = QueueView(self.session.model)
        self.stage = Stage(self.session)
        self.inspector = Inspector()
        self.toolbar = Toolbar(self.actions_, self)
        self.status = StatusBar()
        self.side = SideJobs(self.session, self)
        self.commands = Commands(self.session, self.side, self.stage, self)
        self._ready: Ready | None = None
        self._coded: Coded | None = None
        self._lay_out()
        self._connect_session()
        self._connect_widgets()
        self._connect_actions()
        self._apply_settings(settings.values)
        self._show_empty()
        self.empty.setFocus()

    def begin(self, files: list[Path]) -> None:
        """Load the model, before anything else needs it, and open files."""
        self.session.warm_up()
        if files:
            self.session.intake.open(files)

    # --- layout ---------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        for widget in (self.queue, self.stage, self.inspector):
            self.splitter.addWidget(widget)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([264, 712, WIDTH])
        self.pages = QStackedWidget()
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.splitter)
        self.setCentralWidget(self.pages)
        self.addToolBar(self.toolbar)
        self.setStatusBar(self.status)
        self._fill_menus()
        self.restoreGeometry(self.settings.layout("geometry"))
        kept = self.settings.layout("splitter")
        if not kept.isEmpty():
            self.splitter.restoreState(kept)

    def _fill_menus(self) -> None:
        menus = {}
        for entry in actions.entries():
            if entry.menu not in menus:
                menus[entry.menu] = self.menuBar().addMenu(entry.menu)
            if entry.name:
                menus[entry.menu].addAction(self.actions_[entry.name])
            else:
                menus[entry.menu].addSeparator()

    def _show_empty(self) -> None:
        is_empty = not self.session.model.rows
        self.pages.setCurrentWidget(self.empty if is_empty else self.splitter)
        self.toolbar.setVisible(not is_empty)

    # --- connections ----------------------------------------------------------------------------

    def _connect_session(self) -> None:
        session, inspector = self.session, self.inspector
        session.intake.added.connect(self._on_added)
        session.current_changed.connect(lambda row: inspector.show_row(row, self.session.quality()))
        session.opened.connect(lambda opened: inspector.show_facts(session.row, opened.notices))
        session.begun.connect(lambda *_: inspector.show_facts(session.row))
        session.coded.connect(self._on_coded)
        session.stale.connect(inspector.show_stale)
        session.stale.connect(self.side.on_stale)
        session.points_changed.connect(
            lambda: inspector.show_points(session.row, session.quality())
        )
        self.side.rivalled.connect(self._on_rival)
        self.side.unrivalled.connect(inspector.compare.show_failure)
        self.side.saved.connect(self._on_saved)
        self.side.failed.connect(self._on_failed)
        session.batch.saved.connect(self._on_saved)
        session.batch.problem.connect(self._on_row_problem)
        session.batch.changed.connect(self.queue.show_total)
        session.ready.connect(self._on_ready)
        session.failed.connect(self._on_failed)
        session.models.changed.connect(self._show_models)
        session.noticed.connect(self.status.notify)
        session.intake.noticed.connect(self.status.notify)
        session.model.rowsRemoved.connect(lambda *_: self._show_empty())
        self.settings.changed.connect(self._apply_settings)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._apply_theme)

    def _connect_widgets(self) -> None:
        session, inspector, stage = self.session, self.inspector, self.stage
        self.empty.choose_wanted.connect(self.commands.open)
        self.empty.sample_wanted.connect(self.commands.try_sample)
        self.queue.picked.connect(session.select)
        self.queue.removal_wanted.connect(session.remove)
        self.queue.compress_all_wanted.connect(session.batch.compress_all)
        self.queue.cancel_wanted.connect(self.commands.stop)
        stage.pill.cancel_wanted.connect(self.commands.stop)
        inspector.quality_chosen.connect(self.commands.choose_quality)
        inspector.model.chosen.connect(self.commands.choose_model)
        inspector.plot.wanted.connect(self.side.probe)
        inspector.save_wanted.connect(self.commands.save)
        inspector.export_wanted.connect(self.commands.export)
        inspector.overlay.chosen.connect(self.commands.choose_overlay)
        inspector.overlay.opacity_changed.connect(
            lambda opacity: stage.canvas.set_look(opacity=opacity)
        )
        inspector.target.wanted.connect(self.side.reach)
        inspector.compare.wanted.connect(self.side.compare)
        inspector.compare.rival_chosen.connect(stage.show_rival)
        self.commands.moved.connect(self.queue.select)
        self.commands.overlay_changed.connect(inspector.overlay.show_overlay)
        self.commands.quality_changed.connect(
            lambda: inspector.show_quality(session.row, session.quality())
        )
        stage.pinned.connect(inspector.block.show_block)
        stage.canvas.pinned.connect(inspector.reveal_block)
        stage.told.connect(self.status.place.setText)
        stage.canvas.zoomed.connect(self.toolbar.show_zoom)
        stage.canvas.looked.connect(self.toolbar.show_look)
        self.toolbar.zoom_chosen.connect(stage.canvas.zoom_to)
        self.toolbar.gain_chosen.connect(lambda gain: stage.canvas.set_look(gain=gain))

    def _connect_actions(self) -> None:
        canvas = self.stage.canvas
        slots = {
            "open": self.commands.open,
            "open_folder": self.commands.open_folder,
            "sample": self.commands.try_sample,
            "save": self.commands.save,
            "export": self.commands.export,
            "compress_all": self.session.batch.compress_all,
            "quit": self.close,
            "undo": self.commands.undo.undo,
            "redo": self.commands.undo.redo,
            "paste": self.commands.paste,
            "cancel": self.commands.stop,
            "move_up": lambda: self.commands.move(-1),
            "move_down": lambda: self.commands.move(1),
            "remove": self.commands.remove,
            "retry": self.session.retry,
            "settings": lambda: SettingsDialog(self.settings, self).exec(),
            "zoom_in": lambda: canvas.zoom_by(1),
            "zoom_out": lambda: canvas.zoom_by(-1),
            "actual": lambda: canvas.zoom_to(1.0),
            "fit": canvas.fit,
            "overlay": self.commands.next_overlay,
            "play": self.stage.timeline.toggle,
            "original": lambda: canvas.show_side(1.0),
            "half": lambda: canvas.show_side(0.5),
            "compressed": lambda: canvas.show_side(0.0),
            "keys": lambda: KeysDialog(self).exec(),
            "about": lambda: AboutDialog(self._ready, self.session.models.chosen(), self).exec(),
        }
        for name, slot in slots.items():
            self.actions_[name].triggered.connect(lambda _, slot=slot: slot())
        self.actions_["loupe"].triggered.connect(lambda on: canvas.set_look(loupe=on))
        self.actions_["inspector"].triggered.connect(lambda on: self.inspector.setVisible(on))
        for name, mode in _MODES.items():
            self.actions_[name].triggered.connect(
                lambda _, mode=mode: self.commands.choose_mode(mode)
            )
        self.actions_["inspector"].setChecked(True)
        for name, signal in (("undo", "canUndoChanged"), ("redo", "canRedoChanged")):
            self.actions_[name].setEnabled(False)
            getattr(self.commands.undo, signal).connect(self.actions_[name].setEnabled)
        self.queue.list.addActions(
            [self.actions_[name] for name in ("retry", "move_up", "move_down", "remove")]
        )

    # --- what the session says ------------------------------------------------------------------

    def _on_added(self, rows: list[Row]) -> None:
        self.session.batch.tell()
        self._show_empty()
        if self.session.row is None or len(rows) == 1:
            self.queue.select(rows[0])
            self.stage.canvas.setFocus()

    def _on_coded(self, coded: Coded | None) -> None:
        self._coded = coded
        self.inspector.show_result(self.session.row, coded)
        self.side.stop(messages.CompareAtSize)
        self.inspector.compare.reset()

    def _on_rival(self, rival: Rival) -> None:
        if self._coded is not None:
            self.inspector.compare.show_rival(rival, self._coded)

    def _on_saved(self, saved: Saved) -> None:
        words = self.tr("Skipped, it exists: {}") if saved.skipped else self.tr("Saved as {}")
        self.status.notify(" ".join((words.format(saved.path), *saved.notices)))

    def _on_row_problem(self, row: Row) -> None:
        if row is self.session.row:
            self.session.troubled.emit(row)

    def _on_failed(self, problem: Problem) -> None:
        if not self.session.model.rows:
            self.status.notify(f"{problem.title}: {problem.detail}")
        if self._ready is None:
            self.status.show_no_model(problem.detail)
        self.stage.banner.show_problem("", problem, can_retry=False)

    def _on_ready(self, ready: Ready) -> None:
        self._ready = ready
        wants_gpu = self.settings.values.device == "cuda"
        self.status.show_device(ready.device, wants_gpu=wants_gpu)

    def _apply_settings(self, values: Preferences) -> None:
        if theme.needs(values.theme):
            self._apply_theme()
        self.stage.timeline.reduce_motion = values.reduce_motion
        self._show_models()

    def _show_models(self) -> None:
        models = self.session.models
        self.inspector.show_models(models.installed, models.chosen())
        self.inspector.show_quality(self.session.row, self.session.quality())

    def _apply_theme(self) -> None:
        application = QApplication.instance()
        if isinstance(application, QApplication):
            theme.apply(self.settings.values.theme, application)
            self.toolbar.draw_icons()

    # --- events ---------------------------------------------------------------------------------

    def focusNextPrevChild(self, forward: bool) -> bool:
        """On to another control, unless the one in use was disabled or hidden.

        Then what is around it takes the focus: the next key is to press nothing by chance.
        """
        left = self.focusWidget()
        if left is None or _can_be_used(left):
            return super().focusNextPrevChild(forward)
        around = left.parentWidget()
        while around is not None and not _can_be_used(around):
            around = around.parentWidget()
        (around or self).setFocus()
        return True

    def changeEvent(self, event: QEvent) -> None:
        """Models may have been installed while the user was elsewhere."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.session.find_models()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if transfer.is_welcome(event.mimeData()):
            event.acceptProposedAction()
            self._light(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._light(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._light(False)
        self.commands.take(event.mimeData())
        event.acceptProposedAction()

    def _light(self, lit: bool) -> None:
        self.empty.set_lit(lit)
        self.stage.show_drop(lit)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.session.batch.is_busy and not self._confirm_close():
            event.ignore()
            return
        self.settings.keep_layout(geometry=self.saveGeometry(), splitter=self.splitter.saveState())
        self.session.jobs.stop()
        event.accept()

    def _confirm_close(self) -> bool:
        answer = QMessageBox.question(
            self,
            self.tr("Stop and quit?"),
            self.tr(
                "Pictures are still being compressed. What is saved already is kept.\n\n"
                "Stop and quit?"
            ),
        )
        return answer == QMessageBox.StandardButton.Yes


def _can_be_used(widget: QWidget) -> bool:
    return widget.isEnabled() and widget.isVisible()
