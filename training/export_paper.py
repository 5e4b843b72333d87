"""The paper's float network written as integers, with the proof that no sum is rounded.

Formats are those of ``lbbic_engine.paper_integer``. Every unit is a power of two: an activation's
is chosen from what the closed loop shows on calibration pictures (``calibrate``), a weight's from
the largest weight of its row. Every bound that the integer twin's docstring states is checked
here on the actual weights; ``BoundError`` says which layer breaks one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lbbic_engine import kernels
from lbbic_engine.config import PaperConfig
from lbbic_engine.paper import GDN, PIXEL_RANGE, ContextModel, PaperNetwork, Transform
from lbbic_engine.paper_integer import LATENT_UNIT, SCALE_UNIT, SQUARE_BITS
from lbbic_engine.wavefront import NEIGHBOURS
from training import paper_loop
from training.export import BoundError, probability_counts
from training.losses import normal_tail

HEADROOM = 16.0  # times what calibration shows: GDN amplifies what is out of the ordinary
FINEST = 256.0  # a channel's unit is at most this much finer than its layer's coarsest
ACCUMULATOR_BOUND = 2.0**44
BIAS_BOUND = 2.0**40
NORM_BITS = 52
LARGEST_EXPONENT = 8  # 2⁴⁴ times this is exact, too
MOST_BITS = 60
PIXEL_BOUND = 128.0
# Layers with 7-bit weights. A norm's many small γ beside a large one would round to nothing, so
# whether seven bits are enough has to be measured on a fully trained network.
NARROW: frozenset[str] = frozenset()

Units = dict[nn.Module, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _Rows:
    """A layer's integers (float64 tensors), each row in a unit of its own."""

    weight: Tensor
    bias: Tensor
    unit: Tensor  # (outputs,) value of one integer of the accumulator, a power of two
    bound: float  # of the inputs' magnitudes

    @property
    def reach(self) -> Tensor:
        """The accumulator's largest magnitude (outputs,), bias included."""
        return self.weight.abs().sum(dim=1) * self.bound + self.bias.abs()


