"""Damaged or malicious files of weights and refinements."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lbbic_engine.cli import main
from lbbic_engine.codec import compress, decompress
from lbbic_engine.config import RefinementConfig
from lbbic_engine.errors import UnknownWeightsError
from lbbic_engine.networks import model_files, refinement_files, weights
from lbbic_engine.pictures.picture import Picture

GOLDEN = Path(__file__).parents[2] / "golden"
FILES = {
    name: (GOLDEN / f"{name}.safetensors").read_bytes()
    for name in ("tiny", "paper", "tiny-refinement")
}

Header = dict[str, Any]
Change = Callable[[Header, dict[str, Any], bytearray], None]


def changed(data: bytes, change: Change) -> bytes:
    """Write a file with a changed header, metadata entry and tensor bytes."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    metadata = json.loads(header["__metadata__"][model_files.METADATA_KEY])
    change(header, metadata, body)
    header["__metadata__"] = {model_files.METADATA_KEY: json.dumps(metadata)}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(body)


def metadata(**entries: Any) -> Change:
    return lambda _header, found, _body: found.update(entries)


def config(**entries: Any) -> Change:
    return lambda _header, found, _body: found["config"].update(entries)


def tensor(name: str, **entries: Any) -> Change:
    return lambda header, _found, _body: header[name].update(entries)


def without(name: str) -> Change:
    return lambda header, _found, _body: header.pop(name)


# Each makes a file on which the networks, or Python, would fail without checks.
HARM: list[tuple[str, Change]] = [
    ("tiny", metadata(config=[])),  # AttributeError
    ("tiny", metadata(config=None)),
    ("tiny", metadata(kind=[])),  # TypeError
    ("tiny", metadata(kind="later")),
    ("tiny", metadata(name=1)),
    ("tiny", metadata(name="a\nb")),
    ("tiny", metadata(id="0")),
    ("tiny", metadata(id=5)),
    ("tiny", config(block_size=0)),  # ZeroDivisionError
    ("tiny", config(block_size="8")),
    ("tiny", config(block_size=7)),
    ("tiny", config(hidden=2**62)),
    ("tiny", config(hidden=True)),
    ("tiny", config(latent_slices=8)),
    ("tiny", config(latent_slices=[])),
    ("tiny", config(latent_slices=[8, 0])),
    ("tiny", config(scale_levels=8)),  # IndexError: significant rows have that level
    ("tiny", config(min_scale=float("nan"))),
    ("tiny", config(more=1)),
    ("tiny", tensor("integer.steps", dtype="F16")),
    ("tiny", tensor("integer.steps", dtype="F8_E8M0")),
    ("tiny", tensor("integer.steps", shape=[32, 57])),  # RuntimeError
    ("tiny", tensor("integer.steps", data_offsets=[0, 2**63])),
    ("tiny", without("analysis.linear")),  # KeyError
    ("paper", config(quality=9.0)),
    ("paper", config(hidden=8)),
    ("paper", config(context_kernels=[5, 1, 1, 1])),
    ("paper", config(context_kernels=[[3], {}])),
    ("paper", tensor("analysis.value.bias", dtype="BF16")),
    ("paper", without("integer.thresholds")),
    ("tiny-refinement", config(ring=0)),
    ("tiny-refinement", config(weights="zz" * 8)),
    ("tiny-refinement", config(block_size=4)),
    ("tiny-refinement", tensor("layer_2.weight", shape=[256])),
    ("tiny-refinement", without("layer_3.bias")),
]


# Values out of range, in an intact file with the right identity.
EXTREMES: list[tuple[str, str, Any]] = [
    ("tiny", "integer.table_widths", 3),
    ("tiny", "integer.table_widths", -1),
    ("tiny", "integer.table_counts", 0),
    ("tiny", "integer.table_counts", 2**31 - 1),
    ("tiny", "integer.steps", 0),
    ("tiny", "integer.context_2.weight", -128),
    ("tiny", "integer.context_2.weight", 127),  # pairs of one sign are bounded
    ("tiny", "integer.context_2.bias", 2**31 - 1),
    ("tiny", "integer.context_2.multiplier", 2**62),
    ("tiny", "analysis.analysis_1.fine", 32),
    ("tiny", "analysis.analysis_1.fine", -33),
    ("paper", "integer.gdn_1.exponent", 2**31 - 1),
    ("paper", "integer.norm_1.weight", -1),
    ("paper", "integer.norm_2.bias", -1),
    ("paper", "analysis.value.bias", float("nan")),
    ("paper", "analysis.value.weight", float("inf")),
    ("tiny-refinement", "layer_1.weight", -128),
    ("tiny-refinement", "layer_3.multiplier", -1),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's models."""
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path))
    return tmp_path


def describe_all() -> list[Path]:
    found = [*weights.installed(), *refinement_files.installed()]
    return [info.path for info in found]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").mkdir()
    with pytest.raises(OSError, match="mine"):
        refinement_files.save(tmp_path / "mine.safetensors", RefinementConfig(), {}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]


