"""A window as its users have it, with settings of its own and the tiny network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture
def answers(tiny: None, qtbot: Any) -> Iterator[Any]:
    """Submits requests to real workers and waits for what they say."""
    from lbbic_gui.dispatch import Jobs

    jobs = Jobs()

    class Answers:
        def __init__(self) -> None:
            self.jobs = jobs
            self.reports: list[object] = []
            self.finished: dict[Any, object] = {}
            jobs.reported.connect(lambda _, report: self.reports.append(report))
            jobs.finished.connect(self.finished.__setitem__)

        def ask(self, request: object, timeout: int = 60_000) -> Any:
            job = jobs.submit(request)
            return self.wait(job, timeout)

        def wait(self, job: Any, timeout: int = 60_000) -> Any:
            qtbot.waitUntil(lambda: job in self.finished, timeout=timeout)
            return self.finished[job]

    yield Answers()
    assert jobs.stop(10)


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's settings, fenced off."""
    path = tmp_path / "config" / "settings.ini"
    monkeypatch.setenv("LBBIC_SETTINGS", str(path))
    return path
