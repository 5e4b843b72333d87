"""The system's dialogs for files and folders."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QStandardPaths
from PySide6.QtWidgets import QFileDialog, QWidget

from lbbic_gui.jobs.conversion import suffixes
from lbbic_gui.jobs.messages import Source
from lbbic_gui.jobs.naming import free_name
from lbbic_gui.state.samples import is_sample
from lbbic_gui.style.text import tr

EXPORTS = {"PNG": ".png", "JPEG": ".jpg", "WebP": ".webp", "AVIF": ".avif"}


def place_of(source: Source, last_folder: str) -> Path:
    """The path next to which a result is saved: the picture's, or one in the last folder used."""
    if source.path is not None and not is_sample(source.path):
        return source.path
    return usual_folder(last_folder) / source.name


def usual_folder(last_folder: str) -> Path:
    """The folder for the results of pictures that have none of their own."""
    pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
    return Path(last_folder or pictures or Path.home())


def choose_pictures(parent: QWidget, folder: str) -> list[Path]:
    patterns = " ".join(f"*{suffix}" for suffix in sorted(suffixes()))
    names, _ = QFileDialog.getOpenFileNames(
        parent, tr("Choose pictures"), folder, tr("Pictures ({})").format(patterns)
    )
    return [Path(name) for name in names]


def choose_folder(parent: QWidget, folder: str) -> Path | None:
    name = QFileDialog.getExistingDirectory(parent, tr("Choose a folder"), folder)
    return Path(name) if name else None


def choose_target(parent: QWidget, proposal: Path) -> Path | None:
    """Ask where to save an .lbb file; the dialog asks before it replaces a file."""
    name, _ = QFileDialog.getSaveFileName(
        parent, tr("Save"), _within_reach(proposal), tr("LBBIC picture (*.lbb)")
    )
    return _with_suffix(name, ".lbb")


def choose_mask(parent: QWidget, proposal: Path) -> Path | None:
    """Ask where to save a picture's mask, for a command."""
    title, kind = tr("Save the paint for the command"), tr("PNG picture (*.png)")
    name, _ = QFileDialog.getSaveFileName(parent, title, _within_reach(proposal), kind)
    return _with_suffix(name, ".png")


def choose_export(parent: QWidget, proposal: Path) -> Path | None:
    """Ask where to export to; the name's suffix or else the filter determines the format."""
    filters = {suffix: f"{name} (*{suffix})" for name, suffix in EXPORTS.items()}
    name, chosen = QFileDialog.getSaveFileName(
        parent,
        tr("Export picture"),
        _within_reach(proposal),
        ";;".join(filters.values()),
        filters.get(proposal.suffix, ""),
    )
    if Path(name).suffix.lower() in {*EXPORTS.values(), ".jpeg"}:
        return Path(name)
    return _with_suffix(name, EXPORTS.get(chosen.partition(" ")[0], ".png"))


def _within_reach(proposal: Path) -> str:
    """Return a path in an existing folder; dialogs ignore folders that do not exist."""
    folder = next((folder for folder in proposal.parents if folder.is_dir()), Path.home())
    return str(folder / proposal.name)


def _with_suffix(name: str, suffix: str) -> Path | None:
    """Add the suffix to a typed name, numbered if a file has that name already."""
    if not name:
        return None
    return Path(name) if name.lower().endswith(suffix) else free_name(Path(name + suffix))
