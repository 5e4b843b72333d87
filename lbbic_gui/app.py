"""Starts the app: ``lbbic-gui [FILE…]``. With ``--smoke`` it checks itself without a display."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from lbbic_engine import resources
from lbbic_gui.desktop import integration

if TYPE_CHECKING:
    from PySide6.QtCore import QCoreApplication, QObject

    from lbbic_gui.jobs.requests import Request
    from lbbic_gui.shell.main_window import MainWindow


A = TypeVar("A")


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window with the files in ``argv`` (or the process's arguments)."""
    multiprocessing.freeze_support()
    args = make_parser().parse_args(argv)
    if find_spec("PySide6") is None:
        print('lbbic-gui: The window needs Qt: pip install "lbbic[gui]"', file=sys.stderr)
        return 2
    if args.smoke:
        return smoke()
    if args.install_desktop or args.remove_desktop:
        return integration.install() if args.install_desktop else integration.remove()
    if not _may_have_display():
        print("lbbic-gui: There is no display. Use the command line: lbbic --help", file=sys.stderr)
        return 2
    return _run(args.files)


def smoke() -> int:
    """Load the model, code a sample, decode the file, compare; 0 if all is as it must be."""
    from lbbic_gui.jobs.messages import Source
    from lbbic_gui.jobs.requests import Code, Decode, Save
    from lbbic_gui.jobs.tasks import Tasks
    from lbbic_gui.jobs.work.workers import Workers
    from lbbic_gui.state.samples import sample_source

    tasks, sample = Tasks(Workers()), sample_source()

    def do(request: Request[A]) -> A:
        return tasks.do(request, lambda _: None, lambda: False)

    try:
        with TemporaryDirectory(prefix="lbbic-") as folder:
            target = Path(folder) / "sample.lbb"
            first = do(Code(sample, 4.0, "cpu"))
            data = first.point.data
            saved = do(Save(sample, target, 4.0, "cpu", "rename", data=data))
            again = do(Decode(Source(target.name, saved.path), "cpu"))
        same = (first.picture.canvas == again.picture.canvas).all()
    except Exception as error:
        print(f"lbbic-gui: {error}", file=sys.stderr)
        return 1
    print(f"{sample.name}: {len(data)} bytes, {'same pixels' if same else 'pixels differ'}")
    return 0 if same else 1


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lbbic-gui", description="LBBIC, the desktop app.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="pictures, .lbb files")
    tasks = parser.add_mutually_exclusive_group()
    tasks.add_argument("--smoke", action="store_true", help="check the program and exit")
    tasks.add_argument(
        "--install-desktop",
        action="store_true",
        help="add a menu entry, an icon and the file type .lbb for this user, then exit",
    )
    tasks.add_argument("--remove-desktop", action="store_true", help="remove them again and exit")
    return parser


def _may_have_display() -> bool:
    """False where Qt would find none, and abort."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(os.environ.get(name) for name in names)


def _run(files: list[Path]) -> int:
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from lbbic_gui.shell.main_window import MainWindow
    from lbbic_gui.state.settings import Settings

    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    prepare(application)
    window = MainWindow(Settings())
    window.show()
    hand_over_files(application, window)
    QTimer.singleShot(0, lambda: window.begin(files))
    code = application.exec()
    if not window.session.jobs.stop(0.0):  # the closing window has waited
        os._exit(code)  # a library is busy and cannot be stopped; no file is half written
    return code


def hand_over_files(application: QCoreApplication, window: MainWindow) -> QObject:
    """Open in the window what the system hands to the application; returns the event filter."""
    from lbbic_gui.desktop.file_events import FileEvents

    events = FileEvents(window)
    events.opened.connect(window.commands.open_paths)
    application.installEventFilter(events)
    return events


def prepare(application: QCoreApplication | None) -> None:
    """What the application needs to know before its first window."""
    from PySide6.QtGui import QIcon
    from PySide6.QtWidgets import QApplication

    from lbbic_gui.style.wheel import WheelGuard

    assert isinstance(application, QApplication)
    icon = QIcon()
    for file in resources.icon_files():
        icon.addFile(str(file))
    application.setWindowIcon(icon)
    application.setApplicationName("lbbic")
    application.setApplicationDisplayName("LBBIC")
    application.setDesktopFileName("lbbic")
    application.setStyle("Fusion")
    if application.findChild(WheelGuard) is None:
        application.installEventFilter(WheelGuard(application))


if __name__ == "__main__":
    sys.exit(main())
