"""Coded pictures with their pixels, so that a quality comes back at once; the oldest go first."""

from __future__ import annotations

from collections import OrderedDict

from lbbic_gui.jobs.messages import Coded, Recipe

CACHE_BYTES = 1 << 29

Key = tuple[int, float, Recipe]  # row number, quality


class Cache:
    """Holds ``CACHE_BYTES`` of pixels, and at least the last picture."""

    def __init__(self) -> None:
        self._coded: OrderedDict[Key, Coded] = OrderedDict()

    def __len__(self) -> int:
        return len(self._coded)

    def find(self, key: Key) -> Coded | None:
        if key in self._coded:
            self._coded.move_to_end(key)
        return self._coded.get(key)

    def add(self, key: Key, coded: Coded) -> None:
        self._coded[key] = coded
        self._coded.move_to_end(key)
        while len(self._coded) > 1 and self._bytes() > CACHE_BYTES:
            self._coded.popitem(last=False)

    def drop(self, number: int) -> None:
        """Forget a row."""
        for key in [key for key in self._coded if key[0] == number]:
            del self._coded[key]

    def _bytes(self) -> int:
        pictures = ((coded.picture.canvas, *coded.levels) for coded in self._coded.values())
        return sum(pixels.nbytes for picture in pictures for pixels in picture)
