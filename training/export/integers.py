"""Converts the float network to integers, and checks that no sum can be rounded.

The formats are those of ``lbbic_engine.networks.integer_network``. Every bound stated there is
checked on the actual weights; ``BoundError`` names the layer that violates one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from lbbic_engine.bitstream import tables
from lbbic_engine.config import QUALITY_COUNT, ModelConfig, quality_of
from lbbic_engine.layout.wavefront import NEIGHBOURS
from lbbic_engine.networks import integer_analysis, integer_network, kernels
from lbbic_engine.networks.float_network import PIXEL_UNIT, BlockNetwork, Dense, rate_weights
from training.export.rounding import Moments, round_weights, row_units

RATES = rate_weights(map(quality_of, range(QUALITY_COUNT))).double()
BIAS_BOUND = 2**23
ROUNDED_BOUND = 119  # of weights: with its low digit's, a latent's then keeps within PAIR_BOUND
WIDEST = 2**20  # a bound on the linear prediction's weights that none reaches
OFFSET = 128
NO_DIGITS = slice(0)
FINE_UNITS = 128  # at most, in a layer of the analysis transform


class BoundError(ValueError):
    """The sums of a layer could be rounded."""


@torch.no_grad()
def integer_tensors(network: BlockNetwork, moments: Moments) -> dict[str, Tensor]:
    """All tensors of the integer twin of a calibrated network, tables included.

    ``moments`` are those of the layers' inputs, by which weights are rounded.
    """
    config = network.config
    tensors: dict[str, Tensor] = {}
    weights: dict[str, Tensor] = {}

    def add(
        name: str,
        layer: Dense,
        unit: Tensor | float = 1.0,
        *,
        offset: Tensor,
        latents: int = 0,
        bits: int = 53,
    ) -> None:
        digits = slice(layer.weight.shape[1] - latents, None)
        weights[name], bias, multiplier = integer_layer(
            name, layer, moments[layer], unit, offset, digits, bits=bits
        )
        tensors[f"{name}.bias"], tensors[f"{name}.multiplier"] = bias, multiplier

    def offsets(*parts: tuple[int, int]) -> Tensor:
        return torch.cat([torch.full((n,), float(v)) for n, v in parts])

    pixels, features, hidden = config.pixels, config.features, config.hidden
    around_pixels, around_features = 4 * pixels, 4 * features
    activation = lambda n: offsets((n, OFFSET))  # noqa: E731
    add("feature", network.feature_layer, offset=offsets((pixels + around_pixels, 0)))
    context = offsets((around_pixels, 0), (around_features, OFFSET))
    add("context_1", network.context_1, offset=context)
    add("context_2", network.context_2, offset=activation(hidden))
    before = 0
    for i, n in enumerate(config.latent_slices):
        add(
            f"slice_hidden.{i}",
            network.slice_hidden[i],
            offset=offsets((hidden, OFFSET), (before, 0)),
            latents=before,
        )
        unit = torch.ones(2 * n)
        unit[n:] = integer_network.LATENT_UNIT
        add(
            f"slice_parameters.{i}",
            network.slice_parameters[i],
            unit,
            offset=activation(config.slice_hidden),
        )
        before += n
    add(
        "synthesis_1",
        network.synthesis_1,
        offset=offsets((hidden, OFFSET), (config.latents, 0)),
        latents=config.latents,
    )
    add("synthesis_2", network.synthesis_2, offset=activation(hidden))
    # Leaves room for two more terms, of ``_synthesis_linear`` and ``_prediction``.
    add("synthesis_3", network.synthesis_3, PIXEL_UNIT, offset=activation(hidden), bits=52)

    # Stacks of matrices that share their input.
    high, low, tensors["prediction_bias"] = _prediction(network, moments[network.context_1])
    feature = torch.zeros(features, around_pixels + around_features)
    feature[:, :around_pixels] = weights["feature"][:, pixels:]
    stack = torch.cat([weights.pop("context_1"), high, low, feature])
    tensors["context.weight"] = _interleave(stack, config)
    tensors["feature.weight"] = weights.pop("feature")[:, :pixels]
    branches = [f"slice_hidden.{i}" for i in range(len(config.latent_slices))] + ["synthesis_1"]
    tensors["branches.weight"] = torch.cat([weights[name][:, :hidden] for name in branches])
    for name in branches:
        high, low = weights.pop(name)[:, hidden:].chunk(2, dim=1)
        if high.shape[1]:
            tensors[f"{name}.weight"] = _in_turn(high, low)
    for name, value in weights.items():
        tensors[f"{name}.weight"] = value
    for name in [name for name in tensors if name.endswith(".weight")]:
        tensors[name] = checked_weight(name, tensors[name])

    steps = (RATES @ network.log_step.double()).exp() * integer_network.LATENT_UNIT
    tensors["steps"] = (steps * 2**integer_network.STEP_BITS).round().clamp(min=1).to(torch.int32)
    scale = 2.0**integer_network.MULTIPLIER_BITS / integer_network.LATENT_UNIT
    tensors["latent_multiplier"] = (scale / network.latent_step.double()).round().to(torch.int64)
    tensors["synthesis_linear"] = _synthesis_linear(network)
    counts, widths = logistic_counts(config)
    tensors["table_counts"], tensors["table_widths"] = (
        torch.from_numpy(counts),
        torch.from_numpy(widths),
    )
    return tensors


@torch.no_grad()
def analysis_tensors(network: BlockNetwork, moments: Moments) -> dict[str, Tensor]:
    """All tensors of the analysis transform, as ``networks.integer_analysis`` describes them."""
    pixels = network.config.pixels
    hidden = torch.full((network.config.hidden,), float(OFFSET))
    tensors: dict[str, Tensor] = {}
    weights: dict[str, Tensor] = {}

    def add(
        name: str,
        layer: Dense,
        offset: Tensor,
        unit: float = 1.0,
        digits: slice | Tensor = NO_DIGITS,
        limb: int = 1,
    ) -> None:
        moment = moments[layer]
        weights[name], bias, multiplier = integer_layer(
            name, layer, moment, unit, offset, digits, limb
        )
        tensors[f"{name}.bias"], tensors[f"{name}.multiplier"] = bias, multiplier

    offset = torch.cat([torch.zeros(pixels), hidden])
    add("analysis_1", network.analysis_1, offset, digits=slice(pixels))
    fine_1, fine_2 = _fine_units(network)
    tensors["analysis_1.fine"], tensors["analysis_2.fine"] = fine_1, fine_2
    add("analysis_2", network.analysis_2, hidden, digits=fine_1, limb=kernels.WEIGHT_LIMB)
    add("analysis_3", network.analysis_3, hidden, integer_network.LATENT_UNIT, digits=fine_2)
    high, rest, low = weights["analysis_1"].tensor_split([pixels, -pixels], dim=1)
    weights["analysis_1"] = torch.cat([_in_turn(high, low), rest], dim=1)
    limbs = kernels.split_limbs(weights["analysis_2"].long(), kernels.WEIGHT_LIMB)
    weights["analysis_2"] = torch.cat(limbs).float()
    for name, value in weights.items():
        tensors[f"{name}.weight"] = checked_weight(name, value)
    linear = network.analysis_linear.double() * 2**integer_analysis.LINEAR_BITS
    tensors["linear"] = linear.round().to(torch.int32)
    return tensors


def _fine_units(network: BlockNetwork) -> Iterator[Tensor]:
    """Units of analysis_1 and of analysis_2 whose rounding would change y most, int64."""
    worth_2 = network.analysis_3.weight.square().sum(dim=0)
    worth_1 = worth_2 @ network.analysis_2.weight.square()
    for layer, worth in ((network.analysis_1, worth_1), (network.analysis_2, worth_2)):
        changes = layer.output_step.square() * worth
        yield changes.topk(min(FINE_UNITS, len(changes))).indices.sort().values


def integer_layer(
    name: str,
    layer: Dense,
    moment: Tensor,
    unit: Tensor | float,
    offset: Tensor,
    digits: slice | Tensor = NO_DIGITS,
    limb: int = 1,
    *,
    bits: int = 53,
) -> tuple[Tensor, Tensor, Tensor]:
    """Integer weight (float tensor), bias (57, outputs) and multiplier ((57,) outputs).

    Inputs ``digits`` have two; the last columns of the weight are those of their low ones. With a
    ``limb`` other than 1 weights are to be cut into limbs of that base. Products have at most so
    many ``bits``.
    """
    scaled = layer.weight.double() * layer.input_step.double()
    bias_bound = BIAS_BOUND * limb
    step = row_units(scaled, kernels.WIDE_WEIGHT_BOUND if limb > 1 else ROUNDED_BOUND) / limb
    bias = RATES @ layer.bias.double()
    if layer.rectified:
        gain = 1 / layer.output_step.double()[None]
        shift = float(OFFSET)
    else:
        gain = (RATES @ layer.log_gain.double()).exp() * unit
        bias = bias * unit / gain
        shift = 0.0
    # A row of tiny weights must not make its bias overflow.
    target = bias - shift / gain
    step = torch.maximum(step, target.abs().amax(dim=0) / (bias_bound / 2))
    weight = scaled / step[:, None]
    if limb > 1:
        weight = weight.round()
    else:
        weight = round_weights(weight, moment, -ROUNDED_BOUND, ROUNDED_BOUND)
    integer_bias = (target / step + weight @ offset.double()).round()
    low = (scaled[:, digits] / step[:, None] / integer_network.DIGIT).round()
    weight = torch.cat([weight, low], dim=1)
    if integer_bias.abs().max() >= bias_bound:
        raise BoundError(f"{name}: a bias is beyond {bias_bound}")
    multiplier = (step * gain * 2**integer_network.MULTIPLIER_BITS).round()
    bound = (
        integer_network.SLICE_GAIN * kernels.ACTIVATION_BOUND
    )  # of latents; of others it is less
    largest = weight.abs().sum(dim=1) * bound + integer_bias.abs()
    if largest.max() >= 2**31:
        raise BoundError(f"{name}: a sum does not fit in 32 bits")
    if (largest * multiplier).max() >= 2**bits:
        raise BoundError(f"{name}: a product does not fit in {bits} bits")
    if layer.rectified:
        multiplier = multiplier[0]
    return weight.float(), integer_bias.to(torch.int32), multiplier.to(torch.int64)


def checked_weight(name: str, weight: Tensor) -> Tensor:
    if not kernels.in_bounds(weight):
        raise BoundError(f"{name}: a weight, a pair or a row of weights is beyond its bound")
    return weight.to(torch.int8).contiguous()


def _prediction(network: BlockNetwork, moment: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The two limbs of the linear prediction and its bias, in 2⁻¹² of an 8-bit step.

    In flat areas all pixels of a context are equal, so the errors of separately rounded weights
    would add up to a fifth of a step, and files of smooth pictures would grow by a percent.
    """
    step = network.feature_layer.output_step.double().repeat(len(NEIGHBOURS)) * PIXEL_UNIT
    parts = [network.prediction.double(), network.prediction_features.double() * step]
    wide = torch.cat(parts, dim=1) * 2**integer_network.PREDICTION_BITS
    wide = round_weights(wide, moment, -WIDEST, WIDEST, pair_bound=2 * WIDEST)
    bias = wide[:, parts[0].shape[1] :].sum(dim=1) * OFFSET
    bound = (wide.abs().sum(dim=1) + kernels.WEIGHT_LIMB * wide.shape[1]) * 128 + bias.abs()
    if bound.max() >= 2**31:
        raise BoundError("prediction: a sum does not fit in 32 bits")
    high, low = kernels.split_limbs(wide.long(), kernels.WEIGHT_LIMB)
    return high.float(), low.float(), bias.to(torch.int32)


