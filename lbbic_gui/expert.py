"""The inspector's smaller panels: overlay, pinned block, target."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)

from lbbic_gui.messages import Coded
from lbbic_gui.overlays import Overlay


class OverlayPanel(QWidget):
    """Which map lies on the picture, and how strongly."""

    chosen = Signal(object)
    opacity_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QComboBox()
        self.box.setAccessibleName(self.tr("Overlay"))
        self.box.setToolTip(self.tr("What lies on the picture (G for the next)"))
        for overlay in Overlay:
            self.box.addItem(overlay.title(), overlay)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(10, 100)
        self.opacity.setValue(60)
        self.opacity.setAccessibleName(self.tr("Opacity of the overlay"))
        self.opacity.setToolTip(self.tr("Opacity"))
        self.box.currentIndexChanged.connect(lambda: self.chosen.emit(self.box.currentData()))
        self.opacity.valueChanged.connect(lambda value: self.opacity_changed.emit(value / 100))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(self.box, 1)
        layout.addWidget(self.opacity, 1)

    def show_available(self, coded: Coded | None) -> None:
        """Without an original there are no errors to show."""
        self.setEnabled(coded is not None)
        model = self.box.model()
        item = model.index(list(Overlay).index(Overlay.ERROR), 0)
        has_errors = coded is not None and coded.errors is not None
        model.setData(item, None if has_errors else 0, int(Qt.ItemDataRole.UserRole) - 1)

    def show_overlay(self, overlay: Overlay) -> None:
        self.box.setCurrentIndex(list(Overlay).index(overlay))


class BlockPanel(QWidget):
    """What is known of the pinned block; hidden while none is pinned."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.values = {key: QLabel() for key in ("place", "order", "bits", "error")}
        titles = {
            "place": self.tr("Block"),
            "order": self.tr("Decoded in front"),
            "bits": self.tr("Cost"),
            "error": self.tr("MSE"),
        }
        form = QFormLayout(self)
        form.setContentsMargins(0, 8, 0, 0)
        form.setVerticalSpacing(4)
        form.setHorizontalSpacing(16)
        for key, label in self.values.items():
            title = QLabel(titles[key])
            title.setProperty("role", "faint")
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            form.addRow(title, label)

    def show_block(self, block: tuple[int, int] | None, coded: Coded | None) -> None:
        """Show a block (row, column) of a decoded picture."""
        self.setVisible(block is not None and coded is not None)
        if block is None or coded is None:
            return
        row, column = block
        picture = coded.picture
        bits, size = float(picture.bits[row, column]), picture.size
        place = self.tr("row {}, column {}")
        self.values["place"].setText(place.format(row + 1, column + 1))
        self.values["place"].setToolTip(f"x {column * size}, y {row * size}")
        front = int(picture.order[row, column]) + 1
        self.values["order"].setText(self.tr("{} of {}").format(front, picture.front_count))
        bpp = bits / size**2
        self.values["bits"].setText(self.tr("{:.1f} bits, {:.3f} bpp").format(bits, bpp))
        error = "–" if coded.errors is None else f"{coded.errors[row, column]:.2f}"
        self.values["error"].setText(error)


class SizePanel(QWidget):
    """A file size not to be exceeded."""

    wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kilobytes = QSpinBox()
        self.kilobytes.setRange(1, 1_000_000)
        self.kilobytes.setValue(100)
        self.kilobytes.setSuffix(" kB")
        self.kilobytes.lineEdit().setTextMargins(8, 0, 8, 0)
        self.kilobytes.setAccessibleName(self.tr("At most, in kilobytes"))
        self.button = QPushButton(self.tr("Find quality"))
        self.button.setToolTip(self.tr("The best quality whose file is not larger than this"))
        self.button.clicked.connect(lambda: self.wanted.emit(1000 * self.kilobytes.value()))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.kilobytes, 1)
        layout.addWidget(self.button)
