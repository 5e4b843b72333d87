"""Work on the picture on view beside coding it: other points, a size, other codecs, files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from lbbic_gui.desktop.file_dialogs import place_of
from lbbic_gui.jobs import messages
from lbbic_gui.jobs.messages import (
    BACKGROUND,
    CODECS,
    VIEW,
    Job,
    Point,
    Problem,
    Rival,
    Saved,
    Step,
    Stopped,
    Target,
)
from lbbic_gui.jobs.naming import fill, free_name, output_path
from lbbic_gui.session.session import Session
from lbbic_gui.style import text
from lbbic_gui.style.text import tr


class SideJobs(QObject):
    """They leave the row's state alone; what fails is told by ``failed``."""

    rivalled = Signal(object)  # Rival
    unrivalled = Signal(str, str)  # codec, why it has no picture
    saved = Signal(object)  # Saved
    failed = Signal(object)  # Problem

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._running: list[Job] = []
        session.jobs.reported.connect(self._on_report)
        session.jobs.finished.connect(self._on_finish)

    def probe(self, quality: float) -> None:
        """Code at another quality in the background, for the plot."""
        row, values = self._session.row, self._session.settings.values
        if row is not None:
            request = messages.Probe(row.source, quality, values.device, values.recipe)
            self._submit(request, BACKGROUND)

    def reach(self, target: Target) -> None:
        """Find and set the quality that just reaches a size or a PSNR."""
        row, values = self._session.row, self._session.settings.values
        if row is not None:
            request = messages.Reach(row.source, target, values.device, values.recipe)
            self._submit(request)

    def compare(self) -> None:
        """Code by the other codecs, at no more bytes than ours."""
        row, result = self._session.row, self._session.result
        if row is not None and result is not None:
            for codec in CODECS:
                request = messages.CompareAtSize(row.source, codec, len(result.point.data))
                self._submit(request, BACKGROUND)

    def save(self, target: Path) -> None:
        """Write the .lbb file; the user has agreed to replace ``target``."""
        session = self._session
        if session.row is not None:
            session.batch.save(session.row, target, "replace", self._data(), session.quality())

    def export(self, target: Path) -> None:
        """Write the decoded picture in the format that the name's ending says."""
        data = self._data()
        if data is None:
            self._session.noticed.emit(tr("Not compressed yet at this quality"))
        else:
            device = self._session.settings.values.device
            row = self._session.row
            is_partial = row is not None and row.partial
            self._submit(messages.Export(data, target, device, "replace", is_partial))

    def proposal(self, suffix: str) -> Path:
        """A free name: beside the picture, or in the folder of the settings."""
        row, values = self._session.row, self._session.settings.values
        assert row is not None
        path = place_of(row.source, values.last_folder)
        folder = Path(values.output_folder) if values.output_folder else None
        name = fill(values.pattern, path.stem, self._session.quality()) + suffix
        return free_name(output_path(path, folder, None, name))

    def on_stale(self, stale: bool) -> None:
        """What another quality is on its way to needs no comparison."""
        if stale:
            self.stop(messages.CompareAtSize)

    def stop(self, kind: type = object) -> None:
        """Cancel all of them, or those of one kind."""
        for job in list(self._running):
            if isinstance(job.request, kind):
                self._session.jobs.cancel(job)

    def _data(self) -> bytes | None:
        """The file of the picture on view at the quality that is set."""
        row, result = self._session.row, self._session.result
        if row is None or result is None:
            return None
        is_current = row.source.is_lbb or result.point.quality == self._session.quality()
        return result.point.data if is_current else None

    def _submit(self, request: object, priority: int = VIEW) -> None:
        row = self._session.row
        assert row is not None
        self._running.append(self._session.jobs.submit(request, row.number, priority))

    def _on_report(self, job: Job, report: object) -> None:
        follows = isinstance(job.request, (messages.Reach, messages.Export))
        if job in self._running and follows and isinstance(report, Step):
            words = text.progress(tr(report.stage), report.done, report.blocks)
            is_search = isinstance(job.request, messages.Reach)  # of unknown length
            self._session.progressed.emit(words, 0.0 if is_search else report.share)

    def _on_finish(self, job: Job, answer: object) -> None:
        if job not in self._running:
            return
        self._running.remove(job)
        if isinstance(job.request, (messages.Reach, messages.Export)):
            self._session.progressed.emit("", 1.0)
        row = self._session.row
        is_current = row is not None and row.number == job.row
        if isinstance(job.request, messages.CompareAtSize):
            if is_current:
                self._on_rival(job.request.codec, answer)
            return
        match answer:
            case Point() if is_current and isinstance(job.request, messages.Reach):
                self._session.set_quality(answer.quality, only_this=True)
                found = f"{text.size(len(answer.data))}, {text.decibels(answer.psnr)}"
                self._session.noticed.emit(tr("Found: {}").format(found))
            case Saved():
                self.saved.emit(answer)
            case Problem():
                self.failed.emit(answer)

    def _on_rival(self, codec: str, answer: object) -> None:
        match answer:
            case Rival():
                self.rivalled.emit(answer)
            case Problem():
                self.unrivalled.emit(codec, answer.title)
            case Stopped():
                self.unrivalled.emit(codec, tr("stopped"))