def _in_turn(high: Tensor, low: Tensor) -> Tensor:
    """Interleave the columns for high and for low digits."""
    return torch.stack([high, low], dim=2).flatten(1)


def _interleave(stack: Tensor, config: ModelConfig) -> Tensor:
    """Reorder columns from [pixels | features] of all neighbours to neighbour by neighbour."""
    pixels = stack[:, : 4 * config.pixels].view(len(stack), 4, -1)
    features = stack[:, 4 * config.pixels :].view(len(stack), 4, -1)
    return torch.cat([pixels, features], dim=2).flatten(1)


def _synthesis_linear(network: BlockNetwork) -> Tensor:
    """Weights in 2⁻¹⁴, so that y_hat (1/8 steps) gives 8-bit steps after a shift."""
    wide = (network.synthesis_linear.double() * 2**integer_network.SYNTHESIS_BITS).round()
    largest = wide.abs().sum(dim=1).max() * integer_network.LATENT_BOUND
    # Beside synthesis_3, below 2²⁰, and the prediction, below 2¹⁹, in one float64 sum of multiples
    # of 2⁻³², which must stay below 2²¹.
    if largest * integer_network.PIXELS_PER_LATENT / 2**integer_network.SYNTHESIS_BITS >= 2**19:
        raise BoundError("synthesis_linear: a sum does not fit")
    return wide.to(torch.int32)


