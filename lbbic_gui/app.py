"""Starts the app: ``lbbic-gui [FILE…]``. With ``--smoke`` it checks itself without a display."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lbbic_gui.messages import Code, Job, Save, Saved, Source
from lbbic_gui.samples import sample_source


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window with the files in ``argv`` (or the process's arguments)."""
    multiprocessing.freeze_support()
    args = _parser().parse_args(argv)
    return smoke() if args.smoke else _run(args.files)


def smoke() -> int:
    """Load the model, code a sample, decode the file, compare; 0 if all is as it must be."""
    from lbbic_gui.jobs import Tasks

    tasks, sample = Tasks(), sample_source()
    try:
        with TemporaryDirectory(prefix="lbbic-") as folder:
            target = Path(folder) / "sample.lbb"
            first = tasks.do(Job(Code(sample, 4.0, "cpu")), lambda _: None)
            data = first.point.data  # type: ignore[attr-defined]
            saved = tasks.do(
                Job(Save(sample, target, 4.0, "cpu", "rename", data=data)), lambda _: None
            )
            assert isinstance(saved, Saved)
            again = tasks.do(Job(Code(Source(target.name, saved.path), 4.0, "cpu")), lambda _: None)
        same = (first.picture.canvas == again.picture.canvas).all()  # type: ignore[attr-defined]
    except Exception as error:
        print(f"lbbic-gui: {error}", file=sys.stderr)
        return 1
    print(f"{sample.name}: {len(data)} bytes, {'same pixels' if same else 'pixels differ'}")
    return 0 if same else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lbbic-gui", description="LBBIC, the desktop app.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="pictures, .lbb files")
    parser.add_argument("--smoke", action="store_true", help="check the program and exit")
    return parser


def _run(files: list[Path]) -> int:
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from lbbic_gui.main_window import MainWindow
    from lbbic_gui.settings import Settings

    # Threads that wait by spinning take the window's time; torch reads this when imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    prepare(application)
    window = MainWindow(Settings())
    window.show()
    QTimer.singleShot(0, lambda: window.begin(files))
    code = application.exec()
    if not window.session.jobs.stop():
        os._exit(code)  # a library is busy and cannot be asked to stop; all that is saved is saved
    return code


def prepare(application: object) -> None:
    """What the application needs to know before its first window."""
    from PySide6.QtWidgets import QApplication

    assert isinstance(application, QApplication)
    application.setApplicationName("lbbic")
    application.setApplicationDisplayName("LBBIC")
    application.setDesktopFileName("lbbic")
    application.setStyle("Fusion")


if __name__ == "__main__":
    sys.exit(main())
