"""The context model and the synthesis transform in exact integers, as decoders run them.

Every value is an integer of bounded size, or a float64 that represents a multiple of a power of two
exactly, so all machines compute the same. The exception is one float32 product in each rectified
layer, which IEEE 754 rounds the same everywhere. Formats:

    pixels       int8    value - 128; 0 outside the picture
    activations  int8    level - 128, level 0…255; -128 (level 0) for features outside
    coarse       int8    latents for the non-linear layers, as two digits (``TwoDigits``)
    y_hat        float64 integers, |y_hat| ≤ 2¹⁸, in 1/8 of an 8-bit step
    weights      int8    within the bounds of ``kernels``; two linear matrices are wider, see below
    accumulator  int32   |product| < 2²⁴ by the bound of ``kernels``, |bias| < 2²⁴
    multiplier   float64 a multiple of 2⁻³² with |accumulator + bias| · multiplier · 2³² < 2⁵³;
                 float32 in rectified layers, the nearest one

A layer computes ``round((W·a + bias) * multiplier)``, clamped to its format; ``round`` is half to
even. With a float64 multiplier the product is exact. With a float32 multiplier, which is twice as
fast, the sum is converted to float32 and multiplied once. Nothing is added to the rounded product,
so no machine can fuse or reorder operations. The rectifier is the clamp at level 0. Biases account
for the offset of 128 in the inputs. Biases, and multipliers of layers that are not rectified,
depend on the quality (57 rows). Matrices with a common input are stacked:

    context    (4·(3B²+F) →) [context_1 | P_high | P_low | φ's weights of the context], where
               128·P_high + P_low is the linear prediction in units of 2⁻¹²
    branches   (hidden →) [slice 0 | … | slice S-1 | synthesis_1]

Products of the coarse latents, times ``SLICE_GAIN`` and ``SYNTHESIS_GAIN``, are added to the
branches. The weights of latents are larger than those of the hidden state, which would lose
precision if both had the same unit.

Where blocks differ in quality, each has its own rows of the tables, gathered front by front.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lbbic_engine.config import QUALITY_COUNT, ModelConfig
from lbbic_engine.networks.block_model import Quality, SymbolPort
from lbbic_engine.networks.kernels import WEIGHT_LIMB, Product, make_product

LATENT_UNIT = 512  # y_hat's integers per unit of the float networks: 8 per 8-bit step
PIXELS_PER_LATENT = 0.125
PREDICTION_BITS = 12  # fraction bits of the linear prediction's weights
SYNTHESIS_BITS = 14  # fraction bits of synthesis_linear's weights
MULTIPLIER_BITS = 32
LATENT_BOUND = 2.0**18
STEP_BITS = 8  # fraction bits of the quantisation steps
OUTSIDE_FEATURE = -128
DIGIT = 16
TWO_DIGITS_BOUND = 127 * DIGIT + 127
SLICE_GAIN, SYNTHESIS_GAIN = 4, 2


@dataclass(frozen=True)
class Slice:
    """The networks of a slice of the latents, at one quality or at that of each block."""

    hidden: Product | None  # of the earlier latents; the first slice has none
    hidden_multiplier: Tensor
    parameters: Product
    parameters_bias: Tensor
    parameters_multiplier: Tensor
    steps: Tensor
    coarse_multiplier: Tensor


class TwoDigits:
    """Splits integers into two interleaved 8-bit digits, 16·high + low, each -127…127."""

    def __init__(self, device: str) -> None:
        # A table for take(), in which negative numbers count from the end.
        bound = TWO_DIGITS_BOUND
        low = torch.arange(-bound, bound + 1, dtype=torch.double, device=device).roll(-bound)
        high = (low / DIGIT).round().clamp(-127, 127)
        low = (low - high * DIGIT).clamp(-127, 127)
        digits = torch.stack([high, low], dim=1).to(torch.int8)
        self._digits = digits.view(torch.int16)[:, 0]

    def __call__(self, numbers: Tensor) -> Tensor:
        """int16 whose view as int8 is the digits of float64 integers, which are overwritten."""
        return self._digits.take(numbers.clamp_(-TWO_DIGITS_BOUND, TWO_DIGITS_BOUND).long())


class Layers:
    """Integer layers by name, on one device.

    ``index`` may be that of each of the rows (n,) which they are to take.
    """

    def __init__(
        self, tensors: dict[str, Tensor], product: dict[str, Product], index: Quality
    ) -> None:
        self.product = product
        self.bias: dict[str, Tensor] = {}
        self.multiplier: dict[str, Tensor] = {}
        for name, value in tensors.items():
            layer, _, kind = name.rpartition(".")
            if kind == "bias":
                self.bias[layer] = value[index]
            elif kind == "multiplier":
                rectified = value.ndim == 1
                chosen = (value if rectified else value[index]).double() / 2**MULTIPLIER_BITS
                self.multiplier[layer] = chosen.float() if rectified else chosen

    def of(self, rows: Tensor | None) -> Layers:
        """The same layers for these rows, of those that they take."""
        if rows is None:
            return self
        chosen = copy.copy(self)
        chosen.bias = {name: _of(value, rows) for name, value in self.bias.items()}
        chosen.multiplier = {name: _of(value, rows) for name, value in self.multiplier.items()}
        return chosen

    def accumulate(self, name: str, values: Tensor) -> Tensor:
        return self.product[name](values).add_(self.bias[name])

    def activation(self, name: str, values: Tensor) -> Tensor:
        """A rectified layer's output, int8."""
        return activation(self.accumulate(name, values), self.multiplier[name])