def test_only_files_that_are_still_invalid_are_named(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, mended, elsewhere = (folder / f"{name}.safetensors" for name in ("a", "b", "c"))
    for path in (gone, mended, elsewhere):
        path.write_bytes(b"")
    describe_all()
    assert len(model_files.rejected()) == 3
    gone.unlink()
    shutil.copy(GOLDEN / "tiny.safetensors", mended)
    describe_all()
    assert [words.split()[0] for words in model_files.rejected()] == ["c.safetensors"]
    monkeypatch.setenv("LBBIC_WEIGHTS", str(tmp_path_factory.mktemp("another")))
    assert model_files.rejected() == ()


def test_a_file_may_be_found_to_be_invalid_while_others_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(path: Path) -> tuple[int, int, int]:
        model_files._rejected[path.with_suffix(".other")] = (0, 0, 0), "by another thread"
        return 0, 0, 0

    monkeypatch.setattr(model_files, "_rejected", {folder / "bad": ((0, 0, 0), "Bad.")})
    monkeypatch.setattr(model_files, "_version", version)
    assert model_files.rejected() == ("Bad.",)


@pytest.mark.parametrize(("file", "change"), HARM)
def test_a_bad_model_file_is_named_once_and_skipped(
    file: str, change: Change, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def claim(header: Header, found: dict[str, Any], body: bytearray) -> None:
        found["name"] = weights.DEFAULT
        change(header, found, body)

    (folder / "bad.safetensors").write_bytes(changed(FILES[file], claim))
    assert folder not in [path.parent for path in describe_all() * 2]
    assert weights.by_name(weights.DEFAULT).path.parent == model_files.folders()[1]
    (message,) = caplog.messages
    assert message.startswith("bad.safetensors cannot be used: ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\3\4" * 20,
        FILES["tiny"][:-1],
        FILES["tiny"][:200],
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        changed(FILES["tiny"], metadata()).replace(b'{\\"name', b"[" * 7),
    ],
)
def test_files_that_are_not_weights_are_skipped(
    content: bytes, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "bad.safetensors").write_bytes(content)
    assert folder not in [path.parent for path in describe_all()]
    assert len(caplog.messages) == 1


def test_deeply_nested_json_is_skipped(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = json.dumps({"__metadata__": {model_files.METADATA_KEY: "[" * 10**6}}).encode()
    (folder / "bad.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    assert folder not in [path.parent for path in describe_all()]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(("file", "name", "value"), EXTREMES)
def test_files_with_values_out_of_range_are_skipped(
    file: str,
    name: str,
    value: float,
    folder: Path,
    photograph: NDArray[np.uint8],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Even if the identity of the file is right."""
    tensors = model_files.load_file(GOLDEN / f"{file}.safetensors")
    tensors[name].view(-1)[:2] = value
    bad = folder / "bad.safetensors"
    if file == "tiny-refinement":
        (folder / "tiny.safetensors").write_bytes(FILES["tiny"])
        described = refinement_files._describe(GOLDEN / f"{file}.safetensors")
        assert described is not None
        refinement_files.save(bad, described.config, tensors, {})
        assert compress(Picture(photograph), weights="tiny").data
    else:
        config = next(d for d in weights.describe_folder(GOLDEN) if d.name == file).config
        parts = (model_files.part(tensors, each) for each in (weights.INTEGER, weights.ANALYSIS))
        weights.save_weights(bad, file, config, *parts, {})
        with pytest.raises(UnknownWeightsError, match=r"out of range|tables are damaged"):
            compress(Picture(photograph), weights=file)
    assert len(caplog.messages) == 1


def test_a_refinement_of_another_block_size_is_skipped(
    folder: Path, photograph: NDArray[np.uint8]
) -> None:
    """It would refine blocks that do not exist."""
    (folder / "paper.safetensors").write_bytes(FILES["paper"])
    described = refinement_files._describe(GOLDEN / "tiny-refinement.safetensors")
    assert described is not None
    of_paper = replace(described.config, weights=weights.by_name("paper").id.hex())
    tensors = model_files.load_file(described.path)
    refinement_files.save(folder / "wrong.safetensors", of_paper, tensors, {})
    data = compress(Picture(photograph), weights="paper").data
    assert decompress(data).pixels.shape == photograph.shape


def test_model_files_are_read_again_only_after_changes(
    folder: Path, photograph: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "tiny.safetensors"
    file.write_bytes(FILES["tiny"])
    looked: list[Path] = []
    read_header = model_files.read_header
    monkeypatch.setattr(
        weights.model_files, "read_header", lambda p: looked.append(p) or read_header(p)
    )
    data = compress(Picture(photograph), weights="tiny").data
    looked.clear()
    decompress(data)
    compress(Picture(photograph), weights="tiny")
    assert looked == []
    aside = folder / "aside"
    aside.write_bytes(FILES["paper"])
    aside.replace(file)
    with pytest.raises(UnknownWeightsError):
        weights.by_name("tiny")
    assert weights.by_name("paper").path == file


def test_damaged_weights_are_replaced_by_the_shipped_ones(
    folder: Path, photograph: NDArray[np.uint8]
) -> None:
    """A user's file of the same name has damaged numbers."""
    data = bytearray(weights.by_name(weights.DEFAULT).path.read_bytes())
    data[-1000] ^= 1
    (folder / "photo.safetensors").write_bytes(data)
    picture = decompress(compress(Picture(photograph)).data)
    assert picture.pixels.shape == photograph.shape


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_command_line_names_a_bad_file_once(
    jobs: str, folder: Path, draw: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.safetensors").write_bytes(FILES["tiny"][:-1])
    (folder / "tiny.safetensors").write_bytes(FILES["tiny"])
    pictures = [draw(f"{name}.png", 1024, 720) for name in "abc"]
    assert main(["compress", *map(str, pictures), "--weights", "tiny", "--jobs", jobs]) == 0
    stderr = capfd.readouterr().err
    assert stderr.count("bad.safetensors cannot be used") == 1
    assert stderr.startswith("lbbic: bad.safetensors")
