"""The benchmark on a small picture: it measures, resumes, and reports what is missing."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lbbic_engine.bench import codecs, page, reference, suite, targets
from lbbic_engine.bench.targets import Target
from lbbic_engine.bitstream.segments import SegmentWriter
from lbbic_engine.cli.program import main
from lbbic_engine.coding import latents
from lbbic_engine.coding.block_loop import code_blocks
from lbbic_engine.config import ModelConfig, quality_index
from lbbic_engine.layout.blocks import grid, merge_blocks, split_blocks
from lbbic_engine.measure.metrics import psnr
from lbbic_engine.networks import model_files, weights

pytestmark = pytest.mark.slow  # each codec runs in a process of its own


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is expected")
def test_peak_memory_is_in_megabytes() -> None:
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    assert suite.peak_memory_mb() == pytest.approx(int(line.split()[1]) * 1024 / 1e6, rel=0.01)


@pytest.fixture
def folder(
    tmp_path: Path,
    photograph: NDArray[np.uint8],
    tiny_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tiny_weights))  # the codecs' processes inherit it
    monkeypatch.setattr(suite, "_CODECS", {})
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(photograph).save(pictures / "one.png")
    return pictures


def test_the_command_writes_tables_plots_and_a_page_and_resumes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["bench", str(folder), "--codecs", "lbbic,jpeg", "--out", str(out)]
    assert main(arguments) == 0
    for name in ("results.csv", "rate_distortion.png", "seconds.png", "index.html", "summary.md"):
        assert (out / name).stat().st_size > 0
    content = json.loads((out / "results.json").read_text())
    assert {row["codec"] for row in content["results"]} == {"lbbic", "jpeg"}
    assert all(row["psnr"] > 10 and row["decode_seconds"] > 0 for row in content["results"])
    assert "lbbic, quality" in (out / "index.html").read_text(encoding="utf-8")

    before = (out / suite.RESULTS).read_text()
    capsys.readouterr()
    assert main(arguments) == 0
    assert (out / suite.RESULTS).read_text() == before
    assert "one.png" not in capsys.readouterr().err  # nothing was measured again


def test_an_unfinished_line_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / suite.RESULTS
    path.write_text('{"codec": "jpeg", "pict')
    assert suite.load(path) == []


@pytest.mark.parametrize(
    ("name", "words"), [("gif", "gif is not one of"), ("avif", "cannot write")]
)
def test_a_missing_codec_is_skipped_before_anything_is_measured(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    words: str,
) -> None:
    Image.init()
    monkeypatch.delitem(Image.SAVE, "AVIF")
    arguments = ["bench", str(folder), "--out", str(tmp_path / "o"), "--codecs"]
    assert main([*arguments, f"jpeg,{name}"]) == 2
    errors = capsys.readouterr().err
    assert words in errors
    assert errors.index(words) < errors.index("one.png (1 of 1)")
    assert main([*arguments, name]) == 2


def test_without_matplotlib_a_notice_precedes_tables_without_plots(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(page, "find_spec", lambda _: None)
    out = tmp_path / "out"
    assert main(["bench", str(folder), "--codecs", "jpeg", "--out", str(out)]) == 0
    errors = capsys.readouterr().err
    assert errors.index("no plots") < errors.index("one.png (1 of 1)")
    assert {path.name for path in out.iterdir()} == {
        "results.jsonl",
        "results.json",
        "results.csv",
        "summary.md",
        "index.html",
    }
    assert "rate_distortion" not in (out / "index.html").read_text(encoding="utf-8")


def test_a_codec_whose_process_dies_is_skipped(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "_measure", _die)
    messages: list[str] = []
    assert suite.run([folder / "one.png"], ["jpeg"], tmp_path, messages.append) == []
    assert messages == ["jpeg: Its process ended unexpectedly; memory may have run out."]


def _die(*_: object) -> None:
    os._exit(1)


def test_the_reference_decodes_its_own_file(folder: Path, photograph: NDArray[np.uint8]) -> None:
    """The reference takes the nearest symbols: more bytes and smaller errors than ours."""
    reference, ours = codecs.make("reference"), codecs.make("lbbic")
    coded, size = reference.encode(photograph, 4)
    mine, my_size = ours.encode(photograph, 4)
    assert my_size - 100 < size < 1.4 * my_size
    gain = psnr(reference.decode(coded), photograph) - psnr(ours.decode(mine), photograph)
    assert 0 < gain < 2


class Recorder(latents.LatentWriter):
    """Records the symbols (blocks, latents) that it encodes."""

    found: torch.Tensor
    widths: tuple[int, ...]

    def begin(self, front: torch.Tensor, *sources: torch.Tensor) -> None:
        super().begin(front, *sources)
        self._front = front

    def symbols(
        self, index: int, means: torch.Tensor, levels: torch.Tensor
    ) -> tuple[torch.Tensor, None]:
        symbols, _ = super().symbols(index, means, levels)
        first = sum(self.widths[:index])
        self.found[self._front, first : first + self.widths[index]] = symbols.float()
        return symbols, None


class Replay:
    """Returns given symbols (blocks, latents), whatever the parameters of the block."""

    def __init__(self, symbols: torch.Tensor, widths: tuple[int, ...]) -> None:
        self._slices = symbols.split(widths, dim=1)
        self._block = torch.tensor([0])

    def begin(self, front: torch.Tensor, *sources: torch.Tensor) -> None:
        self._block = front

    def symbols(
        self, index: int, means: torch.Tensor, levels: torch.Tensor
    ) -> tuple[torch.Tensor, None]:
        return self._slices[index][self._block].view_as(means), None


def test_the_reference_computes_the_same_networks(
    tiny: None, photograph: NDArray[np.uint8]
) -> None:
    """Our encoder's symbols give nearly our picture, although rounding errors accumulate."""
    description = weights.by_name(weights.DEFAULT)
    tensors = model_files.load_file(description.path)
    exact, analysis = (model_files.part(tensors, p) for p in (weights.INTEGER, weights.ANALYSIS))
    config = description.config
    assert isinstance(config, ModelConfig)
    network = weights.load(description, "cpu")
    size, (height, width) = config.block_size, photograph.shape[:2]
    rows, columns = grid(height, width, size)
    ours = split_blocks(photograph, size)
    recorder = Recorder(network, quality_index(4), SegmentWriter(network.tables, 0), ours)
    recorder.found = torch.zeros(rows * columns, config.latents)
    recorder.widths = config.latent_slices
    model = network.integer.at_quality(quality_index(4))
    decoded = np.empty_like(ours)
    for front, state in code_blocks(model, rows, columns, recorder):
        decoded[front] = state[:, : config.pixels].numpy().view(np.uint8) ^ 128
    straight = reference.float_network(config, exact, analysis)
    slow = reference.Reference(straight, network.tables, 4)
    blocks = slow.code(rows, columns, Replay(recorder.found, config.latent_slices))
    pictures = (merge_blocks(each, height, width, size) for each in (blocks, decoded))
    assert psnr(*pictures) > 40


def test_targets_are_reported_as_met_or_not_met() -> None:
    assert str(Target("a", 1.75, "×", least=1.7)) == "| a | 1.75 × | ≥ 1.7 × | met |"
    assert str(Target("b", 512, "MB", most=450)) == "| b | 512 MB | ≤ 450 MB | not met |"


def test_start_up_time_is_subtracted_from_gains(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "_run", lambda *given: 11.0 if given[-1] == 1 else 6.0)
    (batch,) = targets._batch(folder, 1.0)
    assert batch.value == 2.0
