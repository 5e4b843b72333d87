"""What the empty window shows: where to drop pictures, and two buttons."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from lbbic_gui.style import theme


class EmptyState(QWidget):
    """The drop area; ``lit`` while something is dragged over the window."""

    choose_wanted = Signal()
    sample_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lit = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # no button looks chosen at first
        title = QLabel(self.tr("Drop pictures or folders here"))
        title.setProperty("role", "title")
        formats = QLabel(
            self.tr("PNG, JPEG, WebP, AVIF, TIFF, BMP, GIF, JPEG 2000, PPM, or .lbb to view")
        )
        promise = QLabel(self.tr("Files stay on this computer"))
        for words in (formats, promise):
            words.setProperty("role", "faint")
        self.purpose = QLabel(
            self.tr(
                "LBBIC makes photographs much smaller than JPEG does. Its .lbb files open in "
                "this app,\nwith its command line, and in Python with Pillow; "
                "other programs need an export."
            )
        )
        self.purpose.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.choose = QPushButton(self.tr("Choose pictures…"))
        self.choose.setProperty("primary", True)
        self.choose.clicked.connect(self.choose_wanted)
        self.sample = QPushButton(self.tr("Try a sample"))
        self.sample.clicked.connect(self.sample_wanted)
        buttons = QHBoxLayout()
        buttons.setSpacing(12)
        buttons.addStretch(1)
        buttons.addWidget(self.choose)
        buttons.addWidget(self.sample)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addSpacing(88)
        layout.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(16)
        layout.addLayout(buttons)
        layout.addSpacing(20)
        layout.addWidget(self.purpose, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(12)
        layout.addWidget(formats, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(promise, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(1)

    def set_lit(self, lit: bool) -> None:
        self._lit = lit
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            area = QRectF(self.rect()).adjusted(24.5, 24.5, -24.5, -24.5)
            pen = QPen(theme.colour("accent" if self._lit else "border"), 2, Qt.PenStyle.DashLine)
            painter.setPen(pen)
            painter.setBrush(theme.colour("hover" if self._lit else "panel"))
            painter.drawRoundedRect(area, 12, 12)
            self._paint_blocks(painter)

    def _paint_blocks(self, painter: QPainter) -> None:
        """Paint a picture that is half decoded, with a wavefront of blocks."""
        cell, gap, side = 17.0, 4.0, 4
        centre = QPointF(self.width() / 2, self.height() / 2 - 96)
        left = centre.x() - (side * cell + (side - 1) * gap) / 2
        top = centre.y() - (side * cell + (side - 1) * gap) / 2
        for row in range(side):
            for column in range(side):
                place = QRectF(left + column * (cell + gap), top + row * (cell + gap), cell, cell)
                front = column + 2 * row
                painter.setPen(Qt.PenStyle.NoPen)
                colour = theme.colour("accent" if front < 6 else "border")
                if front < 6:
                    colour.setAlpha(255 - 30 * front)
                painter.setBrush(colour)
                painter.drawRoundedRect(place, 3, 3)
