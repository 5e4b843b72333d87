"""The settings as a dialog; every change takes effect at once."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from lbbic_gui.desktop.file_dialogs import choose_folder
from lbbic_gui.dialogs.scrolling_dialog import ScrollingDialog
from lbbic_gui.jobs.naming import fill, is_pattern
from lbbic_gui.state.settings import Preferences, Settings
from lbbic_gui.style.elided_label import ElidedLabel
from lbbic_gui.style.text import tr
from lbbic_gui.style.theme import set_role


class SettingsDialog(ScrollingDialog):
    """Theme, device, effort, where and how files are saved, metadata."""

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(tr("Settings"), parent)
        self._settings = settings
        self._choices = {
            "theme": self._choice(
                system=self.tr("Same as the system"), light=self.tr("Light"), dark=self.tr("Dark")
            ),
            "device": self._choice(
                auto=self.tr("Fastest"), cpu=self.tr("CPU"), cuda=self.tr("GPU (CUDA)")
            ),
            "effort": self._choice(
                fast=self.tr("Fast"),
                balanced=self.tr("Balanced: smaller files, takes three times as long"),
                thorough=self.tr("Thorough: smallest files, takes 11 to 31 times as long"),
            ),
            "policy": self._choice(
                rename=self.tr("Save under a new name"),
                replace=self.tr("Replace it"),
                skip=self.tr("Skip the picture"),
            ),
        }
        self._switches = {
            "keep_structure": QCheckBox(self.tr("Keep the structure of added folders")),
            "skip_larger": QCheckBox(self.tr("Save a file only if it is smaller than its picture")),
            "keep_exif": QCheckBox(self.tr("EXIF (camera, date)")),
            "keep_location": QCheckBox(self.tr("Place where the picture was taken")),
            "keep_icc": QCheckBox(self.tr("Colour profile")),
            "keep_xmp": QCheckBox(self.tr("XMP (titles, ratings, edits)")),
            "keep_dates": QCheckBox(self.tr("Date of the picture's file")),
            "compare_first": QCheckBox(self.tr("Compare the first picture with JPEG")),
            "preview": QCheckBox(self.tr("A preview for file managers (at most 1 % of a file)")),
            "reduce_motion": QCheckBox(self.tr("Reduce motion")),
        }
        self.longest_side = QSpinBox()
        self.longest_side.setRange(0, 65_535)
        self.longest_side.setSingleStep(100)
        self.longest_side.setSuffix(self.tr(" px on the longest side"))
        self.longest_side.setSpecialValueText(self.tr("Original size"))
        self.longest_side.lineEdit().setTextMargins(8, 0, 8, 0)  # as in the other fields
        for part in (self.longest_side, self.longest_side.lineEdit()):
            part.setAccessibleName(self.tr("Resize larger pictures"))
        self.longest_side.setToolTip(self.tr("Larger pictures are made smaller; 0 turns this off"))
        self.folder = QLineEdit()
        self.folder.setReadOnly(True)
        self.folder.setAccessibleName(self.tr("Save in"))
        self.folder.setPlaceholderText(self.tr("Next to the pictures"))
        self.pattern = QLineEdit()
        self.pattern.setAccessibleName(self.tr("Name of new files"))
        self.pattern.setToolTip(self.tr("{name}: the picture's name, {quality}: its quality"))
        self.example = QLabel()
        self._lay_out()
        self._connect()
        self._show(settings.values)

    def _choice(self, **values: str) -> QComboBox:
        box = QComboBox()
        for key, words in values.items():
            box.addItem(words, key)
        return box

    def _lay_out(self) -> None:
        choose = QPushButton(self.tr("Choose…"))
        choose.clicked.connect(self._choose_folder)
        beside = QPushButton(self.tr("Next to pictures"))
        beside.setToolTip(self.tr("Save each file in the folder of its picture"))
        beside.clicked.connect(lambda: self._settings.change(output_folder=""))
        folder = QHBoxLayout()
        folder.setSpacing(8)
        folder.addWidget(self.folder, 1)
        folder.addWidget(choose)
        folder.addWidget(beside)
        form = QFormLayout(self.content)
        form.setContentsMargins(24, 24, 24, 0)
        form.setHorizontalSpacing(24)
        form.setVerticalSpacing(7)
        form.addRow(self.tr("Theme"), self._choices["theme"])
        form.addRow("", self._switches["reduce_motion"])
        form.addRow("", self._switches["compare_first"])
        form.addRow(self.tr("Device"), self._choices["device"])
        form.addRow(self.tr("Encoder"), self._choices["effort"])
        form.addRow(self.tr("Resize to"), self.longest_side)
        form.addRow(self.tr("Save in"), folder)
        form.addRow("", self._switches["keep_structure"])
        form.addRow(self.tr("File name"), self.pattern)
        form.addRow("", self.example)
        form.addRow(self.tr("If a file exists"), self._choices["policy"])
        form.addRow("", self._switches["skip_larger"])
        form.addRow(self.tr("Keep in files"), self._switches["keep_exif"])
        for kept in ("keep_location", "keep_icc", "keep_xmp", "preview", "keep_dates"):
            form.addRow("", self._switches[kept])
        where = ElidedLabel(self.tr("Settings file: {}").format(self._settings.path))
        where.setProperty("role", "faint")
        form.addRow(where)
        reset = QDialogButtonBox.ButtonRole.ResetRole
        self.reset = self.buttons.addButton(self.tr("Reset all"), reset)
        self.reset.clicked.connect(self._settings.reset)
        _centre_labels(self.content, form)
        self.content.setMinimumWidth(600)

    def _connect(self) -> None:
        for name, box in self._choices.items():
            box.activated.connect(
                lambda _, name=name, box=box: self._settings.change(**{name: box.currentData()})
            )
        for name, switch in self._switches.items():
            switch.clicked.connect(lambda on, name=name: self._settings.change(**{name: on}))
        self.pattern.textEdited.connect(self._try_pattern)
        self.longest_side.editingFinished.connect(self._choose_side)
        self._settings.changed.connect(self._show)

    def _show(self, values: Preferences) -> None:
        for name, box in self._choices.items():
            box.setCurrentIndex(box.findData(getattr(values, name)))
        for name, switch in self._switches.items():
            switch.setChecked(getattr(values, name))
        self.longest_side.setValue(values.longest_side)
        self.folder.setText(values.output_folder)
        self.folder.setToolTip(values.output_folder)
        if self.pattern.text() != values.pattern:
            self.pattern.setText(values.pattern)
        self._show_example(values.pattern)

    def _try_pattern(self, pattern: str) -> None:
        """Use a valid pattern; keep the last valid one while an invalid one is typed."""
        if is_pattern(pattern):
            self._settings.change(pattern=pattern)
        else:
            self._show_example(pattern)

    def _show_example(self, pattern: str) -> None:
        is_good = is_pattern(pattern)
        words = self.tr('It must contain {name} and none of / \\ : * ? " < > |')
        values = self._settings.values
        quality = values.output.quality or values.quality
        example = fill(pattern, self.tr("holiday"), quality) + values.output.suffix
        self.example.setText(example if is_good else words)
        set_role(self.example, "faint" if is_good else "warning")

    def _choose_side(self) -> None:
        """Apply the typed number at the end, so that not every digit codes the picture again."""
        if self.longest_side.value() != self._settings.values.longest_side:
            self._settings.change(longest_side=self.longest_side.value())

    def _choose_folder(self) -> None:
        folder = choose_folder(self, self._settings.values.output_folder)
        if folder is not None:
            self._settings.change(output_folder=str(folder))


def _centre_labels(content: QWidget, form: QFormLayout) -> None:
    """Centre the labels, which Qt places too high next to fields made taller by the style sheet."""
    for child in content.findChildren(QWidget):
        child.ensurePolished()  # else their heights are those without the style sheet
    for row in range(form.rowCount()):
        label = form.itemAt(row, QFormLayout.ItemRole.LabelRole)
        field = form.itemAt(row, QFormLayout.ItemRole.FieldRole)
        if label and field and (widget := label.widget()):
            widget.setMinimumHeight(field.sizeHint().height())
