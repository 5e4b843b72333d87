"""Progress of one job in words and of many as a share, with the time left."""

from __future__ import annotations

import time

from lbbic_gui.jobs.messages import Step
from lbbic_gui.style import text

_UPDATE_SECONDS = 0.04  # shorter than anybody reads
_ESTIMATE_SHARE, _ESTIMATE_SECONDS = 0.1, 1.0  # before that the time left is a guess
_ESTIMATE_SHARE_OF_MANY, _ESTIMATE_SECONDS_OF_MANY = 0.02, 2.0


class Pace:
    """The progress of consecutive jobs."""

    def __init__(self) -> None:
        self._began = self._shown = 0.0
        self._stage = ""

    def begin(self) -> None:
        """Start a job."""
        self._began, self._stage = time.monotonic(), ""

    def seconds(self) -> float:
        """The seconds since the job started."""
        return time.monotonic() - self._began

    def words(self, step: Step) -> str:
        """The progress in words; empty if there is nothing new to read."""
        now = time.monotonic()
        if step.stage == self._stage and now - self._shown < _UPDATE_SECONDS:
            return ""
        self._shown, self._stage = now, step.stage
        words, elapsed = text.progress(step.stage, step.share), now - self._began
        if step.share > _ESTIMATE_SHARE and elapsed > _ESTIMATE_SECONDS:
            left = elapsed * (1 - step.share) / step.share
            words += f"  ·  {text.duration(left)}"
        return words


class Workload:
    """The work of many jobs since the queue was last empty, and how much is done."""

    def __init__(self) -> None:
        self._total = self._done = 0.0
        self._began = 0.0

    def ask(self, work: float) -> None:
        if not self._total:
            self._began = time.monotonic()
        self._total += work

    def drop(self, work: float) -> None:
        """Subtract work that was cancelled or failed, so that it does not count as fast."""
        self._total -= work

    def finish(self, work: float) -> None:
        self._done += work

    def clear(self) -> None:
        """Start again, because nothing is left to do."""
        self._total = self._done = 0.0

    def share(self, in_progress: float) -> float:
        """The share that is done, 0 to 1, including work in progress."""
        return (self._done + in_progress) / self._total if self._total else 0.0

    def seconds_left(self, share: float) -> float | None:
        """The estimated seconds left; None while an estimate would be a guess."""
        elapsed = time.monotonic() - self._began
        if share < _ESTIMATE_SHARE_OF_MANY or elapsed < _ESTIMATE_SECONDS_OF_MANY:
            return None
        return elapsed * (1 - share) / share
