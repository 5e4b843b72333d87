"""Coded pictures with their pixels, so that they come back at once; the oldest go first."""

from __future__ import annotations

from collections import OrderedDict

from lbbic_gui.jobs.messages import Coded, FileVersion
from lbbic_gui.jobs.requests import Request

CACHE_BYTES = 1 << 29


class Cache:
    """Holds ``CACHE_BYTES`` of pixels, and at least the last picture.

    The key is the request and the version of the file that the picture was made of.
    """

    def __init__(self) -> None:
        self._coded: OrderedDict[tuple[Request[Coded], FileVersion | None], Coded] = OrderedDict()

    def __len__(self) -> int:
        return len(self._coded)

    def find(self, request: Request[Coded], version: FileVersion | None) -> Coded | None:
        key = request, version
        if key in self._coded:
            self._coded.move_to_end(key)
        return self._coded.get(key)

    def add(self, request: Request[Coded], coded: Coded) -> None:
        key = request, coded.point.version
        self._coded[key] = coded
        self._coded.move_to_end(key)
        while len(self._coded) > 1 and self._bytes() > CACHE_BYTES:
            self._coded.popitem(last=False)

    def _bytes(self) -> int:
        pictures = ((coded.picture.canvas, *coded.picture.levels) for coded in self._coded.values())
        return sum(pixels.nbytes for picture in pictures for pixels in picture)
