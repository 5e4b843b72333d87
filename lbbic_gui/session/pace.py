"""How a job gets on, in words that can be read: not too often, and with the time that is left."""

from __future__ import annotations

import time

from lbbic_gui.jobs.messages import Step
from lbbic_gui.style import text

_READING_SECONDS = 0.04  # nobody reads faster
_TELLING_SHARE, _TELLING_SECONDS = 0.1, 1.0  # before that the time left is a guess


class Pace:
    """Of one job after the other."""

    def __init__(self) -> None:
        self._began = self._told = 0.0
        self._stage = ""

    def begin(self) -> None:
        """A job has begun."""
        self._began, self._stage = time.monotonic(), ""

    def words(self, step: Step) -> str:
        """Where the job stands; empty as long as there is nothing new to read."""
        now = time.monotonic()
        if step.stage == self._stage and now - self._told < _READING_SECONDS:
            return ""
        self._told, self._stage = now, step.stage
        words, elapsed = text.progress(step.stage, step.share), now - self._began
        if step.share > _TELLING_SHARE and elapsed > _TELLING_SECONDS:
            left = elapsed * (1 - step.share) / step.share
            words += f"  ·  {text.duration(left)}"
        return words
