"""A real window with its own settings and the tiny network."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

PATIENCE_S = int(
    os.environ.get("LBBIC_TEST_PATIENCE", 600)
)  # ends a test that hangs; never decides one


@pytest.fixture(scope="session")
def qapp(qapp: Any) -> Any:
    """The application in the same font on every machine; LBBIC_TEST_FONT chooses another.

    The font's files come with matplotlib, whose version the lock file fixes.
    """
    from PySide6.QtGui import QFont, QFontDatabase, QFontInfo

    matplotlib = find_spec("matplotlib")
    assert matplotlib is not None
    assert matplotlib.origin is not None
    for file in Path(matplotlib.origin).parent.glob("mpl-data/fonts/ttf/DejaVuSans*.ttf"):
        QFontDatabase.addApplicationFont(str(file))
    font = QFont()
    assert font.fromString(os.environ.get("LBBIC_TEST_FONT", "DejaVu Sans,9"))
    assert QFontInfo(font).family() == font.family()
    qapp.setFont(font)
    return qapp


@pytest.fixture(autouse=True)
def _one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save pictures in this process; tests of worker processes use ``many_cores``."""
    from lbbic_engine.parallel import cores, run

    for module in (cores, run):
        monkeypatch.setattr(module, "usable_cores", lambda: 1)


@contextmanager
def _calls_of_this_thread() -> Iterator[Counter[str]]:
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            calls[str(frame.f_globals.get("__name__"))] += 1

    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@pytest.fixture
def calls_of_this_thread() -> Any:
    """Counts, within its context, this thread's calls of functions by module."""
    return _calls_of_this_thread


@pytest.fixture
def answers(tiny: None, qtbot: Any) -> Iterator[Any]:
    """Submits requests to real workers and waits for their answers."""
    from lbbic_gui.jobs.lanes import Jobs

    jobs = Jobs()

    class Answers:
        def __init__(self) -> None:
            self.jobs = jobs
            self.reports: list[Any] = []
            self._answers: dict[Any, Any] = {}

        def submit(self, request: Any) -> Any:
            take = partial(self._answers.__setitem__, id(request))
            return jobs.submit(request, take, self.reports.append)

        def ask(self, request: Any) -> Any:
            return self.wait(self.submit(request))

        def wait(self, job: Any) -> Any:
            """Wait for the answer to a job, if it has not come yet."""
            qtbot.waitUntil(lambda: job.is_answered, timeout=1000 * PATIENCE_S)
            return self._answers[id(job.request)]

    yield Answers()
    assert jobs.stop(PATIENCE_S)


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings in a temporary file, separate from the user's."""
    path = tmp_path / "config" / "settings.ini"
    monkeypatch.setenv("LBBIC_SETTINGS", str(path))
    return path


class User:
    """Acts like a user of the window: drops files, waits, looks."""

    def __init__(self, window: Any, qtbot: Any) -> None:
        self.window, self.bot = window, qtbot

    def drop(self, *paths: Path, image: Any = None) -> None:
        """Drag files over the window and drop them there."""
        from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
        from PySide6.QtGui import QDragEnterEvent, QDropEvent
        from PySide6.QtWidgets import QApplication

        data = QMimeData()
        if paths:
            data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        if image is not None:
            data.setImageData(image)
        button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        action = Qt.DropAction.CopyAction
        QApplication.sendEvent(
            self.window, QDragEnterEvent(QPoint(400, 300), action, data, button, none)
        )
        assert self.window.viewer.drop.isVisibleTo(self.window.viewer)
        QApplication.sendEvent(
            self.window, QDropEvent(QPointF(400, 300), action, data, button, none)
        )

    def wait(self, condition: Any) -> None:
        self.bot.waitUntil(condition, timeout=1000 * PATIENCE_S)

    def wait_for_result(self, quality: float | None = None) -> Any:
        """Wait until the picture on view is coded."""

        def is_there() -> bool:
            coded = self.window.session.result
            return coded is not None and quality in (None, coded.point.quality)

        self.wait(is_there)
        return self.window.session.result

    def press(self, key: Any, modifier: Any = None, widget: Any = None) -> None:
        from PySide6.QtCore import Qt

        none = Qt.KeyboardModifier.NoModifier
        target = widget if widget is not None else self.window.viewer.canvas
        self.bot.keyClick(target, key, modifier if modifier is not None else none)

    def export(self, suffix: str = ".png") -> None:
        """Open the export dialog and choose a format; a file dialog then asks for the place."""
        from PySide6.QtCore import Qt, QTimer
        from PySide6.QtWidgets import QApplication

        def choose() -> None:
            dialog: Any = QApplication.activeModalWidget()
            if dialog is None:
                QTimer.singleShot(10, choose)
                return
            dialog.formats[suffix].click()
            self.wait(lambda: "times" in dialog.sizes[suffix].text())
            self.bot.mouseClick(dialog.choose, Qt.MouseButton.LeftButton)

        QTimer.singleShot(10, choose)
        self.press(Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)

    @property
    def rows(self) -> Any:
        return self.window.session.queue.rows


@pytest.fixture
def user(tiny: None, shipped_user: User) -> User:
    """A user of the empty window, with the tiny network."""
    return shipped_user


@pytest.fixture
def shipped_user(new_user: User) -> User:
    """A user of the empty window with details shown and motion reduced, who chose quality 4."""
    new_user.window.settings.change(
        quality=4.0, detailed=True, reduce_motion=True, compare_first=False
    )
    return new_user


@pytest.fixture
def new_user(qtbot: Any, settings_file: Path) -> Iterator[User]:
    """A user at the first start, with the shipped model."""
    from PySide6.QtWidgets import QApplication

    from lbbic_gui.app import prepare
    from lbbic_gui.shell.main_window import MainWindow
    from lbbic_gui.state.settings import Settings

    def stop_writing(window: MainWindow) -> None:
        """Leave nothing to lose; otherwise closing would ask a question and wait for an answer."""
        window.session.batch.stop()
        window.session.queue.remove(list(window.session.queue.rows))
        if window.isVisible():
            qtbot.waitUntil(
                lambda: not (window.session.batch.is_busy or window.tools.is_exporting),
                timeout=1000 * PATIENCE_S,
            )

    prepare(QApplication.instance())
    window = MainWindow(Settings())
    qtbot.addWidget(window, before_close_func=stop_writing)
    with qtbot.waitExposed(window, timeout=1000 * PATIENCE_S):
        window.show()
    window.begin([])
    yield User(window, qtbot)
    assert window.session.jobs.stop(PATIENCE_S)
