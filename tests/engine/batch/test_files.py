"""Batches of real files in real processes, with the tiny network."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from lbbic_engine import compress, load_picture
from lbbic_engine.batch import files
from lbbic_engine.batch.directions import Decoding, Encoding
from lbbic_engine.batch.files import FileResult, code_files
from lbbic_engine.coding.results import Progress
from lbbic_engine.errors import Cancelled, UnsupportedImageError
from lbbic_engine.parallel import run
from lbbic_engine.parallel.pool import WorkerDied

pytestmark = [pytest.mark.usefixtures("tiny"), pytest.mark.slow]  # processes start slowly
needs_fifo = pytest.mark.skipif(sys.platform == "win32", reason="it has no named pipes as files")

SIZES = ((24, 16), (40, 56), (17, 33), (64, 64), (600, 500), (30, 30), (48, 20))


@pytest.fixture
def ready_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start worker processes even for small jobs."""
    monkeypatch.setattr(run, "START_SECONDS", 1e-9)


@pytest.fixture
def pictures(draw: Callable[..., Path]) -> list[Path]:
    return [draw(f"in/{n}.png", *size, seed=n) for n, size in enumerate(SIZES)]


def pairs(inputs: list[Path], folder: str, suffix: str) -> list[tuple[Path, Path]]:
    return [(path, path.parents[1] / folder / f"{path.stem}{suffix}") for path in inputs]


def by_index(results: Iterator[FileResult]) -> list[FileResult]:
    return sorted(results, key=lambda result: result.index)


EXECUTORS: dict[str, Callable[[], Executor | nullcontext[None]]] = {
    "own": nullcontext,
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: ProcessPoolExecutor(2, multiprocessing.get_context("spawn")),
}


@pytest.mark.usefixtures("ready_workers")
@pytest.mark.parametrize(
    ("kind", "jobs"), [("own", 1), ("own", 2), ("threads", 0), ("processes", 0)]
)
def test_results_are_the_same_with_and_without_workers(
    pictures: list[Path], kind: str, jobs: int
) -> None:
    there = pairs(pictures, "coded", ".lbb")
    back = [(output, None) for _, output in there]
    with EXECUTORS[kind]() as executor:
        coded = by_index(code_files(there, Encoding(quality=3), executor=executor, jobs=jobs))
        decoded = by_index(code_files(back, Decoding(), executor=executor, jobs=jobs))
    for path, (_, output), result, shown in zip(pictures, there, coded, decoded, strict=True):
        alone = compress(load_picture(path), 3)
        assert output.read_bytes() == alone.data
        assert result.coded is not None
        assert shown.coded is not None
        with Image.open(BytesIO(shown.coded.data)) as image:
            np.testing.assert_array_equal(image, alone.reconstruction)
        assert (result.coded.width, result.coded.height) == SIZES[result.index]
        assert (result.coded.input_bytes, shown.coded.input_bytes) == (
            path.stat().st_size,
            len(alone.data),
        )
        assert result.coded.quality == 3


@pytest.mark.parametrize(
    ("device", "sizes"), [("cuda", [24, 4]), ("auto", [1] * 28)], ids=["GPU", "CPU"]
)
def test_pictures_of_any_size_share_fronts_on_a_gpu(
    device: str, sizes: list[int], tmp_path: Path
) -> None:
    """24 of Kodak's size; one of 12 megapixels, which does not fit in with them; three others."""
    paths = []
    shapes = [(768, 512)] * 24 + [(4000, 3000)] + [(768, 512)] + [(64, 64)] * 2
    for number, shape in enumerate(shapes):
        paths.append(tmp_path / f"{number}.png")
        Image.new("1", shape).save(paths[-1])
    tasks = files._tasks([(path, None) for path in paths], Encoding(device=device), False)
    assert [len(task.content.files) for task in tasks] == sizes


def test_a_failing_file_does_not_affect_others(pictures: list[Path]) -> None:
    pictures[3].write_bytes(pictures[3].read_bytes()[:200])  # its header is as it was
    files = pairs(pictures, "coded", ".lbb")
    files[5][1].parent.mkdir()
    files[5][1].write_bytes(b"mine")
    results = by_index(code_files(files, Encoding()))
    assert {result.index: type(result.error) for result in results if result.error} == {
        3: UnsupportedImageError,
        5: FileExistsError,
    }
    assert files[5][1].read_bytes() == b"mine"
    assert [output.exists() for _, output in files] == [n != 3 for n in range(len(files))]


