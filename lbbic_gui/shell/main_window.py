"""The main window: lays out the parts and connects them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
)
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QWidget,
)

from lbbic_gui.desktop import transfer
from lbbic_gui.dialogs.help import AboutDialog, KeysDialog, confirm_loss, confirm_stop
from lbbic_gui.dialogs.settings_dialog import SettingsDialog
from lbbic_gui.panels.inspector import WIDTH, Inspector
from lbbic_gui.queue.queue_view import QueueView
from lbbic_gui.session.picture_tools import PictureTools
from lbbic_gui.session.session import Session
from lbbic_gui.shell import actions
from lbbic_gui.shell.commands import Commands
from lbbic_gui.shell.connections import connect_actions, connect_panels
from lbbic_gui.shell.empty_state import EmptyState
from lbbic_gui.shell.recent_menu import RecentMenu
from lbbic_gui.shell.status_bar import StatusBar
from lbbic_gui.shell.toolbar import Toolbar
from lbbic_gui.state.row import Row
from lbbic_gui.state.settings import Preferences, Settings
from lbbic_gui.style import theme
from lbbic_gui.style.room import room
from lbbic_gui.viewer.viewer import Viewer


class MainWindow(QMainWindow):
    """Queue, viewer and inspector side by side, or the empty state instead of them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.setWindowTitle("LBBIC")
        self.setAcceptDrops(True)
        self.resize(QSize(1280, 800).boundedTo(room(self)))
        self.settings = settings
        self.session = Session(settings, self)
        self.tools = PictureTools(self.session, self)
        self.actions_ = actions.build(self)
        self.empty = EmptyState()
        self.queue = QueueView(self.session)
        self.viewer = Viewer(self.session, self.tools)
        self.inspector = Inspector(self.session, self.tools)
        self.toolbar = Toolbar(self.actions_, self.viewer.canvas, self)
        self.status = StatusBar(self.session, self.tools)
        self.commands = Commands(self.session, self.tools, self.viewer, self)
        self._lay_out()
        self._connect()
        self._apply_settings(settings.values)
        self._show_empty()
        self.empty.setFocus()

    def begin(self, files: list[Path]) -> None:
        """Load the model first, then open files."""
        self.session.networks.load()
        self.commands.open_paths([file.absolute() for file in files])

    # --- layout ---------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        for widget in (self.queue, self.viewer, self.inspector):
            self.splitter.addWidget(widget)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([264, 712, WIDTH])
        self.pages = QStackedWidget()
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.splitter)
        self.setCentralWidget(self.pages)
        self.addToolBar(self.toolbar)
        self.setStatusBar(self.status)
        self.recent = RecentMenu(self.settings, self.commands.open_recent, self)
        actions.fill_menus(self.menuBar(), self.actions_, self.recent)
        self.restoreGeometry(self.settings.layout("geometry"))
        kept = self.settings.layout("splitter")
        if not kept.isEmpty():
            self.splitter.restoreState(kept)

    def _show_empty(self) -> None:
        is_empty = not self.session.queue.rows
        if not is_empty and self.empty.isVisibleTo(self.pages):
            self.viewer.canvas.setFocus()  # or Qt would give it to the list
        self.pages.setCurrentWidget(self.empty if is_empty else self.splitter)
        self.toolbar.setVisible(not is_empty)

    def _connect(self) -> None:
        self.empty.choose_wanted.connect(self.commands.open)
        self.empty.sample_wanted.connect(self.commands.try_sample)
        self.commands.noticed.connect(self.status.notify)
        self.viewer.hover_text.connect(self.status.place.setText)
        self.session.adder.added.connect(self._on_added)
        self.session.queue.rowsInserted.connect(self._show_empty)
        self.session.queue.rowsRemoved.connect(self._show_empty)
        self.settings.changed.connect(self._apply_settings)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._apply_theme)
        for action in self.actions_.values():
            action.triggered.connect(self.inspector.quality.slider.settle)
        connect_panels(self.inspector, self.queue, self.viewer, self.commands)
        others = {
            "quit": self.close,
            "settings": lambda: _run(SettingsDialog(self.settings, self)),
            "keys": lambda: _run(KeysDialog(actions.help_pairs(), self)),
            "about": lambda: _run(AboutDialog(self.session.networks, self)),
        }
        connect_actions(
            self.actions_, self.commands, self.viewer, self.queue, self.inspector.compare, others
        )
        self.queue.destination.settings_wanted.connect(others["settings"])
        self.actions_["details"].triggered.connect(lambda on: self.settings.change(detailed=on))
        self.inspector.details.clicked.connect(self.actions_["details"].trigger)
        self.actions_["inspector"].triggered.connect(lambda on: self.settings.change(inspector=on))
        self.queue.list.addActions([self.actions_[name] for name in actions.LIST_MENU])

    def _on_added(self, row: Row, is_only_one: bool) -> None:
        if self.session.row is None or is_only_one:
            self.queue.select(row)
            self.viewer.canvas.setFocus()

    def _apply_settings(self, values: Preferences) -> None:
        if theme.needs(values.theme):
            self._apply_theme()
        self.viewer.timeline.reduce_motion = values.reduce_motion
        self.actions_["details"].setChecked(values.detailed)
        self.actions_["inspector"].setChecked(values.inspector)
        self.inspector.setVisible(values.inspector)

    def _apply_theme(self) -> None:
        application = QApplication.instance()
        if isinstance(application, QApplication):
            theme.apply(self.settings.values.theme, application)
            self.toolbar.draw_icons()

    # --- events ---------------------------------------------------------------------------------

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Move the focus, unless the focused control was disabled or hidden.

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

    def event(self, event: QEvent) -> bool:
        """Keep Esc from stopping the work while it is meant for a field."""
        if event.type() == QEvent.Type.ShortcutOverride and self._is_leaving_field(event):
            event.accept()  # it comes again as a key
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._is_leaving_field(event):
            self.viewer.canvas.setFocus()
        elif event.key() == Qt.Key.Key_Space:  # nothing with the focus has a use for it
            self.viewer.canvas.keyPressEvent(event)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        self.viewer.canvas.keyReleaseEvent(event)

    def _is_leaving_field(self, event: QEvent) -> bool:
        """Whether Esc is pressed in a field for text."""
        field = self.focusWidget()
        is_edited = isinstance(field, QLineEdit | QAbstractSpinBox) or (
            isinstance(field, QComboBox) and field.isEditable()
        )
        return is_edited and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape

    def changeEvent(self, event: QEvent) -> None:
        """Look for models that were installed while the user was elsewhere."""
        super().changeEvent(event)
        if event.type() != QEvent.Type.ActivationChange:
            return
        if self.isActiveWindow():
            self.session.networks.look()
        else:
            self.viewer.canvas.stop_peeking()  # the key may be released elsewhere

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.source() is None and transfer.is_welcome(event.mimeData()):
            _accept_copy(event)
            self._light(True)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        _accept_copy(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._light(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._light(False)
        self.commands.take(event.mimeData())
        _accept_copy(event)

    def _light(self, lit: bool) -> None:
        self.empty.set_lit(lit)
        self.viewer.show_drop(lit)

    def _may_close(self) -> bool:
        """Ask once, if closing stops files from being written or loses what is in no file."""
        unsaved = sum(row.has_unsaved_work for row in self.session.queue.rows)
        if self.session.batch.is_busy or self.tools.is_exporting:
            return confirm_stop(self, unsaved)
        return not unsaved or confirm_loss(self, unsaved)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._may_close():
            event.ignore()
            return
        self.settings.keep_layout(geometry=self.saveGeometry(), splitter=self.splitter.saveState())
        self.session.jobs.stop()
        event.accept()


def _run(dialog: QDialog) -> None:
    dialog.exec()
    dialog.deleteLater()  # or the window would keep it


def _accept_copy(event: QDropEvent) -> None:
    """Accept a drop as a copy: file managers may delete what they are told was moved."""
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()


def _can_be_used(widget: QWidget) -> bool:
    return widget.isEnabled() and widget.isVisible()
