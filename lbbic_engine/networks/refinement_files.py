"""Files of refinements: find, verify, load, save. They lie beside the weights that they refine.

As in ``weights``, a file is one safetensors file with an entry of metadata, and its identity stands
for everything that a decoder uses: a refined file names that, and it names the weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from lbbic_engine.config import RefinementConfig
from lbbic_engine.errors import UnknownWeightsError
from lbbic_engine.networks import weights
from lbbic_engine.networks.kernels import choose_kernel
from lbbic_engine.networks.refinement import Refinement

KIND = "refinement"


@dataclass(frozen=True)
class RefinementInfo:
    """What a refinement's file says of itself."""

    path: Path
    id: bytes
    config: RefinementConfig
    record: dict[str, Any]

    @property
    def weights_id(self) -> bytes:
        """Identity of the weights whose pictures it refines."""
        return bytes.fromhex(self.config.weights)


def installed() -> Iterator[RefinementInfo]:
    """Every readable refinement, those of the user's folder first."""
    for folder in weights.folders():
        for path in sorted(folder.glob("*.safetensors")):
            found = _describe(path)
            if found is not None:
                yield found


def of_weights(identity: bytes) -> RefinementInfo | None:
    """The refinement of the weights with that identity, if there is one."""
    return next((each for each in installed() if each.weights_id == identity), None)


def by_id(identity: bytes) -> RefinementInfo:
    """The refinement a file names; UnknownWeightsError if it is not installed."""
    for found in installed():
        if found.id == identity:
            return found
    raise UnknownWeightsError(
        "Unknown weights",
        f"The file was refined with weights {identity.hex()}, which are not installed; a newer "
        "version of this program may have them.",
    )


def load(info: RefinementInfo, device: str) -> Refinement:
    """The refinement of a file, kept once loaded; UnknownWeightsError if it is damaged."""
    return _load(info.path, info.id, device)


@cache
def _load(path: Path, identity: bytes, device: str) -> Refinement:
    info = _describe(path)
    if info is None:
        raise UnknownWeightsError("Damaged weights", f"{path.name} cannot be read.")
    tensors = load_file(path)
    if weights.identify(info.config, tensors) != identity:
        raise UnknownWeightsError("Damaged weights", f"{path.name} does not match its checksum.")
    return Refinement(info.config, tensors, choose_kernel(device), device)


def save(
    path: Path, config: RefinementConfig, tensors: dict[str, Tensor], record: dict[str, Any]
) -> RefinementInfo:
    """Writes a refinement's file, aside and then renamed."""
    info = RefinementInfo(path, weights.identify(config, tensors), config, record)
    metadata = {
        "kind": KIND,
        "id": info.id.hex(),
        "config": dataclasses.asdict(config),
        "record": record,
    }
    weights.write_file(path, tensors, metadata)
    return info


def _describe(path: Path) -> RefinementInfo | None:
    """What a refinement's file says of itself, or None if it is none."""
    metadata = weights.read_metadata(path)
    if metadata is None or metadata.get("kind") != KIND:
        return None
    try:
        config = RefinementConfig(**metadata["config"])
        return RefinementInfo(path, bytes.fromhex(metadata["id"]), config, metadata["record"])
    except (KeyError, TypeError, ValueError):
        return None
