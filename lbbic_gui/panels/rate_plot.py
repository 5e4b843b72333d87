"""The rate–distortion plot of one picture: a click on a point picks its quality.

Filled points are coded; hollow ones are estimates from those, and coded when clicked. The arrow
keys go from point to point, each of them spoken, and Enter is a click.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from lbbic_gui.jobs.messages import Point
from lbbic_gui.style import theme
from lbbic_gui.style.spoken import announce
from lbbic_gui.style.text import LEVELS, quality_name, tr

RATE_POINTS = tuple(map(float, range(1, LEVELS + 1)))
REACH = 14
_LEFT, _TOP, _RIGHT, _BOTTOM = 32, 8, 4, 20
_RATE_PER_STEP, _DB_PER_STEP = 1.3, 1.8  # of a usual photograph, until two points are known

_MOVES = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Home: -99, Qt.Key.Key_End: 99}
_CHOOSE = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)

Place = tuple[float, float]  # bpp, dB


def estimate(known: Mapping[float, Place], quality: float) -> Place:
    """Estimate a quality's point by linear interpolation (in log rate) between its neighbours."""
    if len(known) == 1:
        ((only, (bpp, psnr)),) = known.items()
        steps = quality - only
        return bpp * _RATE_PER_STEP**steps, psnr + _DB_PER_STEP * steps
    nearest = sorted(known, key=lambda other: abs(other - quality))[:2]
    low, high = sorted(nearest)
    share = (quality - low) / (high - low)
    (low_bpp, low_db), (high_bpp, high_db) = known[low], known[high]
    bpp = math.exp(math.log(low_bpp) + share * (math.log(high_bpp) - math.log(low_bpp)))
    return bpp, low_db + share * (high_db - low_db)