class LayersByQuality:
    """A network's layers at each quality; those that all rows share are made once."""

    def __init__(self, tensors: dict[str, Tensor], kernel: str) -> None:
        self._tensors = tensors
        self._products = make_products(tensors, kernel)
        self._made: dict[int, Layers] = {}

    def at(self, index: Quality) -> Layers:
        if not isinstance(index, int):
            return Layers(self._tensors, self._products, index)
        if index not in self._made:
            self._made[index] = Layers(self._tensors, self._products, index)
        return self._made[index]


def make_products(tensors: dict[str, Tensor], kernel: str) -> dict[str, Product]:
    """Return the product of each layer that has weights."""
    return {
        name.removesuffix(".weight"): make_product(value, kernel)
        for name, value in tensors.items()
        if name.endswith(".weight")
    }


class IntegerNetwork:
    """Integer layers on one device; immutable. ``at_quality`` returns a model that codes."""

    def __init__(
        self, config: ModelConfig, tensors: dict[str, Tensor], kernel: str, device: str
    ) -> None:
        self.config = config
        self.device = device
        self.tensors = {name: value.to(device) for name, value in tensors.items()}
        self.products = make_products(self.tensors, kernel)
        self.two_digits = TwoDigits(device)
        linear = self.tensors["synthesis_linear"].t().double().contiguous()
        self.synthesis_linear = linear * (PIXELS_PER_LATENT / 2**SYNTHESIS_BITS)
        self._models: dict[int, IntegerModel] = {}

    def at_quality(self, index: Quality) -> IntegerModel | MixedModel:
        if not isinstance(index, int):
            return MixedModel(self, index)
        if index not in self._models:
            self._models[index] = IntegerModel(self, index)
        return self._models[index]

    def steps(self, index: Quality) -> Tensor:
        """Quantisation steps (latents,) or (n, latents), float64 in y_hat's unit."""
        steps: Tensor = self.tensors["steps"][index].double() / 2**STEP_BITS
        return steps


class MixedModel:
    """The integer networks for blocks each of which has its own quality index (blocks,)."""

    def __init__(self, network: IntegerNetwork, indexes: Tensor) -> None:
        self.block_size = network.config.block_size
        self._network = network
        self._indexes = indexes

    def empty_state(self, blocks: int) -> Tensor:
        return self._network.at_quality(0).empty_state(blocks)

    def code_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        model = IntegerModel(self._network, self._indexes.index_select(0, front))
        return model.code_front(front, around, port)


