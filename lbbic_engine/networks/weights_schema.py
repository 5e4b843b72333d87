"""What a model file may contain: the range of its configuration; type, shape and range of tensors.

Every file is checked against this before use, since it may come from anyone. No file that passes
can make the networks fail. That the arithmetic is exact in every kernel is checked at export.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar, get_type_hints

import torch
from torch import Tensor

from lbbic_engine.bitstream.entropy import SIGNIFICANT_LEVEL
from lbbic_engine.bitstream.tables import TOTAL, WIDTHS, build_tables
from lbbic_engine.config import (
    QUALITY_COUNT,
    ModelConfig,
    PaperConfig,
    RefinementConfig,
    quality_index,
)
from lbbic_engine.networks.kernels import WEIGHT_BOUND, WIDE_WEIGHT_BOUND, in_bounds
from lbbic_engine.networks.refinement import MEAN_INPUTS

AnyConfig = ModelConfig | PaperConfig | RefinementConfig
ConfigT = TypeVar("ConfigT", bound=AnyConfig)
Shape = tuple[int, ...]
Header = Mapping[str, tuple[str, Shape]]  # types, as safetensors names them, and shapes of tensors

IDENTITY_BYTES = 8
_LARGEST = 2**31 - 1
_BIAS = 2**24  # of a layer whose sums are exact in float32
_MULTIPLIER = 2**48
_EXPONENT = 64
_HALF = 65504.0  # the largest number in half precision
# The number of units in a layer is even, because kernels bound pairs of weights.
_RANGES: dict[str, range] = {
    "block_size": range(2, 65, 2),
    "hidden": range(2, 8193, 2),
    "features": range(2, 8193, 2),
    "slice_hidden": range(2, 8193, 2),
    "latent_slices": range(2, 4097, 2),
    "latents": range(2, 4097, 2),
    "scale_levels": range(SIGNIFICANT_LEVEL + 1, 257),  # significant rows need that level
    "ring": range(1, 65),
}
_MAX_SLICES = 32
_PAPER_UNIT = 16  # ``hidden`` is a multiple, because eighths of it are widths of layers


class Rule(NamedTuple):
    """What a tensor must be."""

    dtype: str  # as safetensors names it
    shape: Shape
    least: float  # value
    greatest: float


def read_config(kind: type[ConfigT], values: Any) -> ConfigT:
    """Return the configuration in decoded JSON; ValueError if it is invalid or out of range."""
    if not isinstance(values, dict):
        raise ValueError("it has no configuration")
    hints = get_type_hints(kind)
    if values.keys() != hints.keys():
        raise ValueError("its configuration has missing or unknown fields")
    config = kind(**{name: _field(name, hint, values[name]) for name, hint in hints.items()})
    if isinstance(config, PaperConfig):
        quality_index(config.quality)
        if config.hidden % _PAPER_UNIT:
            raise ValueError("its configuration is out of range: hidden")
    return config


def read_identity(text: Any) -> bytes:
    """Return the identity in hexadecimal digits; ValueError if it is invalid."""
    if not isinstance(text, str) or len(text) != 2 * IDENTITY_BYTES:
        raise ValueError("it has no identity")
    return bytes.fromhex(text)


def rules_for(config: AnyConfig, header: Header) -> dict[str, Rule]:
    """Return a rule for each tensor of a file with that configuration and header."""
    if isinstance(config, ModelConfig):
        return _production_rules(config, header)
    if isinstance(config, PaperConfig):
        return _paper_rules(config, header)
    return _refinement_rules(config)


def check_header(rules: Mapping[str, Rule], header: Header) -> None:
    """Raise ValueError unless exactly these tensors exist, with these types and shapes."""
    missing, more = rules.keys() - header.keys(), header.keys() - rules.keys()
    if missing or more:
        names = ", ".join(sorted(missing or more)[:3])
        what = "has no" if missing else "has an unknown"
        raise ValueError(f"it belongs to another version of this program: it {what} {names}")
    for name, rule in rules.items():
        if header[name] != rule[:2]:
            raise ValueError(f"its tensor {name} has the wrong type or shape")


def check_values(rules: Mapping[str, Rule], tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError if a value is out of range."""
    for name, rule in rules.items():
        value = tensors[name]
        if value.dtype == torch.int8 and not in_bounds(value):
            raise ValueError(f"its tensor {name} is out of range")
        least, greatest = value.aminmax() if value.numel() else (rule.least, rule.greatest)
        if not (rule.least <= least and greatest <= rule.greatest):  # so that NaN fails, too
            raise ValueError(f"its tensor {name} is out of range")
        if name == "integer.table_widths":
            build_tables(tensors["integer.table_counts"].numpy(), value.numpy())
        if name.endswith("thresholds") and (value.diff() < 0).any():
            raise ValueError(f"its tensor {name} is not in order")


