"""Refinement files: find, verify, load, save. They are in the same folders as weights.

A refinement is one safetensors file with one metadata entry, and its identity covers everything
that a decoder uses. A refined ``.lbb`` file names the refinement, which names the weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor

from lbbic_engine.config import RefinementConfig
from lbbic_engine.errors import UnknownWeightsError
from lbbic_engine.networks import model_files, weights, weights_schema
from lbbic_engine.networks.kernels import choose_kernel
from lbbic_engine.networks.refinement import Refinement


@dataclass(frozen=True)
class RefinementInfo:
    """The metadata of a refinement file."""

    path: Path
    id: bytes
    config: RefinementConfig
    record: dict[str, Any]

    @property
    def weights_id(self) -> bytes:
        """Identity of the weights that it refines."""
        return bytes.fromhex(self.config.weights)


def installed() -> Iterator[RefinementInfo]:
    """Yield all readable refinements, those in the user's folder first."""
    for folder in model_files.folders():
        yield from model_files.sound_files(folder, _describe)


def of_weights(identity: bytes) -> RefinementInfo | None:
    """Return the refinement for new files of the weights with that identity, or None.

    Of several in a folder it is the last one by name; the others decode older files.
    """
    for folder in model_files.folders():
        for each in reversed(list(model_files.sound_files(folder, _describe))):
            if each.weights_id == identity and _is_sound(each):
                return each
    return None


def by_id(identity: bytes) -> RefinementInfo:
    """Return the refinement that a file names; UnknownWeightsError if it is not installed."""
    for info in installed():
        if info.id == identity and _is_sound(info):
            return info
    raise model_files.not_installed("refined with", identity)


def load(info: RefinementInfo, device: str) -> Refinement:
    """Load a refinement, or return the cached one; UnknownWeightsError if the file is damaged."""
    return _load(info.path, info.id, device)


@cache
def _load(path: Path, identity: bytes, device: str) -> Refinement:
    info = _describe(path)
    if info is None:
        raise UnknownWeightsError("Damaged model file", f"{path.name} is not a refinement.")
    tensors = model_files.read_tensors(path, info.config, identity)
    return Refinement(info.config, tensors, choose_kernel(device), device)


def save(
    path: Path, config: RefinementConfig, tensors: dict[str, Tensor], record: dict[str, Any]
) -> RefinementInfo:
    """Write a refinement file as a whole, or leave everything as it was."""
    info = RefinementInfo(path, model_files.identify(config, tensors), config, record)
    metadata = {
        "kind": model_files.REFINEMENT,
        "id": info.id.hex(),
        "config": dataclasses.asdict(config),
        "record": record,
    }
    model_files.write_file(path, tensors, metadata)
    return info


def _is_sound(info: RefinementInfo) -> bool:
    """Whether it is valid and fits its weights, if these are installed."""
    sizes = {each.config.block_size for each in weights.installed() if each.id == info.weights_id}
    return sizes <= {info.config.block_size} and model_files.is_sound(
        info.path, info.config, info.id
    )


def _describe(path: Path) -> RefinementInfo | None:
    """Return the metadata of a file, or None if it is not a refinement."""
    metadata, header = model_files.read_header(path)
    with model_files.reading(path):
        if metadata.get("kind") != model_files.REFINEMENT:
            return None
        config = weights_schema.read_config(RefinementConfig, metadata.get("config"))
        weights_schema.check_header(weights_schema.rules_for(config, header), header)
        identity = weights_schema.read_identity(metadata.get("id"))
        record = metadata.get("record")
        return RefinementInfo(path, identity, config, record if isinstance(record, dict) else {})
