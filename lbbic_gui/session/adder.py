"""Pictures on their way into the queue: files, folders, pasted ones; and their thumbnails."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from lbbic_gui.jobs import messages
from lbbic_gui.jobs.lanes import Jobs
from lbbic_gui.jobs.messages import THUMBNAIL, Job, Source
from lbbic_gui.state.queue_model import QueueModel, Row
from lbbic_gui.style import text
from lbbic_gui.style.text import tr


class Intake(QObject):
    """``added`` carries new rows, ``noticed`` says what was added and what was not."""

    added = Signal(object)
    noticed = Signal(str)

    def __init__(self, model: QueueModel, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model, self._jobs = model, jobs
        self._pasted = 0
        jobs.finished.connect(self._on_finish)

    def open(self, paths: list[Path]) -> None:
        """Add files, and what is found in folders."""
        self._jobs.submit(messages.Find(tuple(paths)))

    def paste(self, image: QImage) -> None:
        """Add a picture that has no file."""
        self._pasted += 1
        self._add([Source(tr("Pasted picture {}").format(self._pasted), image=image.copy())])

    def _on_found(self, found: messages.Found) -> None:
        doubles = 0
        rows: list[Row] = []
        for base, sources in found.sources:
            fresh, known = self._model.add(list(sources), base)
            rows += fresh
            doubles += known
        self._announce(rows, doubles, found)

    def _add(self, sources: list[Source]) -> None:
        rows, doubles = self._model.add(sources)
        self._announce(rows, doubles, messages.Found(()))

    def _announce(self, rows: list[Row], doubles: int, found: messages.Found) -> None:
        for row in rows:
            self._jobs.submit(messages.Thumbnail(row.source), row.number, THUMBNAIL)
        parts = []
        if rows:
            parts.append(text.count(len(rows), tr("1 picture added"), tr("{} pictures added")))
        if doubles:
            parts.append(tr("{} already in the list").format(doubles))
        if found.unsupported:
            parts.append(tr("not supported: {}").format(_first(found.unsupported)))
        if found.unreadable:
            parts.append(tr("cannot be read: {}").format(_first(found.unreadable)))
        if found.others:
            parts.append(tr("not taken: {}").format(found.others))
        if not rows and not doubles:
            parts.insert(0, tr("No pictures there"))
        self.noticed.emit("  ·  ".join(parts))
        if rows:
            self.added.emit(rows)

    def _on_finish(self, job: Job, answer: object) -> None:
        match answer:
            case messages.Found():
                self._on_found(answer)
            case messages.Thumb():
                self._on_thumb(self._model.find(job.row), answer)

    def _on_thumb(self, row: Row | None, thumb: messages.Thumb) -> None:
        if row is not None:
            row.thumbnail, row.file_bytes = thumb.image, thumb.file_bytes or row.file_bytes
            row.width, row.height = thumb.width or row.width, thumb.height or row.height
            self._model.touch(row)


def _first(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
