"""Parts of the app without a window: settings, queue, viewport, texts, names, themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QByteArray, QPointF, QSizeF

from lbbic_gui.jobs.decoded_picture import DecodedPicture, halvings
from lbbic_gui.jobs.messages import EncodeOptions, Source
from lbbic_gui.jobs.naming import fill, free_name, is_pattern, output_path
from lbbic_gui.painting import overlays
from lbbic_gui.painting.viewport import Viewport
from lbbic_gui.panels.rate_plot import estimate
from lbbic_gui.state.queue_model import QueueModel
from lbbic_gui.state.row import Row, State
from lbbic_gui.state.settings import Preferences, Settings
from lbbic_gui.style import text, theme


def test_settings_persist(settings_file: Path) -> None:
    Settings().change(theme="dark", quality=6.0, keep_exif=False, last_folder="/größe 图")
    Settings().change(effort="thorough")
    values = Settings().values
    assert (values.theme, values.quality, values.last_folder) == ("dark", 6.0, "/größe 图")
    assert values.options == EncodeOptions(effort="thorough", keep=frozenset({"gps", "icc", "xmp"}))


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff\x80 no settings",
        b"[preferences]\nquality=99\ntheme=purple\neffort=some\nkeep_exif=perhaps\n",
        b"[preferences]\nquality=nan\n",
        b"[preferences]\npattern=../{name}\n",
        b"",
    ],
)
def test_corrupt_settings_are_replaced_by_defaults(settings_file: Path, content: bytes) -> None:
    settings_file.parent.mkdir()
    settings_file.write_bytes(content)
    assert Settings().values == Preferences()


def test_reset_restores_all_defaults(settings_file: Path) -> None:
    settings = Settings()
    settings.change(theme="dark")
    settings.add_recent([Path("/a.png")])
    settings.keep_layout(splitter=QByteArray(b"wide"))
    settings.reset()
    again = Settings()
    assert again.values == Preferences()
    assert again.recent() == [Path("/a.png")]  # which are no settings
    assert again.layout("splitter") == b"wide"


def test_the_queue_passes_qts_model_tester(qtmodeltester: Any) -> None:
    model = QueueModel()
    qtmodeltester.check(model)
    rows, doubles = model.add([Source(f"{n}.png", Path(f"/{n}.png")) for n in (1, 2, 3, 1)])
    assert (len(rows), doubles) == (3, 1)
    assert model.move(rows[0], 1)
    assert not model.move(rows[2], 1)
    assert [row.source.name for row in model.rows] == ["2.png", "1.png", "3.png"]
    top = model.index(-1)
    assert model.moveRows(top, 0, 2, top, 3)  # as a drag from the list does
    assert [row.source.name for row in model.rows] == ["3.png", "2.png", "1.png"]
    assert model.moveRows(top, 2, 1, top, 0)
    assert [row.source.name for row in model.rows] == ["1.png", "3.png", "2.png"]
    assert not model.moveRows(top, 0, 1, top, 9)
    model.touch(rows[1])
    model.remove([rows[0]])
    qtmodeltester.check(model)


def test_a_picture_is_fitted_but_never_enlarged() -> None:
    view = Viewport(QSizeF(800, 600), QSizeF(4000, 1000)).fitted()
    assert view.zoom == pytest.approx(752 / 4000)
    assert Viewport(QSizeF(800, 600), QSizeF(40, 40)).fitted().zoom == 1


def test_zooming_keeps_the_point_below_the_cursor() -> None:
    view = Viewport(QSizeF(800, 600), QSizeF(4000, 3000)).fitted()
    at = QPointF(300, 200)
    held = view.to_picture(at)
    zoomed = view.zoomed(2.0, at)
    assert (zoomed.to_picture(at) - held).manhattanLength() < 1e-6


def test_one_to_one_uses_screen_pixels() -> None:
    view = Viewport(QSizeF(800, 600), QSizeF(400, 300), ratio=2.0).fitted()
    assert view.zoom == 1
    assert view.area().width() == 200


def test_a_growing_picture_has_its_halvings_and_covers() -> None:
    growing = DecodedPicture(2001, 12, 8)
    rng = np.random.default_rng(0)
    for columns in np.array_split(rng.permutation(growing.columns), 5):
        for row in range(growing.rows):
            blocks = rng.integers(0, 256, (len(columns), 8, 8, 3), dtype=np.uint8)
            rows = np.full(len(columns), row)
            growing.add(rows, columns, blocks, growing.halved(blocks))
    (expected,) = halvings(growing.picture())
    assert np.array_equal(growing.levels[0][:6, :1000], expected)
    for front in (0, 4, growing.front_count):
        cover = growing.cover(front)
        for row, column in np.ndindex(growing.order.shape):
            is_hidden = cover.pixelColor(column, row).alpha() == 255
            assert is_hidden == (growing.order[row, column] >= front)


@pytest.mark.parametrize(("width", "height"), [(65535, 1), (1, 3000), (5000, 3)])
def test_halvings_of_a_line_keep_one_pixel(width: int, height: int) -> None:
    for level in halvings(np.zeros((height, width, 4), np.uint8)):
        assert 0 not in level.shape


def test_errors_of_blocks_ignore_padding() -> None:
    growing = DecodedPicture(10, 9, 8)
    original = np.zeros((9, 10, 3), np.uint8)
    growing.canvas[..., :3] = 2
    assert np.array_equal(growing.errors(original), np.full((2, 2), 4, np.float32))


@pytest.mark.parametrize("step", [1, 2])
def test_the_difference_has_the_colour_of_its_largest_channel(step: int) -> None:
    random = np.random.default_rng(2)
    pair = random.integers(0, 256, (2, 30, 40, 4), np.uint8)
    pair[..., 3] = 255
    original, result = pair[:, ::step, ::step]
    apart = np.abs(original.astype(int) - result)[..., :3].max(axis=2)
    expected = overlays.TABLE[np.minimum(4 * apart, 255)]
    assert np.array_equal(overlays.difference(original, result, 4), expected)


def test_results_are_described_in_words() -> None:
    assert text.saving(2_400_000, 310_000) == "−87 %"
    assert text.saving(100, 103) == "+3 %"
    assert text.saving(89_600, 383) == "−99 %"
    assert text.saving(100, 0) == "−100 %"
    assert text.saving(104, 20_700).endswith("804 %")
    assert text.saved(2_400_000, 310_000) == "2.1 MB smaller (−87 %)"
    assert text.saved(100, 103) == "3 bytes larger (+3 %)"
    assert text.size(310_000) == "310 kB"
    assert text.size(2_400_000) == "2.4 MB"
    assert text.size(999_900) == "1.0 MB"
    assert text.quality_name(1) == "Smallest"
    assert text.quality_name(8) == "Best"


def test_a_row_shows_its_result_in_long_or_short_form() -> None:
    row = Row(Source("a.png"), state=State.SAVED, file_bytes=792_000, saved_bytes=14_900)
    assert row.status() == "−98 %  ·  792 kB → 14.9 kB"
    assert row.columns() == ("Saved", "14.9 kB", "−98 %")


def test_results_are_named_after_their_pictures(tmp_path: Path) -> None:
    source = tmp_path / "in" / "deep" / "a.b.png"
    assert output_path(source, None, None, "a.b.lbb") == source.with_name("a.b.lbb")
    out = tmp_path / "out"
    assert output_path(source, out, tmp_path / "in", "x.lbb") == out / "deep" / "x.lbb"
    assert output_path(source, out, None, "x.lbb") == out / "x.lbb"
    taken = tmp_path / "a.lbb"
    taken.touch()
    assert free_name(taken).name == "a (2).lbb"


def test_patterns_make_names() -> None:
    assert fill("{name}-q{quality}", "a {quality}", 4.5) == "a {quality}-q4.5"
    assert is_pattern("{name} größe")
    for bad in ("all", "", "{name}/x", "{name}:", "{name} ", "{name}\n", "{name}."):
        assert not is_pattern(bad)


def test_points_not_coded_are_estimated_from_those_that_are() -> None:
    assert estimate({4.0: (1.0, 30.0)}, 5.0) == (1.3, 31.8)
    known = {2.0: (0.25, 28.0), 4.0: (1.0, 32.0)}
    assert estimate(known, 3.0) == pytest.approx((0.5, 30.0))
    assert estimate(known, 5.0) == pytest.approx((2.0, 34.0))


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK])
def test_text_has_enough_contrast_in_both_themes(colours: theme.Colours) -> None:
    for ink in ("text", "faint", "accent", "amber", "red"):
        for ground in ("panel", "field", "window"):
            assert _contrast(getattr(colours, ink), getattr(colours, ground)) >= 4.5, (ink, ground)
    assert _contrast(colours.on_accent, colours.accent) >= 4.5
    for ground in ("window", "panel", "field"):  # of borders of fields and buttons
        assert _contrast(colours.outline, getattr(colours, ground)) >= 3, ground


def _contrast(a: str, b: str) -> float:
    """The contrast as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
