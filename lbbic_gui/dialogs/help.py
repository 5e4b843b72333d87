"""Keyboard help, About, and the questions before quitting."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata

from PySide6 import __version__ as pyside_version
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from lbbic_gui.dialogs.scrolling_dialog import ScrollingDialog
from lbbic_gui.jobs.messages import Model, Ready
from lbbic_gui.state.networks import Networks
from lbbic_gui.style import text
from lbbic_gui.style.room import room
from lbbic_gui.style.text import tr


def version() -> str:
    try:
        return metadata.version("lbbic")
    except metadata.PackageNotFoundError:
        return tr("not installed")


class KeysDialog(ScrollingDialog):
    """Keys and mouse actions with their effects, in two columns if there is room."""

    def __init__(self, pairs: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(tr("Keyboard and mouse"), parent)
        labels = [(_heading(keys), QLabel(words)) for keys, words in pairs]
        grid = QGridLayout(self.content)
        grid.setContentsMargins(24, 24, 24, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        self._fill(grid, labels, -(-len(labels) // 2))
        grid.setColumnMinimumWidth(2, 32)
        if self.sizeHint().width() > room(self).width():
            grid.setColumnMinimumWidth(2, 0)
            self._fill(grid, labels, len(labels))

    def _fill(self, grid: QGridLayout, labels: list[tuple[QLabel, QLabel]], rows: int) -> None:
        for number, (keys, words) in enumerate(labels):
            row, column = number % rows, 3 * (number // rows)
            grid.addWidget(keys, row, column)
            grid.addWidget(words, row, column + 1)
            keys.ensurePolished()  # otherwise its width is that of a lighter font


def _heading(words: str) -> QLabel:
    label = QLabel(words)
    label.setProperty("role", "heading")
    return label


class AboutDialog(ScrollingDialog):
    """Versions, weights, device and licences, to be copied into a bug report."""

    def __init__(self, networks: Networks, parent: QWidget | None = None) -> None:
        super().__init__(tr("About LBBIC"), parent)
        title = QLabel("LBBIC")
        title.setProperty("role", "title")
        words = QLabel(
            self.tr("A learned block-based image codec: small files, the same pixels everywhere.")
        )
        info = QLabel(system_info(networks.ready, networks.chosen()))
        info.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        licences = QLabel(
            self.tr(
                "LBBIC is released under the MIT licence. It uses Qt through PySide6 (LGPL v3), "
                "PyTorch and NumPy (BSD), Pillow (MIT-CMU), constriction (MIT, Apache 2.0, BSL)."
            )
        )
        licences.setProperty("role", "faint")
        copy = self.buttons.addButton(
            self.tr("Copy system info"), QDialogButtonBox.ButtonRole.ActionRole
        )
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(info.text()))
        column = QVBoxLayout(self.content)
        column.setContentsMargins(24, 24, 24, 0)
        column.setSpacing(16)
        for label in (title, words, info, licences):
            label.setWordWrap(True)
            column.addWidget(label)
        column.addStretch(1)
        self.content.setMinimumWidth(480)


def system_info(ready: Ready | None, model: Model | None) -> str:
    """Versions and device, one per line."""
    loaded = [tr("The model is not loaded")]
    if ready is not None and model is not None:
        device = tr("Device {}").format(ready.device.upper())
        weights = tr("Model {}, identity {}").format(model.title, model.weights)
        loaded = [f"torch {ready.torch}", device, weights]
    lines = [
        f"LBBIC {version()}",
        f"Python {platform.python_version()}, {platform.platform()}",
        f"PySide6 {pyside_version}",
        *loaded,
    ]
    return "\n".join(lines)


def confirm_stop(window: QWidget, unsaved: int) -> bool:
    """Ask whether to quit while files are being written; ``unsaved`` as in ``confirm_loss``."""
    detail = tr("Files already saved are kept; the others are not written.")
    if unsaved:
        detail += f"\n\n{_count_unsaved(unsaved)} {_explain_loss()}"
    return _confirm(
        window,
        tr("Stop and quit?"),
        tr("Files are still being written."),
        detail,
        tr("Stop and quit"),
    )


def confirm_loss(window: QWidget, count: int) -> bool:
    """Ask whether to quit although so many pasted or painted pictures are not saved."""
    return _confirm(
        window,
        tr("Quit without saving?"),
        _count_unsaved(count),
        _explain_loss(),
        tr("Quit without saving"),
    )


def _count_unsaved(count: int) -> str:
    return text.count(count, tr("1 picture is not saved."), tr("{} pictures are not saved."))


def _explain_loss() -> str:
    return tr("What was pasted or painted is in no file yet.")


def _confirm(window: QWidget, title: str, question: str, detail: str, agree: str) -> bool:
    """Ask; Return and Escape are for going on."""
    box = QMessageBox(QMessageBox.Icon.Question, title, "", parent=window)
    box.setText(question)
    box.setInformativeText(detail)
    # Of one role, so that they stay in this order on every desktop
    go_on = box.addButton(tr("Continue"), QMessageBox.ButtonRole.ActionRole)
    agreed = box.addButton(agree, QMessageBox.ButtonRole.ActionRole)
    box.setDefaultButton(go_on)
    box.setEscapeButton(go_on)
    box.exec()
    box.deleteLater()
    return box.clickedButton() is agreed
