"""Imports the paper's published checkpoints.

A checkpoint is ``{"state_dict0": …}`` saved by ``torch.save``. Its layers are convolutions over
blocks, 1×1 or masked 3×3. They become matrices on the unmasked blocks (see
``lbbic_engine.networks.paper.float_network``). Biases of layers whose outputs are added become one.

Pixels are v / 255 - 1/2 in the checkpoint and (v - 128) / 255 here, which is 1/510 less. So 1/510
times the sum of a layer's weights is added to its bias, and the padding around a picture, 0 in the
checkpoint, becomes -1/510.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from lbbic_engine.config import PAPER_VARIANTS, PaperConfig
from lbbic_engine.errors import LbbicError
from lbbic_engine.layout.wavefront import NEIGHBOURS
from lbbic_engine.networks.paper.float_network import GDN, PaperNetwork, Transform

KEY = "state_dict0"
OFFSET = 1 / 510  # from pixels here to pixels in the checkpoint
# Entries without weights: masks are known, the others follow from the sizes.
_IGNORED = (".mask", ".pedestal", ".bound")
_IGNORED_PARTS = ("conditional_gaussian_model.", "postpm.")
CENTRE = (1, 1)

Checkpoint = dict[str, Tensor]


def read_checkpoint(path: Path, config: PaperConfig) -> PaperNetwork:
    """Return the networks of a checkpoint; LbbicError if it is invalid or of another variant."""
    entries = _read(path)
    _check(path, entries, config)
    return network_of(entries, config)


def network_of(entries: Checkpoint, config: PaperConfig) -> PaperNetwork:
    """The float networks of a checkpoint's tensors, in their precision."""
    network = PaperNetwork(config).to(entries["prtr_forward1.weight"].dtype)
    network.outside.fill_(-OFFSET)
    with torch.no_grad():
        _fill_transform(network.analysis_transform, entries, "prtr_forward", shifted=True)
        _fill_transform(network.synthesis_transform, entries, "prtr_inverse", shifted=False)
        last = network.synthesis_transform.layers[-1]
        assert isinstance(last, nn.Linear)
        last.bias.sub_(OFFSET)
        for i in (0, 2, 4, 6):
            layer = network.context_model.layers[i]
            assert isinstance(layer, nn.Linear)
            weight, bias = _matrix(entries, f"get_meanscale.{i}")
            layer.weight.copy_(weight)
            layer.bias.copy_(bias + (OFFSET * weight.sum(dim=1) if i == 0 else 0))
    return network


