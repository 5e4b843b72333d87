"""The toolbar: opening, comparing, zooming."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QComboBox, QLineEdit, QSizePolicy, QToolBar, QWidget

from lbbic_gui.painting.view_options import Mode, ViewOptions
from lbbic_gui.painting.viewport import STEPS
from lbbic_gui.style import icons
from lbbic_gui.style.numbers import parse_number
from lbbic_gui.style.spoken import Choice
from lbbic_gui.viewer.canvas import Canvas

GAINS = (1, 2, 4, 8, 16, 32)
ZOOMS = (25, 50, 100, 200, 400, 800)


class Toolbar(QToolBar):
    """The window's actions, the canvas's zoom, and the amplification of differences."""

    def __init__(
        self, actions: dict[str, QAction], canvas: Canvas, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self.setObjectName("toolbar")
        self.setWindowTitle(self.tr("Toolbar"))
        self.setMovable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setIconSize(QSize(icons.SIDE + icons.GAP, icons.SIDE))
        self._all = actions
        self._modes = [actions[name] for name in ("side", "split", "flip", "difference")]
        self._loupe = actions["loupe"]
        self.addAction(actions["open"])
        self.addSeparator()
        for action in self._modes:
            self.addAction(action)
        self.gain = Choice(self.tr("Gain of the difference"))
        for gain in GAINS:
            self.gain.addItem(f"× {gain}", gain)
        self.gain.setCurrentIndex(GAINS.index(canvas.options.gain))
        self.gain.setToolTip(self.tr("How much differences are amplified"))
        self.gain.activated.connect(lambda: canvas.set_options(gain=self.gain.currentData()))
        self._gain_action = self.addWidget(self.gain)
        self._gain_action.setVisible(False)
        self.addAction(actions["loupe"])
        self.addAction(actions["brush"])
        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(spacer)
        self.addAction(actions["fit"])
        self.addAction(actions["actual"])
        self.zoom = Choice(self.tr("Zoom"))
        self.zoom.setEditable(True)
        self.zoom.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.zoom.setFixedWidth(96)
        for per_cent in ZOOMS:
            self.zoom.addItem(f"{per_cent} %")
        self._line = QLineEdit()
        self.zoom.setLineEdit(self._line)
        # it would make 800 % of a typed 80; PySide6 declares that it takes no None
        self.zoom.setCompleter(None)  # type: ignore[arg-type]
        self._line.returnPressed.connect(self._on_zoom)
        self._line.editingFinished.connect(lambda: self.show_zoom(canvas.viewport.zoom))
        self.zoom.activated.connect(self._on_zoom)
        self.addWidget(self.zoom)
        self.addSeparator()
        self.addAction(actions["inspector"])
        self.show_options(canvas.options)
        self.show_zoom(1.0)
        canvas.zoomed.connect(self.show_zoom)
        canvas.options_changed.connect(self.show_options)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_words()

    def _fit_words(self) -> None:
        """Show only icons if there is no room for texts."""
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        if self.sizeHint().width() > self.width():
            self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)

    def draw_icons(self) -> None:
        """Draw the icons in the colours of the current theme."""
        for name in icons.names():
            self._all[name].setIcon(icons.icon(name))

    def show_zoom(self, zoom: float) -> None:
        self.zoom.setEditText(f"{100 * zoom:.{0 if zoom >= 0.1 else 1}f} %")

    def show_options(self, options: ViewOptions) -> None:
        """Check the actions that are on."""
        for action, mode in zip(self._modes, Mode, strict=True):
            action.setChecked(mode is options.mode)
        self._gain_action.setVisible(options.mode is Mode.DIFFERENCE)
        self._loupe.setChecked(options.loupe)
        self._fit_words()

    def _on_zoom(self) -> None:
        per_cent = parse_number(self.zoom.currentText().replace("%", ""), 100 * STEPS[-1])
        if per_cent is not None:
            self._canvas.zoom_to(per_cent / 100)
