"""Everything that a key, a menu or the toolbar can do: one table, from which all three are made."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

from lbbic_gui.style.text import tr

RECENT = "recent"  # a menu, not an action
LIST_MENU = (
    *("save", "export", "compare", "retry", "show_in_folder", "copy_path", "copy_command"),
    *("move_up", "move_down", "remove", "remove_all"),
)


@dataclass(frozen=True)
class Entry:
    """An action: its menu, text and keys. ``group``: exactly one of these is on."""

    name: str
    menu: str
    words: str
    keys: tuple[str, ...] = ()
    group: str = ""
    checkable: bool = False


def entries() -> tuple[Entry, ...]:
    """All actions in the order of the menus; an empty name is a separator."""
    file, edit, view, compare = tr("&File"), tr("&Edit"), tr("&View"), tr("&Compare")
    help_ = tr("&Help")
    return (
        Entry("open", file, tr("Open…"), ("Ctrl+O",)),
        Entry("open_folder", file, tr("Open folder…"), ("Ctrl+Shift+O",)),
        Entry(RECENT, file, tr("Open recent")),
        Entry("sample", file, tr("Try a sample"), ("Ctrl+T",)),
        Entry("", file, ""),
        Entry("save", file, tr("Save .lbb…"), ("Ctrl+S",)),
        Entry("export", file, tr("Export picture…"), ("Ctrl+E",)),
        Entry("compress_all", file, tr("Compress all"), ("Ctrl+Return",)),
        Entry("", file, ""),
        Entry("quit", file, tr("Quit"), ("Ctrl+Q",)),
        Entry("undo", edit, tr("Undo"), ("Ctrl+Z",)),
        Entry("redo", edit, tr("Redo"), ("Ctrl+Shift+Z", "Ctrl+Y")),
        Entry("", edit, ""),
        Entry("paste", edit, tr("Paste"), ("Ctrl+V",)),
        Entry("cancel", edit, tr("Stop"), ("Esc",)),
        Entry("", edit, ""),
        Entry("move_up", edit, tr("Move picture up"), ("Alt+Up",)),
        Entry("move_down", edit, tr("Move picture down"), ("Alt+Down",)),
        Entry("remove", edit, tr("Remove picture"), ("Ctrl+Backspace",)),
        Entry("remove_all", edit, tr("Remove all pictures"), ("Ctrl+Shift+Backspace",)),
        Entry("retry", edit, tr("Retry picture"), ("Ctrl+R",)),
        Entry("show_in_folder", edit, tr("Show in folder"), ("Ctrl+Shift+F",)),
        Entry("copy_path", edit, tr("Copy path"), ("Ctrl+Shift+C",)),
        Entry("copy_command", edit, tr("Copy as command"), ("Ctrl+Alt+C",)),
        Entry("", edit, ""),
        Entry("settings", edit, tr("Settings…"), ("Ctrl+,",)),
        Entry("zoom_in", view, tr("Zoom in"), ("Ctrl++", "Ctrl+=")),
        Entry("zoom_out", view, tr("Zoom out"), ("Ctrl+-",)),
        Entry("actual", view, tr("100 %"), ("Ctrl+0",)),
        Entry("fit", view, tr("Fit"), ("Ctrl+9",)),
        Entry("", view, ""),
        Entry("overlay", view, tr("Next overlay"), ("G",)),
        Entry("loupe", view, tr("Loupe"), ("L",), checkable=True),
        Entry("brush", view, tr("Brush"), ("B",), checkable=True),
        Entry("brush_smaller", view, tr("Smaller brush"), ("[",)),
        Entry("brush_larger", view, tr("Larger brush"), ("]",)),
        Entry("play", view, tr("Play the decoding"), ("P",)),
        Entry("details", view, tr("Details in the inspector"), ("D",), checkable=True),
        Entry("inspector", view, tr("Inspector"), ("Ctrl+I",), checkable=True),
        Entry("side", compare, tr("Side by side"), ("Ctrl+1",), "mode"),
        Entry("split", compare, tr("Split"), ("Ctrl+2",), "mode"),
        Entry("flip", compare, tr("Flip"), ("Ctrl+3",), "mode"),
        Entry("difference", compare, tr("Difference"), ("Ctrl+4",), "mode"),
        Entry("", compare, ""),
        Entry("compare", compare, tr("Compare at the same size"), ("Ctrl+Shift+E",)),
        Entry("original", compare, tr("Original"), ("1",)),
        Entry("half", compare, tr("Half and half"), ("2",)),
        Entry("compressed", compare, tr("Compressed"), ("3",)),
        Entry("keys", help_, tr("Keyboard and mouse"), ("F1",)),
        Entry("about", help_, tr("About LBBIC"), ("Shift+F1",)),
    )


def build(parent: QObject) -> dict[str, QAction]:
    """Make the actions, by name."""
    actions: dict[str, QAction] = {}
    groups: dict[str, QActionGroup] = {}
    for entry in entries():
        if entry.name in ("", RECENT):
            continue
        action = QAction(entry.words, parent)
        action.setShortcuts([QKeySequence(key) for key in entry.keys])
        action.setCheckable(entry.checkable or bool(entry.group))
        action.setIconVisibleInMenu(False)  # its place is for the mark of what is on
        keys = f" ({action.shortcut().toString()})" if entry.keys else ""
        action.setToolTip(entry.words.rstrip("…") + keys)
        if entry.group:
            groups.setdefault(entry.group, QActionGroup(parent)).addAction(action)
        actions[entry.name] = action
    return actions


def fill_menus(bar: QMenuBar, actions: dict[str, QAction], recent: QMenu) -> None:
    """Put the actions into their menus, and ``recent`` into the first."""
    menus: dict[str, QMenu] = {}
    for entry in entries():
        menu = menus.get(entry.menu) or bar.addMenu(entry.menu)
        menus[entry.menu] = menu
        if entry.name == RECENT:
            recent.setTitle(entry.words)
            menu.addMenu(recent)
        elif entry.name:
            menu.addAction(actions[entry.name])
        else:
            menu.addSeparator()


def help_pairs() -> list[tuple[str, str]]:
    """Every action's keys and text, then further keys and mouse actions."""
    native = QKeySequence.SequenceFormat.NativeText
    pairs = []
    for entry in entries():
        if entry.name not in ("", RECENT):
            keys = " / ".join(QKeySequence(key).toString(native) for key in entry.keys)
            pairs.append((keys, entry.words.rstrip("…")))
    return [*pairs, *_mouse_help()]


def _mouse_help() -> tuple[tuple[str, str], ...]:
    return (
        (tr("Wheel"), tr("Zoom at the cursor")),
        (tr("Drag"), tr("Move the picture, or the split handle")),
        (tr("Double click on the handle"), tr("Centre the split")),
        (tr("Drag, with the brush"), tr("Paint; with Ctrl, move the picture")),
        (tr("Shift and wheel, with the brush"), tr("Larger or smaller brush")),
        (tr("Click"), tr("Pin a block; click again to unpin it")),
        (tr("Enter, on the picture"), tr("Pin the block in the middle")),
        (tr("Shift and arrows, on the picture"), tr("Move the picture")),
        (tr("Space, held"), tr("Show the original")),
        (tr("Delete, in the list"), tr("Remove the picture")),
        (tr("Home, End, ←, →, on the timeline"), tr("Step through the decoding")),
        (tr("←, →, on the quality"), tr("Finer steps between the rate points")),
        (tr("←, →, Enter, on the plot"), tr("Move between its points, choose one")),
    )
