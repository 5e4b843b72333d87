"""Connects the actions, and what panels ask for, to the verbs that do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QUndoStack

from lbbic_gui.painting.view_options import Mode
from lbbic_gui.panels.compare import ComparePanel
from lbbic_gui.panels.inspector import Inspector
from lbbic_gui.queue.queue_view import QueueView
from lbbic_gui.session.session import Session
from lbbic_gui.shell.commands import Commands
from lbbic_gui.style.text import tr
from lbbic_gui.viewer.brush_tool import BrushTool
from lbbic_gui.viewer.viewer import Viewer

Actions = Mapping[str, QAction]

_OF_A_PICTURE = (
    *("remove", "remove_all", "retry", "move_up", "move_down", "copy_command"),
    *("zoom_in", "zoom_out", "actual", "fit", "loupe", "original", "half", "compressed"),
    *("side", "split", "flip", "difference"),
)
_OF_A_FILE = ("show_in_folder", "copy_path")
_OF_A_RESULT = ("save", "export", "play", "overlay")
_MODES = {"side": Mode.SIDE, "split": Mode.SPLIT, "flip": Mode.FLIP, "difference": Mode.DIFFERENCE}


def connect_actions(
    actions: Actions,
    commands: Commands,
    viewer: Viewer,
    queue: QueueView,
    compare: ComparePanel,
    others: Mapping[str, Callable[[], object]],
) -> None:
    """Connect every action to what it does; ``others`` are those of the window itself."""
    canvas, session = viewer.canvas, commands.session
    slots: dict[str, Callable[[], object]] = {
        "open": commands.open,
        "open_folder": commands.open_folder,
        "sample": commands.try_sample,
        "save": commands.save,
        "export": commands.export,
        "compress_all": session.batch.compress_all,
        "undo": commands.undo.undo,
        "redo": commands.undo.redo,
        "paste": commands.paste,
        "cancel": commands.stop,
        "move_up": lambda: commands.move(-1),
        "move_down": lambda: commands.move(1),
        "remove": queue.want_removal,
        "remove_all": commands.remove_all,
        "show_in_folder": commands.show_in_folder,
        "copy_path": commands.copy_path,
        "copy_command": commands.copy_command,
        "compare": compare.start,
        "retry": session.retry,
        "zoom_in": lambda: canvas.zoom_by(1),
        "zoom_out": lambda: canvas.zoom_by(-1),
        "actual": lambda: canvas.zoom_to(1.0),
        "fit": canvas.fit,
        "overlay": commands.next_overlay,
        "brush_smaller": lambda: viewer.brush.resize(-1),
        "brush_larger": lambda: viewer.brush.resize(1),
        "play": viewer.timeline.toggle,
        "original": lambda: canvas.show_side(1.0),
        "half": lambda: canvas.show_side(0.5),
        "compressed": lambda: canvas.show_side(0.0),
        **others,
    }
    for name, slot in slots.items():
        actions[name].triggered.connect(lambda _, slot=slot: slot())
    for name, mode in _MODES.items():
        actions[name].triggered.connect(lambda _, mode=mode: commands.choose_mode(mode))
    actions["loupe"].triggered.connect(lambda on: canvas.set_options(loupe=on))
    actions["brush"].triggered.connect(viewer.brush.choose)
    viewer.brush.changed.connect(lambda: _show_brush(actions, viewer.brush))
    viewer.brush.painted.connect(commands.paint)
    _show_brush(actions, viewer.brush)
    for change in (session.current_changed, session.coded, session.batch.saved):
        change.connect(lambda: _enable(actions, session))
    _enable(actions, session)
    session.batch.changed.connect(
        lambda total: actions["compress_all"].setEnabled(total.count > total.saved)
    )
    session.batch.tell()
    _connect_undo(actions, commands.undo)


def _enable(actions: Actions, session: Session) -> None:
    """Enable what there is a picture, a file or a result for."""
    row, has_result = session.row, session.result is not None
    has_file = row is not None and bool(row.saved_path or row.source.path)
    can_compare = row is not None and not row.source.is_lbb and has_result
    for names, can in (
        (_OF_A_PICTURE, row is not None),
        (_OF_A_FILE, has_file),
        (_OF_A_RESULT, has_result),
        (("compare",), can_compare),
    ):
        for name in names:
            actions[name].setEnabled(can)


def _show_brush(actions: Actions, brush: BrushTool) -> None:
    """Enable the brush if there is something to paint on, otherwise show the reason."""
    use = tr("Paint what should stay sharp, and what matters less (B)")
    actions["brush"].setToolTip(brush.refusal() or use)
    actions["brush"].setEnabled(not brush.refusal())
    actions["brush"].setChecked(brush.is_on)
    for name in ("brush_smaller", "brush_larger"):
        actions[name].setEnabled(brush.is_on)


class _Name(QObject):
    """Keeps an action's text up to date with what it undoes or redoes."""

    def __init__(self, action: QAction) -> None:
        super().__init__(action)
        self._action, self._words = action, action.text()

    def say(self, what: str) -> None:
        self._action.setText(f"{self._words} {what}".strip())


def _connect_undo(actions: Actions, stack: QUndoStack) -> None:
    for action, can, text in (
        (actions["undo"], stack.canUndoChanged, stack.undoTextChanged),
        (actions["redo"], stack.canRedoChanged, stack.redoTextChanged),
    ):
        action.setEnabled(False)
        can.connect(action.setEnabled)
        text.connect(_Name(action).say)


def connect_panels(
    inspector: Inspector, queue: QueueView, viewer: Viewer, commands: Commands
) -> None:
    """Connect the panels with the window and with each other."""
    inspector.quality.chosen.connect(commands.choose_quality)
    inspector.model.chosen.connect(commands.choose_model)
    inspector.effort.chosen.connect(commands.choose_effort)
    inspector.effort.tune_chosen.connect(commands.choose_tune)
    inspector.save_wanted.connect(commands.save)
    inspector.export_wanted.connect(commands.export)
    inspector.overlay.chosen.connect(commands.choose_overlay)
    inspector.overlay.opacity_changed.connect(
        lambda opacity: viewer.canvas.set_options(opacity=opacity)
    )
    inspector.compare.chosen.connect(viewer.show_baseline)
    inspector.headline.chosen.connect(viewer.show_baseline)
    commands.overlay_changed.connect(inspector.overlay.show_overlay)
    commands.row_wanted.connect(queue.select)
    queue.removal_wanted.connect(commands.remove)
    queue.order_wanted.connect(commands.arrange)
    queue.cancel_wanted.connect(commands.stop)
    viewer.pill.cancel_wanted.connect(commands.stop)
    viewer.pinned.connect(inspector.block.show_block)
    viewer.canvas.pinned.connect(inspector.reveal_block)