def calibrate(network: PaperNetwork, pictures: Iterable[np.ndarray]) -> Units:
    """Units of every non-linearity's input and output channels, from the closed loop.

    The pictures are (H, W, 3), uint8.
    """
    largest: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def watch(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        top, top_output = (v.abs().flatten(0, -2).amax(dim=0) for v in (inputs[0], output))
        if module in largest:
            before, after = largest[module]
            top, top_output = torch.maximum(top, before), torch.maximum(top_output, after)
        largest[module] = top, top_output

    decoder = (network.context_model, network.synthesis_transform)
    hooks = [
        module.register_forward_hook(watch)
        for part in decoder
        for module in part.layers
        if isinstance(module, GDN | nn.LeakyReLU)
    ]
    for pixels in pictures:
        paper_loop.run(network, pixels)
    for hook in hooks:
        hook.remove()
    return {module: (_unit(before), _unit(after)) for module, (before, after) in largest.items()}


@torch.no_grad()
def integer_tensors(
    network: PaperNetwork, units: Units, narrow: frozenset[str] = NARROW
) -> dict[str, Tensor]:
    """All tensors of the integer twin, tables included; ``narrow`` layers get 7-bit weights."""
    tensors = _Tensors(narrow)
    outside = network.outside.double()
    context, border = _add_context_model(tensors, network.context_model, units, outside)
    share, more = _add_synthesis_transform(tensors, network.synthesis_transform, units, outside)
    tensors.add_matrix("context", torch.cat([context, share]))
    if outside:
        tensors.found["border"] = torch.cat([border, more], dim=1).to(torch.int64)
    return tensors.found | _entropy_tensors(network.config)


def analysis_tensors(network: PaperNetwork) -> dict[str, Tensor]:
    """The float part: the analysis transform, and what it sees outside of a picture."""
    found = dict(network.analysis_transform.state_dict())
    return found | {"outside": network.outside} if network.outside else found


class _Tensors:
    """The integer twin's tensors as they come about."""

    def __init__(self, narrow: frozenset[str]) -> None:
        self.found: dict[str, Tensor] = {}
        self._narrow = narrow

    def rows(self, name: str, weight: Tensor, bias: Tensor, bound: float) -> _Rows:
        """Weights (outputs, K) per input integer, biases (outputs,); |inputs| ≤ ``bound``."""
        limit = kernels.WEIGHT_HIGH if name in self._narrow else kernels.WIDE_WEIGHT_BOUND
        step = torch.maximum(weight.abs().amax(dim=1) / limit, bias.abs() / BIAS_BOUND)
        unit = _power_above(step.clamp(min=2.0**-60))
        rows = _Rows((weight / unit[:, None]).round(), (bias / unit).round(), unit, bound)
        if rows.weight.abs().max() > limit:
            raise BoundError(f"{name}: a weight is too large")
        if rows.reach.max() >= ACCUMULATOR_BOUND:
            raise BoundError(f"{name}: a sum can reach 2^44")
        return rows

    def add_matrix(self, name: str, weight: Tensor) -> None:
        dtype = torch.int8 if name in self._narrow else torch.int16
        self.found[f"{name}.weight"] = weight.to(dtype).contiguous()

    def add_layer(
        self, name: str, rows: _Rows, target: Tensor, largest: int = LARGEST_EXPONENT
    ) -> None:
        """Bias and scale of a layer whose outputs get the unit ``target``."""
        self.found[f"{name}.bias"] = rows.bias.to(torch.int64)
        self.add_scale(name, rows.unit / target, largest)

    def add_scale(self, name: str, scale: Tensor, largest: int = LARGEST_EXPONENT) -> None:
        """A multiplication by powers of two."""
        exponent = _exponent(scale)
        if not torch.equal(_power(exponent), scale):
            raise BoundError(f"{name}: a scale is not a power of two")
        if exponent.max() > largest or exponent.min() < -MOST_BITS:
            raise BoundError(f"{name}: a scale is beyond 2^{largest} or 2^-{MOST_BITS}")
        self.found[f"{name}.exponent"] = exponent.to(torch.int32)


def _add_context_model(
    tensors: _Tensors, model: ContextModel, units: Units, outside: Tensor
) -> tuple[Tensor, Tensor]:
    """Adds all but the first layer's matrix (12N/8, 4·3B²), which is returned with its border."""
    first, *linear = (m for m in model.layers if isinstance(m, nn.Linear))
    rectifiers = [units[m][1] for m in model.layers if isinstance(m, nn.LeakyReLU)]
    latents = linear[-1].out_features // 2
    parameters = torch.tensor([1 / SCALE_UNIT, 1 / LATENT_UNIT], dtype=torch.double)
    rows = tensors.rows("context", first.weight.double() / PIXEL_RANGE, _bias(first), PIXEL_BOUND)
    tensors.add_layer("context_1", rows, rectifiers[0])
    targets = [*rectifiers[1:], parameters.repeat_interleave(latents)]
    names = ("context_2", "context_3", "parameters")
    for name, layer, before, target in zip(names, linear, rectifiers, targets, strict=True):
        weight = layer.weight.double() * before.repeat(layer.in_features // len(before))
        inner = tensors.rows(name, weight, _bias(layer), kernels.WIDE_ACTIVATION_BOUND)
        tensors.add_matrix(name, inner.weight)
        tensors.add_layer(name, inner, target)
    return rows.weight, _border(first, rows, outside)


def _add_synthesis_transform(
    tensors: _Tensors, transform: Transform, units: Units, outside: Tensor
) -> tuple[Tensor, Tensor]:
    """Adds all but the first layer's matrix for the context (N, 4·3B²).

    That is returned with its border.
    """
    value, context = transform.value, transform.context
    gdns = [m for m in transform.layers if isinstance(m, GDN)]
    linear = [m for m in transform.layers if isinstance(m, nn.Linear)]
    parts = (value.weight.double() / LATENT_UNIT, context.weight.double() / PIXEL_RANGE)
    bound = kernels.WIDE_ACTIVATION_BOUND
    rows = tensors.rows("context", torch.cat(parts, dim=1), _bias(value), bound)
    tensors.add_layer("synthesis_1", rows, units[gdns[0]][0])
    border = _border(context, rows, outside)
    matrix, share = rows.weight.split((value.in_features, context.in_features), dim=1)
    tensors.add_matrix("synthesis_1", matrix)

    pixel = torch.ones(linear[-1].out_features, dtype=torch.double)
    targets = [*(units[gdn][0] for gdn in gdns[1:]), pixel]
    for i, (gdn, layer, target) in enumerate(zip(gdns, linear, targets, strict=True), start=1):
        _add_inverse_gdn(tensors, i, gdn, units[gdn])
        name = f"synthesis_{i + 1}"
        last = PIXEL_RANGE if layer is linear[-1] else 1
        weight = layer.weight.double() * units[gdn][1] * last
        rows = tensors.rows(name, weight, _bias(layer) * last, bound)
        tensors.add_matrix(name, rows.weight)
        tensors.add_layer(name, rows, target)
    return share, border


def _border(layer: nn.Linear, rows: _Rows, outside: Tensor) -> Tensor:
    """What each neighbour (4, outputs) adds to a layer's accumulators when it is missing."""
    sums = layer.weight.double().unflatten(1, (len(NEIGHBOURS), -1)).sum(dim=2).t()
    border = (sums * outside / rows.unit).round()
    if (rows.reach + border.abs().sum(dim=0)).max() >= ACCUMULATOR_BOUND:
        raise BoundError("context: a sum can reach 2^44")
    return border


def _add_inverse_gdn(
    tensors: _Tensors, number: int, gdn: GDN, units: tuple[Tensor, Tensor]
) -> None:
    """The norm is scaled up by 4^k as far as its bound allows, for the sake of its root."""
    before, after = units
    beta, gamma = (value.double() for value in gdn.coefficients())
    squares = before.square() * 2**SQUARE_BITS
    name = f"norm_{number}"
    rows = tensors.rows(name, gamma * squares, beta, 2.0**SQUARE_BITS)
    exponent = _exponent(rows.unit)
    up = NORM_BITS - torch.frexp(rows.reach).exponent
    up = up - (exponent - up) % 2
    root_unit = _power((exponent - up) / 2)
    tensors.add_matrix(name, rows.weight)
    tensors.add_layer(name, rows, root_unit.square(), largest=MOST_BITS)  # bounded below
    tensors.add_scale(f"gdn_{number}", before * root_unit / after)
    if rows.weight.min() < 0 or rows.bias.min() < 0:
        raise BoundError(f"{name}: a norm can be negative")
    if up.min() < 0:
        raise BoundError(f"{name}: a norm is no integer")
    if (rows.reach * _power(up)).max() >= 2**NORM_BITS:
        raise BoundError(f"{name}: a norm can reach 2^52")


def _entropy_tensors(config: PaperConfig) -> dict[str, Tensor]:
    """Scale thresholds, at the geometric means of the levels' scales, and probability rows."""
    scales = np.geomspace(config.min_scale, config.max_scale, config.scale_levels)
    thresholds = np.sqrt(scales[1:] * scales[:-1]) * SCALE_UNIT
    counts, widths = probability_counts(scales, _gaussian_tail)
    return {
        "thresholds": torch.from_numpy(np.round(thresholds)).to(torch.int32),
        "table_counts": torch.from_numpy(counts),
        "table_widths": torch.from_numpy(widths),
    }


def _gaussian_tail(distance: np.ndarray) -> np.ndarray:
    """Probability of values beyond ``distance`` scales."""
    return normal_tail(torch.from_numpy(np.asarray(distance))).numpy()


def _bias(layer: nn.Linear) -> Tensor:
    return torch.zeros(layer.out_features) if layer.bias is None else layer.bias.double()


def _unit(largest: Tensor) -> Tensor:
    """Units (channels,) in which activations up to ``largest``, and beyond, are 16 bits."""
    floor = largest.max().clamp(min=1e-6) / FINEST
    largest = torch.maximum(largest, floor).double() * HEADROOM
    return _power_above(largest / kernels.WIDE_ACTIVATION_BOUND)


def _power_above(value: Tensor) -> Tensor:
    """The least powers of two that are not below ``value``."""
    mantissa, exponent = torch.frexp(value)
    return _power(exponent - (mantissa == 0.5).int())


def _exponent(power: Tensor) -> Tensor:
    """Exponents of powers of two."""
    return torch.frexp(power).exponent - 1


def _power(exponent: Tensor) -> Tensor:
    """Powers of two, exactly: torch's own functions may be off in the last place."""
    return torch.from_numpy(np.ldexp(1.0, exponent.to(torch.int32).numpy()))
