"""Converts the paper's float networks to integers, and checks that no sum can be rounded.

The formats are those of ``lbbic_engine.networks.paper.integer_network``. Every unit is a power of
two. That of an activation is chosen from its range in the closed loop on calibration pictures
(``calibrate``), that of a row of weights from the largest weight. In the synthesis transform a
smaller unit is used if it changes the row's outputs less, although it clips some weights: the
others compensate (``rounding``). Every bound stated there is checked on the actual weights;
``BoundError`` names the layer that violates one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lbbic_engine.config import PaperConfig
from lbbic_engine.layout.wavefront import NEIGHBOURS
from lbbic_engine.networks import kernels
from lbbic_engine.networks.paper.float_network import (
    GDN,
    PIXEL_RANGE,
    ContextModel,
    PaperNetwork,
    Transform,
)
from lbbic_engine.networks.paper.integer_network import (
    ACTIVATION_BOUND,
    LATENT_UNIT,
    SCALE_UNIT,
    SQUARE_BITS,
)
from training.export.integers import BoundError, probability_counts
from training.export.rounding import round_rows
from training.paper import loop
from training.shared.losses import normal_tail

HEADROOM = 1.25  # times what calibration shows
WIDE_HEADROOM = 16.0  # GDN amplifies unusual values
FINEST = 256.0  # a channel's unit is at most this much finer than its layer's coarsest
SUM_BOUND = {False: 2.0**24, True: 2.0**31}  # of a layer that is not wide, or is
CLIPPED_BITS = 2  # by which a row's unit may be finer than its largest weight requires
NORM_BITS = 52
LARGEST_EXPONENT = 8
MAX_SHIFT = 60
PIXEL_BOUND = 128.0


@dataclass(frozen=True)
class Calibration:
    """Statistics of the decoder's layers in the closed loop.

    ``units`` are those of every non-linearity's input and output channels. ``moments`` are sums of
    a·aᵀ over the inputs a of the synthesis transform's matrices (for GDN, the squares of its
    inputs), in the float networks' units.
    """

    units: dict[nn.Module, tuple[Tensor, Tensor]]
    moments: dict[nn.Module, Tensor]


@dataclass(frozen=True)
class _Rows:
    """A layer's integers (float64 tensors), each row in its own unit."""

    weight: Tensor
    bias: Tensor
    unit: Tensor  # (outputs,) value of one integer of the sum, a power of two
    bound: float  # of the inputs' magnitudes

    @property
    def reach(self) -> Tensor:
        """The sum's largest magnitude (outputs,), bias included."""
        return self.weight.abs().sum(dim=1) * self.bound + self.bias.abs()


