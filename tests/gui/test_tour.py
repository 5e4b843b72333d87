"""Names of controls in the README and the guide are those in the app."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel

from lbbic_gui.dialogs.settings_dialog import SettingsDialog
from lbbic_gui.state.samples import sample_source

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"\*\*([A-Z][^*]{2,})\*\*|(?<!\*)\*([A-Z][^*]+)\*(?!\*)")


def words_of(user: Any) -> set[str]:
    """All texts of buttons, labels, menus and boxes."""
    dialog = SettingsDialog(user.window.settings, user.window)
    user.bot.addWidget(dialog)
    words = {action.text() for action in user.window.actions_.values()}
    for window in (user.window, dialog):
        for kind in (QAbstractButton, QLabel):
            words |= {widget.text() for widget in window.findChildren(kind)}
        for box in window.findChildren(QComboBox):
            words |= {box.itemText(place) for place in range(box.count())}
    words |= {"Fewer details", "More details", "Show JPEG beside it"}  # not at the same time
    # These are followed by a number or a time.
    words |= {"Preview", "Web", "Share", "Keep", "Fast", "Balanced", "Thorough"}
    return {part for each in words for part in (each, *each.split(": "))}


@pytest.mark.parametrize(
    ("page", "start", "end"),
    [
        ("README.md", "## A quick tour", "<!-- figures"),
        ("docs/user-guide.md", "## Open pictures", "## The command line"),
    ],
)
def test_names_are_those_of_the_app(user: Any, page: str, start: str, end: str) -> None:
    text = (ROOT / page).read_text("utf-8").partition(start)[2].partition(end)[0]
    names = {bold or italic for bold, italic in NAMED.findall(text)}
    assert len(names) >= 7
    known = words_of(user) | {"Difference", user.window.recent.title()}
    assert {" ".join(name.split()) for name in names} - known == set()


def test_the_tour_describes_the_sample() -> None:
    tour = (ROOT / "README.md").read_text("utf-8").partition("## A quick tour")[2]
    assert f"an {Path(sample_source().name).stem} appears" in tour
