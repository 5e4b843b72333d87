"""Weights files: find, verify, load, save. One safetensors file is one model.

It holds ``integer.*`` (the exact decoder, tables included), ``analysis.*`` (the analysis
transform: integers, too, or the paper's in half precision) and one metadata entry, JSON: name, id,
config, training record. The id, by which ``.lbb`` files name their weights, is the first eight
bytes of a SHA-256 over the configuration and the decoder's tensors. The kind of network is an
entry of its own; each kind's configuration has other fields, so the id tells them apart.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.resources
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor

from lbbic_engine.bitstream.tables import ProbabilityTables, build_tables
from lbbic_engine.config import DEFAULT_WEIGHTS, Config, ModelConfig, PaperConfig, RefinementConfig
from lbbic_engine.errors import UnknownWeightsError
from lbbic_engine.networks.integer_analysis import AnalysisTransform
from lbbic_engine.networks.integer_network import IntegerNetwork
from lbbic_engine.networks.kernels import choose_kernel
from lbbic_engine.networks.paper_float import Transform
from lbbic_engine.networks.paper_integer import PaperAnalysis, PaperIntegerNetwork

DEFAULT = DEFAULT_WEIGHTS
FOLDER_VARIABLE = "LBBIC_WEIGHTS"  # a folder of the user's other than the usual one
METADATA_KEY = "lbbic"
INTEGER, ANALYSIS = "integer.", "analysis."
KINDS: dict[str, type[Config]] = {"production": ModelConfig, "paper": PaperConfig}


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file says of itself."""

    path: Path
    name: str
    id: bytes
    config: Config
    record: dict[str, Any]


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to code: exact decoder, probability tables, analysis transform."""

    info: WeightsInfo
    integer: IntegerNetwork | PaperIntegerNetwork
    tables: ProbabilityTables
    analysis: AnalysisTransform | PaperAnalysis


def installed() -> Iterator[WeightsInfo]:
    """Every readable weights file, those of the user's folder first."""
    for folder in folders():
        yield from describe_folder(folder)


def folders() -> tuple[Path, Path]:
    """Where weights are: the user's own, and those that ship."""
    return user_folder(), Path(str(importlib.resources.files("resources") / "weights"))


def user_folder() -> Path:
    """Where the user's own weights are: LBBIC_WEIGHTS, or a folder of the system's choice."""
    from platformdirs import user_data_path

    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else user_data_path("lbbic", appauthor=False) / "weights"


def describe_folder(folder: Path) -> Iterator[WeightsInfo]:
    """Every readable weights file of a folder, by name."""
    for path in sorted(folder.glob("*.safetensors")):
        info = _describe(path)
        if info is not None:
            yield info


def by_name(name: str) -> WeightsInfo:
    """The weights of that name; UnknownWeightsError if there are none."""
    for info in installed():
        if info.name == name:
            return info
    names = ", ".join(dict.fromkeys(info.name for info in installed()))
    detail = f"No weights named {name} are installed, only these: {names}."
    raise UnknownWeightsError("Unknown weights", detail if names else "None at all are installed.")


def by_id(identity: bytes) -> WeightsInfo:
    """The weights a file names; UnknownWeightsError if they are not installed."""
    for info in installed():
        if info.id == identity:
            return info
    raise UnknownWeightsError(
        "Unknown weights",
        f"The file was made with weights {identity.hex()}, which are not installed; a newer "
        "version of this program may have them.",
    )


def load(info: WeightsInfo, device: str) -> LoadedModel:
    """The network of a weights file, kept once loaded; UnknownWeightsError if it is damaged."""
    return _load(info.path, info.id, device)


@cache
def _load(path: Path, identity: bytes, device: str) -> LoadedModel:
    info = _describe(path)
    if info is None:
        raise UnknownWeightsError("Damaged weights", f"{path.name} cannot be read.")
    tensors = load_file(path)
    integer = part(tensors, INTEGER)
    if identify(info.config, integer) != identity:
        raise UnknownWeightsError("Damaged weights", f"{path.name} does not match its checksum.")
    counts, widths = integer.pop("table_counts"), integer.pop("table_widths")
    tables = build_tables(counts.numpy(), widths.numpy())
    kernel, analysis = choose_kernel(device), part(tensors, ANALYSIS)
    config = info.config
    try:
        if isinstance(config, PaperConfig):
            paper = PaperIntegerNetwork(config, integer, kernel, device)
            return LoadedModel(info, paper, tables, _paper_analysis(config, analysis, device))
        production = IntegerNetwork(config, integer, kernel, device)
        return LoadedModel(info, production, tables, AnalysisTransform(analysis, kernel, device))
    except KeyError as error:
        raise UnknownWeightsError(
            "Unknown weights", f"{path.name} is of another version of this program: no {error}."
        ) from error


def save_weights(
    path: Path,
    name: str,
    config: Config,
    integer: dict[str, Tensor],
    analysis: dict[str, Tensor],
    record: dict[str, Any],
) -> WeightsInfo:
    """Writes a weights file, aside and then renamed."""
    info = WeightsInfo(path, name, identify(config, integer), config, record)
    metadata = {
        "name": name,
        "kind": next(kind for kind, known in KINDS.items() if isinstance(config, known)),
        "id": info.id.hex(),
        "config": dataclasses.asdict(config),
        "record": record,
    }
    tensors = {INTEGER + key: value.contiguous() for key, value in integer.items()}
    tensors |= {ANALYSIS + key: value.contiguous() for key, value in analysis.items()}
    write_file(path, tensors, metadata)
    return info


def write_file(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Writes tensors and what is to be said of them, aside and then renamed."""
    aside = path.with_suffix(".tmp")
    aside.write_bytes(serialise(tensors, {METADATA_KEY: json.dumps(metadata)}))
    aside.replace(path)


def read_metadata(path: Path) -> dict[str, Any] | None:
    """What ``write_file`` was told to say of a file's tensors, or None if it is no such file."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            found: dict[str, Any] = json.loads(file.metadata()[METADATA_KEY])
            return found
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError):
        return None


def identify(config: Config | RefinementConfig, integer: dict[str, Tensor]) -> bytes:
    """Eight bytes that stand for everything a decoder uses."""
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(config)).encode())
    for name in sorted(integer):
        value = integer[name].contiguous().numpy()
        digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.digest()[:8]


def _paper_analysis(config: PaperConfig, values: dict[str, Tensor], device: str) -> PaperAnalysis:
    with torch.device("meta"):
        transform = Transform(config, config.pixels, config.latents, inverse=False)
    state = {name: value.to(device, torch.float) for name, value in values.items()}
    outside = state.pop("outside", torch.zeros(())).item()
    transform.load_state_dict(state, assign=True)
    return PaperAnalysis(transform.requires_grad_(False), outside)


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _describe(path: Path) -> WeightsInfo | None:
    """What a weights file says of itself, or None if it is none."""
    metadata = read_metadata(path)
    if metadata is None:
        return None
    try:
        values = metadata["config"].items()
        config: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values}
        return WeightsInfo(
            path,
            metadata["name"],
            bytes.fromhex(metadata["id"]),
            KINDS[metadata["kind"]](**config),
            metadata["record"],
        )
    except (ValueError, KeyError, TypeError):
        return None