@pytest.mark.usefixtures("ready_workers")
@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_is_reported_while_a_large_picture_is_coded(
    pictures: list[Path], jobs: int
) -> None:
    reports: list[tuple[int, Progress]] = []
    files = pairs(pictures, "coded", ".lbb")
    list(code_files(files, Encoding(), jobs=jobs, progress=lambda *report: reports.append(report)))
    large = [progress for index, progress in reports if index == 4]
    assert [each.done for each in large] == sorted(each.done for each in large)
    assert 0 < large[0].done < large[0].total


def test_a_target_is_searched_for_each_picture_separately(pictures: list[Path]) -> None:
    files = pairs(pictures, "coded", ".lbb")
    for result in code_files(files, Encoding(max_bpp=3.0)):
        width, height = SIZES[result.index]
        assert files[result.index][1].stat().st_size <= 3.0 * width * height / 8


@pytest.mark.usefixtures("ready_workers")
def test_workers_are_limited_by_memory(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "usable_memory", lambda: 2.5 * run.WORKER_BYTES)
    counts = [
        len(multiprocessing.active_children())
        for _ in code_files(pairs(pictures, "coded", ".lbb"), Encoding(effort="thorough"), jobs=5)
    ]
    assert max(counts) == 2


@pytest.mark.usefixtures("ready_workers")
def test_all_workers_share_a_single_large_picture(draw: Callable[..., Path]) -> None:
    large = draw("in/large.png", 2200, 2000)  # two tiles
    counts: list[int] = []
    made = []
    for jobs in (1, 2):
        place = large.with_name(f"{jobs}.lbb")
        results = code_files(
            [(large, place)],
            Encoding(),
            jobs=jobs,
            progress=lambda *_: counts.append(len(multiprocessing.active_children())),
        )
        assert [result.error for result in results] == [None]
        (back,) = code_files([(place, None)], Decoding(), jobs=jobs)
        assert back.coded is not None
        made.append((place.read_bytes(), back.coded.data))
    assert made[0] == made[1]
    assert (counts[0], counts[-1]) == (0, 1)  # beside this process


@pytest.fixture
def blocking_pipe(tmp_path: Path) -> Path:
    """A named pipe: a worker that reads it blocks."""
    path = tmp_path / "in" / "stuck.lbb"
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    return path


@pytest.fixture
def coded(pictures: list[Path]) -> list[Path]:
    files = pairs(pictures, "coded", ".lbb")
    list(code_files(files, Encoding()))
    return [output for _, output in files]


@needs_fifo
@pytest.mark.usefixtures("ready_workers")
def test_a_killed_worker_does_not_affect_other_files(
    coded: list[Path], blocking_pipe: Path
) -> None:
    def kill_readers() -> None:
        for _ in range(2):  # it is tried again
            with blocking_pipe.open("wb"):
                for process in multiprocessing.active_children():
                    process.kill()
                    process.join()

    killer = Thread(target=kill_readers)
    killer.start()
    files = pairs([*coded[:2], blocking_pipe, *coded[2:]], "back", ".png")
    results = by_index(code_files(files, Decoding(), jobs=2))
    killer.join()
    assert [(result.index, type(result.error)) for result in results if result.error] == [
        (2, WorkerDied)
    ]
    assert sorted(files[0][1].parent.iterdir()) == sorted(
        output for source, output in files if source != blocking_pipe
    )


@needs_fifo
@pytest.mark.usefixtures("ready_workers")
def test_cancelling_stops_the_workers(coded: list[Path], blocking_pipe: Path) -> None:
    finished: list[int] = []
    results = code_files(
        pairs([blocking_pipe, *coded], "back", ".png"),
        Decoding(),
        jobs=2,
        cancelled=lambda: len(finished) == len(coded),
    )
    with pytest.raises(Cancelled):
        finished.extend(result.index for result in results)
    assert len(finished) == len(coded)
    assert not multiprocessing.active_children()
