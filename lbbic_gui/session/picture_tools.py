"""Tools for the picture on view: other points, a target, other codecs, saving to files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from lbbic_gui.jobs.conversion import measures_by_ssimulacra2
from lbbic_gui.jobs.lanes import Job
from lbbic_gui.jobs.messages import (
    BACKGROUND,
    CODECS,
    Baseline,
    Coded,
    EncodeOptions,
    Look,
    Point,
    Problem,
    Report,
    Saved,
    Step,
    Stopped,
    Target,
)
from lbbic_gui.jobs.naming import free_name
from lbbic_gui.jobs.requests import CompareAtSize, CompressOnly, Export, FindTarget, MeasureLook
from lbbic_gui.session.command_line import compress_command, decompress_command
from lbbic_gui.session.session import Session
from lbbic_gui.state.row import Row
from lbbic_gui.state.samples import is_sample
from lbbic_gui.style import text
from lbbic_gui.style.text import tr


class PictureTools(QObject):
    """The tools do not change the row's state; failures are emitted by ``failed``."""

    look_measured = Signal(object)  # SSIMULACRA 2 of the result on view; None: it failed
    compared = Signal(Baseline)
    not_compared = Signal(str, str)  # codec, why it has no picture
    target_found = Signal(Row, float)  # the quality that reaches it
    saved = Signal(Saved)
    progressed = Signal(str, float)  # empty when nothing runs
    started = Signal()  # a tool that the user can wait for
    failed = Signal(Problem)
    noticed = Signal(str)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._jobs: list[Job[Any]] = []
        self._comparisons: list[Job[Baseline]] = []
        self._first: Row | None = None  # the picture that is compared without being asked
        self._look: Job[Look] | None = None
        self._measured = b""  # what ``_look`` measures
        self._looks: dict[bytes, float] = {}  # by what was measured
        session.coded.connect(self._on_coded)
        for change in (session.coded, session.opened, session.settings.changed):
            change.connect(self._measure_look)
        session.stale.connect(self._on_stale)

    def compress_only(self, quality: float) -> None:
        """Code at another quality in the background, for the plot."""
        row, device = self._session.row, self._session.settings.values.device
        if row is not None:
            options = self._session.networks.options(row)
            request = CompressOnly(row.source, quality, device, options)
            take = partial(self._on_point, row, options)
            self._keep(self._session.jobs.submit(request, take, priority=BACKGROUND))

    def find_target(self, target: Target) -> None:
        """Find and set the quality that just reaches a size or a PSNR."""
        row, device = self._session.row, self._session.settings.values.device
        if row is not None:
            options = self._session.networks.options(row)
            request = FindTarget(row.source, target, device, options)
            take = partial(self._on_target, row, request)
            self._keep(self._session.jobs.submit(request, take, self._on_report))

    def compare(self, codecs: Iterable[str] = CODECS) -> None:
        """Code with other codecs, with at most as many bytes as ours."""
        row, result = self._session.row, self._session.result
        if row is not None and result is not None:
            self._forget_comparison()
            for codec in codecs:
                side = self._session.settings.values.longest_side
                request = CompareAtSize(row.source, codec, len(result.point.data), side)
                take = partial(self._on_baseline, request)
                job = self._session.jobs.submit(request, take, priority=BACKGROUND)
                self._comparisons.append(job)

    def export(self, row: Row, data: bytes, target: Path) -> None:
        """Write the picture of an .lbb file made of a row, in the format of the target's suffix.

        The user has agreed to replace ``target``.
        """
        values = self._session.settings.values
        request = Export(
            data,
            target,
            values.device,
            row.partial,
            row.source.path,
            values.keep_dates,
        )
        take = partial(self._on_exported, target)
        self._keep(self._session.jobs.submit(request, take, self._on_report))

    @property
    def is_exporting(self) -> bool:
        """Whether a picture is being written or waits to be."""
        return any(isinstance(job.request, Export) and not job.is_answered for job in self._jobs)

    def command(self, row: Row, mask: Path | None = None) -> str:
        """The command line that saves a row as *Compress all* would.

        Empty where the picture has no file. ``mask`` is the file of what is painted on it.
        """
        source, values = row.source.path, self._session.settings.values
        if source is None:
            return ""
        if row.source.is_lbb:
            target = free_name(source.with_suffix(".png"))
            return decompress_command(source, target, partial=row.partial)
        quality, output = self._session.networks.quality(row), values.output
        target = self._session.batch.wanted(row, output.quality or quality, output.suffix)
        if row.saved_path is not None and row.saved_path.suffix == output.suffix:
            target = row.saved_path
        options = self._session.networks.options(row)
        return compress_command(source, target, quality, options, values.device, output, mask)

    def proposal(self, row: Row, quality: float, suffix: str) -> Path:
        """A free path for a row's result, or that of its earlier one if it is unchanged."""
        batch = self._session.batch
        wanted = batch.wanted(row, quality, suffix)
        earlier = batch.outputs.earlier(row.source, wanted)
        return earlier.path if earlier and earlier.is_untouched() else free_name(wanted)

    @property
    def look(self) -> float | None:
        """SSIMULACRA 2 of the result on view, if it is measured."""
        result = self._session.result
        return None if result is None else self._looks.get(_digest(result))

    def stop(self) -> None:
        """Cancel all tools."""
        self._stop_comparing()
        self._stop_measuring()
        jobs, self._jobs = self._jobs, []
        self._session.jobs.cancel(*jobs)

    def _on_stale(self, stale: bool) -> None:
        """What another quality is on its way to needs no comparison and no measure."""
        if stale:
            self._stop_comparing()
            self._stop_measuring()

    def _stop_comparing(self) -> None:
        """Cancel the comparison; that it was stopped is emitted."""
        self._session.jobs.cancel(*self._comparisons)

    def _forget_comparison(self) -> None:
        """Cancel the comparison without another word: there is a new result, or another one."""
        jobs, self._comparisons = self._comparisons, []
        self._session.jobs.cancel(*jobs)

    def _on_coded(self, coded: Coded | None) -> None:
        """Compare the sample and the first picture with JPEG, unless turned off."""
        self._forget_comparison()
        row = self._session.row
        if coded is None or row is None or row.source.is_lbb:
            return
        self._first = self._first or row
        may = self._session.settings.values.compare_first
        if may and (row is self._first or is_sample(row.source.path)):
            self.compare(["jpeg"])

    def _measure_look(self) -> None:
        """Measure the result on view, or tell what is known, where anybody sees it."""
        original, result = self._session.original, self._session.result
        is_shown = self._session.settings.values.detailed and not self._session.is_stale
        wanted = is_shown and measures_by_ssimulacra2()
        key = _digest(result) if wanted and original is not None and result is not None else b""
        if self._look is not None and key == self._measured:
            return  # on its way already
        self._stop_measuring()
        if not key or original is None or result is None:
            return
        decoded = result.picture.picture()
        if original.canvas.shape != decoded.shape:  # it is about to be opened in another size
            return
        if self.look is not None:
            self.look_measured.emit(self.look)
            return
        request, self._measured = MeasureLook(original.canvas, decoded), key
        take = partial(self._on_look, key)
        self._look = self._session.jobs.submit(request, take, priority=BACKGROUND)

    def _stop_measuring(self) -> None:
        if self._look is not None:
            self._session.jobs.cancel(self._look)
            self._look = None

    def _on_look(self, key: bytes, answer: Look | Problem | Stopped) -> None:
        if isinstance(answer, Look):
            self._looks[key] = answer.score
        if self._look is None or key != self._measured:
            return  # it was cancelled too late
        match answer:
            case Look():
                self._look = None
                self._measure_look()
            case Problem():
                self._look = None
                self.look_measured.emit(None)

    def _keep(self, job: Job[Any]) -> None:
        """Remember a job until it ends, so that it can be stopped."""
        self._jobs = [job for job in self._jobs if not job.is_answered] + [job]
        self.started.emit()

    def _on_report(self, report: Report) -> None:
        if isinstance(report, Step):
            words = text.progress(report.stage, report.share)
            self.progressed.emit(words, report.share)

    def _on_point(
        self, row: Row, options: EncodeOptions, answer: Point | Problem | Stopped
    ) -> None:
        match answer:
            case Point():
                self._session.note_point(row, answer, options)
            case Problem():
                self._fail(row.source.name, answer)

    def _on_target(self, row: Row, request: FindTarget, answer: Point | Problem | Stopped) -> None:
        self.progressed.emit("", 1.0)
        options = request.options
        self._on_point(row, options, answer)
        is_stopped = not any(job.request is request for job in self._jobs)
        if is_stopped or not isinstance(answer, Point):
            return
        if options != self._session.networks.options(row):
            self.noticed.emit(tr("The settings have changed meanwhile: look for the target again"))
        else:
            self.target_found.emit(row, answer.quality)
            words = f"{text.size(len(answer.data))}, {text.decibels(answer.psnr)}"
            self.noticed.emit(tr("Found: {}").format(words))

    def _on_exported(self, target: Path, answer: Saved | Problem | Stopped) -> None:
        self.progressed.emit("", 1.0)
        match answer:
            case Saved():
                self.saved.emit(answer)
            case Problem():
                self._fail(target.name, answer)

    def _fail(self, name: str, problem: Problem) -> None:
        """Emit a failure with the name of the file that it concerns."""
        self.failed.emit(replace(problem, title=f"{problem.title}: {name}"))

    def _on_baseline(self, request: CompareAtSize, answer: Baseline | Problem | Stopped) -> None:
        if not any(job.request is request for job in self._comparisons):
            return  # it was with another result
        match answer:
            case Baseline():
                self.compared.emit(answer)
            case Problem(title):
                self.not_compared.emit(request.codec, title)
            case Stopped():
                self.not_compared.emit(request.codec, tr("stopped"))


def _digest(coded: Coded) -> bytes:
    return hashlib.sha256(coded.point.data).digest()
