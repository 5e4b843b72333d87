"""Progress: a job in words, many jobs as a share, and the time left."""

from __future__ import annotations

import time

from lbbic_gui.jobs.messages import Step
from lbbic_gui.style import text

_READING_SECONDS = 0.04  # nobody reads faster
_TELLING_SHARE, _TELLING_SECONDS = 0.1, 1.0  # before that the time left is a guess
_TELLING_SHARE_OF_MANY, _TELLING_SECONDS_OF_MANY = 0.02, 2.0


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


class Workload:
    """Of many jobs: what was asked for since there was nothing to do, and what of it is done."""

    def __init__(self) -> None:
        self._asked = self._done = 0.0
        self._began = 0.0

    def ask(self, work: float) -> None:
        if not self._asked:
            self._began = time.monotonic()
        self._asked += work

    def drop(self, work: float) -> None:
        """Work that is not to be done, or that failed: it took no time that others will take."""
        self._asked -= work

    def finish(self, work: float) -> None:
        self._done += work

    def clear(self) -> None:
        """Nothing is to be done any more."""
        self._asked = self._done = 0.0

    def share(self, in_progress: float) -> float:
        """How much is done, 0 to 1, with what is done of the work in progress."""
        return (self._done + in_progress) / self._asked if self._asked else 0.0

    def seconds_left(self, share: float) -> float | None:
        """None as long as it would be a guess."""
        elapsed = time.monotonic() - self._began
        if share < _TELLING_SHARE_OF_MANY or elapsed < _TELLING_SECONDS_OF_MANY:
            return None
        return elapsed * (1 - share) / share