class RatePlot(QWidget):
    """``picked`` carries the quality of a coded point, ``wanted`` that of a hollow one."""

    picked = Signal(float)
    wanted = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._known: dict[float, Place] = {}
        self._exact: set[float] = set()  # the qualities at which the picture is stored exactly
        self._current = 0.0
        self._rates = RATE_POINTS
        self._at_key = 0.0  # the quality of the point that the keys are at
        self._speak()

    def sizeHint(self) -> QSize:
        return QSize(200, 148)

    def show_points(
        self,
        points: Mapping[float, Point],
        current: float,
        rates: tuple[float, ...] = RATE_POINTS,
    ) -> None:
        """Show the files made of a picture, the current quality, and the available ones."""
        known = {quality: (point.bpp, point.psnr) for quality, point in points.items()}
        self._known = {
            quality: (bpp, psnr)
            for quality, (bpp, psnr) in known.items()
            if psnr is not None and math.isfinite(psnr)
        }
        self._exact = {quality for quality, (_, psnr) in known.items() if psnr == math.inf}
        if current != self._current:
            self._at_key = current
        self._current, self._rates = current, rates
        words = [
            f"{quality:g}: {bpp:.2f} bpp, {db:.2f} dB" for quality, (bpp, db) in self._sorted()
        ]
        self.setAccessibleDescription("; ".join(words))
        self._speak()
        self.update()

    def places(self) -> dict[float, QPointF]:
        """The positions of the points of all qualities in the widget."""
        everything = self._everything()
        if not everything:
            return {}
        rates = [math.log(bpp) for bpp, _ in everything.values()]
        decibels = [psnr for _, psnr in everything.values()]
        area = self._area()
        places = {}
        for quality, (bpp, psnr) in everything.items():
            x = _share(math.log(bpp), min(rates), max(rates))
            y = _share(psnr, min(decibels), max(decibels))
            places[quality] = QPointF(
                area.left() + 8 + x * (area.width() - 16),
                area.bottom() - 8 - y * (area.height() - 16),
            )
        return places

    def _everything(self) -> dict[float, Place]:
        if not self._known:
            return {}
        missing = set(self._rates) - self._known.keys() - self._exact
        guessed = {quality: estimate(self._known, quality) for quality in missing}
        return dict(sorted({**self._known, **guessed}.items()))

    def _sorted(self) -> list[tuple[float, Place]]:
        return sorted(self._known.items())

    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM)

    def _at(self, point: QPointF) -> float | None:
        near = [
            ((place - point).manhattanLength(), quality) for quality, place in self.places().items()
        ]
        distance, quality = min(near, default=(math.inf, 0.0))
        return quality if distance <= REACH else None

    def _choose(self, quality: float | None) -> None:
        if quality is not None:
            (self.picked if quality in self._known else self.wanted).emit(quality)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._choose(self._at(event.position()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        points = sorted(self._everything())
        if points and event.key() in _MOVES:
            place = bisect.bisect_left(points, self._at_key)
            step = _MOVES[Qt.Key(event.key())]
            self._at_key = points[min(max(place + step, 0), len(points) - 1)]
            self._speak()
            announce(self, self._words(self._at_key))
            self.update()
        elif self._at_key in points and event.key() in _CHOOSE:
            self._choose(self._at_key)
        else:
            event.ignore()

    def _speak(self) -> None:
        """Put the point selected by the keys into the name."""
        is_there = self._at_key in self._everything()
        words = self._words(self._at_key) if is_there else self._words_without()
        title = self.tr("Rate and distortion of this picture")
        self.setAccessibleName(f"{title}: {words}")

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        on_point = self._at(event.position()) is not None
        shape = Qt.CursorShape.PointingHandCursor if on_point else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            quality = self._at(QPointF(event.pos()))
            if quality is not None:
                QToolTip.showText(event.globalPos(), self._words(quality), self)
                return True
        return super().event(event)

    def _words(self, quality: float) -> str:
        bpp, psnr = self._everything()[quality]
        name = f"{quality_name(quality)} ({quality:g})"
        if quality in self._known:
            return f"{name}: {bpp:.2f} bpp, {psnr:.2f} dB"
        return tr("{}: about {:.2f} bpp; click or press Enter to code it").format(name, bpp)

    def _words_without(self) -> str:
        """Why there is no point."""
        if self._exact:
            return self.tr("Stored exactly: no error to plot")
        return self.tr("Nothing coded yet")

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            font = QFont(self.font())
            font.setPixelSize(11)
            painter.setFont(font)
            area = self._area()
            painter.setPen(QPen(theme.colour("border"), 1))
            painter.drawLine(area.bottomLeft(), area.bottomRight())
            painter.drawLine(area.topLeft(), area.bottomLeft())
            places = self.places()
            if not places:
                painter.setPen(theme.colour("faint"))
                flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
                painter.drawText(area, flags, self._words_without())
                return
            self._paint_axes(painter, area)
            painter.setPen(QPen(theme.colour("accent"), 1.5))
            coded = [places[quality] for quality, _ in self._sorted()]
            painter.drawPolyline(coded)
            for quality, place in places.items():
                self._paint_point(painter, quality, place)

    def _paint_axes(self, painter: QPainter, area: QRectF) -> None:
        everything = self._everything().values()
        rates = [bpp for bpp, _ in everything]
        decibels = [psnr for _, psnr in everything]
        painter.setPen(theme.colour("faint"))
        align = Qt.AlignmentFlag
        below = QRectF(area.left(), area.bottom() + 2, area.width(), 16)
        beside = QRectF(0, area.top(), _LEFT - 6, area.height())
        if len(rates) == 1:  # no range to label the ends of
            words = self.tr("{:.2f} bits per pixel").format(rates[0])
            painter.drawText(below, align.AlignHCenter, words)
            painter.drawText(beside, align.AlignRight | align.AlignVCenter, f"{decibels[0]:.0f}")
            painter.drawText(beside, align.AlignRight | align.AlignTop, "dB")
            return
        painter.drawText(below, align.AlignLeft, f"{min(rates):.2f}")
        painter.drawText(below, align.AlignRight, f"{max(rates):.2f}")
        painter.drawText(below, align.AlignHCenter, self.tr("bits per pixel"))
        painter.drawText(beside, align.AlignRight | align.AlignTop, f"{max(decibels):.0f}")
        painter.drawText(beside, align.AlignRight | align.AlignBottom, f"{min(decibels):.0f}")
        painter.drawText(beside, align.AlignRight | align.AlignVCenter, "dB")

    def _paint_point(self, painter: QPainter, quality: float, place: QPointF) -> None:
        is_known = quality in self._known
        painter.setPen(QPen(theme.colour("accent" if is_known else "faint"), 1.5))
        painter.setBrush(theme.colour("accent" if is_known else "panel"))
        painter.drawEllipse(place, 4, 4)
        if quality == self._current:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour("accent"), 1.5))
            painter.drawEllipse(place, 8, 8)
        if quality == self._at_key and self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour("text"), 1, Qt.PenStyle.DotLine))
            painter.drawEllipse(place, 11, 11)


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if high == low else (value - low) / (high - low)