def _field(name: str, hint: Any, value: Any) -> Any:
    if name in _RANGES:
        several = hint is not int
        each = value if several and isinstance(value, list) else [value]
        fits = all(type(one) is int and one in _RANGES[name] for one in each)
        if several == isinstance(value, list) and fits and 0 < len(each) <= _MAX_SLICES:
            return tuple(each) if several else value
    elif name == "context_kernels" and isinstance(value, list):
        return tuple(value)  # checked by the configuration itself
    elif hint is float and type(value) in (int, float) and 0 < value < math.inf:
        return value  # unchanged: an int and a float have different identities
    elif hint is bool and isinstance(value, bool):
        return value
    elif name == "weights":
        return read_identity(value).hex()
    raise ValueError(f"its configuration is out of range: {name}")


def _production_rules(config: ModelConfig, header: Header) -> dict[str, Rule]:
    pixels, features, hidden = config.pixels, config.features, config.hidden
    slice_hidden, latents, slices = config.slice_hidden, config.latents, config.latent_slices
    fine_1, fine_2 = (_length(header, f"analysis.analysis_{n}.fine") for n in (1, 2))
    integer = {
        "context.weight": _weight(hidden + 2 * pixels + features, 4 * (pixels + features)),
        **_rectified("context_1", hidden),
        **_rectified("context_2", hidden, hidden),
        **_rectified("feature", features, pixels),
        "branches.weight": _weight(len(slices) * slice_hidden + hidden, hidden),
        **_rectified("synthesis_1", hidden, 2 * latents),
        **_rectified("synthesis_2", hidden, hidden),
        **_linear("synthesis_3", pixels, hidden),
        "synthesis_linear": Rule("I32", (pixels, latents), -_LARGEST, _LARGEST),
        "prediction_bias": Rule("I32", (pixels,), -_LARGEST, _LARGEST),
        "steps": Rule("I32", (QUALITY_COUNT, latents), 1, _LARGEST),
        "latent_multiplier": Rule("I64", (latents,), 0, _MULTIPLIER),
        **_tables(config),
    }
    for number, width in enumerate(slices):
        before = 2 * sum(slices[:number])
        integer |= _rectified(f"slice_hidden.{number}", slice_hidden, before)
        integer |= _linear(f"slice_parameters.{number}", 2 * width, slice_hidden)
    analysis = {
        **_rectified("analysis_1", hidden, 2 * pixels + hidden),
        **_rectified("analysis_2", hidden, hidden + fine_1),
        "analysis_2.weight": _weight(2 * hidden, hidden + fine_1),
        "analysis_2.bias": Rule("I32", (QUALITY_COUNT, hidden), -_LARGEST, _LARGEST),
        **_linear("analysis_3", latents, hidden + fine_2),
        "analysis_1.fine": Rule("I64", (fine_1,), 0, hidden - 1),
        "analysis_2.fine": Rule("I64", (fine_2,), 0, hidden - 1),
        "linear": Rule("I32", (latents, pixels), -_LARGEST, _LARGEST),
    }
    return _prefixed(integer, analysis)