def expected_shapes(config: PaperConfig) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights and biases that a checkpoint of these sizes has."""
    pixels, latents = config.pixels, config.latents
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, outputs: int, inputs: int, kernel: int = 1) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs, kernel, kernel)
        shapes[f"{name}.bias"] = (outputs,)

    for name, first, last in (("forward", pixels, latents), ("inverse", latents, pixels)):
        widths = (*config.transform_widths, last)
        convolution(f"prtr_{name}1", widths[0], first)
        convolution(f"prtr_{name}2", widths[0], pixels, 3)
        for i in range(3):
            shapes[f"prtr_{name}3.{2 * i}.beta"] = (widths[i],)
            shapes[f"prtr_{name}3.{2 * i}.gamma"] = (widths[i], widths[i])
            convolution(f"prtr_{name}3.{2 * i + 1}", widths[i + 1], widths[i])
    model = (pixels, *config.context_widths, 2 * latents)
    for i, kernel in enumerate(config.context_kernels):
        convolution(f"get_meanscale.{2 * i}", model[i + 1], model[i], kernel)
    return shapes


def _read(path: Path) -> Checkpoint:
    """Return the tensors of a checkpoint; never executes code in a pickle."""
    path.open("rb").close()
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything for an invalid file
        detail = f"{path} cannot be read: it is damaged, or holds more than tensors."
        raise LbbicError("Not a checkpoint", detail) from error
    entries = loaded.get(KEY) if isinstance(loaded, dict) else None
    if not isinstance(entries, dict) or not all(isinstance(v, Tensor) for v in entries.values()):
        raise LbbicError("Not a checkpoint of the paper's", f"{path} has no {KEY} of tensors.")
    return {name: value for name, value in entries.items() if not _is_ignored(name)} | {
        name: value for name, value in entries.items() if name.endswith(".mask")
    }


def _is_ignored(name: str) -> bool:
    return name.endswith(_IGNORED) or name.startswith(_IGNORED_PARTS)


def _check(path: Path, entries: Checkpoint, config: PaperConfig) -> None:
    """LbbicError unless there is every tensor in its shape, finite, masked as expected."""
    expected = expected_shapes(config)
    shapes = {name: tuple(v.shape) for name, v in entries.items() if not name.endswith(".mask")}
    for name, shape in expected.items():
        if shapes.get(name) != shape:
            has = f"is {shapes[name]}" if name in shapes else "is missing"
            raise LbbicError("Other sizes", f"{path}: {name} {has}, not {shape}.{_hint(shapes)}")
    if unknown := sorted(shapes.keys() - expected.keys()):
        raise LbbicError("Other layers", f"{path}: {unknown[0]} is not known.{_hint(shapes)}")
    for name in expected:
        if not entries[name].is_floating_point() or not entries[name].isfinite().all():
            raise LbbicError("Damaged checkpoint", f"{path}: {name} holds more than numbers.")
    for name, value in entries.items():
        if name.endswith(".mask"):
            _check_mask(path, name, value)


def _hint(shapes: dict[str, tuple[int, ...]]) -> str:
    """Which variant the shapes are of, for the message."""
    for variant, (config, _) in PAPER_VARIANTS.items():
        if shapes == expected_shapes(config):
            return f" It is a checkpoint of {variant}."
    return ""


def _check_mask(path: Path, name: str, mask: Tensor) -> None:
    expected = torch.ones(mask.shape[-2:])
    if mask.shape[-1] == 3:
        expected[1, 1 if name != "get_meanscale.2.mask" else 2 :] = 0
        expected[2] = 0
    if not torch.equal(mask.float(), expected.expand(mask.shape)):
        raise LbbicError("Other layers", f"{path}: {name} masks other blocks than the paper's.")


def _fill_transform(transform: Transform, entries: Checkpoint, name: str, *, shifted: bool) -> None:
    """``shifted``: the values are pixels, too."""
    value, value_bias = _matrix(entries, f"{name}1")
    context, context_bias = _matrix(entries, f"{name}2")
    offset = context.sum(dim=1) + (value.sum(dim=1) if shifted else 0)
    transform.value.weight.copy_(value)
    transform.value.bias.copy_(value_bias + context_bias + OFFSET * offset)
    transform.context.weight.copy_(context)
    for i, layer in enumerate(transform.layers):
        if isinstance(layer, GDN):
            layer.beta.copy_(entries[f"{name}3.{i}.beta"])
            layer.gamma.copy_(entries[f"{name}3.{i}.gamma"])
        else:
            assert isinstance(layer, nn.Linear)
            weight, bias = _matrix(entries, f"{name}3.{i}")
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)


def _matrix(entries: Checkpoint, name: str) -> tuple[Tensor, Tensor]:
    """Weights (outputs, blocks·inputs) of the blocks that the mask leaves, and biases; float64."""
    weight, bias = entries[f"{name}.weight"].double(), entries[f"{name}.bias"].double()
    if weight.shape[-1] == 1:
        return weight.flatten(1), bias
    places = [(1 + row, 1 + column) for row, column in NEIGHBOURS]
    if name == "get_meanscale.2":
        places.insert(0, CENTRE)
    return torch.cat([weight[:, :, row, column] for row, column in places], dim=1), bias
