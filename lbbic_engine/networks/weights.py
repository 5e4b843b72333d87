"""Weights files: find, verify, load, save. One safetensors file is one model.

It contains ``integer.*`` (the exact decoder, including tables), ``analysis.*`` (the analysis
transform, in integers or, for the paper's models, in half precision) and one metadata entry in
JSON: name, kind, id, configuration, training record. The id, by which ``.lbb`` files name their
weights, is the first eight bytes of a SHA-256 over the configuration and the decoder's tensors.

If a file is damaged, another file with the same name or id is used if there is one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lbbic_engine.bitstream.tables import ProbabilityTables, build_tables
from lbbic_engine.config import DEFAULT_WEIGHTS, Config, ModelConfig, PaperConfig
from lbbic_engine.errors import UnknownWeightsError
from lbbic_engine.networks import model_files, weights_schema
from lbbic_engine.networks.integer_analysis import AnalysisTransform
from lbbic_engine.networks.integer_network import IntegerNetwork
from lbbic_engine.networks.kernels import choose_kernel
from lbbic_engine.networks.model_files import identify, part
from lbbic_engine.networks.paper.float_network import Transform
from lbbic_engine.networks.paper.integer_network import PaperAnalysis, PaperIntegerNetwork

DEFAULT = DEFAULT_WEIGHTS
INTEGER, ANALYSIS = "integer.", "analysis."
KINDS: dict[str, type[Config]] = {"production": ModelConfig, "paper": PaperConfig}
MAX_NAME_LENGTH = 100


@dataclass(frozen=True)
class WeightsInfo:
    """The metadata of a weights file."""

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
    """Yield all readable weights files, those in the user's folder first."""
    for folder in model_files.folders():
        yield from describe_folder(folder)


def describe_folder(folder: Path) -> Iterator[WeightsInfo]:
    """Yield the readable weights files of a folder, in the order of names."""
    return model_files.sound_files(folder, _describe)


def by_name(name: str) -> WeightsInfo:
    """Return the weights of that name; UnknownWeightsError if there are none."""
    for info in installed():
        if info.name == name and _is_sound(info):
            return info
    names = ", ".join(dict.fromkeys(info.name for info in installed()))
    detail = f"There is no model named {name}; these are installed: {names}."
    raise model_files.unknown(detail if names else "No models are installed.")


def by_id(identity: bytes) -> WeightsInfo:
    """Return the weights that a file names; UnknownWeightsError if they are not installed."""
    for info in installed():
        if info.id == identity and _is_sound(info):
            return info
    raise model_files.not_installed("made with", identity)


def load(info: WeightsInfo, device: str) -> LoadedModel:
    """Load a model, or return the cached one; UnknownWeightsError if the file is damaged."""
    return _load(info.path, info.id, device)


@cache
def _load(path: Path, identity: bytes, device: str) -> LoadedModel:
    info = _describe(path)
    if info is None:
        raise UnknownWeightsError("Damaged model file", f"{path.name} is not a model.")
    config = info.config
    tensors = model_files.read_tensors(path, config, identity, INTEGER)
    integer, analysis = part(tensors, INTEGER), part(tensors, ANALYSIS)
    tables = build_tables(*(integer.pop(f"table_{each}").numpy() for each in ("counts", "widths")))
    kernel = choose_kernel(device)
    if isinstance(config, PaperConfig):
        paper = PaperIntegerNetwork(config, integer, kernel, device)
        return LoadedModel(info, paper, tables, _paper_analysis(config, analysis, device))
    production = IntegerNetwork(config, integer, kernel, device)
    return LoadedModel(info, production, tables, AnalysisTransform(analysis, kernel, device))


def save_weights(
    path: Path,
    name: str,
    config: Config,
    integer: dict[str, Tensor],
    analysis: dict[str, Tensor],
    record: dict[str, Any],
) -> WeightsInfo:
    """Write a weights file as a whole, or leave everything as it was."""
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
    model_files.write_file(path, tensors, metadata)
    return info


def _paper_analysis(config: PaperConfig, values: dict[str, Tensor], device: str) -> PaperAnalysis:
    with torch.device("meta"):
        transform = Transform(config, config.pixels, config.latents, inverse=False)
    state = {name: value.to(device, torch.float) for name, value in values.items()}
    outside = float(state.pop("outside", 0.0))
    transform.load_state_dict(state, assign=True)
    return PaperAnalysis(transform.requires_grad_(False), outside)


def _is_sound(info: WeightsInfo) -> bool:
    return model_files.is_sound(info.path, info.config, info.id, INTEGER)


def _describe(path: Path) -> WeightsInfo | None:
    """Return the metadata of a file, or None if it is a refinement."""
    metadata, header = model_files.read_header(path)
    with model_files.reading(path):
        kind, name, record = (metadata.get(key) for key in ("kind", "name", "record"))
        if kind == model_files.REFINEMENT:
            return None
        if not isinstance(kind, str) or kind not in KINDS:
            raise ValueError("it belongs to another version of this program")
        if (
            not isinstance(name, str)
            or not name.isprintable()
            or not 0 < len(name) <= MAX_NAME_LENGTH
        ):
            raise ValueError("it has no name")
        config = weights_schema.read_config(KINDS[kind], metadata.get("config"))
        weights_schema.check_header(weights_schema.rules_for(config, header), header)
        identity = weights_schema.read_identity(metadata.get("id"))
        return WeightsInfo(path, name, identity, config, record if isinstance(record, dict) else {})
