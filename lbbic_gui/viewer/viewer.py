"""The middle of the window: canvas, timeline, progress and errors, all of the picture on view."""

from __future__ import annotations

from functools import partial
from weakref import WeakSet

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from lbbic_gui.jobs.messages import (
    CODECS,
    Baseline,
    Coded,
    DecodingStarted,
    Front,
    Opened,
    Problem,
    Saved,
)
from lbbic_gui.painting.overlays import Overlay, make_map
from lbbic_gui.painting.view_options import Mode
from lbbic_gui.session.picture_tools import PictureTools
from lbbic_gui.session.session import Session
from lbbic_gui.state.row import Row
from lbbic_gui.style import text
from lbbic_gui.style.spoken import announce
from lbbic_gui.viewer.brush_bar import BrushBar
from lbbic_gui.viewer.brush_tool import BrushTool
from lbbic_gui.viewer.canvas import Canvas
from lbbic_gui.viewer.first_decode import FirstDecode
from lbbic_gui.viewer.notices import HintBanner, ProblemBanner, ProgressPill
from lbbic_gui.viewer.timeline import Timeline


class Viewer(QWidget):
    """Shows the state of the picture on view."""

    hover_text = Signal(str)  # what is below the cursor
    pinned = Signal(tuple, Coded)  # (row, column) or None, or None

    def __init__(
        self, session: Session, tools: PictureTools, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._tools = session, tools
        self._coded: Coded | None = None
        self._opened: Opened | None = None
        self.canvas = Canvas()
        self.canvas.setAccessibleDescription(self.tr("Overlay: {}").format(Overlay.NONE.title()))
        self.brush_bar = BrushBar()
        self.brush = BrushTool(session, self.canvas, self.brush_bar)
        self.timeline = Timeline()
        self.pill = ProgressPill(self.canvas)
        self.banner = ProblemBanner(self.canvas)
        self.hint = HintBanner(self.canvas)
        self.drop = QLabel(self.tr("Drop to add"), self.canvas)
        self.drop.setObjectName("drop")
        self.drop.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.drop.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.brush_bar)
        layout.addWidget(self.canvas, 1)
        layout.addWidget(self.timeline)
        self.first_decode = FirstDecode(self)
        self._seen: WeakSet[Row] = WeakSet()  # whose decoding was shown
        self._connect()

    def _connect(self) -> None:
        session = self._session
        session.current_changed.connect(self._on_current)
        session.row_failed.connect(self._show_failure)
        session.opened.connect(self._on_opened)
        session.coder.decoding_started.connect(self._on_decoding_started)
        session.coder.front.connect(self._on_front)
        session.coder.ended.connect(self._on_ended)
        self.first_decode.front.connect(self.canvas.add_front)
        self.canvas.split_chosen.connect(self.first_decode.keep_split)
        self.first_decode.split.connect(lambda split: self.canvas.set_options(split=split))
        session.coded.connect(self._on_coded)
        session.stale.connect(self._on_stale)
        for source in (session, session.coder, self._tools):
            source.progressed.connect(self.pill.show_progress)
        for worker in (session.networks, self._tools):
            worker.failed.connect(self._on_problem)
        self._tools.started.connect(self._hide_problem)
        session.batch.saved.connect(self._on_saved)
        self.banner.retry_wanted.connect(session.retry)
        self.banner.cpu_wanted.connect(lambda: session.retry("cpu"))
        self.banner.rest_wanted.connect(lambda: session.retry(partial=True))
        self.timeline.sought.connect(self._on_sought)
        self.canvas.hovered.connect(self._on_hover)
        self.canvas.pinned.connect(self._on_pinned)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Home, End, ← and → also step through the decoding from the canvas."""
        if event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.timeline.step(event)
        else:
            event.ignore()

    def set_overlay(self, overlay: Overlay) -> None:
        """Show another overlay."""
        values = make_map(overlay, self._coded) if self._coded else None
        self.canvas.set_options(overlay=overlay, map=values)
        words = self.tr("Overlay: {}").format(overlay.title())
        if values is not None:
            words += f", {values.low} – {values.high} {values.unit}"
        if words != self.canvas.accessibleDescription():
            self.canvas.setAccessibleDescription(words)
            announce(self.canvas, words)
        self._on_hover(self.canvas.pixel_below())

    def show_original(self) -> None:
        """Show the original again instead of another codec's picture."""
        if self._opened is not None:
            opened = self._opened
            self.canvas.show_original(opened.canvas, opened.levels, opened.checkerboard)
            self.canvas.set_options(baseline="", ours="")

    def show_drop(self, visible: bool) -> None:
        """Show that what is dragged over the window can be dropped."""
        self.drop.setGeometry(self.canvas.rect().adjusted(16, 16, -16, -16))
        self.drop.setVisible(visible)

    def _on_current(self, row: Row | None) -> None:
        self._coded = self._opened = None
        self.first_decode.stop()
        self.canvas.clear()
        self._on_hover(None)
        self.timeline.show_fronts(0)
        self.pill.show_progress("", 0.0)
        self._show_failure(row)

    def _show_failure(self, row: Row | None) -> None:
        """Show the failure of a row; hide it if there is none."""
        self.banner.show_problem(row.source.name if row else "", row.problem if row else None)

    def _on_opened(self, opened: Opened) -> None:
        self._opened = opened
        self.canvas.show_original(opened.canvas, opened.levels, opened.checkerboard)

    def _on_problem(self, problem: Problem) -> None:
        """Show a failure that concerns no row."""
        self.banner.show_problem("", problem, can_retry=False)

    def _hide_problem(self) -> None:
        """Hide the failure of an earlier tool; that of the picture stays."""
        row = self._session.row
        if row is None or row.problem is None:
            self.banner.hide()

    def _on_decoding_started(self, started: DecodingStarted) -> None:
        self._coded = None
        self.show_original()
        self.timeline.show_fronts(0)
        self.canvas.set_options(map=None, badge="")
        if started.checkerboard:
            self.canvas.checkerboard = started.checkerboard
        self.canvas.show_result(started.picture)
        row = self._session.row
        if row is not None and row not in self._seen:
            self._seen.add(row)
            is_still = self._session.settings.values.reduce_motion
            if self.canvas.options.mode is Mode.SPLIT and not is_still:
                self.first_decode.begin(self.canvas.options.split)

    def _on_ended(self) -> None:
        """Show the decoded part of a picture whose decoding has ended."""
        if self.first_decode.is_running and self._coded is None and not self._session.coder.is_busy:
            self.first_decode.end_with(lambda: None)

    def _on_front(self, front: Front) -> None:
        if self.first_decode.is_running:
            self.first_decode.add(front)
        else:
            self.canvas.add_front(front)

    def _on_coded(self, coded: Coded | None) -> None:
        self._coded = coded
        if coded is None:
            return
        if self.first_decode.is_running:
            self.first_decode.end_with(partial(self._show_result, coded))
        else:
            self._show_result(coded)

    def _show_result(self, coded: Coded) -> None:
        self.show_original()
        self.canvas.show_result(coded.picture)
        self.timeline.show_fronts(coded.picture.front_count)
        self.set_overlay(self.canvas.options.overlay)
        self.pinned.emit(self.canvas.options.pinned, coded)

    def _on_saved(self, saved: Saved) -> None:
        """Explain at the first .lbb file what opens it."""
        settings = self._session.settings
        is_first = saved.path.suffix == ".lbb" and not settings.values.lbb_explained
        if is_first and not saved.skipped:
            settings.change(lbb_explained=True)
            self.hint.show_hint(
                self.tr(
                    "Saved. Files of this kind open in LBBIC, with its command line, and in Python "
                    "with Pillow. For other programs, export the picture."
                )
            )

    def _on_stale(self, stale: bool) -> None:
        self.canvas.set_options(badge=self.tr("Previous result") if stale else "")

    def show_baseline(self, baseline: Baseline | None) -> None:
        """Show another codec's picture instead of the original; None: the original."""
        if baseline is None or self._coded is None:
            self.show_original()
        else:
            name, size = CODECS[baseline.codec], text.size(baseline.file_bytes)
            setting = baseline.setting.partition(",")[0]
            words = f"{name} {setting}  ·  {size}"
            if not baseline.fits:
                words = self.tr("{}, its smallest file").format(words)
            self.canvas.show_original(baseline.canvas, baseline.levels, self.canvas.checkerboard)
            ours = f"LBBIC  ·  {text.size(len(self._coded.point.data))}"
            self.canvas.set_options(baseline=words, ours=ours)

    def _on_pinned(self, block: tuple[int, int] | None) -> None:
        """Announce the facts about a block that was pinned."""
        self.pinned.emit(block, self._coded)
        if block is None or self._coded is None:
            return
        row, column = block
        words = self.tr("Block in row {}, column {}").format(row + 1, column + 1)
        values = self.canvas.options.map
        bits = float(self._coded.picture.bits[row, column])
        value = values.value_at(row, column) if values else self.tr("{:.1f} bits").format(bits)
        announce(self.canvas, f"{words}: {value}")

    def _on_sought(self, front: int) -> None:
        if self._coded is not None:
            picture = self._coded.picture
            is_whole = front == picture.front_count
            self.canvas.show_cover(None if is_whole else picture.cover(front))

    def _on_hover(self, pixel: QPoint | None) -> None:
        if pixel is None:
            self.hover_text.emit("")
            return
        words = f"x {pixel.x()}  y {pixel.y()}"
        values, block = self.canvas.options.map, self.canvas.block_of(pixel)
        if values is not None and block is not None:
            words += f"  ·  {values.value_at(*block)}"
        self.hover_text.emit(words)
