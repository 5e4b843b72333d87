"""Colours of the light and the dark theme, and the one style sheet. Fusion is drawn below it.

All distances are multiples of 8 px (4 inside controls); the accent is used for what can be acted
on and for progress, amber for growth, red for failures.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPalette, QPen
from PySide6.QtWidgets import QApplication, QLabel


@dataclass(frozen=True)
class Colours:
    """The colours of a theme."""

    window: str
    panel: str
    field: str
    border: str  # between areas
    outline: str  # of controls: a contrast of 3:1 to their surroundings
    text: str
    faint: str
    accent: str
    on_accent: str
    hover: str
    amber: str
    red: str
    canvas: str


LIGHT = Colours(
    window="#f3f4f6",
    panel="#ffffff",
    field="#f7f8fa",
    border="#d9dce1",
    outline="#7f8792",
    text="#1b1f24",
    faint="#5c6570",
    accent="#0b6e8f",
    on_accent="#ffffff",
    hover="#e8eef1",
    amber="#8a5a00",
    red="#b3261e",
    canvas="#e3e5e9",
)
DARK = Colours(
    window="#17191c",
    panel="#1f2226",
    field="#272b30",
    border="#363b42",
    outline="#767e89",
    text="#e8eaed",
    faint="#a2a9b3",
    accent="#4cb8d9",
    on_accent="#06222c",
    hover="#2b3238",
    amber="#e8b04a",
    red="#f28b82",
    canvas="#101214",
)

_current = LIGHT
_applied = ""


def colours() -> Colours:
    """The theme in use."""
    return _current


def colour(name: str) -> QColor:
    return QColor(getattr(_current, name))


def needs(theme: str) -> bool:
    """Whether ``theme`` differs from the one in use."""
    return theme != _applied


def apply(theme: str, application: QApplication) -> None:
    """Apply a theme, "system", "light" or "dark", to the whole application."""
    global _current, _applied
    _applied = theme
    schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
    hints = application.styleHints()
    hints.setColorScheme(schemes.get(theme, Qt.ColorScheme.Unknown))
    is_dark = theme == "dark" or (theme == "system" and hints.colorScheme() == Qt.ColorScheme.Dark)
    _current = DARK if is_dark else LIGHT
    application.setPalette(palette(_current))
    application.setStyleSheet(style_sheet(_current))


def palette(theme: Colours) -> QPalette:
    """The theme's colours as Qt's palette."""
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    chosen = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.panel,
        role.AlternateBase: theme.field,
        role.Text: theme.text,
        role.Button: theme.panel,
        role.ButtonText: theme.text,
        role.BrightText: theme.red,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.ToolTipBase: theme.panel,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.faint,
        role.Link: theme.accent,
        role.Mid: theme.border,
    }
    result = QPalette()
    for key, value in chosen.items():
        result.setColor(key, QColor(value))
    for key in (role.Text, role.WindowText, role.ButtonText):
        faded = QColor(theme.faint)
        faded.setAlpha(120)
        result.setColor(group.Disabled, key, faded)
    return result


def style_sheet(theme: Colours) -> str:
    """What the palette cannot express."""
    values = {key: getattr(theme, key) for key in theme.__dataclass_fields__}
    arrow = _drawing("arrow", theme.faint, [(3, 4), (10, 11), (17, 4)])
    tick = _drawing("tick", theme.on_accent, [(4, 10), (8, 14), (16, 5)])
    sheet = _SHEET.replace("@arrow", arrow).replace("@tick", tick)
    for key, value in sorted(values.items(), key=lambda pair: -len(pair[0])):
        sheet = sheet.replace(f"@{key}", value)
    return sheet


def set_role(label: QLabel, role: str) -> None:
    """Give a label another of the style sheet's roles."""
    if label.property("role") != role:
        label.setProperty("role", role)
        label.style().polish(label)


def _drawing(name: str, colour: str, line: list[tuple[int, int]]) -> str:
    """The path of a drawn mark of 20 pixels; style sheets can only load images from files."""
    path = _folder() / f"{name}-{colour.lstrip('#')}.png"
    if not path.exists():
        image = QImage(20, 20, QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(0)
        with QPainter(image) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(colour), 3, c=Qt.PenCapStyle.RoundCap))
            painter.drawPolyline([QPointF(*point) for point in line])
        image.save(str(path))
    return path.as_posix()


