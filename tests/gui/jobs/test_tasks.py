"""The workers: their answers, how they stop, how they fail."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColorSpace, QImage

from lbbic_gui.jobs import conversion, messages, requests
from lbbic_gui.jobs.messages import EncodeOptions, Problem, Source, Stopped
from lbbic_gui.jobs.work.workers import Workers


@pytest.fixture
def picture(draw: Callable[..., Path]) -> Source:
    path = draw("picture.png", 92, 60)
    return Source(path.name, path)


def test_a_search_continues_after_unreachable_folders(
    draw: Callable[..., Path], tmp_path: Path, without_privileges: None
) -> None:
    good, locked = draw("in/a.png"), draw("in/locked/b.png").parent
    loop, long = good.with_name("loop.png"), tmp_path / f"{'x' * 300}.png"
    loop.symlink_to(loop)
    locked.chmod(0)
    os.mkfifo(tmp_path / "pipe.png")  # opening it would block for ever
    paths = (long, good.parent, locked / "b.png", tmp_path / "pipe.png")
    found = conversion.find(paths, lambda _: None, lambda: False)
    locked.chmod(0o700)
    shown = [source.path for _, sources in found.sources for source in sources]
    assert shown == [long, good, loop, locked / "b.png"]  # rows show which of them cannot be read
    assert found.unreadable == ("locked",)
    assert found.unsupported == ("pipe.png",)


def test_a_picture_is_coded_and_decoded_front_by_front(answers: Any, picture: Source) -> None:
    from lbbic_engine import decompress, load_picture
    from lbbic_engine.measure import metrics

    coded = answers.ask(requests.Code(picture, 4.0, "cpu"))

    fronts = [report for report in answers.reports if isinstance(report, messages.Front)]
    assert len(fronts) > 3
    decoded = decompress(coded.point.data).pixels
    assert np.array_equal(coded.picture.picture()[..., 2::-1], decoded)
    assert sum(len(front.rows) for front in fronts) == coded.picture.total
    assert coded.point.psnr == metrics.psnr(load_picture(picture.path or "").pixels, decoded)
    assert coded.picture.bits.sum() / 8 == pytest.approx(coded.payload_bytes, abs=16)


@pytest.fixture
def tile_pools(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record the pools for tiles; every picture has several tiles and is worth two workers."""
    from lbbic_engine.batch import tiles as tile_workers
    from lbbic_engine.layout import tiles
    from lbbic_engine.parallel import run

    monkeypatch.setattr(tiles, "TILE_PIXELS", 1 << 10)
    monkeypatch.setattr(run, "usable_cores", lambda: 2)
    monkeypatch.setattr(run, "START_SECONDS", 1e-9)
    pools: list[Any] = []
    make = tile_workers.pool_for_tiles

    def note(*arguments: Any) -> Any:
        pools.append(make(*arguments))
        return pools[-1]

    monkeypatch.setattr(tile_workers, "pool_for_tiles", note)
    return pools