@torch.no_grad()
def calibrate(network: PaperNetwork, pictures: Iterable[np.ndarray]) -> Calibration:
    """Pictures are (H, W, 3), uint8."""
    largest: dict[nn.Module, tuple[Tensor, Tensor]] = {}
    moments: dict[nn.Module, Tensor] = {}

    def watch(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        values = inputs[0].flatten(0, -2)
        if isinstance(module, GDN | nn.LeakyReLU):
            top, top_output = (v.abs().flatten(0, -2).amax(dim=0) for v in (values, output))
            if module in largest:
                before, after = largest[module]
                top, top_output = torch.maximum(top, before), torch.maximum(top_output, after)
            largest[module] = top, top_output
        if module in synthesis and isinstance(module, GDN | nn.Linear):
            values = values.square() if isinstance(module, GDN) else values
            moments.setdefault(module, values.new_zeros(2 * values.shape[1:])).addmm_(
                values.T, values
            )

    synthesis = set(network.synthesis_transform.modules())
    layers = [*network.context_model.modules(), *synthesis]
    hooks = [module.register_forward_hook(watch) for module in layers]
    for pixels in pictures:
        loop.run(network, pixels)
    for hook in hooks:
        hook.remove()
    units = {
        module: (
            _unit(before, kernels.WIDE_ACTIVATION_BOUND, WIDE_HEADROOM),
            _unit(after, kernels.WIDE_ACTIVATION_BOUND, WIDE_HEADROOM)
            if isinstance(module, GDN)
            else _unit(after, ACTIVATION_BOUND, HEADROOM),
        )
        for module, (before, after) in largest.items()
    }
    return Calibration(units, moments)


@torch.no_grad()
def integer_tensors(network: PaperNetwork, calibration: Calibration) -> dict[str, Tensor]:
    """All tensors of the integer twin, tables included."""
    tensors = _Tensors(calibration)
    padding_value = network.outside.double()
    context, padding_bias = _add_context_model(tensors, network.context_model, padding_value)
    context_share, more = _add_synthesis_transform(
        tensors, network.synthesis_transform, padding_value
    )
    tensors.add_matrix("context", torch.cat([context, context_share]))
    if padding_value:
        tensors.by_name["border"] = torch.cat([padding_bias, more], dim=1).to(torch.int32)
    return tensors.by_name | _entropy_tensors(network.config)


def analysis_tensors(network: PaperNetwork) -> dict[str, Tensor]:
    """The float part, in half precision: the analysis transform and the padding value."""
    tensors = dict(network.analysis_transform.state_dict())
    if network.outside:
        tensors["outside"] = network.outside
    return {name: value.half() for name, value in tensors.items()}


class _Tensors:
    """Collects the tensors of the integer network."""

    def __init__(self, calibration: Calibration) -> None:
        self.by_name: dict[str, Tensor] = {}
        self.units = calibration.units
        self._moments = calibration.moments

    def layer_rows(
        self, name: str, layer: nn.Linear, inputs: Tensor | float, bound: float, gain: float = 1
    ) -> _Rows:
        """A layer's integers; ``inputs`` (K,) are its inputs' units, |integers| ≤ ``bound``."""
        units = torch.as_tensor(inputs, dtype=torch.double).expand(layer.in_features)
        weight, bias = layer.weight.double() * units * gain, _bias(layer) * gain
        return self.rows(name, weight, bias, self.moment(layer, units), bound)

    def moment(self, module: nn.Module, units: Tensor) -> Tensor | None:
        """Second moments of a module's inputs, in their integers."""
        if module not in self._moments:
            return None
        return self._moments[module].double() / (units[:, None] * units)

    def rows(
        self,
        name: str,
        weight: Tensor,
        bias: Tensor,
        moment: Tensor | None,
        bound: float,
        low: int = -kernels.WIDE_WEIGHT_BOUND,
    ) -> _Rows:
        """Weights (outputs, K) per input integer, biases (outputs,); |inputs| ≤ ``bound``.

        Without ``moment`` every weight is rounded for itself: entropy parameters need no more.
        """
        high = kernels.WIDE_WEIGHT_BOUND
        limit = SUM_BOUND[bound > PIXEL_BOUND]
        # Neither the bias of a row of tiny weights nor the sum of a long row may overflow.
        least = torch.maximum(bias.abs() * 4, weight.abs().sum(dim=1) * bound * 2) / limit
        least = _power_above(least.clamp(min=2.0**-60))
        unit = torch.maximum(_power_above(weight.abs().amax(dim=1) / high), least)
        if moment is None:
            rounded = (weight / unit[:, None]).round()
        else:
            choices = [torch.maximum(unit * 2.0**-k, least) for k in range(CLIPPED_BITS + 1)]
            rounded, unit = round_rows(weight, moment, torch.stack(choices), low, high)
        rows = _Rows(rounded, (bias / unit).round(), unit, bound)
        if (rounded.abs().sum(dim=1) * kernels.ACTIVATION_BOUND).max() >= kernels.SUM_BOUND:
            raise BoundError(f"{name}: a sum of limbs can reach 2^24")
        if rows.reach.max() >= limit:
            raise BoundError(f"{name}: a sum can reach {limit:g}")
        return rows

    def add_matrix(self, name: str, weight: Tensor) -> None:
        self.by_name[f"{name}.weight"] = weight.to(torch.int8).contiguous()

    def add_layer(
        self, name: str, rows: _Rows, target: Tensor, largest: int = LARGEST_EXPONENT
    ) -> None:
        """Bias and scale of a layer whose outputs get the unit ``target``."""
        self.by_name[f"{name}.bias"] = rows.bias.to(torch.int32)
        self.add_scale(name, rows.unit / target, largest)

    def add_scale(self, name: str, scale: Tensor, largest: int = LARGEST_EXPONENT) -> None:
        """A multiplication by powers of two."""
        exponent = _exponent(scale)
        if not torch.equal(_power(exponent), scale):
            raise BoundError(f"{name}: a scale is not a power of two")
        if exponent.max() > largest or exponent.min() < -MAX_SHIFT:
            raise BoundError(f"{name}: a scale is beyond 2^{largest} or 2^-{MAX_SHIFT}")
        self.by_name[f"{name}.exponent"] = exponent.to(torch.int32)


def _add_context_model(
    tensors: _Tensors, model: ContextModel, padding_value: Tensor
) -> tuple[Tensor, Tensor]:
    """Add all but the first layer's matrix (12N/8, 4·3B²), returned with its padding bias."""
    first, *linear = (m for m in model.layers if isinstance(m, nn.Linear))
    rectifiers = [tensors.units[m][1] for m in model.layers if isinstance(m, nn.LeakyReLU)]
    latents = linear[-1].out_features // 2
    parameters = torch.tensor([1 / SCALE_UNIT, 1 / LATENT_UNIT], dtype=torch.double)
    rows = tensors.layer_rows("context_1", first, 1 / PIXEL_RANGE, PIXEL_BOUND)
    tensors.add_layer("context_1", rows, rectifiers[0])
    targets = [*rectifiers[1:], parameters.repeat_interleave(latents)]
    names = ("context_2", "context_3", "parameters")
    for name, layer, before, target in zip(names, linear, rectifiers, targets, strict=True):
        inputs = before.repeat(layer.in_features // len(before))
        inner = tensors.layer_rows(name, layer, inputs, ACTIVATION_BOUND)
        tensors.add_matrix(name, inner.weight)
        tensors.add_layer(name, inner, target)
    return rows.weight, _padding_bias(first, rows, padding_value)


def _add_synthesis_transform(
    tensors: _Tensors, transform: Transform, padding_value: Tensor
) -> tuple[Tensor, Tensor]:
    """Add all but the first layer's matrix for the context (N, 4·3B²).

    That is returned with its padding bias.
    """
    units, bound = tensors.units, kernels.WIDE_ACTIVATION_BOUND
    gdns = [m for m in transform.layers if isinstance(m, GDN)]
    linear = [m for m in transform.layers if isinstance(m, nn.Linear)]
    value = tensors.layer_rows("synthesis_1", transform.value, 1 / LATENT_UNIT, bound)
    context_share = tensors.layer_rows("share", transform.context, 1 / PIXEL_RANGE, PIXEL_BOUND)
    tensors.add_matrix("synthesis_1", value.weight)
    tensors.add_layer("synthesis_1", value, units[gdns[0]][0])
    tensors.add_scale("share", context_share.unit / units[gdns[0]][0])
    padding_bias = _padding_bias(transform.context, context_share, padding_value)
    total = value.reach * value.unit + context_share.reach * context_share.unit
    if (total / torch.minimum(value.unit, context_share.unit)).max() >= 2.0**53:
        raise BoundError("synthesis_1: a sum does not fit in 53 bits")

    pixel = torch.ones(linear[-1].out_features, dtype=torch.double)
    targets = [*(units[gdn][0] for gdn in gdns[1:]), pixel]
    for i, (gdn, layer, target) in enumerate(zip(gdns, linear, targets, strict=True), start=1):
        _add_inverse_gdn(tensors, i, gdn)
        name = f"synthesis_{i + 1}"
        last = PIXEL_RANGE if layer is linear[-1] else 1
        rows = tensors.layer_rows(name, layer, units[gdn][1], bound, last)
        tensors.add_matrix(name, rows.weight)
        tensors.add_layer(name, rows, target)
    return context_share.weight, padding_bias


def _padding_bias(layer: nn.Linear, rows: _Rows, padding_value: Tensor) -> Tensor:
    """The values (4, outputs) that each missing neighbour adds to a layer's accumulators."""
    sums = layer.weight.double().unflatten(1, (len(NEIGHBOURS), -1)).sum(dim=2).t()
    padding_bias = (sums * padding_value / rows.unit).round()
    if (rows.reach + padding_bias.abs().sum(dim=0)).max() >= SUM_BOUND[False]:
        raise BoundError("context: a sum can reach 2^24")
    return padding_bias


def _add_inverse_gdn(tensors: _Tensors, number: int, gdn: GDN) -> None:
    """The norm is scaled up by 4^k as far as its bound allows, for the sake of its root."""
    before, after = tensors.units[gdn]
    beta, gamma = (value.double() for value in gdn.coefficients())
    squares = before.square() * 2**SQUARE_BITS
    name = f"norm_{number}"
    moment = tensors.moment(gdn, squares)
    rows = tensors.rows(name, gamma * squares, beta, moment, 2.0**SQUARE_BITS, low=0)
    exponent = _exponent(rows.unit)
    up = NORM_BITS - torch.frexp(rows.reach).exponent
    up = up - (exponent - up) % 2
    root_unit = _power((exponent - up) / 2)
    tensors.add_matrix(name, rows.weight)
    tensors.add_layer(name, rows, root_unit.square(), largest=MAX_SHIFT)  # bounded below
    tensors.add_scale(f"gdn_{number}", before * root_unit / after)
    if rows.weight.min() < 0 or rows.bias.min() < 0:
        raise BoundError(f"{name}: a norm can be negative")
    if up.min() < 0:
        raise BoundError(f"{name}: a norm is not an integer")
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


def _unit(largest: Tensor, bound: int, headroom: float) -> Tensor:
    """Units (channels,) in which ``largest``, times the headroom, is within ``bound``."""
    floor = largest.max().clamp(min=1e-6) / FINEST
    return _power_above(torch.maximum(largest, floor).double() * headroom / bound)


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
