"""A run by several processes, which ``torchrun`` starts: which of them this is, and who writes.

Each computes the gradients of its share of a step's crops; DistributedDataParallel averages them.
Without ``torchrun`` there is one process, and all of this does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the other processes, in a context. ValueError on a GPU: this is for CPUs."""
    if not distributed.is_available() or not distributed.is_torchelastic_launched():
        yield
        return
    if device != "cpu":
        raise ValueError("several processes train on the CPU only")
    # Functions of this module have the group at its import as a default value. If it is imported
    # later, by DistributedDataParallel, the group's threads remain and may abort the process as it
    # ends.
    import torch.distributed.nn  # noqa: F401

    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _is_joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def count() -> int:
    return distributed.get_world_size() if _is_joined() else 1


def number() -> int:
    """0 for the process that writes files and shows progress."""
    return distributed.get_rank() if _is_joined() else 0


def wait() -> None:
    """Wait until all processes are here."""
    if _is_joined():
        distributed.barrier()


def share(values: Tensor) -> Tensor:
    """This process's part of what there is for all of them, along the first dimension."""
    return values.chunk(count())[number()]


def mean(values: Tensor) -> Tensor:
    """The mean over the processes; each must ask for it."""
    values = values.clone()
    if _is_joined():
        distributed.all_reduce(values)
    return values / count()


def averaged(module: nn.Module) -> nn.Module:
    """The module, its parameters made those of the first process, with gradients averaged."""
    if not _is_joined():
        return module
    return DistributedDataParallel(module)