def _paper_rules(config: PaperConfig, header: Header) -> dict[str, Rule]:
    pixels, latents = config.pixels, config.latents
    first, second, third = config.transform_widths
    context_1, context_2, context_3 = config.context_widths
    integer = {
        "context.weight": _weight(context_1 + first, 4 * pixels),
        **_shifted("context_1", context_1),
        **_shifted("context_2", context_2, config.feature_blocks * context_1),
        **_shifted("context_3", context_3, context_2),
        **_shifted("parameters", 2 * latents, context_3),
        "share.exponent": _exponent(first),
        "thresholds": Rule("I32", (config.scale_levels - 1,), -_LARGEST, _LARGEST),
        **_tables(config),
    }
    if "integer.border" in header:
        integer["border"] = Rule("I32", (4, context_1 + first), -_BIAS, _BIAS)
    widths = (latents, first, second, third, pixels)
    for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
        integer |= _shifted(f"synthesis_{number}", outputs, inputs, wide=True)
    analysis = {"value.weight": (first, pixels), "value.bias": (first,)}
    analysis["context.weight"] = (first, 4 * pixels)
    outputs_of = (second, third, latents)
    for number, (width, outputs) in enumerate(zip((first, second, third), outputs_of, strict=True)):
        integer |= _shifted(f"norm_{number + 1}", width, width, wide=True, least=0)
        integer[f"gdn_{number + 1}.exponent"] = _exponent(width)
        gdn, layer = f"layers.{2 * number}", f"layers.{2 * number + 1}"
        analysis |= {f"{gdn}.beta": (width,), f"{gdn}.gamma": (width, width)}
        analysis |= {f"{layer}.weight": (outputs, width), f"{layer}.bias": (outputs,)}
    halves = {name: Rule("F16", shape, -_HALF, _HALF) for name, shape in analysis.items()}
    if "analysis.outside" in header:
        halves["outside"] = Rule("F16", (), -1, 1)
    return _prefixed(integer, halves)


def _refinement_rules(config: RefinementConfig) -> dict[str, Rule]:
    return {
        **_rectified("layer_1", config.hidden, config.patch_pixels + MEAN_INPUTS),
        **_rectified("layer_2", config.hidden, config.hidden),
        **_linear("layer_3", config.pixels, config.hidden),
    }


def _length(header: Header, name: str) -> int:
    """Length of a vector, or 0 if there is none."""
    _, shape = header.get(name, ("", ()))
    return shape[0] if len(shape) == 1 else 0


def _prefixed(integer: dict[str, Rule], analysis: dict[str, Rule]) -> dict[str, Rule]:
    rules = {f"integer.{name}": rule for name, rule in integer.items()}
    return rules | {f"analysis.{name}": rule for name, rule in analysis.items()}


def _weight(outputs: int, inputs: int, bound: int = WEIGHT_BOUND, least: int | None = None) -> Rule:
    return Rule("I8", (outputs, inputs), -bound if least is None else least, bound)


def _rectified(name: str, outputs: int, inputs: int = 0) -> dict[str, Rule]:
    """A rectified layer of ``integer_network``; without ``inputs``, its weight is in a stack."""
    rules = {
        f"{name}.bias": Rule("I32", (QUALITY_COUNT, outputs), -_BIAS, _BIAS),
        f"{name}.multiplier": Rule("I64", (outputs,), 0, _MULTIPLIER),
    }
    return rules | ({f"{name}.weight": _weight(outputs, inputs)} if inputs else {})


def _linear(name: str, outputs: int, inputs: int) -> dict[str, Rule]:
    """A layer of ``integer_network`` that is not rectified."""
    multiplier = Rule("I64", (QUALITY_COUNT, outputs), 0, _MULTIPLIER)
    return _rectified(name, outputs, inputs) | {f"{name}.multiplier": multiplier}


def _shifted(
    name: str, outputs: int, inputs: int = 0, *, wide: bool = False, least: int | None = None
) -> dict[str, Rule]:
    """A layer of ``paper.integer_network``; ``least`` is a lower bound of weights and biases."""
    bias = _LARGEST if wide else _BIAS
    rules = {
        f"{name}.bias": Rule("I32", (outputs,), -bias if least is None else least, bias),
        f"{name}.exponent": _exponent(outputs),
    }
    weight = _weight(outputs, inputs, WIDE_WEIGHT_BOUND, least)
    return rules | ({f"{name}.weight": weight} if inputs else {})


def _exponent(outputs: int) -> Rule:
    return Rule("I32", (outputs,), -_EXPONENT, _EXPONENT)


def _tables(config: ModelConfig | PaperConfig) -> dict[str, Rule]:
    levels = config.scale_levels
    return {
        "table_counts": Rule("I32", (levels, WIDTHS[-1]), 0, TOTAL),
        "table_widths": Rule("I32", (levels,), WIDTHS[0], WIDTHS[-1]),
    }