def test_workers_share_the_tiles_of_a_picture(
    answers: Any, picture: Source, tile_pools: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_engine import codec

    used = []
    for name in ("compress", "decode_progressively"):
        function = getattr(codec, name)

        def note(*arguments: Any, _function: Any = function, **options: Any) -> Any:
            used.append(options["executor"])
            return _function(*arguments, **options)

        monkeypatch.setattr(codec, name, note)
    coded = answers.ask(requests.Code(picture, 4.0, "cpu"))
    assert used == 2 * tile_pools
    assert None not in used
    assert codec.read_info(coded.point.data).tiles > 3
    fronts = [report for report in answers.reports if isinstance(report, messages.Front)]
    assert sum(len(front.rows) for front in fronts) == coded.picture.total
    decoded = codec.decompress(coded.point.data).pixels
    assert np.array_equal(coded.picture.picture()[..., 2::-1], decoded)


def test_cancelling_a_picture_stops_the_processes_of_its_tiles(
    answers: Any, picture: Source, tile_pools: list[Any], qtbot: Any
) -> None:
    job = answers.submit(requests.Code(picture, 4.0, "cpu", EncodeOptions(effort="thorough")))
    qtbot.waitUntil(lambda: bool(tile_pools), timeout=600_000)
    answers.jobs.cancel(job)
    assert isinstance(answers.wait(job), Stopped)
    assert None not in tile_pools
    assert not multiprocessing.active_children()


def test_a_picture_uses_no_processes_during_a_batch(
    tile_pools: list[Any],
) -> None:
    workers = Workers()
    with workers._at_hand(), workers.for_tiles(10**7, 10.0, "cpu") as pool:
        assert pool is None
    with workers.for_tiles(10**7, 10.0, "cuda") as pool:
        assert pool is None
    with workers.for_tiles(10**7, 10.0, "cpu") as pool:
        assert pool is not None
    workers.stop()


@pytest.mark.parametrize(
    ("effort", "coded"), [("fast", 0.6), ("balanced", 0.8), ("thorough", 0.95)]
)
def test_progress_never_falls(answers: Any, picture: Source, effort: str, coded: float) -> None:
    answers.ask(requests.Code(picture, 4.0, "cpu", messages.EncodeOptions(effort=effort)))
    steps = [getattr(report, "step", report) for report in answers.reports]
    shares = [step.share for step in steps if isinstance(step, messages.Step)]
    assert shares == sorted(shares)
    assert coded in shares  # coding has its part of the time, decoding the rest
    assert steps[-1].stage == "Measuring"
    assert shares[-1] < 1


def test_a_cancelled_job_stops_and_leaves_no_file(answers: Any, picture: Source) -> None:
    assert picture.path is not None
    target = picture.path.with_suffix(".lbb")
    job = answers.submit(requests.Save(picture, target, 4.0, "cpu", "rename"))
    waiting = answers.submit(requests.Save(picture, target, 5.0, "cpu", "rename"))
    answers.jobs.cancel(waiting)
    assert waiting.is_answered
    assert isinstance(answers.wait(waiting), Stopped)
    answers.jobs.cancel(job)
    assert isinstance(answers.wait(job), Stopped)
    assert list(target.parent.iterdir()) == [picture.path]


def test_an_unread_answer_blocks_nothing(answers: Any, picture: Source, qtbot: Any) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("I cannot take it")

    with qtbot.captureExceptions() as raised:
        for _ in range(2):
            answers.jobs.submit(requests.Open(picture), fail)
        assert answers.ask(requests.Open(picture)).canvas.shape == (60, 92, 4)
    assert len(raised) == 2


def test_saving_uses_a_free_name_and_replaces_only_on_request(
    answers: Any, picture: Source
) -> None:
    assert picture.path is not None
    target = picture.path.with_suffix(".lbb")
    target.write_bytes(b"mine")

    def save(policy: str) -> Any:
        return answers.ask(requests.Save(picture, target, 4.0, "cpu", policy))

    assert save("rename").path.name == "picture (2).lbb"
    assert save("skip").skipped
    assert target.read_bytes() == b"mine"
    assert save("replace").path == target
    assert target.read_bytes() != b"mine"


def test_an_export_equals_the_command_lines_output(
    answers: Any, picture: Source, tmp_path: Path
) -> None:
    from lbbic_engine import decompress, load_picture

    coded = answers.ask(requests.Code(picture, 3.0, "cpu"))
    target = tmp_path / "out" / "picture.png"
    target.parent.mkdir()
    saved = answers.ask(requests.Export(coded.point.data, target, "cpu"))
    assert np.array_equal(load_picture(saved.path).pixels, decompress(coded.point.data).pixels)


def test_exports_report_changes_and_refuse_what_is_impossible(answers: Any, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "wide.png"
    Image.new("RGBA", (16_384, 1), (9, 9, 9, 9)).save(path)
    data = answers.ask(requests.Code(Source(path.name, path), 1.0, "cpu")).point.data
    saved = answers.ask(requests.Export(data, tmp_path / "a.jpg", "cpu"))
    (notice,) = saved.notices
    assert "transparency" in notice
    problem = answers.ask(requests.Export(data, tmp_path / "a.webp", "cpu"))
    assert "PNG and TIFF can store them" in problem.detail
    assert problem.hint == "Choose another format."
    assert not (tmp_path / "a.webp").exists()


def test_a_pasted_picture_is_coded(answers: Any) -> None:
    image = QImage(40, 24, QImage.Format.Format_RGB32)
    image.fill(0xFF336699)
    source = Source("Pasted picture", image=image)
    opened = answers.ask(requests.Open(source))
    assert opened.canvas[0, 0].tolist() == [0x99, 0x66, 0x33, 255]
    assert answers.ask(requests.Code(source, 1.0, "cpu")).picture.picture().shape == (24, 40, 4)


@pytest.mark.parametrize(
    ("content", "name", "title"),
    [
        (b"no picture", "a.png", "Cannot read this picture"),
        (b"no file", "a.lbb", "Not an .lbb file"),
        (None, "missing.png", "File not found"),
    ],
)
def test_failures_are_reported_in_plain_words(
    answers: Any, tmp_path: Path, content: bytes | None, name: str, title: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    source = Source(name, path)
    is_lbb = source.is_lbb
    request = requests.Decode(source, "cpu") if is_lbb else requests.Code(source, 4.0, "cpu")
    problem = answers.ask(request)
    assert isinstance(problem, Problem)
    assert problem.title == title
    assert problem.hint
    assert name in problem.log


def test_a_truncated_file_has_its_own_message(
    answers: Any, picture: Source, tmp_path: Path
) -> None:
    data = answers.ask(requests.Code(picture, 4.0, "cpu")).point.data
    path = tmp_path / "cut.lbb"
    path.write_bytes(data[:-20])
    problem = answers.ask(requests.Decode(Source(path.name, path), "cpu"))
    assert problem.title == "The file is damaged"
    assert "again" in problem.hint


def test_the_rest_of_a_truncated_file_is_shown(
    answers: Any, draw: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lbbic_engine import decompress

    monkeypatch.setattr("lbbic_engine.bitstream.chunks.PAGE_BYTES", 64)
    path = draw("a.png", 200, 120)
    data = answers.ask(requests.Code(Source(path.name, path), 4.0, "cpu")).point.data
    cut = tmp_path / "cut.lbb"
    cut.write_bytes(data[: len(data) // 2])
    request = requests.Decode(Source(cut.name, cut), "cpu")
    assert answers.ask(request).can_show_rest
    coded = answers.ask(dataclasses.replace(request, partial=True))
    assert "incomplete" in coded.notices[0]
    has_come = np.repeat(np.repeat(coded.picture.order >= 0, 8, 0), 8, 1)[:120, :200]
    assert 0.1 < has_come.mean() < 0.9
    left = decompress(cut.read_bytes(), partial=True).pixels
    assert np.array_equal(coded.picture.picture()[..., 2::-1][has_come], left[has_come])
    target = tmp_path / "left.png"
    saved = answers.ask(requests.Export(cut.read_bytes(), target, "cpu", partial=True))
    assert saved.path == target
    cut.write_bytes(data[:80])
    assert answers.ask(dataclasses.replace(request, partial=True)).title == "Nothing is left"


@pytest.mark.parametrize("grey", [False, True])
def test_other_colours_are_shown_in_srgb_and_kept_in_the_file(
    answers: Any, tmp_path: Path, grey: bool
) -> None:
    from PIL import Image

    from lbbic_engine import compress, decompress, load_picture
    from lbbic_engine.pictures.profile import SRGB, as_icc

    path = tmp_path / "p3.png"
    p3 = bytes(QColorSpace(QColorSpace.NamedColorSpace.DisplayP3).iccProfile().data())
    icc = (
        as_icc(dataclasses.replace(SRGB, name="sRGB of a linear kind", curve=(1.0,)), grey)
        if grey
        else p3
    )
    image = Image.new("RGB", (40, 24), (200, 60, 40)).convert("L" if grey else "RGB")
    image.save(path, icc_profile=icc)
    source = Source(path.name, path)
    opened = answers.ask(requests.Open(source))
    shown = opened.canvas[0, 0, 2::-1]
    assert shown[0] > (160 if grey else 205)
    assert ("linear" if grey else "P3") in opened.notices[-1]
    thumb = answers.ask(requests.Thumbnail(source))
    assert thumb.image.pixelColor(0, 0).getRgb()[:3] == tuple(shown)
    coded = answers.ask(requests.Code(source, 8.0, "cpu"))
    fronts = [report for report in answers.reports if isinstance(report, messages.Front)]
    kept = decompress(coded.point.data)
    in_srgb = conversion.Colours(icc, grey).on_screen(kept.pixels)
    assert kept.icc == icc
    assert np.array_equal(coded.picture.picture()[..., 2::-1], in_srgb)
    top, left = 8 * fronts[0].rows[0], 8 * fronts[0].columns[0]
    assert np.array_equal(fronts[0].blocks[0], in_srgb[top : top + 8, left : left + 8])
    without = answers.ask(
        requests.Code(source, 8.0, "cpu", EncodeOptions(keep=frozenset({"exif", "xmp"})))
    )
    colour = int(shown[0]) if grey else tuple(map(int, shown))
    converted = Image.new(image.mode, (40, 24), colour)
    assert without.point.data == compress(load_picture(converted), 8).data


@pytest.mark.parametrize(("dtype", "factor"), [("uint8", 1), ("uint16", 257)])
def test_thumbnails_have_the_brightness_of_the_picture(
    answers: Any, tmp_path: Path, dtype: str, factor: int
) -> None:
    from PIL import Image

    values = np.tile(np.arange(0, 256, 2) * factor, (32, 1)).astype(dtype)
    path = tmp_path / "grey.tif"
    Image.fromarray(values).save(path)
    thumb = answers.ask(requests.Thumbnail(Source(path.name, path)))
    opened = answers.ask(requests.Open(Source(path.name, path)))
    greys = [thumb.image.pixelColor(column, 16).red() for column in range(0, 128, 9)]
    assert np.allclose(greys, opened.canvas[16, 0:128:9, 0], atol=1)
    assert (thumb.width, thumb.height) == (128, 32)


def test_a_thorough_file_equals_the_engines(answers: Any, picture: Source) -> None:
    from lbbic_engine import compress, load_picture

    thorough = EncodeOptions(effort="thorough")
    coded = answers.ask(requests.Code(picture, 4.0, "cpu", thorough))
    assert picture.path is not None
    original = load_picture(picture.path)
    assert coded.point.data == compress(original, 4, effort="thorough").data
    assert coded.point.data != compress(original, 4).data
    target = messages.Target("bytes", len(coded.point.data))
    reached = answers.ask(requests.FindTarget(picture, target, "cpu", thorough))
    assert reached.data == coded.point.data


def test_another_codec_is_compared_at_the_same_size(answers: Any, picture: Source) -> None:
    baseline = answers.ask(requests.CompareAtSize(picture, "jpeg", 4000))
    assert 0 < baseline.file_bytes <= 4000
    assert baseline.fits
    smallest = answers.ask(requests.CompareAtSize(picture, "jpeg", 10))
    assert (smallest.fits, smallest.quality) == (False, 1)


def test_a_comparison_is_cancelled_in_the_middle_of_an_encoding(
    answers: Any, draw: Callable[..., Path], qtbot: Any
) -> None:
    path = draw("large.png", 2400, 1600)
    job = answers.submit(requests.CompareAtSize(Source(path.name, path), "avif", 400_000))
    qtbot.waitUntil(lambda: bool(multiprocessing.active_children()), timeout=600_000)
    assert not job.is_answered
    answers.jobs.cancel(job)
    assert isinstance(answers.wait(job), Stopped)  # not the result that it would have had
    assert not multiprocessing.active_children()


def test_failures_in_the_other_process_are_reported(
    answers: Any, draw: Callable[..., Path]
) -> None:
    path = draw("wide.png", 16400, 8)  # the limit of WebP is 16383
    problem = answers.ask(requests.CompareAtSize(Source(path.name, path), "webp", 4000))
    assert problem.title == "WEBP cannot store this picture"


def test_a_target_size_is_met_or_refused(answers: Any, picture: Source) -> None:
    def reach(unit: str, value: float) -> Any:
        return answers.ask(requests.FindTarget(picture, messages.Target(unit, value), "cpu"))

    assert len(reach("bytes", 4000).data) <= 4000
    assert reach("bpp", 4.5).bpp <= 4.5
    wanted = reach("bytes", 4000).psnr - 1
    assert reach("dB", wanted).psnr >= wanted
    assert "smallest possible" in reach("bytes", 1).detail
    assert "highest possible PSNR" in reach("dB", 60).detail


def test_fifty_thousand_signals_are_delivered(qtbot: Any) -> None:
    class Sender(QObject):
        sent = Signal(bool)

    sender, received = Sender(), []
    sender.sent.connect(received.append)
    for _ in range(50_000):
        sender.sent.emit(True)
    assert len(received) == 50_000


def test_the_smoke_test_passes_with_weights_and_fails_without(
    tiny: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lbbic_gui.app import main

    assert main(["--smoke"]) == 0
    assert "same pixels" in capsys.readouterr().out
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("lbbic_engine.networks.weights.installed", lambda: iter(()))
    assert main(["--smoke"]) == 1
    assert "model" in capsys.readouterr().err
