"""The menu of recently opened files and folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QMenu, QWidget

from lbbic_gui.state.settings import Settings


class RecentMenu(QMenu):
    """Filled each time it opens; ``open_path`` is called with the chosen path."""

    def __init__(
        self, settings: Settings, open_path: Callable[[Path], None], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self.triggered.connect(lambda action: open_path(action.data()))
        self.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        self.clear()
        for path in self._settings.recent():
            name = str(path).replace("&", "&&")
            self.addAction(name).setData(path)
        if self.isEmpty():
            self.addAction(self.tr("No recent files")).setEnabled(False)