class IntegerModel:
    """The integer networks at a quality index (0…56), or at that of each row (n,) of a front."""

    def __init__(self, network: IntegerNetwork, index: Quality) -> None:
        self.config = network.config
        self.block_size = network.config.block_size
        self.device = network.device
        self._steps = network.steps(index)
        self._layers = Layers(network.tensors, network.products, index)
        self._linear = network.synthesis_linear
        self._two_digits = network.two_digits
        self._stack_biases(network.tensors["prediction_bias"], index)
        coarse = network.tensors["latent_multiplier"].double() / 2**MULTIPLIER_BITS
        self._slices = list(self._make_slices(coarse))
        self._branches = [self.config.slice_hidden] * len(self._slices) + [self.config.hidden]

    def _stack_biases(self, prediction: Tensor, index: Quality) -> None:
        """Stack the biases of layers that share a product, so that one addition serves all."""
        bias = self._layers.bias
        prediction = prediction.expand(QUALITY_COUNT, -1)[index]
        parts = bias["context_1"], torch.zeros_like(prediction), prediction, bias["feature"]
        bias["context"] = torch.cat(parts, dim=-1)
        hidden = [bias[f"slice_hidden.{i}"] for i in range(len(self.config.latent_slices))]
        bias["branches"] = torch.cat([*hidden, bias["synthesis_1"]], dim=-1)

    def _make_slices(self, coarse_multiplier: Tensor) -> Iterator[Slice]:
        layers = self._layers
        widths = self.config.latent_slices
        parts = self._steps.split(widths, dim=-1), coarse_multiplier.split(widths)
        for i, (steps, coarse) in enumerate(zip(*parts, strict=True)):
            hidden, parameters = f"slice_hidden.{i}", f"slice_parameters.{i}"
            yield Slice(
                hidden=layers.product.get(hidden),
                hidden_multiplier=layers.multiplier[hidden],
                parameters=layers.product[parameters],
                parameters_bias=layers.bias[parameters],
                parameters_multiplier=layers.multiplier[parameters],
                steps=steps,
                coarse_multiplier=coarse,
            )

    def empty_state(self, blocks: int) -> Tensor:
        """State (blocks + 1, 3B²+F), int8; the last row is the outside of the picture."""
        config = self.config
        width = config.pixels + config.features
        state = torch.zeros((blocks + 1, width), dtype=torch.int8, device=self.device)
        state[-1, config.pixels :] = OUTSIDE_FEATURE
        return state

    @torch.inference_mode()
    def code_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        """State (n, 3B²+F) of blocks ``front``, given their neighbours' (n, 4·(3B²+F)).

        If ``port`` tries several candidates for a block, there is a row for each.
        """
        prediction, h, feature = self.context_model(around)
        port.begin(front, prediction, h)
        branches = self._layers.accumulate("branches", h)
        y_hat, coarse, synthesis, origins = self.latents(branches, port)
        prediction, feature = _rows(prediction, origins), _rows(feature, origins)
        x_hat = self.synthesis_transform(y_hat, coarse, prediction, synthesis, origins)
        return torch.cat([x_hat, self.features(x_hat, feature)], dim=1)

    def context_model(self, around: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Evaluate the context model on the neighbours' state (n, 4·(3B²+F)).

        Returns the linear prediction (n, 3B²), int32 in 2⁻¹² of an 8-bit step; the hidden state;
        φ's accumulators for the context.
        """
        config = self.config
        sizes = (config.hidden, config.pixels, config.pixels, config.features)
        layers = self._layers
        first, high, low, feature = layers.accumulate("context", around).split(sizes, dim=1)
        h = layers.activation("context_2", activation(first, layers.multiplier["context_1"]))
        return torch.add(low, high, alpha=WEIGHT_LIMB), h, feature

    def latents(
        self, branches: Tensor, port: SymbolPort
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Evaluate slice after slice, with the symbols of ``port``.

        ``branches`` are the accumulators for h, which are overwritten. Returns y_hat (n, latents),
        its coarse form, synthesis_1's part of ``branches``, and for each row of these the row of
        ``branches`` that it continues (None if rows are the same).
        """
        origins: Tensor | None = None
        y_hat = coarse = torch.empty(0)
        *of_slices, of_synthesis = branches.split(self._branches, dim=1)
        for i, (part, of_h) in enumerate(zip(self._slices, of_slices, strict=True)):
            accumulator = _rows(of_h, origins)
            if part.hidden is not None:
                accumulator.add_(part.hidden(coarse.view(torch.int8)), alpha=SLICE_GAIN)
            hidden = activation(accumulator, part.hidden_multiplier)
            parameters = part.parameters(hidden).add_(_of(part.parameters_bias, origins))
            multiplier = _of(part.parameters_multiplier, origins)
            levels, means = rounded(parameters, multiplier).chunk(2, dim=1)
            levels = levels.clamp_(0, self.config.scale_levels - 1).to(torch.uint8)
            symbols, parents = port.symbols(i, means, levels)
            if parents is not None:
                means = _rows(means, parents)
                if i:
                    y_hat, coarse = _rows(y_hat, parents), _rows(coarse, parents)
                origins = parents if origins is None else origins[parents]
            slice_y_hat = symbols.double().mul_(_of(part.steps, origins)).round_().add_(means)
            digits = self._two_digits((slice_y_hat * part.coarse_multiplier).round_())
            y_hat = torch.cat([y_hat, slice_y_hat], dim=1) if i else slice_y_hat
            coarse = torch.cat([coarse, digits], dim=1) if i else digits
        y_hat.clamp_(-LATENT_BOUND, LATENT_BOUND)
        return y_hat, coarse.view(torch.int8), _rows(of_synthesis, origins), origins

    def synthesis_transform(
        self,
        y_hat: Tensor,
        coarse: Tensor,
        prediction: Tensor,
        accumulator: Tensor,
        origins: Tensor | None,
    ) -> Tensor:
        """x_hat (n, 3B²), int8, of the continuations of rows ``origins``."""
        layers = self._layers.of(origins)
        accumulator.add_(layers.product["synthesis_1"](coarse), alpha=SYNTHESIS_GAIN)
        hidden = activation(accumulator, layers.multiplier["synthesis_1"])
        hidden = layers.activation("synthesis_2", hidden)
        # All terms are multiples of 2⁻³² and their sum is below 2²¹, so it is exact.
        total = layers.accumulate("synthesis_3", hidden) * layers.multiplier["synthesis_3"]
        total.addmm_(y_hat, self._linear).add_(prediction, alpha=2.0**-PREDICTION_BITS)
        return total.round_().clamp_(-128, 127).to(torch.int8)

    def features(self, x_hat: Tensor, accumulator: Tensor) -> Tensor:
        """φ of the reconstructed blocks, (n, F), int8."""
        accumulator += self._layers.product["feature"](x_hat)
        return activation(accumulator, self._layers.multiplier["feature"])


def _rows(values: Tensor, chosen: Tensor | None) -> Tensor:
    """The chosen rows, or all if None."""
    return values if chosen is None else values.index_select(0, chosen)


def _of(table: Tensor, rows: Tensor | None) -> Tensor:
    """The rows chosen, if the table has one for each block."""
    return table if table.ndim == 1 else _rows(table, rows)


def rounded(accumulator: Tensor, multiplier: Tensor) -> Tensor:
    """A layer's output before clamping, float64, from accumulators that include the bias."""
    return accumulator.double().mul_(multiplier).round_()


def activation(accumulator: Tensor, multiplier: Tensor) -> Tensor:
    """A rectified layer's output, int8."""
    return accumulator.float().mul_(multiplier).round_().clamp_(-128, 127).to(torch.int8)
