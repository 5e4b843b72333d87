"""The controls of the brush, above the picture while the brush is chosen."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from lbbic_gui.painting.brush import COLOURS, Brush, Kind
from lbbic_gui.style import icons

SIZES = (8, 400)  # of the brush, its width on the screen
_STEP = 1.25  # from one size to the next by key or wheel
_CHIP = 12


class BrushBar(QWidget):
    """Emits ``changed`` if the brush changes, or whether the mask is shown."""

    changed = Signal()
    clear_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(self.tr("Brush"))
        tool_tips = {
            Kind.BETTER: self.tr("Paint what should have more quality: faces, lettering, products"),
            Kind.WORSE: self.tr("Paint what may have less quality"),
            Kind.ERASE: self.tr("Remove paint"),
        }
        self.kinds = {kind: QPushButton(kind.title()) for kind in Kind}
        self._group = QButtonGroup(self)
        for kind, button in self.kinds.items():
            button.setCheckable(True)
            button.setToolTip(tool_tips[kind])
            if kind in COLOURS:
                button.setIcon(_chip(COLOURS[kind]))
                button.setIconSize(QSize(_CHIP + icons.GAP, _CHIP))
            self._group.addButton(button)
        self.kinds[Kind.BETTER].setChecked(True)
        self.clear = QPushButton(self.tr("Clear"))
        self.clear.setToolTip(self.tr("Remove all paint from this picture"))
        self.size_ = _slider(self.tr("Size of the brush"), *SIZES, 80)
        self.size_.setToolTip(self.tr("Size ([ and ], or Shift and the wheel)"))
        self.opacity = _slider(self.tr("Opacity of the brush, in per cent"), 5, 100, 100)
        self.softness = _slider(self.tr("Softness of the brush, in per cent"), 0, 100, 50)
        self.visible = QCheckBox(self.tr("Show"))
        self.visible.setToolTip(self.tr("Show the paint over the picture"))
        self.visible.setAccessibleName(self.tr("Show the paint"))
        self.visible.setChecked(True)
        self._lay_out()
        self._group.buttonClicked.connect(lambda _: self.changed.emit())
        for slider in (self.size_, self.opacity, self.softness):
            slider.valueChanged.connect(lambda _: self.changed.emit())
        self.visible.toggled.connect(lambda _: self.changed.emit())
        self.clear.clicked.connect(self.clear_wanted)

    def brush(self) -> Brush:
        """The chosen brush."""
        (kind,) = (kind for kind, button in self.kinds.items() if button.isChecked())
        return Brush(kind, self.opacity.value() / 100, self.softness.value() / 100)

    def resize_brush(self, steps: int) -> None:
        """Make the brush larger or smaller."""
        self.size_.setValue(round(self.size_.value() * _STEP**steps))

    def _lay_out(self) -> None:
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.setSpacing(4)
        bottom.setSpacing(8)
        for button in (*self.kinds.values(), self.clear):
            button.setProperty("narrow", True)
            top.addWidget(button)
        top.insertStretch(len(self.kinds), 1)
        sliders = (
            (self.tr("Size"), self.size_),
            (self.tr("Opacity"), self.opacity),
            (self.tr("Softness"), self.softness),
        )
        for words, slider in sliders:
            bottom.addWidget(QLabel(words))
            bottom.addWidget(slider, 1)
        bottom.addWidget(self.visible)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 8)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(bottom)


def _slider(name: str, least: int, most: int, value: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(least, most)
    slider.setValue(value)
    slider.setAccessibleName(name)
    slider.setToolTip(name)
    slider.setMinimumWidth(40)
    return slider


def _chip(colour: QColor) -> QIcon:
    """An icon in the colour of the brush, so that the buttons are its legend."""
    icon = QIcon()
    for ratio in (1, 2, 3):
        pixmap = QPixmap((_CHIP + icons.GAP) * ratio, _CHIP * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        with QPainter(pixmap) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(0, 0, _CHIP, _CHIP)
        icon.addPixmap(pixmap)
    return icon