def logistic_counts(config: ModelConfig) -> tuple[np.ndarray, np.ndarray]:
    """Probability rows of the logistic distributions that the rate term assumes."""
    scales = np.geomspace(config.min_scale, config.max_scale, config.scale_levels)
    return probability_counts(scales, _logistic_tail)


def _logistic_tail(distance: np.ndarray) -> np.ndarray:
    """Probability of values beyond ``distance`` scales."""
    return np.asarray(1 / (1 + np.exp(np.minimum(distance, 700))))


def probability_counts(
    scales: np.ndarray, tail: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Probability rows of rounded values at the scales; ``tail`` gives P(value > scale · d).

    Counts (levels, widest) and widths (levels,) as ``tables.build_tables`` takes them.
    """
    counts = np.zeros((len(scales), tables.WIDTHS[-1]), np.int32)
    widths = np.zeros(len(scales), np.int32)
    for level, scale in enumerate(scales):
        escaped = 2 * tail((np.array(tables.WIDTHS) / 2 - 1) / scale)
        widths[level] = tables.WIDTHS[min(int((escaped > 2**-12).sum()), len(tables.WIDTHS) - 1)]
        # The folded symbols 0…width - 2, and the escape.
        distance = (np.abs(tables.unfold(np.arange(widths[level] - 1))) - 0.5) / scale
        row = tail(distance) - tail(distance + 1 / scale)
        row = np.append(row, max(1 - row.sum(), 0))
        counts[level, : widths[level]] = to_counts(row)
    return counts, widths


def to_counts(row: np.ndarray) -> np.ndarray:
    """Positive integers that sum to ``tables.TOTAL``, as near to the probabilities as can be."""
    counts = np.maximum(np.round(row / row.sum() * tables.TOTAL), 1).astype(np.int64)
    counts[np.argmax(counts)] += tables.TOTAL - counts.sum()
    return counts.astype(np.int32)
