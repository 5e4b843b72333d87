"""The position of a picture in a view: zoom, centre, conversion of points. No painting.

``zoom`` is screen pixels per picture pixel (1.0 is 100 %); Qt's coordinates are larger by the
screen's device pixel ratio.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from PySide6.QtCore import QPointF, QRectF, QSizeF

STEPS = (
    *(1 / 16, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3),
    *(1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0),
)
MARGIN = 24.0


@dataclass(frozen=True)
class Viewport:
    """``view`` is the widget's size, ``picture`` the picture's; ``centre`` a picture point."""

    view: QSizeF
    picture: QSizeF
    ratio: float = 1.0
    zoom: float = 1.0
    centre: QPointF = field(default_factory=QPointF)
    is_fitted: bool = True

    @property
    def scale(self) -> float:
        """Qt's units per picture pixel."""
        return self.zoom / self.ratio

    def fitted(self) -> Viewport:
        """Show the whole picture in the middle, at 100 % at most."""
        if self.picture.isEmpty():
            return self
        room = (
            (self.view.width() - 2 * MARGIN) / self.picture.width(),
            (self.view.height() - 2 * MARGIN) / self.picture.height(),
        )
        zoom = max(1e-3, min(1.0, min(room) * self.ratio))
        centre = QPointF(self.picture.width() / 2, self.picture.height() / 2)
        return replace(self, zoom=zoom, centre=centre, is_fitted=True)

    def resized(self, view: QSizeF, ratio: float) -> Viewport:
        """Adapt to a view of another size: still fitted, or with the same centre."""
        other = replace(self, view=view, ratio=ratio)
        return other.fitted() if self.is_fitted else other._kept_inside()

    def of_picture(self, picture: QSizeF) -> Viewport:
        """Adapt to another picture, fitted; if its size is the same, nothing moves."""
        if picture == self.picture:
            return self
        return replace(self, picture=picture).fitted()

    def zoomed(self, zoom: float, at: QPointF | None = None) -> Viewport:
        """Zoom; the point of the picture at ``at``, by default the view's middle, stays there."""
        zoom = max(min(STEPS[0], self.fitted().zoom), min(STEPS[-1], zoom))
        at = at if at is not None else QPointF(self.view.width() / 2, self.view.height() / 2)
        held = self.to_picture(at)
        scale = zoom / self.ratio
        middle = QPointF(self.view.width() / 2, self.view.height() / 2)
        centre = held - (at - middle) / scale
        return replace(self, zoom=zoom, centre=centre, is_fitted=False)._kept_inside()

    def stepped(self, steps: int, at: QPointF | None = None) -> Viewport:
        """Zoom by ``steps`` of ``STEPS``, in if positive or out."""
        if steps > 0:
            larger = [step for step in STEPS if step > self.zoom * 1.001]
            return self.zoomed(larger[0] if larger else STEPS[-1], at)
        smaller = [step for step in STEPS if step < self.zoom / 1.001]
        return self.zoomed(smaller[-1] if smaller else STEPS[0], at)

    def panned(self, by: QPointF) -> Viewport:
        """Move by a distance on the screen."""
        moved = replace(self, centre=self.centre - by / self.scale, is_fitted=False)
        return moved._kept_inside()

    def to_picture(self, point: QPointF) -> QPointF:
        middle = QPointF(self.view.width() / 2, self.view.height() / 2)
        return self.centre + (point - middle) / self.scale

    def to_view(self, point: QPointF) -> QPointF:
        middle = QPointF(self.view.width() / 2, self.view.height() / 2)
        return middle + (point - self.centre) * self.scale

    def area(self, part: QRectF | None = None) -> QRectF:
        """Where the picture, or a part of it, is in the view, in whole screen pixels."""
        part = part if part is not None else QRectF(QPointF(), self.picture)
        start, end = self.to_view(part.topLeft()), self.to_view(part.bottomRight())
        return QRectF(self._snap(start), self._snap(end))

    def _snap(self, point: QPointF) -> QPointF:
        ratio = self.ratio
        return QPointF(round(point.x() * ratio) / ratio, round(point.y() * ratio) / ratio)

    def _kept_inside(self) -> Viewport:
        """Keep the centre of the view within the picture."""
        x = min(max(self.centre.x(), 0.0), self.picture.width())
        y = min(max(self.centre.y(), 0.0), self.picture.height())
        return replace(self, centre=QPointF(x, y))