@cache
def _folder() -> Path:
    """A temporary folder for the drawings, deleted when the app ends."""
    folder = Path(tempfile.mkdtemp(prefix="lbbic-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_SHEET = """
QToolTip { background: @panel; color: @text; border: 1px solid @border; padding: 4px 8px; }
QToolBar { background: @panel; border: 0; border-bottom: 1px solid @border;
           padding: 4px 8px; spacing: 4px; }
QToolBar QToolButton { padding: 6px 8px; border-radius: 6px; border: 1px solid transparent; }
QToolBar QToolButton:hover { background: @hover; }
QToolBar QToolButton:pressed, QToolBar QToolButton:checked { background: @hover; color: @accent; }
QToolBar QToolButton:disabled { color: @faint; }
QToolBar::separator { background: @border; width: 1px; margin: 6px 4px; }
QStatusBar { background: @panel; border-top: 1px solid @border; color: @faint; }
QStatusBar::item { border: 0; }
QStatusBar { min-height: 28px; }
QStatusBar QLabel { color: @faint; padding: 0 8px; }
QSplitter::handle { background: @border; }
QMenuBar { background: @panel; padding: 2px 4px; }
QMenuBar::item { padding: 4px 8px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: @hover; }
QMenu { background: @panel; border: 1px solid @border; padding: 4px; }
QMenu::item { padding: 6px 24px 6px 8px; border-radius: 4px; }
QMenu::item:selected { background: @hover; color: @text; }
QMenu::item:disabled { color: @faint; }
QMenu::separator { height: 1px; background: @border; margin: 4px 8px; }
QPushButton { background: @panel; border: 1px solid @outline; border-radius: 6px;
              padding: 6px 14px; min-height: 18px; }
QPushButton[narrow="true"] { padding: 6px 8px; }
QPushButton:hover { background: @hover; }
QPushButton[flat="true"] { border-color: transparent; padding: 2px 8px; text-align: left; }
QPushButton[flat="true"]:disabled { background: @panel; border-color: transparent; }
QPushButton:focus { border-color: @accent; }
QPushButton:disabled { color: @faint; background: @window; border-color: @border; }
QPushButton[primary="true"] { background: @accent; color: @on_accent; border-color: @accent;
                              font-weight: 600; }
QPushButton[primary="true"]:disabled { background: @field; color: @faint; border-color: @border; }
QPushButton[primary="true"]:focus { border: 2px solid @text; padding: 5px 13px; }
QComboBox, QLineEdit, QAbstractSpinBox { background: @field; border: 1px solid @outline;
              border-radius: 6px; padding: 4px 8px; min-height: 20px; }
QLineEdit { padding: 4px 6px; }
QAbstractSpinBox QLineEdit, QComboBox QLineEdit { border: 0; padding: 0; min-height: 0;
              background: transparent; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
QComboBox:focus, QLineEdit:focus, QAbstractSpinBox:focus { border-color: @accent; }
QComboBox::drop-down { border: 0; width: 24px; }
QComboBox::down-arrow { image: url(@arrow); width: 10px; height: 10px; }
QComboBox QAbstractItemView { background: @panel; border: 1px solid @border;
              selection-background-color: @hover; selection-color: @text; }
QScrollArea, QScrollArea > QWidget > QWidget#inspector { background: @panel; border: 0; }
QDialog QScrollArea, QScrollArea > QWidget > QWidget#dialog { background: @window; }
QListView { background: @panel; border: 0; outline: 0; }
QWidget#panel { background: @panel; }
QLabel#drop { background: @hover; color: @accent; border: 2px dashed @accent;
             border-radius: 12px; font-size: 20px; font-weight: 600; }
QCheckBox { spacing: 8px; }
QCheckBox::indicator { width: 14px; height: 14px; border: 1px solid @faint; border-radius: 3px;
             background: @field; }
QCheckBox::indicator:checked { background: @accent; border-color: @accent; image: url(@tick); }
QCheckBox::indicator:disabled { border-color: @border; }
QRadioButton { spacing: 8px; }
QRadioButton::indicator { width: 14px; height: 14px; border: 1px solid @faint; border-radius: 8px;
             background: @field; }
QRadioButton::indicator:checked { width: 6px; height: 6px; border: 5px solid @accent;
             background: @on_accent; }
QRadioButton::indicator:disabled { border-color: @border; }
QSlider:horizontal { min-height: 20px; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: 0; }
QPushButton:checked { background: @hover; color: @accent; border-color: @accent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: @outline; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: @accent; }
QSlider::sub-page:horizontal:disabled { background: @border; }
QSlider::handle:horizontal { width: 12px; height: 12px; margin: -6px 0; border-radius: 8px;
             border: 2px solid @accent; background: @panel; }
QSlider::handle:horizontal:disabled { border-color: @border; }
QSlider::handle:horizontal:focus { background: @accent; }
QFrame#floating { background: @panel; border: 1px solid @border; border-radius: 8px; }
QLabel[role="title"] { font-size: 20px; font-weight: 600; }
QLabel[role="heading"] { font-weight: 600; color: @text; }
QLabel[role="heading"]:disabled { color: @faint; }
QLabel[role="faint"] { color: @faint; }
QLabel[role="figure"] { font-size: 26px; font-weight: 600; }
QLabel[role="grown"] { font-size: 26px; font-weight: 600; color: @amber; }
QLabel[role="figure"]:disabled, QLabel[role="grown"]:disabled { color: @faint; }
QLabel[role="warning"] { color: @amber; font-weight: 600; }
QLabel[role="error"] { color: @red; font-weight: 600; }
QFrame[role="rule"] { background: @border; max-height: 1px; border: 0; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; }
QScrollBar::handle { background: @border; border-radius: 3px; min-height: 24px; min-width: 24px; }
QScrollBar::handle:vertical:disabled { background: transparent; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QProgressBar { background: @border; border: 0; border-radius: 2px; max-height: 4px; }
QProgressBar::chunk { background: @accent; border-radius: 2px; }
"""
