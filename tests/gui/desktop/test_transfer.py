"""What browsers, file managers and editors offer when something is dropped or pasted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication

Draw = Callable[..., Path]
ADDRESS = "https://example.org/cat.jpg"


def drop(user: Any, data: QMimeData) -> bool:
    """Drag over the window and drop, if the window accepts it."""
    button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    copy = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(QPoint(400, 300), copy, data, button, none)
    QApplication.sendEvent(user.window, enter)
    if enter.isAccepted():
        event = QDropEvent(QPointF(400, 300), copy, data, button, none)
        QApplication.sendEvent(user.window, event)
    return enter.isAccepted()


def paste(user: Any, data: QMimeData) -> bool:
    QApplication.clipboard().setMimeData(data)
    user.press(Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier, widget=user.window)
    QApplication.clipboard().clear()  # Qt would free its contents too late, after Python
    return True


def copied_in_a_browser(picture: Path, *, as_file: bool) -> QMimeData:
    """A picture (as Qt's image or as bytes of a file), the page around it and its address."""
    data = QMimeData()
    if as_file:
        data.setData("image/png", picture.read_bytes())
    else:
        data.setImageData(QImage(str(picture)))
    data.setHtml(f'<meta charset="utf-8"><img src="{ADDRESS}">')
    data.setText(ADDRESS)
    data.setUrls([QUrl(ADDRESS)])
    return data


@pytest.mark.parametrize("hand_over", [drop, paste])
@pytest.mark.parametrize("as_file", [False, True])
def test_a_picture_from_a_browser_is_accepted(
    user: Any, draw: Draw, hand_over: Callable[[Any, QMimeData], bool], as_file: bool
) -> None:
    assert hand_over(user, copied_in_a_browser(draw("a.png", 40, 24), as_file=as_file))
    user.wait_for_result()
    assert (user.rows[0].width, user.rows[0].height) == (40, 24)


@pytest.mark.parametrize("hand_over", [drop, paste])
@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("address", "words"),
    [
        (ADDRESS, "A web address: save the picture first, then drop the file"),
        ("smb://server/cat.jpg", "Not on this computer"),
    ],
)
def test_a_web_address_is_refused_with_an_explanation(
    user: Any,
    hand_over: Callable[[Any, QMimeData], bool],
    address: str,
    words: str,
    as_text: bool,
) -> None:
    data = QMimeData()
    data.setText(address + "\n") if as_text else data.setUrls([QUrl(address)])
    assert hand_over(user, data)
    assert words in user.window.status.notice.text()
    assert not user.rows


@pytest.mark.parametrize("hand_over", [drop, paste])
@pytest.mark.parametrize("form", ["list", "addresses", "paths"])
def test_dropped_files_are_opened_despite_other_data(
    user: Any, draw: Draw, hand_over: Callable[[Any, QMimeData], bool], form: str
) -> None:
    pictures = [draw("größe 1.png"), draw("b.png", seed=2)]
    data = QMimeData()
    if form == "list":
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in pictures])
        data.setImageData(QImage(16, 16, QImage.Format.Format_RGB32))  # a file manager's icon
    else:
        lines = [path.as_uri() if form == "addresses" else str(path) for path in pictures]
        data.setText("\n".join(lines))
    assert hand_over(user, data)
    user.wait(lambda: [row.source.path for row in user.rows] == pictures)


def test_other_text_is_not_taken_for_an_address(user: Any) -> None:
    data = QMimeData()
    data.setText("see\n/etc\nand https://example.org")
    assert not drop(user, data)
    paste(user, data)
    assert "no picture" in user.window.status.notice.text()
    assert not user.rows
