"""The files of models: weights files and refinement files.

Each is a safetensors file with one metadata entry in JSON. It may come from anyone, so it is
checked before use (``weights_schema``): the header when a folder is listed, the values of its
tensors when the model is loaded. An invalid file is ignored, and reported to the log once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import safetensors
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor

from lbbic_engine import resources
from lbbic_engine.errors import UnknownWeightsError
from lbbic_engine.networks import weights_schema
from lbbic_engine.networks.weights_schema import AnyConfig, Header
from lbbic_engine.pictures.atomic import write_atomically

SUFFIX = ".safetensors"
METADATA_KEY = "lbbic"
REFINEMENT = "refinement"  # the kind of refinement files
FOLDER_VARIABLE = "LBBIC_WEIGHTS"  # names another folder for the user's models

_LOG = logging.getLogger("lbbic")
_rejected: dict[Path, tuple[tuple[int, int, int], str]] = {}  # version and reason of invalid files
InfoT = TypeVar("InfoT")


def folders() -> tuple[Path, Path]:
    """Return the folder of the user's models and that of the bundled ones."""
    return user_folder(), resources.FOLDER / "weights"


def user_folder() -> Path:
    """Return the folder of the user's models: LBBIC_WEIGHTS, or the system's usual place."""
    from platformdirs import user_data_path

    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else user_data_path("lbbic", appauthor=False) / "weights"


def sound_files(folder: Path, describe: Callable[[Path], InfoT | None]) -> Iterator[InfoT]:
    """Yield what ``describe`` returns for each model file in a folder, in the order of names.

    It returns None for files of another kind and raises UnknownWeightsError for invalid ones.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    except OSError:  # most users have no such folder
        return
    for path in paths:
        try:
            info = _described(describe, path, *_version(path))
        except UnknownWeightsError as error:
            _reject(path, error)
        else:
            if info is not None:
                yield info


def is_sound(path: Path, config: AnyConfig, identity: bytes, prefix: str = "") -> bool:
    """Whether ``read_tensors`` accepts a file; otherwise report it."""
    try:
        return _passes(path, config, identity, prefix, *_version(path))
    except UnknownWeightsError as error:
        _reject(path, error)
        return False


def unknown(detail: str) -> UnknownWeightsError:
    """Return the error, which also names the invalid files."""
    return UnknownWeightsError("Unknown model", " ".join([detail, *rejected()]))


def not_installed(what: str, identity: bytes) -> UnknownWeightsError:
    """Return the error for a model that an ``.lbb`` file names and that is not installed."""
    return unknown(
        f"The file was {what} model {identity.hex()}, which is not installed; a newer version of "
        "this program may include it."
    )


def rejected() -> tuple[str, ...]:
    """Return a sentence for each file in the folders that was found to be invalid and still is."""
    return tuple(
        reason
        for path, (version, reason) in list(_rejected.items())  # other threads may add some
        if path.parent in folders() and _version(path) == version
    )


def read_header(path: Path) -> tuple[dict[str, Any], Header]:
    """Return a file's metadata and the types and shapes of its tensors.

    UnknownWeightsError if it is not a model file.
    """
    with reading(path):
        if not path.is_file():
            raise ValueError("it is not a file")
        with safetensors.safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {}).get(METADATA_KEY, "null"))
            if not isinstance(metadata, dict):
                raise ValueError("it is not a model of this program")
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return metadata, {
                name: (each.get_dtype(), tuple(each.get_shape())) for name, each in slices.items()
            }


def read_tensors(
    path: Path, config: AnyConfig, identity: bytes, prefix: str = ""
) -> dict[str, Tensor]:
    """Return all tensors of a file; UnknownWeightsError if they are invalid.

    The tensors whose names begin with ``prefix`` must match the identity.
    """
    return _read_tensors(path, config, identity, prefix, *_version(path))


@lru_cache(maxsize=2)  # weights and their refinement are checked first and loaded soon after
def _read_tensors(
    path: Path, config: AnyConfig, identity: bytes, prefix: str, *_version: int
) -> dict[str, Tensor]:
    _, header = read_header(path)
    with reading(path):
        rules = weights_schema.rules_for(config, header)
        weights_schema.check_header(rules, header)
        tensors = load_file(path)
        if identify(config, part(tensors, prefix)) != identity:
            raise ValueError("it does not match its checksum")
        weights_schema.check_values(rules, tensors)
    return tensors


@lru_cache(maxsize=128)  # or this would take longer than to decode a small picture
def _described(
    describe: Callable[[Path], InfoT | None], path: Path, *_version: int
) -> InfoT | None:
    return describe(path)


@lru_cache(maxsize=128)
def _passes(path: Path, config: AnyConfig, identity: bytes, prefix: str, *version: int) -> bool:
    _read_tensors(path, config, identity, prefix, *version)
    return True


def _version(path: Path) -> tuple[int, int, int]:
    """What changes when a file does; zeros if it cannot be read."""
    try:
        facts = path.stat()
    except OSError:
        return 0, 0, 0
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the errors that an invalid file may cause into UnknownWeightsError."""
    try:
        yield
    except (OSError, ValueError, RecursionError, safetensors.SafetensorError) as error:
        detail = f"{path.name} cannot be used: {error}."
        raise UnknownWeightsError("Damaged model file", detail) from error


def write_file(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write a file of tensors and metadata as a whole, or leave everything as it was."""
    data = serialise(tensors, {METADATA_KEY: json.dumps(metadata)})
    write_atomically(path, data, overwrite=True)


def identify(config: AnyConfig, integer: dict[str, Tensor]) -> bytes:
    """Return eight bytes that identify everything a decoder uses."""
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(config)).encode())
    for name in sorted(integer):
        value = integer[name].contiguous().numpy()
        digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.digest()[: weights_schema.IDENTITY_BYTES]


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix``, without the prefix."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _reject(path: Path, error: UnknownWeightsError) -> None:
    """Report an invalid file once, and remember the reason."""
    found = _version(path), error.detail
    if _rejected.get(path) != found:
        _rejected[path] = found
        _LOG.warning("%s", error.detail)
