"""The user's preferences, kept in a file; unreadable values are replaced by defaults."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict, Unpack

from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

from lbbic_gui.jobs.messages import CODECS, USUAL_QUALITY, EncodeOptions, OutputFormat, Place
from lbbic_gui.jobs.naming import is_pattern

RECENT = 10  # files and folders in the menu
FORMAT_QUALITIES = (0, *range(30, 101, 5))  # of another format than .lbb; 0: of the same look
FILE_VARIABLE = "LBBIC_SETTINGS"  # another file in place of the user's

_CHOICES: dict[str, tuple[str | int, ...]] = {
    "theme": ("system", "light", "dark"),
    "device": ("auto", "cpu", "cuda"),
    "effort": ("fast", "balanced", "thorough"),
    "tune": ("psnr", "visual"),
    "policy": ("rename", "replace", "skip"),
    "format": ("lbb", *CODECS),
    "format_quality": FORMAT_QUALITIES,
}
_RANGES = {"quality": (1.0, 8.0), "longest_side": (0, 65_535)}
Value = str | float | bool


@dataclass(frozen=True)
class Preferences:
    """``output_folder`` empty: beside the pictures. ``policy``: what to do with a taken name.

    ``format`` and ``format_quality`` are those of an ``OutputFormat``. ``pattern`` is the name of
    new files, see ``naming.fill``. ``model`` empty: the app's own. ``longest_side`` in pixels is
    for larger pictures; 0: none is resized.
    """

    theme: str = "system"
    device: str = "auto"
    model: str = ""
    effort: str = "fast"
    tune: str = "psnr"
    quality: float = USUAL_QUALITY
    output_folder: str = ""
    keep_structure: bool = True
    pattern: str = "{name}"
    policy: str = "rename"
    format: str = "lbb"
    format_quality: int = 0
    skip_larger: bool = False
    longest_side: int = 0
    keep_dates: bool = True
    keep_exif: bool = True
    keep_location: bool = True
    keep_icc: bool = True
    keep_xmp: bool = True
    preview: bool = True
    reduce_motion: bool = False
    compare_first: bool = True  # the first picture and the sample with JPEG, without being asked
    inspector: bool = True  # is shown
    detailed: bool = False  # the inspector
    last_folder: str = ""
    lbb_explained: bool = False  # who can open .lbb files, at the first that is saved

    @cached_property
    def options(self) -> EncodeOptions:
        """The encoder's options for all pictures."""
        kinds = {
            "exif": self.keep_exif,
            "gps": self.keep_location,
            "icc": self.keep_icc,
            "xmp": self.keep_xmp,
        }
        keep = frozenset(kind for kind, kept in kinds.items() if kept)
        return EncodeOptions(
            self.model, self.effort, keep, self.longest_side, self.preview, self.tune
        )

    @cached_property
    def output(self) -> OutputFormat:
        """What *Compress all* writes."""
        is_lbb = self.format == "lbb"
        return OutputFormat() if is_lbb else OutputFormat(self.format, self.format_quality)

    @cached_property
    def place(self) -> Place:
        """Where *Compress all* writes it."""
        keeps_structure = self.keep_structure and bool(self.output_folder)  # others need none
        return Place(self.output_folder, keeps_structure, self.pattern)


class Changes(TypedDict, total=False):
    """Some of the preferences."""

    theme: str
    device: str
    model: str
    effort: str
    tune: str
    quality: float
    output_folder: str
    keep_structure: bool
    pattern: str
    policy: str
    format: str
    format_quality: int
    skip_larger: bool
    longest_side: int
    keep_dates: bool
    keep_exif: bool
    keep_location: bool
    keep_icc: bool
    keep_xmp: bool
    preview: bool
    reduce_motion: bool
    compare_first: bool
    inspector: bool
    detailed: bool
    last_folder: str
    lbb_explained: bool


class Settings(QObject):
    """The current preferences and the window's layout; emits ``changed`` after every change."""

    changed = Signal(Preferences)

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path or settings_path()
        self._store = QSettings(str(self.path), QSettings.Format.IniFormat)
        self.values = self._read()

    def change(self, **changes: Unpack[Changes]) -> None:
        """Change preferences and save them."""
        self.values = dataclasses.replace(self.values, **changes)
        for name, value in changes.items():
            self._store.setValue(f"preferences/{name}", value)
        self._store.sync()
        self.changed.emit(self.values)

    def reset(self) -> None:
        """Restore the defaults; recent files and the window's layout stay."""
        self._store.remove("preferences")
        self._store.sync()
        self.values = Preferences()
        self.changed.emit(self.values)

    def recent(self) -> list[Path]:
        """Recently opened files and folders, the last one first."""
        names = self._store.value("recent/paths")
        names = [names] if isinstance(names, str) else names  # as a list of one is read back
        return [Path(str(name)) for name in names] if isinstance(names, list) else []

    def add_recent(self, paths: Sequence[Path]) -> None:
        """Put paths first in the list of recent ones."""
        self._keep_recent(list(dict.fromkeys([*paths, *self.recent()]))[:RECENT])

    def forget_recent(self, path: Path) -> None:
        self._keep_recent([other for other in self.recent() if other != path])

    def _keep_recent(self, paths: list[Path]) -> None:
        self._store.setValue("recent/paths", list(map(str, paths)))
        self._store.sync()

    def layout(self, name: str) -> QByteArray:
        """A part of the window's layout, empty if none was saved."""
        value = self._store.value(f"window/{name}")
        return value if isinstance(value, QByteArray) else QByteArray()

    def keep_layout(self, **parts: QByteArray) -> None:
        for name, value in parts.items():
            self._store.setValue(f"window/{name}", value)
        self._store.sync()

    def _read(self) -> Preferences:
        kept: dict[str, Any] = {}  # of the types of Preferences, which _parse ensures
        for name, default in dataclasses.asdict(Preferences()).items():
            raw = self._store.value(f"preferences/{name}")
            value = None if raw is None else _parse(str(raw), default)
            if value is not None and _is_allowed(name, value):
                kept[name] = value
        return Preferences(**kept)


def settings_path() -> Path:
    """The settings file of this user."""
    if FILE_VARIABLE in os.environ:
        return Path(os.environ[FILE_VARIABLE])
    from platformdirs import user_config_path

    return user_config_path("lbbic", appauthor=False) / "settings.ini"


def _parse(raw: str, default: Value) -> Value | None:
    """The value in the default's type, None if the text is not such a value."""
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(raw.lower())
    if isinstance(default, int | float):
        try:
            return type(default)(raw)
        except ValueError:
            return None
    return raw


def _is_allowed(name: str, value: Value) -> bool:
    if name in _CHOICES:
        return value in _CHOICES[name]
    if name == "pattern":
        return is_pattern(str(value))
    if name in _RANGES:
        low, high = _RANGES[name]
        return isinstance(value, int | float) and low <= value <= high
    return True
