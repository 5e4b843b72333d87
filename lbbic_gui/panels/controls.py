"""The inspector's smaller panels: model, overlay, pinned block, target."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from lbbic_gui.jobs.messages import Coded, Model, Target
from lbbic_gui.painting.overlays import Overlay
from lbbic_gui.panels.parts import make_label
from lbbic_gui.style.numbers import NumberBox
from lbbic_gui.style.spoken import Choice, Figure

# unit: least, most, usual value, decimals
_UNITS = {"kB": (1, 1e6, 100, 1), "bpp": (0.01, 24, 0.5, 2), "dB": (10, 60, 35, 1)}


class ModelPanel(QWidget):
    """The choice of a model, and files that are none; hidden if there is only one model."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = Choice(self.tr("Model"))
        self.box.setToolTip(
            self.tr("The model to compress with. Files are opened with the model that made them.")
        )
        self.box.activated.connect(lambda: self.chosen.emit(self.box.currentData()))
        title = QLabel(self.tr("Model"))
        title.setProperty("role", "heading")
        self.rejected = make_label("warning", wrap=True)
        policy = self.rejected.sizePolicy()
        policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)  # a long name is cut off
        self.rejected.setSizePolicy(policy)
        line = QHBoxLayout()
        line.setSpacing(16)
        line.addWidget(title)
        line.addWidget(self.box, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 8)
        layout.setSpacing(4)
        layout.addLayout(line)
        layout.addWidget(self.rejected)
        self.hide()

    def show_models(
        self, installed: tuple[Model, ...], chosen: Model | None, rejected: tuple[str, ...]
    ) -> None:
        """List the models, mark the chosen one, and name files that cannot be used."""
        self.setVisible(len(installed) > 1 or bool(rejected))
        self.rejected.setVisible(bool(rejected))
        self.rejected.setText("\n".join(rejected))
        self.box.clear()
        for model in installed:
            self.box.addItem(model.title, model.name)
        if chosen is not None and chosen in installed:
            self.box.setCurrentIndex(installed.index(chosen))


class OverlayPanel(QWidget):
    """The choice of an overlay and its opacity."""

    chosen = Signal(Overlay)
    opacity_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = Choice(self.tr("Overlay"))
        self.box.setToolTip(self.tr("What is drawn over the picture (G for the next)"))
        for overlay in Overlay:
            self.box.addItem(overlay.title(), overlay)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(10, 100)
        self.opacity.setValue(60)
        self.opacity.setAccessibleName(self.tr("Opacity of the overlay"))
        self.opacity.setToolTip(self.tr("Opacity"))
        self.box.currentIndexChanged.connect(lambda: self.chosen.emit(self.box.currentData()))
        self.opacity.valueChanged.connect(lambda value: self.opacity_changed.emit(value / 100))
        self.opacity.setEnabled(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(self.box, 1)
        layout.addWidget(self.opacity, 1)

    def show_available(self, coded: Coded | None) -> None:
        """Disable the overlay of errors if there is no original."""
        self.setEnabled(coded is not None)
        model = self.box.model()
        item = model.index(list(Overlay).index(Overlay.ERROR), 0)
        has_errors = coded is not None and coded.errors is not None
        model.setData(item, None if has_errors else 0, int(Qt.ItemDataRole.UserRole) - 1)

    def show_overlay(self, overlay: Overlay) -> None:
        self.box.setCurrentIndex(list(Overlay).index(overlay))
        self.opacity.setEnabled(overlay is not Overlay.NONE)


class BlockPanel(QWidget):
    """Position, cost and error of the pinned block; hidden if none is pinned."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        titles = {
            "place": self.tr("Block"),
            "order": self.tr("Decoded in step"),
            "bits": self.tr("Cost"),
            "error": self.tr("MSE"),
        }
        self.values = {key: Figure(title) for key, title in titles.items()}
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


class TargetPanel(QWidget):
    """The choice of a target: a size not to be exceeded, or a PSNR to be reached."""

    wanted = Signal(Target)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.value = NumberBox(self.tr("Target"))
        self.value.lineEdit().setTextMargins(8, 0, 8, 0)
        self.unit = Choice(self.tr("Unit of the target"))
        self.unit.setFixedWidth(72)
        for unit in _UNITS:
            self.unit.addItem(unit)
        self.unit.currentTextChanged.connect(self._on_unit)
        self.button = QPushButton(self.tr("Find"))
        self.button.clicked.connect(self._on_click)
        self.value.lineEdit().returnPressed.connect(self.button.click)
        self._on_unit("kB")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.value, 1)
        layout.addWidget(self.unit)
        layout.addWidget(self.button)

    def _on_unit(self, unit: str) -> None:
        least, most, usual, decimals = _UNITS[unit]
        self.value.setDecimals(decimals)
        self.value.setRange(least, most)
        self.value.setValue(usual)
        self.button.setToolTip(
            self.tr("The lowest quality that reaches this PSNR")
            if unit == "dB"
            else self.tr("The best quality whose file is not larger than this")
        )

    def _on_click(self) -> None:
        unit, value = self.unit.currentText(), self.value.value()
        in_bytes = unit == "kB"
        target = Target("bytes", 1000 * value) if in_bytes else Target(unit, value)
        self.wanted.emit(target)
